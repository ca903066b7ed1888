//! The venue's name of a trade.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// The venue's name of a trade; most count, some use texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
pub enum TradeId {
    /// A number.
    Number(u64),
    /// Anything else.
    Text(Box<str>),
}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for TradeId {
    /// Always as text, so that clients need one type only and no number loses digits in JavaScript.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_str(itoa::Buffer::new().format(*number)),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}
