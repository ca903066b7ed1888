//! Counts of what a mock venue's clients did, for tests.

use std::collections::BTreeMap;

/// What the clients did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections so far.
    pub connections: usize,
    /// Present connections.
    pub present: usize,
    /// Subscriptions to each symbol, in any channel.
    pub subscribed: BTreeMap<String, usize>,
    /// Unsubscriptions from each symbol.
    pub unsubscribed: BTreeMap<String, usize>,
    /// Symbols whose trades and quotes both have a subscriber now.
    pub active: Vec<String>,
    /// Messages that broke a documented limit.
    pub breaches: usize,
    /// Requests for the product list.
    pub lists: usize,
    /// Requests for first values: the number of symbols in each.
    pub first_values: Vec<usize>,
    /// Data frames that were played.
    pub played: usize,
}
