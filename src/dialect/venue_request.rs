//! What a client asks of a venue, in one shape whatever the venue's words.

use serde_json::Value;

use crate::market::Channel;

/// A channel of a symbol, under the venue's name.
pub type Topic = (Channel, String);

/// What a client asks of a venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueRequest {
    /// To send something, or no more of it.
    Topics {
        /// Whether it begins or ends.
        begins: bool,
        /// The request's number, where the venue has one.
        id: Option<u64>,
        /// Trades and quotes.
        topics: Vec<Topic>,
        /// The venue's names of the symbols whose trading states are asked for.
        states: Vec<String>,
    },
    /// A sign of life.
    Ping {
        /// The request's number.
        id: Option<u64>,
    },
    /// To be let in.
    Authenticate {
        /// The name of the key.
        key: String,
        /// What proves it.
        secret: String,
    },
    /// Nothing that the venue knows.
    Unknown {
        /// The request's number.
        id: Option<u64>,
    },
}

/// The texts of a list; nothing when it is none.
pub(super) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Trades and quotes of these symbols.
pub(super) fn both<'a>(symbols: impl Iterator<Item = &'a str>) -> Vec<Topic> {
    symbols
        .flat_map(|one| [Channel::Trades, Channel::Quotes].map(|channel| (channel, one.to_owned())))
        .collect()
}
