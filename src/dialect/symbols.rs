//! The hub's symbols under the names of a dialect, both ways.

use std::{collections::BTreeMap, ops::Bound};

use crate::market::Symbol;

/// Symbols as one dialect calls them; built as they become known.
#[derive(Debug)]
pub struct SymbolIndex {
    naming: fn(&Symbol) -> Option<Symbol>,
    ours: BTreeMap<Symbol, Meant>,
    len: usize,
}

/// What a name may stand for.
#[derive(Debug)]
enum Meant {
    One(Symbol),
    /// Two or more.
    Several(Vec<Symbol>),
}

impl Meant {
    fn symbols(&self) -> &[Symbol] {
        match self {
            Self::One(symbol) => std::slice::from_ref(symbol),
            Self::Several(symbols) => symbols,
        }
    }
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
    pub const fn new(naming: fn(&Symbol) -> Option<Symbol>) -> Self {
        Self { naming, ours: BTreeMap::new(), len: 0 }
    }

    /// How many symbols are in it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A symbol has become known. One that the dialect has no name for cannot be asked for in it.
    pub fn add(&mut self, symbol: Symbol) {
        let Some(name) = (self.naming)(&symbol) else { return };
        let Some(meant) = self.ours.get_mut(&name) else {
            self.ours.insert(name, Meant::One(symbol));
            self.len += 1;
            return;
        };
        let known = meant.symbols();
        if !known.contains(&symbol) {
            *meant = Meant::Several([known, &[symbol]].concat());
            self.len += 1;
        }
    }

    /// What a client means by a name, among the symbols that are still there.
    #[must_use]
    pub fn find(&self, name: &Symbol, is_there: impl Fn(&Symbol) -> bool) -> Option<Found> {
        let mut there = self.ours.get(name)?.symbols().iter().filter(|symbol| is_there(symbol));
        match (there.next(), there.next()) {
            (Some(one), None) => Some(Found::One(*one)),
            (Some(one), Some(other)) => Some(Found::Ambiguous(*one, *other)),
            (None, _) => None,
        }
    }

    /// Forgets symbols that are there no more, among at most `most` names behind that one. Returns the last name that was
    /// looked at, if there may be more.
    pub fn forget(
        &mut self,
        behind: Option<Symbol>,
        most: usize,
        is_there: impl Fn(&Symbol) -> bool,
    ) -> Option<Symbol> {
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let names: Vec<_> = self.ours.range((from, Bound::Unbounded)).take(most).map(|it| *it.0).collect();
        for name in &names {
            let Some(meant) = self.ours.get_mut(name) else { continue };
            let known = meant.symbols();
            let there: Vec<_> = known.iter().copied().filter(|symbol| is_there(symbol)).collect();
            self.len -= known.len() - there.len();
            match there.as_slice() {
                [] => {
                    self.ours.remove(name);
                }
                [one] => *meant = Meant::One(*one),
                _ => *meant = Meant::Several(there),
            }
        }
        names.last().copied().filter(|_| names.len() == most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    fn index(names: &[&str]) -> SymbolIndex {
        let mut index = SymbolIndex::new(|symbol| Symbol::new(&symbol.as_str().replace('-', "")).ok());
        names.iter().for_each(|name| index.add(symbol(name)));
        index
    }

    #[test]
    fn an_ambiguous_name_stands_for_nothing_and_names_both() {
        let index = index(&["BTC-USD", "BT-CUSD", "ETH-USD", "ETH-USD"]);
        let both = Found::Ambiguous(symbol("BTC-USD"), symbol("BT-CUSD"));
        let find = |name: &str| index.find(&symbol(name), |_| true);
        assert_eq!(find("BTCUSD"), Some(both));
        assert_eq!(find("ETHUSD"), Some(Found::One(symbol("ETH-USD"))));
        assert_eq!(find("ETH-USD"), None);
        assert_eq!(index.len(), 3);
    }

    #[test]
    fn removed_symbols_are_forgotten_in_steps_and_make_no_name_ambiguous() {
        let mut index = index(&["A-A", "AA-", "B-B", "C-C", "CC-", "CC", "D-D"]);
        let gone = ["A-A", "B-B", "C-C", "CC-"].map(symbol);
        let is_there = |symbol: &Symbol| !gone.contains(symbol);
        assert_eq!(index.find(&symbol("AA"), is_there), Some(Found::One(symbol("AA-"))), "also before");
        assert_eq!(index.find(&symbol("BB"), is_there), None);
        let (mut behind, mut steps) = (None, 0);
        loop {
            behind = index.forget(behind, 2, is_there);
            steps += 1;
            if behind.is_none() {
                break;
            }
        }
        assert_eq!((index.len(), index.ours.len(), steps), (3, 3, 3));
        for (name, ours) in [("AA", "AA-"), ("CC", "CC"), ("DD", "D-D")] {
            assert_eq!(index.find(&symbol(name), |_| true), Some(Found::One(symbol(ours))));
        }
    }
}
