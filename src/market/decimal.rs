//! Exact prices and sizes.
//!
//! Read from text, written as text, never through a binary float: `67210.10` stays `67210.10`.

use std::{fmt, str::FromStr};

use arrayvec::ArrayString;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::MAX_DECIMAL_CHARS;

/// Longest text of a decimal: sign, 29 digits, point, and a leading zero.
const MAX_DECIMAL_TEXT: usize = 32;

/// Why a text is not an exact decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a decimal number, or more digits than a decimal holds exactly (28).
    #[error("{0:?} is not an exact decimal number of at most 28 digits")]
    NotDecimal(String),
    /// A size below zero.
    #[error("{0:?} is negative")]
    Negative(String),
}

fn not_decimal(text: &str) -> DecimalError {
    DecimalError::NotDecimal(text.chars().take(MAX_DECIMAL_TEXT).collect())
}

fn parse(text: &str) -> Result<Decimal, DecimalError> {
    // A plain number only: the library would also take `1_000`, and would print `-0` as `0`.
    if text.len() > MAX_DECIMAL_CHARS {
        return Err(not_decimal(text));
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if plain {
        return Decimal::from_str_exact(text).map_err(|_why| not_decimal(text));
    }
    // JSON numbers of some venues come as 1e-7: exact all the same.
    if text.bytes().any(|b| matches!(b, b'e' | b'E')) {
        return Decimal::from_scientific(text).map_err(|_why| not_decimal(text));
    }
    Err(not_decimal(text))
}

/// The text of a decimal, as [`fmt::Display`] would write it, in a fifth of the instructions: every event has several.
pub(crate) fn decimal_text(value: Decimal) -> ArrayString<MAX_DECIMAL_TEXT> {
    let mut text = ArrayString::new();
    let (mut narrow, mut wide) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mantissa = value.mantissa().unsigned_abs();
    let digits = match u64::try_from(mantissa) {
        Ok(mantissa) => narrow.format(mantissa),
        Err(_) => wide.format(mantissa),
    };
    let scale = usize::try_from(value.scale()).unwrap_or(usize::MAX);
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    if value.is_sign_negative() {
        text.push('-');
    }
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        text.push('.');
        (fraction.len()..scale).for_each(|_| text.push('0'));
        text.push_str(fraction);
    }
    text
}

macro_rules! decimal_traits {
    ($name:ident) => {
        impl $name {
            /// The value.
            #[must_use]
            pub const fn decimal(self) -> Decimal {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&decimal_text(self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a decimal number as text")
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    };
}

/// A price, exact, with the scale of its source. It may be negative (spreads, and oil once).
///
/// Equality and order are by value (`1.0 == 1.00`); the text keeps the scale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(Decimal);

impl Price {
    /// The price of that value and scale.
    #[must_use]
    pub const fn new(value: Decimal) -> Self {
        Self(value)
    }
}

impl FromStr for Price {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        parse(text).map(Self)
    }
}

decimal_traits!(Price);

/// A traded or offered amount, exact, with the scale of its source; never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(Decimal);

impl Size {
    /// The size of that value and scale.
    ///
    /// # Errors
    /// When the value is negative.
    pub fn new(value: Decimal) -> Result<Self, DecimalError> {
        if value < Decimal::ZERO {
            return Err(DecimalError::Negative(value.to_string()));
        }
        Ok(Self(value))
    }
}

impl FromStr for Size {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::new(parse(text)?)
    }
}

decimal_traits!(Size);

/// A part in a hundred, exact to its last digit; it may be negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(Decimal);

impl Percent {
    /// That number of percent.
    #[must_use]
    pub const fn new(value: Decimal) -> Self {
        Self(value)
    }
}

impl FromStr for Percent {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        parse(text).map(Self)
    }
}

decimal_traits!(Percent);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_to_text_keeps_every_digit() {
        for text in ["67210.10", "0.05990000", "0", "0.00000001", "1", "-37.63", "1234567890123456.12345678"]
        {
            assert_eq!(text.parse::<Price>().unwrap().to_string(), text);
            assert_eq!(
                serde_json::to_string(&text.parse::<Price>().unwrap()).unwrap(),
                format!("\"{text}\"")
            );
        }
        assert_eq!("1e-7".parse::<Price>().unwrap().to_string(), "0.0000001");
    }

    proptest::proptest! {
        #[test]
        fn a_text_is_what_the_library_writes(
            parts in proptest::prelude::any::<(u32, u32, u32)>(),
            parts_used in 0_u32..4,
            negative in proptest::prelude::any::<bool>(),
            scale in 0_u32..=28,
        ) {
            let part = |n: u32, bits: u32| if parts_used > n { bits } else { 0 };
            let (low, middle, high) = (part(0, parts.0), part(1, parts.1), part(2, parts.2));
            let value = Decimal::from_parts(low, middle, high, negative, scale);
            let written = decimal_text(value);
            proptest::prop_assert_eq!(written.as_str(), value.to_string());
        }
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for bad in
            ["", "abc", "1_000", "0.-10000", "1.2.3", "NaN", "+1", " 1", "0.12345678901234567890123456789012"]
        {
            assert!(bad.parse::<Price>().is_err(), "{bad:?}");
        }
        let zeros = "0".repeat(MAX_DECIMAL_CHARS - 1) + "1";
        assert_eq!(zeros.parse::<Price>().unwrap().to_string(), "1");
        let why = format!("0{zeros}").parse::<Price>().unwrap_err().to_string();
        assert!(why.len() < 120, "{why}");
        assert!(matches!("-1".parse::<Size>(), Err(DecimalError::Negative(_))));
    }
}
