//! Whose symbols and sources the ticks carry: the recording's, unless the definition says otherwise.

use std::collections::HashMap;

use crate::{
    dialect::{ParseError, field},
    market::{Source, Symbol, Tick},
};

/// The recording's symbols by ours. A symbol that is not listed keeps its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Symbols(HashMap<String, Symbol>);

impl Symbols {
    /// With these other names.
    pub(super) const fn new(ours: HashMap<String, Symbol>) -> Self {
        Self(ours)
    }

    /// The symbols that are known before anything is read.
    pub(super) fn ours(&self) -> impl Iterator<Item = Symbol> {
        self.0.values().copied()
    }

    /// Our symbol of a text of the recording, which need not be a valid symbol itself.
    pub(super) fn of_text(&self, text: &str) -> Result<Symbol, ParseError> {
        match self.0.get(text) {
            Some(ours) => Ok(*ours),
            None => field::symbol(text),
        }
    }

    fn of(&self, symbol: Symbol) -> Symbol {
        if self.0.is_empty() { symbol } else { self.0.get(symbol.as_str()).copied().unwrap_or(symbol) }
    }

    /// Renames a tick that was parsed with the recording's symbol and source.
    pub(super) fn rename(&self, tick: &mut Tick, source: Option<Source>) {
        let (symbol, from) = match tick {
            Tick::Trade(trade) => (&mut trade.symbol, &mut trade.source),
            Tick::Quote(quote) => (&mut quote.symbol, &mut quote.source),
            Tick::Status(status) => (&mut status.symbol, &mut status.source),
            Tick::Loss(loss) => {
                loss.symbol = self.of(loss.symbol);
                return;
            }
        };
        *symbol = self.of(*symbol);
        *from = source.unwrap_or(*from);
    }
}
