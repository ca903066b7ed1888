//! A client's request to a venue, in one shape for all venues.

use serde_json::Value;

use crate::market::Channel;

/// A channel of a symbol, under the venue's name.
pub type Topic = (Channel, String);

/// A client's request to a venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueRequest {
    /// To subscribe or unsubscribe.
    Topics {
        /// True to subscribe, false to unsubscribe.
        begins: bool,
        /// The request's number, where the venue has one.
        id: Option<u64>,
        /// Trades and quotes.
        topics: Vec<Topic>,
        /// The symbols, by the venue's names, whose trading states are requested.
        states: Vec<String>,
    },
    /// A sign of life.
    Ping {
        /// The request's number.
        id: Option<u64>,
    },
    /// To authenticate.
    Authenticate {
        /// The key.
        key: String,
        /// The secret.
        secret: String,
    },
    /// A request that the venue does not know.
    Unknown {
        /// The request's number.
        id: Option<u64>,
    },
}

/// The texts of a list; empty if it is not a list.
pub(super) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Trades and quotes of these symbols.
pub(super) fn both<'a>(symbols: impl Iterator<Item = &'a str>) -> Vec<Topic> {
    symbols
        .flat_map(|one| [Channel::Trades, Channel::Quotes].map(|channel| (channel, one.to_owned())))
        .collect()
}
