//! The symbols and sources of ticks: the recording's, unless the definition gives others.

use std::collections::HashMap;

use crate::{
    dialect::{Naming, ParseError, field},
    market::{Source, Symbol, Tick},
};

/// The recording's symbols by ours. A symbol that is not listed keeps its name.
#[derive(Debug, Clone, Default)]
pub(in crate::feed) struct Symbols(HashMap<String, Symbol>);

impl Symbols {
    /// With these other names.
    pub(in crate::feed) const fn new(ours: HashMap<String, Symbol>) -> Self {
        Self(ours)
    }

    /// The symbols that are known before anything is read.
    pub(super) fn ours(&self) -> impl Iterator<Item = Symbol> {
        self.0.values().copied()
    }

    /// Our symbol for the recording's name, which may not be a valid symbol itself.
    pub(in crate::feed) fn of_text(&self, text: &str) -> Result<Symbol, ParseError> {
        match self.0.get(text) {
            Some(ours) => Ok(*ours),
            None => field::symbol(text),
        }
    }
}

impl Naming for Symbols {
    fn ours(&self, theirs: &str) -> Option<Symbol> {
        self.of_text(theirs).ok()
    }
}

/// Gives a tick the source that the definition names.
pub(super) const fn resource(tick: &mut Tick, source: Source) {
    match tick {
        Tick::Trade(trade) => trade.source = source,
        Tick::Quote(quote) => quote.source = source,
        Tick::Status(status) => status.source = source,
        Tick::Correction(correction) => correction.source = source,
        Tick::Loss(_) => {}
    }
}
