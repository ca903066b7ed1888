//! One connection's requests: batches of subscriptions, and answers matched with them. No I/O: it yields frames to send
//! and takes answers. The pacer decides how fast.
//!
//! At venues that number their answers several requests may be open. At the others only one, and their lists of
//! subscriptions decide, not the number of answers ([`answers`]).

mod answers;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

pub(super) use self::answers::Answered;
use super::names::Names;
use crate::{
    clock::Instant,
    dialect::Venue,
    limits::{UPSTREAM_REFUSED_AGAIN, UPSTREAM_REPEAT, UPSTREAM_RETRY_GRACE, VENUE_REQUEST_SYMBOLS},
    market::Symbol,
};

/// The state of a symbol's subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Asked,
    On,
    /// Since then.
    Refused(Instant),
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestKind {
    Subscribe,
    Unsubscribe,
    /// Trading states; the feed works without them.
    States,
}

/// One request that waits for its answers.
#[derive(Debug)]
struct Asked {
    kind: RequestKind,
    /// Its symbols that are still undecided.
    symbols: Vec<Symbol>,
    /// The numbers of its frames.
    ids: std::ops::Range<u64>,
    /// Answers still to come, at venues that number them.
    answers_due: usize,
    since: Instant,
    /// An answer left symbols open: they are asked for again at this time.
    decided_by: Option<Instant>,
    /// Whether an answer has decided any of its symbols.
    has_progress: bool,
    /// The venue's words about it.
    words: String,
}

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    venue: Venue,
    next_id: u64,
    /// Batches to repeat unchanged, and when.
    batches: VecDeque<(Instant, Vec<Symbol>)>,
    to_ask: BTreeSet<Symbol>,
    to_drop: BTreeSet<Symbol>,
    /// Symbols whose trading states to subscribe (true) or unsubscribe (false).
    states: BTreeMap<Symbol, bool>,
    has_states: bool,
    frames: VecDeque<String>,
    asked: VecDeque<Asked>,
    symbols: BTreeMap<Symbol, Standing>,
    /// Symbols that were asked for alone and were not in the list of subscriptions. They are asked for once more.
    doubted: BTreeSet<Symbol>,
    /// A number of symbols that was too many, and when that was found.
    too_many: Option<(usize, Instant)>,
    /// Consecutive requests that were refused for their rate or by the venue's own fault.
    setbacks: u32,
    changes: Changes,
}

/// What has changed since the last look, for the metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changes {
    /// Symbols in requests to subscribe.
    pub(super) subscribes: u64,
    /// Symbols in requests to unsubscribe.
    pub(super) unsubscribes: u64,
    /// Whether the confirmed symbols may have changed.
    pub(super) confirmed: bool,
}

impl Requests {
    /// Nothing asked yet.
    pub(super) fn new(venue: Venue) -> Self {
        Self {
            venue,
            next_id: 1,
            batches: VecDeque::new(),
            to_ask: BTreeSet::new(),
            to_drop: BTreeSet::new(),
            states: BTreeMap::new(),
            has_states: true,
            frames: VecDeque::new(),
            asked: VecDeque::new(),
            symbols: BTreeMap::new(),
            doubted: BTreeSet::new(),
            too_many: None,
            setbacks: 0,
            changes: Changes::default(),
        }
    }

    /// What has changed since the last call.
    pub(super) fn changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// The symbol must be subscribed.
    pub(super) fn want(&mut self, symbol: Symbol) {
        // Cancels a drop that was not sent yet.
        if !self.to_drop.remove(&symbol) && !self.symbols.contains_key(&symbol) {
            self.to_ask.insert(symbol);
        }
    }

    /// The symbol must be unsubscribed.
    pub(super) fn release(&mut self, symbol: Symbol) {
        if self.to_ask.remove(&symbol) {
            return;
        }
        match self.symbols.get(&symbol) {
            // There is no subscription to end.
            Some(Standing::Refused(_)) => self.forget(symbol),
            Some(Standing::Asked | Standing::On) => {
                self.to_drop.insert(symbol);
            }
            None => {}
        }
    }

    /// The symbol is gone at the venue or has no place: it is not even unsubscribed.
    pub(super) fn forget(&mut self, symbol: Symbol) {
        self.to_ask.remove(&symbol);
        self.to_drop.remove(&symbol);
        self.symbols.remove(&symbol);
        self.changes.confirmed = true;
    }

    /// The venue's own ping request, if it has one beside WebSocket's.
    pub(super) fn ping(&mut self) -> Option<String> {
        let frame = self.venue.ping(self.next_id)?;
        self.next_id += 1;
        Some(frame)
    }

    /// The next frame to send, if one is due.
    pub(super) fn poll(&mut self, names: &Names, now: Instant) -> Option<String> {
        if self.frames.is_empty() {
            self.batch(names, now);
        }
        let frame = self.frames.pop_front()?;
        // It may have waited for the pacer, so its time starts now.
        if let Some(newest) = self.asked.back_mut() {
            newest.since = now;
        }
        Some(frame)
    }

    /// When [`poll`](Self::poll) has a frame. The pacer may delay it.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let refused = self.symbols.values().filter_map(|standing| match standing {
            Standing::Refused(since) => Some(*since + UPSTREAM_REFUSED_AGAIN),
            Standing::Asked | Standing::On => None,
        });
        if !self.frames.is_empty() {
            return Some(now);
        }
        if self.waits_for_its_turn() {
            return None;
        }
        if !self.to_ask.is_empty() || !self.to_drop.is_empty() || !self.states.is_empty() {
            return Some(now);
        }
        self.batches.iter().map(|(at, _)| *at).chain(refused).min()
    }

    /// Whether an open request must be answered before another is made.
    fn waits_for_its_turn(&self) -> bool {
        self.venue.answers_in_lists() && !self.asked.is_empty()
    }

    /// Asks again for symbols that were refused long ago.
    fn retry_refused(&mut self, now: Instant) {
        let again = |standing: &Standing| matches!(standing, Standing::Refused(since) if now >= *since + UPSTREAM_REFUSED_AGAIN);
        let again: Vec<_> =
            self.symbols.iter().filter(|(_, standing)| again(standing)).map(|(symbol, _)| *symbol).collect();
        for symbol in again {
            self.symbols.remove(&symbol);
            self.to_ask.insert(symbol);
        }
    }

    /// Makes the frames of the next request. Drops go first, because they make room.
    fn batch(&mut self, names: &Names, now: Instant) {
        if self.waits_for_its_turn() {
            return;
        }
        self.retry_refused(now);
        let is_due = |batch: &(Instant, Vec<Symbol>)| batch.0 <= now;
        if !self.to_drop.is_empty() {
            let symbols = self.take_batch(names, RequestKind::Unsubscribe);
            self.ask(names, RequestKind::Unsubscribe, symbols, now);
        } else if let Some(at) = self.batches.iter().position(is_due) {
            let (_, mut symbols) = self.batches.remove(at).unwrap_or((now, Vec::new()));
            // Leave out symbols that were released meanwhile.
            symbols.retain(|symbol| self.symbols.contains_key(symbol));
            self.ask(names, RequestKind::Subscribe, symbols, now);
            if self.venue.answers_in_lists()
                && let Some(again) = self.asked.back_mut()
            {
                // These symbols are in doubt. If the venue says nothing about them, the connection must not break for that.
                again.decided_by = Some(now + UPSTREAM_RETRY_GRACE);
            }
        } else if !self.to_ask.is_empty() {
            let symbols = self.take_batch(names, RequestKind::Subscribe);
            self.ask(names, RequestKind::Subscribe, symbols, now);
        } else {
            self.ask_states(names, now);
        }
    }

    /// As many symbols as one request carries.
    fn take_batch(&mut self, names: &Names, kind: RequestKind) -> Vec<Symbol> {
        let from = if kind == RequestKind::Subscribe { &self.to_ask } else { &self.to_drop };
        let mut batch: Vec<_> = from.iter().take(VENUE_REQUEST_SYMBOLS).copied().collect();
        let theirs: Vec<_> = batch.iter().map(|symbol| names.theirs(*symbol).unwrap_or_default()).collect();
        let mut most = self.venue.batch(&theirs);
        if kind == RequestKind::Subscribe
            && let Some(left) = self.places_left()
        {
            // Ask for half of what may be left, to find out how many fit.
            most = most.min(left.div_ceil(2));
        }
        batch.truncate(most);
        let from = if kind == RequestKind::Subscribe { &mut self.to_ask } else { &mut self.to_drop };
        for symbol in &batch {
            from.remove(symbol);
        }
        batch
    }

    /// How many more symbols may fit, once the venue has said that not all do.
    fn places_left(&self) -> Option<usize> {
        let (too_many, _) = self.too_many?;
        Some((too_many - 1).saturating_sub(self.symbols().count()))
    }

    fn ask(&mut self, names: &Names, kind: RequestKind, symbols: Vec<Symbol>, now: Instant) {
        if symbols.is_empty() {
            return;
        }
        let theirs: Vec<_> = symbols.iter().filter_map(|symbol| names.theirs(*symbol)).collect();
        let frames = if kind == RequestKind::Subscribe {
            self.venue.subscribe(&theirs, self.next_id)
        } else {
            self.venue.unsubscribe(&theirs, self.next_id)
        };
        let is_counted = if kind == RequestKind::Subscribe {
            &mut self.changes.subscribes
        } else {
            &mut self.changes.unsubscribes
        };
        *is_counted += symbols.len() as u64;
        self.changes.confirmed = true;
        for symbol in &symbols {
            if kind == RequestKind::Subscribe {
                self.symbols.insert(*symbol, Standing::Asked);
            } else if self.symbols.remove(symbol) == Some(Standing::On) {
                self.states.insert(*symbol, false);
            }
        }
        self.send(kind, symbols, frames, now);
    }

    /// Subscribes or unsubscribes trading states, in a request of its own: a stream without them refuses only that.
    fn ask_states(&mut self, names: &Names, now: Instant) {
        let Some(wanted) = self.states.values().next().copied() else { return };
        let some = self.states.iter().filter(|(_, other)| **other == wanted).take(VENUE_REQUEST_SYMBOLS);
        let symbols: Vec<_> = some.map(|(symbol, _)| *symbol).collect();
        for symbol in &symbols {
            self.states.remove(symbol);
        }
        let theirs: Vec<_> = symbols.iter().filter_map(|symbol| names.theirs(*symbol)).collect();
        match self.venue.states(&theirs, wanted) {
            Some(frame) if self.has_states => self.send(RequestKind::States, symbols, vec![frame], now),
            _ => {}
        }
    }

    fn send(&mut self, kind: RequestKind, symbols: Vec<Symbol>, frames: Vec<String>, now: Instant) {
        let count = frames.len();
        let ids = self.next_id..self.next_id + count as u64;
        self.next_id = ids.end;
        // Kraken answers for each symbol of each frame.
        let each = if self.venue == Venue::Kraken { symbols.len() } else { 1 };
        self.frames.extend(frames);
        self.asked.push_back(Asked {
            kind,
            symbols,
            ids,
            answers_due: count * each,
            since: now,
            decided_by: None,
            has_progress: false,
            words: String::new(),
        });
    }

    /// The pause before a request is repeated.
    fn pause(&mut self) -> Duration {
        let pause = UPSTREAM_REPEAT.0 * (1 << self.setbacks.min(10));
        self.setbacks += 1;
        pause.min(UPSTREAM_REPEAT.1)
    }

    /// Restarts the time of every request.
    pub(super) fn excuse(&mut self, now: Instant, late: Duration) {
        for asked in &mut self.asked {
            asked.since = now;
            asked.decided_by = asked.decided_by.map(|at| at + late);
        }
    }

    /// Since when the oldest request waits for its first answer.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        // The newest one may still wait for the pacer.
        let sent = self.asked.len().saturating_sub(usize::from(!self.frames.is_empty()));
        let is_open = |asked: &&Asked| asked.decided_by.is_none();
        self.asked.iter().take(sent).find(is_open).map(|asked| asked.since)
    }

    /// Whether all requests were made and answered.
    pub(super) fn is_settled(&self) -> bool {
        self.asked.is_empty()
            && self.frames.is_empty()
            && self.batches.is_empty()
            && self.to_ask.is_empty()
            && self.to_drop.is_empty()
    }

    /// The symbols that may have ticks: all that were asked for and not refused.
    pub(super) fn symbols(&self) -> impl Iterator<Item = Symbol> {
        let refused = |standing: &Standing| matches!(standing, Standing::Refused(_));
        self.symbols.iter().filter(move |(_, standing)| !refused(standing)).map(|(symbol, _)| *symbol)
    }

    /// Those that are confirmed.
    pub(super) fn on(&self) -> impl Iterator<Item = Symbol> {
        self.symbols.iter().filter(|(_, standing)| **standing == Standing::On).map(|(symbol, _)| *symbol)
    }

    /// How many are confirmed.
    pub(super) fn confirmed(&self) -> usize {
        self.on().count()
    }
}

#[cfg(test)]
mod tests;
