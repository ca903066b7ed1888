//! What one connection asks of its venue: subscriptions in batches, no faster than the venue allows, each answer
//! matched with its request. No I/O: frames to send come out, answers go in.
//!
//! A request of several symbols that is refused as a whole is asked again in halves, so that one bad symbol costs the
//! others nothing. A single symbol that is refused stays refused on this connection.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use super::names::Names;
use crate::{
    clock::Instant,
    dialect::{Refusal, Venue},
    limits::VENUE_REQUEST_SYMBOLS,
    market::Symbol,
};

/// How a symbol stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asked,
    On,
    Refused,
}

/// One request that waits for its answers.
#[derive(Debug)]
struct Asked {
    subscribes: bool,
    symbols: Vec<Symbol>,
    /// The numbers of its frames.
    ids: std::ops::Range<u64>,
    answers_due: usize,
    since: Instant,
}

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    venue: Venue,
    spacing: Duration,
    next_id: u64,
    ready: Instant,
    /// Batches that were made already: halves of refused ones.
    batches: VecDeque<Vec<Symbol>>,
    to_ask: BTreeSet<Symbol>,
    to_drop: BTreeSet<Symbol>,
    frames: VecDeque<String>,
    asked: VecDeque<Asked>,
    symbols: BTreeMap<Symbol, State>,
    changes: Changes,
}

/// What has changed since the last look, for the metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changes {
    /// Symbols in requests to subscribe.
    pub(super) subscribes: u64,
    /// Symbols in requests to unsubscribe.
    pub(super) unsubscribes: u64,
    /// Whether others may be confirmed than before.
    pub(super) confirmed: bool,
}

impl Requests {
    /// Nothing asked yet.
    pub(super) fn new(venue: Venue, now: Instant) -> Self {
        Self {
            venue,
            spacing: Duration::from_secs(1) / venue.requests_per_second().max(1),
            next_id: 1,
            ready: now,
            batches: VecDeque::new(),
            to_ask: BTreeSet::new(),
            to_drop: BTreeSet::new(),
            frames: VecDeque::new(),
            asked: VecDeque::new(),
            symbols: BTreeMap::new(),
            changes: Changes::default(),
        }
    }

    /// What has changed since the last call.
    pub(super) fn changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// The symbol is to be subscribed.
    pub(super) fn want(&mut self, symbol: Symbol) {
        // A drop that was not sent yet never happens.
        if !self.to_drop.remove(&symbol) && !self.symbols.contains_key(&symbol) {
            self.to_ask.insert(symbol);
        }
    }

    /// The symbol is to be subscribed no more.
    pub(super) fn release(&mut self, symbol: Symbol) {
        if !self.to_ask.remove(&symbol) && self.symbols.contains_key(&symbol) {
            self.to_drop.insert(symbol);
        }
    }

    /// The symbol is gone at the venue: nothing is to be asked of it, not even its end.
    pub(super) fn forget(&mut self, symbol: Symbol) {
        self.to_ask.remove(&symbol);
        self.to_drop.remove(&symbol);
        self.symbols.remove(&symbol);
        self.changes.confirmed = true;
    }

    /// A request of another kind, such as a ping: it goes before the others.
    pub(super) fn push_ping(&mut self) -> bool {
        match self.venue.ping(self.next_id) {
            Some(frame) => {
                self.next_id += 1;
                self.frames.push_front(frame);
                true
            }
            None => false,
        }
    }

    /// The next frame to send, if there is one and its time has come.
    pub(super) fn poll(&mut self, names: &Names, now: Instant) -> Option<String> {
        if now < self.ready {
            return None;
        }
        if self.frames.is_empty() {
            self.batch(names, now);
        }
        let frame = self.frames.pop_front()?;
        self.ready = now + self.spacing;
        Some(frame)
    }

    /// When [`poll`](Self::poll) has something.
    pub(super) fn next(&self) -> Option<Instant> {
        let idle = self.frames.is_empty()
            && self.batches.is_empty()
            && self.to_ask.is_empty()
            && self.to_drop.is_empty();
        (!idle).then_some(self.ready)
    }

    /// Makes the frames of the next request. Drops go first: they make room.
    fn batch(&mut self, names: &Names, now: Instant) {
        let (subscribes, symbols) = if !self.to_drop.is_empty() {
            (false, take(&mut self.to_drop))
        } else if let Some(batch) = self.batches.pop_front() {
            (true, batch)
        } else if !self.to_ask.is_empty() {
            (true, take(&mut self.to_ask))
        } else {
            return;
        };
        let theirs: Vec<_> = symbols.iter().filter_map(|symbol| names.theirs(*symbol)).collect();
        let frames = if subscribes {
            self.venue.subscribe(&theirs, self.next_id)
        } else {
            self.venue.unsubscribe(&theirs, self.next_id)
        };
        let count = frames.len();
        let ids = self.next_id..self.next_id + count as u64;
        self.next_id = ids.end;
        let counted = if subscribes { &mut self.changes.subscribes } else { &mut self.changes.unsubscribes };
        *counted += symbols.len() as u64;
        self.changes.confirmed = true;
        for symbol in &symbols {
            if subscribes {
                self.symbols.insert(*symbol, State::Asked);
            } else {
                self.symbols.remove(symbol);
            }
        }
        // Kraken answers for each symbol of each frame.
        let each = if self.venue == Venue::Kraken { symbols.len() } else { 1 };
        self.frames.extend(frames);
        self.asked.push_back(Asked { subscribes, symbols, ids, answers_due: count * each, since: now });
    }

    /// An answer came: the symbols that are subscribed now and were not.
    pub(super) fn answered(&mut self, id: Option<u64>) -> Vec<Symbol> {
        let Some(at) = self.position(id) else { return Vec::new() };
        self.changes.confirmed = true;
        let asked = &mut self.asked[at];
        asked.answers_due = asked.answers_due.saturating_sub(1);
        if asked.answers_due > 0 {
            return Vec::new();
        }
        let Some(asked) = self.asked.remove(at).filter(|asked| asked.subscribes) else { return Vec::new() };
        let mut on = Vec::with_capacity(asked.symbols.len());
        for symbol in asked.symbols {
            if let Some(state @ State::Asked) = self.symbols.get_mut(&symbol) {
                *state = State::On;
                on.push(symbol);
            }
        }
        on
    }

    /// A refusal came. Returns the symbols that stay refused, and those whose request is complete all the same; none
    /// when the refusal belongs to no request.
    pub(super) fn refused(&mut self, refusal: &Refusal, names: &Names) -> Option<(Vec<Symbol>, Vec<Symbol>)> {
        let at = self.position(refusal.id)?;
        self.changes.confirmed = true;
        let one = refusal.symbol.as_deref().and_then(|theirs| names.ours(theirs));
        if let Some(symbol) = one {
            let update = self.symbols.get(&symbol) != Some(&State::Refused);
            self.symbols.insert(symbol, State::Refused);
            let refused = if update { vec![symbol] } else { Vec::new() };
            return Some((refused, self.answered(refusal.id)));
        }
        let asked = self.asked.remove(at)?;
        if !asked.subscribes {
            return Some((Vec::new(), Vec::new()));
        }
        if let [symbol] = asked.symbols[..] {
            self.symbols.insert(symbol, State::Refused);
            return Some((vec![symbol], Vec::new()));
        }
        let mut first = asked.symbols;
        let second = first.split_off(first.len() / 2);
        for half in [first, second] {
            self.batches.push_back(half);
        }
        Some((Vec::new(), Vec::new()))
    }

    fn position(&self, id: Option<u64>) -> Option<usize> {
        match id {
            Some(id) => self.asked.iter().position(|asked| asked.ids.contains(&id)),
            // Venues that repeat no number answer in order.
            None => (!self.asked.is_empty()).then_some(0),
        }
    }

    /// Every request has its time from now on.
    pub(super) fn excuse(&mut self, now: Instant) {
        self.asked.iter_mut().for_each(|asked| asked.since = now);
    }

    /// Since when the oldest request waits for its answer.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.asked.front().map(|asked| asked.since)
    }

    /// Whether everything that is wanted was asked and answered.
    pub(super) fn is_settled(&self) -> bool {
        self.next().is_none() && self.asked.is_empty()
    }

    /// The symbols that may send ticks: asked for, whether answered or not.
    pub(super) fn symbols(&self) -> impl Iterator<Item = Symbol> {
        self.symbols.iter().filter(|(_, state)| **state != State::Refused).map(|(symbol, _)| *symbol)
    }

    /// Those that are confirmed.
    pub(super) fn on(&self) -> impl Iterator<Item = Symbol> {
        self.symbols.iter().filter(|(_, state)| **state == State::On).map(|(symbol, _)| *symbol)
    }

    /// How many are confirmed.
    pub(super) fn confirmed(&self) -> usize {
        self.symbols.values().filter(|state| **state == State::On).count()
    }
}

fn take(set: &mut BTreeSet<Symbol>) -> Vec<Symbol> {
    let batch: Vec<_> = set.iter().take(VENUE_REQUEST_SYMBOLS).copied().collect();
    for symbol in &batch {
        set.remove(symbol);
    }
    batch
}

#[cfg(test)]
mod tests;
