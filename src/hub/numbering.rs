//! What numbers new topics get, so that none is given twice within an epoch.

use std::collections::HashMap;

use crate::market::Symbol;

/// What outlives a topic: a symbol that comes back is another topic with a higher number, and its events have higher numbers
/// than any that a removed topic gave. So a client that knows an old number of the symbol is told of a gap, and never takes new
/// events for those that it missed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbering {
    /// The number of the next topic.
    pub next: u32,
    /// The highest number of an event that a removed topic gave.
    pub floor: u64,
    /// Symbols of topics that wait in a file, and the highest number that each gave: a topic that another feed brings under
    /// such a name takes its place.
    pub waiting: HashMap<Symbol, u64>,
}

impl Numbering {
    /// Numbers of a new topic of that symbol begin behind this one. What waited under its name goes.
    pub(super) fn begin(&mut self, symbol: Symbol) -> u64 {
        let waited = self.waiting.remove(&symbol).unwrap_or(0);
        self.floor = self.floor.max(waited);
        self.floor
    }
}
