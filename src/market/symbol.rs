//! Names: instruments and the places that ticks come from.

use std::{fmt, str::FromStr};

use arrayvec::ArrayString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::{MAX_SOURCE_LEN, MAX_SYMBOL_LEN};

/// An instrument: 1-32 ASCII characters of `A-Z 0-9 . _ - / :`, for example `BTC-USD` or `EUR/USD`.
///
/// Stored inline, so that copying one neither allocates nor counts references.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(ArrayString<MAX_SYMBOL_LEN>);

/// Why a text is not a [`Symbol`] or a [`Source`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SymbolError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More than the allowed number of characters.
    #[error("has {len} characters, at most {max} are allowed")]
    TooLong {
        /// Length found, in bytes.
        len: usize,
        /// Longest allowed, in bytes.
        max: usize,
    },
    /// A character outside the allowed set.
    #[error("has {0:?}, allowed are A-Z 0-9 . _ - / :")]
    BadCharacter(char),
}

impl Symbol {
    /// Checks and copies a symbol.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, SymbolError> {
        let allowed = |b: &u8| {
            b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':')
        };
        checked(text, allowed).map(Self)
    }

    /// The symbol as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a tick comes from: a feed or exchange code of 1-16 printable ASCII characters without quotes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(ArrayString<MAX_SOURCE_LEN>);

impl Source {
    /// Checks and copies a source name.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, SymbolError> {
        checked(text, |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\')).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn checked<const N: usize>(text: &str, allowed: impl Fn(&u8) -> bool) -> Result<ArrayString<N>, SymbolError> {
    if text.is_empty() {
        return Err(SymbolError::Empty);
    }
    if let Some(bad) = text.chars().find(|c| !u8::try_from(*c).is_ok_and(|b| allowed(&b))) {
        return Err(SymbolError::BadCharacter(bad));
    }
    ArrayString::from(text).map_err(|_full| SymbolError::TooLong { len: text.len(), max: N })
}

macro_rules! text_traits {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl FromStr for $name {
            type Err = SymbolError;

            fn from_str(text: &str) -> Result<Self, SymbolError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a name as text")
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(|why| E::custom(format_args!("{text:?} {why}")))
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    };
}

text_traits!(Symbol);
text_traits!(Source);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_checked() {
        for good in ["A", "BTC-USD", "EUR/USD", "X:BRK.B", "A_1", &"A".repeat(32)] {
            assert_eq!(Symbol::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Symbol::new(""), Err(SymbolError::Empty));
        assert_eq!(Symbol::new(&"A".repeat(33)), Err(SymbolError::TooLong { len: 33, max: 32 }));
        for bad in ["btc", "A B", "A*", "Ä", "A\n", "A\""] {
            assert!(matches!(Symbol::new(bad), Err(SymbolError::BadCharacter(_))), "{bad:?}");
        }
    }

    #[test]
    fn sources_take_exchange_codes() {
        assert_eq!(Source::new("binance").unwrap().as_str(), "binance");
        assert_eq!(Source::new("Q").unwrap().as_str(), "Q");
        assert!(Source::new("a\"b").is_err());
        assert!(Source::new(&"x".repeat(17)).is_err());
    }
}
