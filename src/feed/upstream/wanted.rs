//! Which symbols the venue is to send: all, or those that somebody listens to and those that were let go a short
//! while ago.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use crate::{clock::Instant, market::Symbol};

/// The symbols that are to be subscribed.
#[derive(Debug)]
pub(super) struct Wanted {
    linger: Duration,
    symbols: BTreeSet<Symbol>,
    /// Those of them that nobody listens to any more, and when they go.
    leaving: HashMap<Symbol, Instant>,
}

impl Wanted {
    /// Nothing yet; what is no longer wanted stays for that long.
    pub(super) fn new(linger: Duration) -> Self {
        Self { linger, symbols: BTreeSet::new(), leaving: HashMap::new() }
    }

    /// The symbols to be subscribed.
    pub(super) const fn symbols(&self) -> &BTreeSet<Symbol> {
        &self.symbols
    }

    /// Somebody listens to the symbol, or nobody does. Returns whether it is to be subscribed now and was not.
    pub(super) fn update(&mut self, symbol: Symbol, wanted: bool, now: Instant) -> bool {
        if wanted {
            self.leaving.remove(&symbol);
            return self.symbols.insert(symbol);
        }
        if self.symbols.contains(&symbol) {
            self.leaving.entry(symbol).or_insert(now + self.linger);
        }
        false
    }

    /// When the next symbol goes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.leaving.values().min().copied()
    }

    /// The symbols whose time is over; they are wanted no more.
    pub(super) fn release(&mut self, now: Instant) -> Vec<Symbol> {
        if self.next().is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut over: Vec<_> =
            self.leaving.iter().filter(|(_, at)| **at <= now).map(|(symbol, _)| *symbol).collect();
        over.sort_unstable();
        for symbol in &over {
            self.leaving.remove(symbol);
            self.symbols.remove(symbol);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_lingers_and_is_not_asked_for_twice() {
        let [a, b] = ["A", "B"].map(|name| Symbol::new(name).unwrap());
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut wanted = Wanted::new(10 * second);
        assert!(wanted.update(a, true, start) && wanted.update(b, true, start));
        assert!(!wanted.update(a, true, start), "subscribed already");
        assert!(!wanted.update(a, false, start));
        assert!(!wanted.update(a, false, start + 5 * second), "told twice, it goes at the first time");
        assert_eq!(wanted.next(), Some(start + 10 * second));
        assert!(wanted.release(start + 9 * second).is_empty());
        assert!(!wanted.update(a, true, start + 9 * second), "back in time: nothing is to be asked");
        assert!(wanted.release(start + 20 * second).is_empty());
        wanted.update(a, false, start);
        assert_eq!(wanted.release(start + 10 * second), [a]);
        assert_eq!(wanted.symbols().iter().collect::<Vec<_>>(), [&b]);
        assert!(wanted.update(a, true, start + 10 * second), "asked for anew");
    }
}
