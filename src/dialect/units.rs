//! Units of times. Most implausible times are right in another unit, so errors tell what the time would be in each.

use std::fmt;

use jiff::Timestamp;
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use crate::market::UnixMicros;

/// Plausible times: 1971-01-01 to 2200-01-01, in microseconds since the Unix epoch. Several venues write "none" as zero or
/// as year 1.
const PLAUSIBLE: std::ops::Range<i64> = 31_536_000_000_000..7_258_118_400_000_000;

/// The units of counts since the epoch: how many make a second, and their names in definitions.
const UNITS: [(i64, &str); 4] = [(1, "s"), (1_000, "ms"), (1_000_000, "us"), (1_000_000_000, "ns")];

/// The name of the unit of which `per_second` make a second.
pub(super) fn unit_name(per_second: i64) -> &'static str {
    UNITS.iter().find(|(units, _)| *units == per_second).map_or("", |(_, name)| name)
}

/// A decimal count of units of which `per_second` make a second, truncated to microseconds.
pub(super) fn decimal_micros(text: &str, per_second: i64) -> Option<i64> {
    // Nearly all counts have no fraction and need no decimals.
    if let Ok(count) = text.parse::<i64>() {
        return i64::try_from(i128::from(count) * 1_000_000 / i128::from(per_second)).ok();
    }
    let count = Decimal::from_str_exact(text).ok()?;
    let micros = count.checked_mul(Decimal::from(1_000_000))?.checked_div(Decimal::from(per_second))?;
    micros.trunc().to_i64()
}

/// The time, if it is plausible.
pub(crate) fn plausible(micros: i64) -> Option<UnixMicros> {
    PLAUSIBLE.contains(&micros).then_some(UnixMicros(micros))
}

/// A time as venues write it: RFC 3339, in UTC, to the microsecond.
pub(super) fn rfc3339_text(time: UnixMicros) -> String {
    Timestamp::from_microsecond(time.0).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// A plausible time in RFC 3339, to the microsecond.
pub(super) fn rfc3339(text: &str) -> Option<UnixMicros> {
    plausible(text.parse::<Timestamp>().ok()?.as_microsecond())
}

/// The `csv.time_unit` in which the text is a plausible time.
pub(crate) fn meant(text: &str) -> Option<&'static str> {
    if rfc3339(text).is_some() {
        return Some("rfc3339");
    }
    // The plausible ranges of the units do not overlap.
    let fits = |per_second| decimal_micros(text, per_second).and_then(plausible);
    UNITS.iter().find(|(per_second, _)| fits(*per_second).is_some()).map(|(_, name)| *name)
}

/// Tells how a text was read and what it would be in each unit; empty if it is not a number.
pub(super) struct Readings<'a> {
    pub(super) text: &'a str,
    /// The unit that it was read in; empty when it was told by its size, or is no count.
    pub(super) unit: &'static str,
}

impl fmt::Display for Readings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.unit.is_empty() {
            write!(f, " in {}", self.unit)?;
        }
        let mut between = ": it would be ";
        for (per_second, unit) in UNITS {
            let micros = decimal_micros(self.text, per_second);
            let Some(Ok(time)) = micros.map(Timestamp::from_microsecond) else { continue };
            write!(f, "{between}{} in {unit}", time.strftime("%Y-%m-%dT%H:%M:%SZ"))?;
            between = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::field;

    #[test]
    fn every_unit_read_in_every_other_one_is_refused_and_names_the_right_one() {
        for (text, meant_unit) in [
            ("1700000000", "s"),
            ("1700000000.25", "s"),
            ("1700000000000", "ms"),
            ("1700000000000000", "us"),
            ("1700000000000000000", "ns"),
        ] {
            assert_eq!(meant(text), Some(meant_unit), "{text}");
            for (per_second, unit) in UNITS {
                let read = field::decimal_time("time", text, per_second);
                if unit == meant_unit {
                    assert!(read.is_ok(), "{text} in {unit}");
                    continue;
                }
                let why = read.unwrap_err().to_string();
                let start = format!("time: {text:?} is not a plausible time in {unit}: it would be ");
                assert!(why.starts_with(&start), "{why}");
                assert!(why.contains(&format!("2023-11-14T22:13:20Z in {meant_unit}")), "{why}");
            }
        }
        assert_eq!(meant("2023-11-14T22:13:20Z"), Some("rfc3339"));
        for none in ["", "0", "yesterday", "12", "99999999999999999999999999"] {
            assert_eq!(meant(none), None, "{none}");
        }
        let why = field::decimal_time("time", "soon", 1).unwrap_err().to_string();
        assert_eq!(why, "time: \"soon\" is not a plausible time in s");
    }
}
