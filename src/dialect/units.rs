//! What a time that cannot be meant would be in each unit: most such times are right, in another unit than they are read
//! in.

use std::fmt;

use jiff::Timestamp;

use super::field::{self, UNITS};

/// The way to write times in which the text is a plausible one, as `csv.time_unit` calls it.
pub(crate) fn meant(text: &str) -> Option<&'static str> {
    if field::rfc3339("", text).is_ok() {
        return Some("rfc3339");
    }
    // The plausible counts of no two units overlap.
    let plausible = |per_second| field::decimal_micros(text, per_second).and_then(field::plausible);
    UNITS.iter().find(|(per_second, _)| plausible(*per_second).is_some()).map(|(_, name)| *name)
}

/// Shows how a text was read and what it would be in each unit. Nothing for what is no number.
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
            let micros = field::decimal_micros(self.text, per_second);
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
