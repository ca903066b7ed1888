//! What the clients of a stand-in did, for tests.

use std::collections::BTreeMap;

/// What the clients did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were made so far.
    pub connections: usize,
    /// Connections of this moment.
    pub present: usize,
    /// How often each symbol was subscribed to, in any channel.
    pub subscribed: BTreeMap<String, usize>,
    /// How often each symbol was unsubscribed from.
    pub unsubscribed: BTreeMap<String, usize>,
    /// Symbols whose trades and quotes somebody is subscribed to now.
    pub active: Vec<String>,
    /// Messages that the venue's documentation does not allow so soon.
    pub breaches: usize,
    /// Requests for the product list.
    pub lists: usize,
    /// Requests for first values: how many symbols each asked for.
    pub first_values: Vec<usize>,
    /// Data frames that were played.
    pub played: usize,
}
