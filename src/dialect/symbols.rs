//! The hub's symbols under the names of a dialect, both ways.

use std::collections::HashMap;

use crate::market::Symbol;

/// Symbols as one dialect calls them; built as they become known.
#[derive(Debug)]
pub struct SymbolIndex {
    naming: fn(&Symbol) -> Option<Symbol>,
    ours: HashMap<Symbol, Found>,
}

/// What a dialect's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// This symbol.
    One(Symbol),
    /// Either of these, or more: the name is of no use.
    Ambiguous(Symbol, Symbol),
}

impl SymbolIndex {
    /// An empty index of names by that rule.
    #[must_use]
    pub fn new(naming: fn(&Symbol) -> Option<Symbol>) -> Self {
        Self { naming, ours: HashMap::new() }
    }

    /// A symbol has become known. One that the dialect has no name for cannot be asked for in it.
    pub fn add(&mut self, symbol: Symbol) {
        let Some(name) = (self.naming)(&symbol) else { return };
        self.ours
            .entry(name)
            .and_modify(|found| {
                if let Found::One(other) = *found
                    && other != symbol
                {
                    *found = Found::Ambiguous(other, symbol);
                }
            })
            .or_insert(Found::One(symbol));
    }

    /// What a client means by a name.
    #[must_use]
    pub fn find(&self, name: &Symbol) -> Option<Found> {
        self.ours.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    #[test]
    fn an_ambiguous_name_stands_for_nothing_and_names_both() {
        let mut index = SymbolIndex::new(|symbol| Symbol::new(&symbol.as_str().replace('-', "")).ok());
        for name in ["BTC-USD", "BT-CUSD", "ETH-USD", "ETH-USD"] {
            index.add(symbol(name));
        }
        let both = Found::Ambiguous(symbol("BTC-USD"), symbol("BT-CUSD"));
        assert_eq!(index.find(&symbol("BTCUSD")), Some(both));
        assert_eq!(index.find(&symbol("ETHUSD")), Some(Found::One(symbol("ETH-USD"))));
        assert_eq!(index.find(&symbol("ETH-USD")), None);
    }
}
