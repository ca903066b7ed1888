//! How the dialects that are spoken on a shard call the hub's symbols. Those with the hub's own names pay nothing.

use super::{
    search::UNKNOWN_SYMBOL,
    units::{LOOK, Units},
};
use crate::{
    dialect::{Dialect, Found, SymbolIndex},
    hub::Hub,
    market::Symbol,
};

/// Symbols that are taken in at one go, under one lock of the hub.
const STEP: usize = 256;

/// The indexes of those dialects that have names of their own and were spoken here.
#[derive(Debug, Default)]
pub(super) struct Symbols(Vec<Names>);

#[derive(Debug)]
struct Names {
    dialect: Dialect,
    index: SymbolIndex,
    /// Number of the first of the hub's topics that is not in it.
    next: u32,
    /// Where the search for removed symbols is, while one is under way: behind that name.
    forgetting: Option<Option<Symbol>>,
}

impl Names {
    /// Forgets removed symbols, as far as the units go, once they are more than an eighth. Until then a look at the hub tells
    /// them from the others.
    fn forget_some(&mut self, hub: &Hub, units: &mut Units) {
        let there = hub.topic_count();
        if self.forgetting.is_none() && self.index.len() > there + there / 8 + STEP {
            self.forgetting = Some(None);
        }
        while let Some(behind) = self.forgetting
            && units.left() > 0
        {
            units.spend(LOOK * STEP);
            let last = self.index.forget(behind, STEP, |symbol| hub.topic(*symbol).is_some());
            self.forgetting = last.map(Some);
        }
    }
}

impl Symbols {
    /// Takes in symbols that became known, as far as the units go. Returns whether all are in.
    pub(super) fn catch_up(&mut self, dialect: Dialect, hub: &Hub, units: &mut Units) -> bool {
        let Some(naming) = dialect.naming() else { return true };
        let place = self.0.iter().position(|names| names.dialect == dialect).unwrap_or_else(|| {
            self.0.push(Names { dialect, index: SymbolIndex::new(naming), next: 0, forgetting: None });
            self.0.len() - 1
        });
        let names = &mut self.0[place];
        names.forget_some(hub, units);
        loop {
            let next = hub.next_topic();
            if names.next >= next {
                return true;
            }
            if units.left() == 0 {
                return false;
            }
            let topics = hub.topics_since(names.next, STEP);
            topics.iter().for_each(|topic| names.index.add(topic.symbol()));
            // Those behind the last one were removed.
            names.next = match topics.last() {
                Some(last) if topics.len() == STEP => last.id().number() + 1,
                Some(_) | None => next,
            };
            units.spend(LOOK * topics.len() + 1);
        }
    }

    /// How many symbols all indexes hold, removed ones among them.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|names| names.index.len()).sum()
    }

    /// What a client means by a name.
    ///
    /// # Errors
    /// Why it means nothing.
    pub(super) fn ours(&self, dialect: Dialect, name: Symbol, hub: &Hub) -> Result<Symbol, String> {
        if dialect.naming().is_none() {
            return Ok(name);
        }
        let names = self.0.iter().find(|names| names.dialect == dialect);
        let is_there = |symbol: &Symbol| hub.topic(*symbol).is_some();
        match names.and_then(|names| names.index.find(&name, is_there)) {
            Some(Found::One(symbol)) => Ok(symbol),
            Some(Found::Ambiguous(one, other)) => Err(format!("ambiguous: it may be {one} or {other}")),
            None => Err(UNKNOWN_SYMBOL.into()),
        }
    }
}

/// What a dialect calls a symbol, if it has a name for it.
pub(super) fn theirs(dialect: Dialect, symbol: Symbol) -> Option<Symbol> {
    dialect.naming().map_or(Some(symbol), |naming| naming(&symbol))
}
