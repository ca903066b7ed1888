//! One symbol's broadcast: numbers, last values, the trade ring, and which shards listen.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use super::{Demand, Event, Lane};
use crate::{
    clock::Instant,
    limits::MAX_TOPICS,
    market::{Channel, Source, State, Status, Symbol, Tick, UnixMicros},
};

/// A topic's position among all topics: dense, from 0, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(u32);

impl TopicId {
    pub(super) fn new(position: usize) -> Self {
        debug_assert!(position < MAX_TOPICS);
        Self(u32::try_from(position).unwrap_or(u32::MAX))
    }

    /// Position in tables that have one entry for each topic.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One symbol.
#[derive(Debug)]
pub struct Topic {
    id: TopicId,
    symbol: Symbol,
    feed: Source,
    ring: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    heads: [u64; Channel::COUNT],
    last: [Option<Arc<Event>>; Channel::COUNT],
    /// The newest loss of each channel: it is no value, so it does not become the last one.
    lost: [Option<Arc<Event>>; Channel::COUNT],
    trades: VecDeque<Arc<Event>>,
    state: State,
    /// Bit i of a channel: shard i has a subscriber.
    interest: [u64; Channel::COUNT],
    /// Who wants to know whether anybody listens.
    watchers: Vec<Arc<Demand>>,
}

impl Inner {
    fn is_wanted(&self) -> bool {
        let status = Channel::Status.index();
        self.interest.iter().enumerate().any(|(channel, shards)| channel != status && *shards != 0)
    }

    fn tell_watchers(&self, symbol: Symbol, was_wanted: bool) {
        if !self.watchers.is_empty() && self.is_wanted() != was_wanted {
            self.watchers.iter().for_each(|watcher| watcher.changed(symbol));
        }
    }
}

impl Topic {
    pub(super) fn new(id: TopicId, symbol: Symbol, feed: Source, ring: usize) -> Self {
        let inner = Inner {
            heads: [0; Channel::COUNT],
            last: [const { None }; Channel::COUNT],
            lost: [const { None }; Channel::COUNT],
            trades: VecDeque::new(),
            state: State::Pending,
            interest: [0; Channel::COUNT],
            watchers: Vec::new(),
        };
        Self { id, symbol, feed, ring, inner: Mutex::new(inner) }
    }

    /// Its position.
    #[must_use]
    pub const fn id(&self) -> TopicId {
        self.id
    }

    /// Its symbol.
    #[must_use]
    pub const fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// The feed that made it known.
    #[must_use]
    pub const fn feed(&self) -> Source {
        self.feed
    }

    /// Its present state.
    #[must_use]
    pub fn state(&self) -> State {
        self.inner.lock().state
    }

    /// Numbers one tick and hands it to the interested lanes, under the topic's lock so that every lane gets the
    /// topic's events in the order of their numbers. Returns the bits of the lanes and how many changes of state
    /// were published besides.
    pub(super) fn publish(&self, tick: Tick, received: Instant, lanes: &[Option<Arc<Lane>>]) -> (u64, u64) {
        let mut inner = self.inner.lock();
        let (mut touched, mut states) = (0, 0);
        match &tick {
            Tick::Status(status) => inner.state = status.state,
            Tick::Loss(_) => {}
            Tick::Trade(_) | Tick::Quote(_) if matches!(inner.state, State::Live | State::Halted) => {}
            Tick::Trade(_) | Tick::Quote(_) => {
                // The first tick after a silence ends it.
                inner.state = State::Live;
                let (source, since) = match &tick {
                    Tick::Trade(trade) => (trade.source, trade.tr),
                    Tick::Quote(quote) => (quote.source, quote.tr),
                    Tick::Status(status) => (status.source, status.since),
                    Tick::Loss(_) => (self.feed, UnixMicros(0)),
                };
                let live = Status {
                    symbol: self.symbol,
                    state: State::Live,
                    source,
                    since,
                    why: "receiving".into(),
                };
                touched = self.emit(&mut inner, Tick::Status(live), received, lanes);
                states = 1;
            }
        }
        touched |= self.emit(&mut inner, tick, received, lanes);
        (touched, states)
    }

    /// Returns the bits of the lanes that the event went to.
    fn emit(&self, inner: &mut Inner, tick: Tick, received: Instant, lanes: &[Option<Arc<Lane>>]) -> u64 {
        let channel = tick.channel().index();
        inner.heads[channel] += 1;
        let event = Arc::new(Event::new(self.id, inner.heads[channel], tick, received));
        if channel == Channel::Trades.index() {
            if inner.trades.len() >= self.ring {
                inner.trades.pop_front();
            }
            if self.ring > 0 {
                inner.trades.push_back(Arc::clone(&event));
            }
        }
        let mut interested = inner.interest[channel];
        while interested != 0 {
            let index = interested.trailing_zeros() as usize;
            interested &= interested - 1;
            if let Some(Some(lane)) = lanes.get(index) {
                lane.push(&event);
            }
        }
        let newest = if event.is_loss() { &mut inner.lost } else { &mut inner.last };
        newest[channel] = Some(event);
        inner.interest[channel]
    }

    /// Starts the interest of a shard in a channel and tells where the channel stands, in one step: the lane gets
    /// every event after the returned number and none before.
    #[must_use]
    pub fn join(&self, shard: usize, channel: Channel) -> (u64, Option<Arc<Event>>) {
        let mut inner = self.inner.lock();
        let wanted = inner.is_wanted();
        inner.interest[channel.index()] |= 1 << shard;
        inner.tell_watchers(self.symbol, wanted);
        (inner.heads[channel.index()], inner.last[channel.index()].clone())
    }

    /// Ends the interest of a shard in a channel.
    pub fn part(&self, shard: usize, channel: Channel) {
        let mut inner = self.inner.lock();
        let wanted = inner.is_wanted();
        inner.interest[channel.index()] &= !(1 << shard);
        inner.tell_watchers(self.symbol, wanted);
    }

    /// Whether anybody listens to what a feed brings. Status alone asks for no data.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.inner.lock().is_wanted()
    }

    /// Tells this and every further change of [`is_wanted`](Self::is_wanted) to a feed.
    pub(super) fn watch(&self, watcher: &Arc<Demand>) {
        let mut inner = self.inner.lock();
        if !inner.watchers.iter().any(|known| Arc::ptr_eq(known, watcher)) {
            inner.watchers.push(Arc::clone(watcher));
        }
        watcher.changed(self.symbol);
    }

    /// The events of a channel after the given number that are still remembered, in order.
    #[must_use]
    pub fn since(&self, channel: Channel, seen: u64) -> Vec<Arc<Event>> {
        let inner = self.inner.lock();
        let after = |event: &&Arc<Event>| event.n > seen;
        match channel {
            Channel::Trades if self.ring > 0 => inner.trades.iter().filter(after).cloned().collect(),
            Channel::Trades | Channel::Quotes | Channel::Status => {
                let last = inner.last[channel.index()].iter().chain(&inner.lost[channel.index()]);
                let mut events: Vec<_> = last.filter(after).cloned().collect();
                events.sort_by_key(|event| event.n);
                events
            }
        }
    }

    /// The newest event of a channel.
    #[must_use]
    pub fn last(&self, channel: Channel) -> Option<Arc<Event>> {
        self.inner.lock().last[channel.index()].clone()
    }
}
