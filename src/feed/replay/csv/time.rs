//! Times in a column.

use jiff::{ToSpan as _, civil, fmt::strtime, tz::TimeZone};

use super::super::decoded::Skipped;
use crate::{
    dialect::{field, units},
    feed::DefinitionError,
    market::UnixMicros,
};

/// Milliseconds of a day and one hour: a day on which the clock changes can have 25 hours.
const DAY_MS: i64 = 25 * 60 * 60 * 1_000;

/// A checked `time_unit` with its settings.
#[derive(Debug)]
pub(in crate::feed) enum TimeFormat {
    /// Since the epoch; the number of units in a second.
    Count(i64),
    /// Milliseconds of the wall clock since midnight of a day.
    OfDay(civil::Date, TimeZone),
    /// RFC 3339, also with a space for the `T`.
    Rfc3339,
    /// A pattern of `strptime`; the zone is for texts without an offset.
    Pattern(String, TimeZone),
}

impl TimeFormat {
    pub(in crate::feed) fn new(
        unit: &str,
        date: Option<&str>,
        timezone: Option<&str>,
    ) -> Result<Self, DefinitionError> {
        let zone = match timezone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_unknown| {
                DefinitionError::new(
                    "csv.timezone",
                    format!("{name:?} is no zone, such as \"America/New_York\""),
                )
            })?,
        };
        if date.is_some() && unit != "ms_of_day" {
            return Err(DefinitionError::new("csv.date", "belongs to time_unit = \"ms_of_day\" only"));
        }
        match unit {
            "s" => Ok(Self::Count(1)),
            "ms" => Ok(Self::Count(1_000)),
            "us" => Ok(Self::Count(1_000_000)),
            "ns" => Ok(Self::Count(1_000_000_000)),
            "rfc3339" => Ok(Self::Rfc3339),
            "ms_of_day" => {
                let date = date.ok_or_else(|| DefinitionError::new("csv.date", "ms_of_day needs the day"))?;
                let day = date.parse::<civil::Date>().map_err(|_bad| {
                    DefinitionError::new("csv.date", format!("{date:?} is no date, such as \"2013-10-07\""))
                })?;
                Ok(Self::OfDay(day, zone))
            }
            pattern if pattern.contains('%') => Ok(Self::Pattern(pattern.into(), zone)),
            _other => Err(DefinitionError::new(
                "csv.time_unit",
                format!(
                    "{unit:?} is not s, ms, us, ns, ms_of_day, rfc3339 or a pattern such as \"%Y%m%d %H%M%S%f\""
                ),
            )),
        }
    }

    /// The time in a field. An error says which unit the text would be a time in.
    pub(in crate::feed) fn parse(&self, text: &str) -> Result<UnixMicros, Skipped> {
        let time = match self {
            Self::Count(per_second) => field::decimal_time("time", text, *per_second),
            Self::Rfc3339 => field::rfc3339("time", text),
            Self::OfDay(date, zone) => of_day(text, *date, zone)
                .and_then(field::plausible)
                .ok_or_else(|| field::implausible("time", text)),
            Self::Pattern(pattern, zone) => by_pattern(text, pattern, zone)
                .and_then(field::plausible)
                .ok_or_else(|| field::implausible("time", text)),
        };
        time.map_err(|why| {
            let skipped = Skipped::from(why);
            match units::meant(text) {
                Some(unit) => {
                    Skipped { why: format!("{}; set csv.time_unit = {unit:?}", skipped.why), ..skipped }
                }
                None => skipped,
            }
        })
    }
}

fn of_day(text: &str, date: civil::Date, zone: &TimeZone) -> Option<i64> {
    let ms = text.parse::<i64>().ok().filter(|ms| (0..DAY_MS).contains(ms))?;
    let local = date.at(0, 0, 0, 0).checked_add(ms.milliseconds()).ok()?;
    Some(zone.to_timestamp(local).ok()?.as_microsecond())
}

fn by_pattern(text: &str, pattern: &str, zone: &TimeZone) -> Option<i64> {
    let parts = strtime::parse(pattern, text).ok()?;
    let time = if parts.offset().is_some() {
        parts.to_timestamp().ok()?
    } else {
        zone.to_timestamp(parts.to_datetime().ok()?).ok()?
    };
    Some(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(unit: &str, date: Option<&str>, zone: Option<&str>, text: &str) -> i64 {
        TimeFormat::new(unit, date, zone).unwrap().parse(text).unwrap().0
    }

    #[test]
    fn every_unit_tells_the_same_instant() {
        // 2013-10-07 04:00:30.270 in New York, which then was UTC-4.
        let instant = 1_381_132_830_270_000;
        let (day, new_york) = (Some("2013-10-07"), Some("America/New_York"));
        for (unit, date, zone, text) in [
            ("s", None, None, "1381132830.27"),
            ("ms", None, None, "1381132830270"),
            ("us", None, None, "1381132830270000"),
            ("ns", None, None, "1381132830270000999"),
            ("ms_of_day", day, new_york, "14430270"),
            ("ms_of_day", day, None, "28830270"),
            ("rfc3339", None, None, "2013-10-07T04:00:30.27-04:00"),
            ("rfc3339", None, None, "2013-10-07 08:00:30.270000+00:00"),
            ("%Y%m%d %H%M%S%f", None, new_york, "20131007 040030270"),
            ("%Y%m%d %H%M%S%f", None, Some("EST"), "20131007 030030270"),
            ("%d.%m.%Y %H:%M:%S%.f %z", None, new_york, "07.10.2013 08:00:30.27 +0000"),
        ] {
            assert_eq!(micros(unit, date, zone, text), instant, "{unit} {text}");
        }
        // Winter: UTC-5.
        assert_eq!(micros("ms_of_day", Some("2014-01-06"), new_york, "0"), 1_388_984_400_000_000);
    }

    #[test]
    fn a_time_in_another_unit_names_the_key_to_set() {
        let texts = [
            ("s", "1700000000"),
            ("ms", "1700000000000"),
            ("us", "1700000000000000"),
            ("ns", "1700000000000000000"),
            ("rfc3339", "2023-11-14T22:13:20Z"),
        ];
        for (meant, text) in texts {
            for unit in ["s", "ms", "us", "ns", "rfc3339", "ms_of_day", "%Y-%m-%d %H:%M:%S"] {
                let date = (unit == "ms_of_day").then_some("2023-11-14");
                let read = TimeFormat::new(unit, date, None).unwrap().parse(text);
                if unit == meant {
                    assert_eq!(read.unwrap().0, 1_700_000_000_000_000);
                    continue;
                }
                let why = read.unwrap_err().why;
                assert!(why.contains(&format!("set csv.time_unit = {meant:?}")), "{text} as {unit}: {why}");
                assert!(why.contains(text), "{why}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (unit, date, zone, key) in [
            ("days", None, None, "csv.time_unit"),
            ("ms_of_day", None, None, "csv.date"),
            ("ms_of_day", Some("7.10."), None, "csv.date"),
            ("ms", Some("2013-10-07"), None, "csv.date"),
            ("ms", None, Some("Mars/Olympus"), "csv.timezone"),
        ] {
            assert_eq!(TimeFormat::new(unit, date, zone).unwrap_err().key, key);
        }
        let of_day = TimeFormat::new("ms_of_day", Some("2013-10-07"), None).unwrap();
        for bad in ["", "-1", "90000001", "1.5", "x"] {
            assert_eq!(of_day.parse(bad).unwrap_err().kind, "time", "{bad}");
        }
    }
}
