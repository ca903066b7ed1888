//! Turns texts and numbers of foreign formats into our values, with errors that name the field.
//!
//! Refuses to guess: what is not an exact decimal, a symbol or a plausible time is an error.

use super::{
    error::ParseError,
    units::{self, decimal_micros, unit_name},
};
pub(crate) use super::{error::words, units::plausible};
use crate::{
    limits::{MAX_ERROR_CHARS, MAX_SYMBOL_LEN, MAX_TRADE_ID},
    market::{Level, Price, Size, Symbol, TradeId, UnixMicros},
};

/// From this count since the epoch on the unit is microseconds, below it milliseconds: in milliseconds it would be the year
/// 5138, in microseconds it is 1973.
const FIRST_MICROS: i64 = 100_000_000_000_000;

/// Most characters of a foreign text that an error repeats.
const SHOWN: usize = 40;

/// The price in that text.
pub(crate) fn price(field: &'static str, text: &str) -> Result<Price, ParseError> {
    text.parse().map_err(|why| ParseError::Number { field, why })
}

/// The size in that text.
pub(crate) fn size(field: &'static str, text: &str) -> Result<Size, ParseError> {
    text.parse().map_err(|why| ParseError::Number { field, why })
}

/// One side of a quote. Venues write an empty side as price zero with no size or size zero.
pub(crate) fn level(price: Price, size: Option<Size>) -> Option<Level> {
    let empty = price.decimal().is_zero() && size.is_none_or(|size| size.decimal().is_zero());
    (!empty).then_some(Level { price, size })
}

/// The symbol in that text.
pub(crate) fn symbol(text: &str) -> Result<Symbol, ParseError> {
    Symbol::new(text).map_err(|why| ParseError::Symbol { text: shown(text), why })
}

/// A trade's id as the venue wrote it: a number only if it prints as the same text; `None` if it is empty.
pub(crate) fn trade_id(field: &'static str, text: &str) -> Result<Option<TradeId>, ParseError> {
    if text.len() > MAX_TRADE_ID {
        return Err(ParseError::Long { field, len: text.len(), max: MAX_TRADE_ID });
    }
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse::<u64>().ok().filter(|_| text == "0" || !text.starts_with(['0', '+']));
    Ok(Some(number.map_or_else(|| TradeId::Text(text.into()), TradeId::Number)))
}

/// A count since the epoch, in milliseconds or microseconds by its magnitude.
pub(crate) fn unix_time(field: &'static str, count: i64) -> Result<UnixMicros, ParseError> {
    let micros = if count >= FIRST_MICROS { Some(count) } else { count.checked_mul(1_000) };
    micros.and_then(plausible).ok_or_else(|| implausible(field, &count.to_string()))
}

/// A time in RFC 3339, to the microsecond.
pub(crate) fn rfc3339(field: &'static str, text: &str) -> Result<UnixMicros, ParseError> {
    units::rfc3339(text).ok_or_else(|| implausible(field, text))
}

/// A decimal count since the epoch, of units of which `per_second` make a second, to the microsecond.
pub(crate) fn decimal_time(
    field: &'static str,
    text: &str,
    per_second: i64,
) -> Result<UnixMicros, ParseError> {
    let unit = unit_name(per_second);
    decimal_micros(text, per_second).and_then(plausible).ok_or_else(|| implausible_in(field, text, unit))
}

/// The error of an implausible time.
pub(crate) fn implausible(field: &'static str, text: &str) -> ParseError {
    implausible_in(field, text, "")
}

/// Likewise, of a count of this unit.
pub(crate) fn implausible_in(field: &'static str, text: &str, unit: &'static str) -> ParseError {
    ParseError::Time { field, text: shown(text), unit }
}

/// The start of an error, which may repeat foreign text.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(MAX_ERROR_CHARS).collect()
}

/// Whether the JSON is a list. Readers of objects must ask first, because derived ones also accept a list of values.
pub(crate) fn is_list(json: &[u8]) -> bool {
    json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// The part of a foreign text that an error repeats.
pub(super) fn shown(text: &str) -> String {
    const { assert!(SHOWN > MAX_SYMBOL_LEN, "enough of a symbol is shown to see that it is too long") };
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_magnitude_and_must_be_plausible() {
        assert_eq!(unix_time("T", 1_723_161_255_342).unwrap(), UnixMicros(1_723_161_255_342_000));
        assert_eq!(unix_time("T", 1_723_161_255_342_001).unwrap(), UnixMicros(1_723_161_255_342_001));
        for bad in [0, -1, 1, i64::MIN, i64::MAX, 1_723_161_255_342_000_000] {
            assert!(matches!(unix_time("T", bad), Err(ParseError::Time { .. })), "{bad}");
        }
    }

    #[test]
    fn odd_texts_of_times_are_errors() {
        assert_eq!(rfc3339("time", "1973-11-29T21:33:09.123456Z").unwrap(), UnixMicros(123_456_789_123_456));
        for bad in ["0001-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z", "", "yesterday", "2021-04-17"] {
            assert!(matches!(rfc3339("time", bad), Err(ParseError::Time { .. })), "{bad}");
        }
    }

    #[test]
    fn decimal_counts_keep_their_microseconds() {
        for (text, per_second, micros) in [
            ("1633998512.0633569", 1, 1_633_998_512_063_356),
            ("1633998512", 1, 1_633_998_512_000_000),
            ("1786309548.1", 1, 1_786_309_548_100_000),
            ("1633998512063.5", 1_000, 1_633_998_512_063_500),
            ("1633998512063356", 1_000_000, 1_633_998_512_063_356),
            ("1723161253937085768", 1_000_000_000, 1_723_161_253_937_085),
        ] {
            assert_eq!(decimal_time("t", text, per_second).unwrap(), UnixMicros(micros), "{text}");
        }
        for bad in ["", "-", "1e9", "1.2.3", "nan", "99999999999999999999999999999", "0.5"] {
            assert!(decimal_time("t", bad, 1).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_trades_keep_their_text() {
        for text in ["0", "995098700", "000000", "007", "+7", "x-1", "99999999999999999999"] {
            assert_eq!(trade_id("id", text).unwrap().unwrap().to_string(), text);
        }
        assert_eq!(trade_id("id", "").unwrap(), None);
        assert!(trade_id("id", &"7".repeat(MAX_TRADE_ID)).is_ok());
        assert!(matches!(trade_id("id", &"7".repeat(MAX_TRADE_ID + 1)), Err(ParseError::Long { .. })));
    }

    #[test]
    fn an_empty_side_is_missing_and_a_free_one_is_not() {
        let (zero, one) = ("0.00".parse().unwrap(), "1".parse().unwrap());
        assert!(level(zero, Some("0.0".parse().unwrap())).is_none());
        assert!(level(zero, None).is_none());
        assert!(level(zero, Some("5".parse().unwrap())).is_some());
        assert!(level(one, Some("0".parse().unwrap())).is_some());
    }
}
