//! Texts in foreign JSON, where any character may be escaped (`BTC\/USD`, `\u0042TC`).
//!
//! A text without escapes is borrowed from the frame without an allocation. Readers use this type instead of `&str`, with
//! which serde refuses a text with escapes, so that the frame would be lost.

use std::{borrow::Cow, fmt, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// A text, borrowed if it has no escapes.
///
/// One field of a structure with such texts needs `#[serde(borrow)]`, by which serde learns of the lifetime.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// Whether it is borrowed from what was read.
    #[cfg(test)]
    pub(crate) const fn is_borrowed(&self) -> bool {
        matches!(self.0, Cow::Borrowed(_))
    }

    /// The text of a JSON value: the content of a string, or any other value as it is written.
    ///
    /// # Errors
    /// When it is a text with a broken escape.
    pub(crate) fn of_value(json: &'a str) -> Result<Self, serde_json::Error> {
        if json.starts_with('"') { serde_json::from_str(json) } else { Ok(Self(Cow::Borrowed(json))) }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(AnyText)
    }
}

struct AnyText;

impl<'de> Visitor<'de> for AnyText {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_it_says_and_borrowed_when_it_is_written_so() {
        for (json, text, is_borrowed) in [
            (r#""BTC/USD""#, "BTC/USD", true),
            (r#""BTC\/USD""#, "BTC/USD", false),
            (r#""\u0042TC""#, "BTC", false),
            (r#""\u5e01\uD83D\uDE00币""#, "币😀币", false),
            ("\"币安人生USDT\"", "币安人生USDT", true),
            (r#""""#, "", true),
        ] {
            for read in [serde_json::from_str::<Text<'_>>(json), Text::of_value(json)] {
                let read = read.unwrap();
                assert_eq!((&*read, read.is_borrowed()), (text, is_borrowed), "{json}");
            }
        }
        assert_eq!(&*Text::of_value("1.500").unwrap(), "1.500");
        for bad in ["7", "null", "[]", r#""\ud800""#, r#""\x""#] {
            assert!(serde_json::from_str::<Text<'_>>(bad).is_err(), "{bad}");
        }
    }
}
