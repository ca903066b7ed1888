//! The symbols to subscribe: all, or those with listeners and those released a short while ago; never more than one
//! connection carries. A symbol without a place replaces one without listeners, or waits for a place.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use crate::{clock::Instant, limits::UPSTREAM_REFUSED_AGAIN, market::Symbol};

/// The symbols to subscribe.
#[derive(Debug)]
pub(super) struct Desired {
    linger: Duration,
    places: usize,
    /// How many the connection has turned out to carry, and until when that is believed.
    found: Option<(usize, Instant)>,
    symbols: BTreeSet<Symbol>,
    /// Those without listeners, and when they are released.
    leaving: HashMap<Symbol, Instant>,
    /// Those without a place, and whether that was told.
    waiting: BTreeMap<Symbol, bool>,
}

impl Desired {
    /// Nothing yet; a symbol without listeners stays for `linger`, and `places` symbols fit.
    pub(super) fn new(linger: Duration, places: usize) -> Self {
        Self {
            linger,
            places,
            found: None,
            symbols: BTreeSet::new(),
            leaving: HashMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// The symbols to be subscribed.
    pub(super) const fn symbols(&self) -> &BTreeSet<Symbol> {
        &self.symbols
    }

    /// Demand for the symbol began or ended. Returns whether it must be subscribed now and was not.
    pub(super) fn update(&mut self, symbol: Symbol, wanted: bool, now: Instant) -> bool {
        if !wanted {
            self.waiting.remove(&symbol);
            if self.symbols.contains(&symbol) {
                let linger = if self.waiting.is_empty() { self.linger } else { Duration::ZERO };
                self.leaving.entry(symbol).or_insert(now + linger);
            }
            return false;
        }
        self.leaving.remove(&symbol);
        if self.symbols.contains(&symbol) {
            return false;
        }
        if self.symbols.len() < self.places() {
            return self.symbols.insert(symbol);
        }
        self.waiting.entry(symbol).or_insert(false);
        let next = self.leaving.iter_mut().filter(|(_, at)| **at > now).min_by_key(|(_, at)| **at);
        if let Some((_, at)) = next {
            *at = now;
        }
        false
    }

    /// How many symbols the connection carries, as far as that is known.
    fn places(&self) -> usize {
        self.found.map_or(self.places, |(found, _)| found.min(self.places))
    }

    /// The venue has no place for these. They wait, and for a while no others are added.
    pub(super) fn without_place(&mut self, symbols: impl IntoIterator<Item = Symbol>, now: Instant) {
        for symbol in symbols {
            if self.symbols.remove(&symbol) && self.leaving.remove(&symbol).is_none() {
                self.waiting.entry(symbol).or_insert(false);
            }
        }
        self.found = Some((self.symbols.len(), now + UPSTREAM_REFUSED_AGAIN));
    }

    /// The gateway was held up for so long, and no listener could come back meanwhile.
    pub(super) fn excuse(&mut self, late: Duration) {
        self.leaving.values_mut().for_each(|at| *at += late);
    }

    /// When the next symbol is released.
    pub(super) fn next(&self) -> Option<Instant> {
        self.leaving.values().copied().chain(self.found.map(|(_, until)| until)).min()
    }

    /// Removes and returns the symbols whose time is over.
    pub(super) fn release(&mut self, now: Instant) -> Vec<Symbol> {
        if self.next().is_none_or(|next| next > now) {
            return Vec::new();
        }
        // The plan may have changed, so try again.
        self.found = self.found.filter(|(_, until)| *until > now);
        let mut over: Vec<_> =
            self.leaving.iter().filter(|(_, at)| **at <= now).map(|(symbol, _)| *symbol).collect();
        over.sort_unstable();
        for symbol in &over {
            self.leaving.remove(symbol);
            self.symbols.remove(symbol);
        }
        over
    }

    /// Returns waiting symbols that have a place now, to subscribe.
    pub(super) fn admit(&mut self) -> Vec<Symbol> {
        let mut admitted = Vec::new();
        while self.symbols.len() < self.places()
            && let Some((symbol, _)) = self.waiting.pop_first()
        {
            self.symbols.insert(symbol);
            admitted.push(symbol);
        }
        admitted
    }

    /// Returns waiting symbols whose wait was not told yet.
    pub(super) fn turned_away(&mut self) -> Vec<Symbol> {
        let untold = self.waiting.iter_mut().filter(|(_, told)| !**told);
        untold
            .map(|(symbol, told)| {
                *told = true;
                *symbol
            })
            .collect()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The symbol is gone at the venue.
    pub(super) fn forget(&mut self, symbol: Symbol) {
        self.symbols.remove(&symbol);
        self.leaving.remove(&symbol);
        self.waiting.remove(&symbol);
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
        let mut wanted = Desired::new(10 * second, 10);
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

    #[test]
    fn a_full_connection_takes_the_next_one_when_there_is_a_place() {
        let [a, b, c, d] = ["A", "B", "C", "D"].map(|name| Symbol::new(name).unwrap());
        let now = Instant::now();
        let mut wanted = Desired::new(Duration::from_secs(10), 2);
        assert!(wanted.update(a, true, now) && wanted.update(b, true, now));
        assert!(!wanted.update(c, true, now), "no place");
        assert_eq!((wanted.turned_away(), wanted.turned_away(), wanted.waiting()), (vec![c], vec![], 1));
        assert!(wanted.release(now).is_empty() && wanted.admit().is_empty());
        // One without listeners stays for the linger, unless somebody waits for its place already or comes later.
        wanted.update(a, false, now);
        assert_eq!((wanted.release(now), wanted.admit()), (vec![a], vec![c]));
        wanted.update(c, false, now);
        assert!(wanted.release(now).is_empty());
        assert!(!wanted.update(d, true, now) && !wanted.update(c, true, now));
        assert!(wanted.release(now).is_empty(), "it is wanted again");
        assert_eq!(wanted.turned_away(), [d]);
        wanted.forget(b);
        assert_eq!((wanted.admit(), wanted.waiting()), (vec![d], 0));
        wanted.update(a, true, now);
        wanted.update(a, false, now);
        assert_eq!(wanted.waiting(), 0, "whoever leaves waits no more");
    }
}
