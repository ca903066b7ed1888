//! One symbol's broadcast: numbers, last values, the trade ring, and which shards listen.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use super::{Event, Lane};
use crate::{
    clock::Instant,
    limits::MAX_TOPICS,
    market::{Channel, Source, State, Status, Symbol, Tick},
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
    trades: VecDeque<Arc<Event>>,
    state: State,
    /// Bit i: shard i has a subscriber.
    interest: u64,
}

/// What a listener that has seen numbers up to some point still needs, taken at one instant.
#[derive(Debug)]
pub struct CatchUp {
    /// Number of the newest event of each channel, 0 when there was none.
    pub heads: [u64; Channel::COUNT],
    /// The events after the listener's position that are still remembered, in order.
    pub events: [Vec<Arc<Event>>; Channel::COUNT],
    /// The newest event of each channel.
    pub last: [Option<Arc<Event>>; Channel::COUNT],
}

impl Topic {
    pub(super) fn new(id: TopicId, symbol: Symbol, feed: Source, ring: usize) -> Self {
        let inner = Inner {
            heads: [0; Channel::COUNT],
            last: [const { None }; Channel::COUNT],
            trades: VecDeque::new(),
            state: State::Pending,
            interest: 0,
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
        let mut states = 0;
        match &tick {
            Tick::Status(status) => inner.state = status.state,
            Tick::Trade(_) | Tick::Quote(_) if matches!(inner.state, State::Live | State::Halted) => {}
            Tick::Trade(_) | Tick::Quote(_) => {
                // The first tick after a silence ends it.
                inner.state = State::Live;
                let (source, since) = match &tick {
                    Tick::Trade(trade) => (trade.source, trade.tr),
                    Tick::Quote(quote) => (quote.source, quote.tr),
                    Tick::Status(status) => (status.source, status.since),
                };
                let live = Status {
                    symbol: self.symbol,
                    state: State::Live,
                    source,
                    since,
                    why: "receiving".into(),
                };
                self.emit(&mut inner, Tick::Status(live), received, lanes);
                states = 1;
            }
        }
        self.emit(&mut inner, tick, received, lanes);
        (inner.interest, states)
    }

    fn emit(&self, inner: &mut Inner, tick: Tick, received: Instant, lanes: &[Option<Arc<Lane>>]) {
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
        let mut interested = inner.interest;
        while interested != 0 {
            let index = interested.trailing_zeros() as usize;
            interested &= interested - 1;
            if let Some(Some(lane)) = lanes.get(index) {
                lane.push(&event);
            }
        }
        inner.last[channel] = Some(event);
    }

    /// Whether the shard of that index listens.
    pub fn set_interest(&self, shard: usize, listens: bool) {
        let mut inner = self.inner.lock();
        if listens {
            inner.interest |= 1 << shard;
        } else {
            inner.interest &= !(1 << shard);
        }
    }

    /// Starts the interest of a shard and tells where the topic stands, in one step: the lane gets every event
    /// after the returned heads and none before.
    #[must_use]
    pub fn join(&self, shard: usize) -> CatchUp {
        let mut inner = self.inner.lock();
        inner.interest |= 1 << shard;
        let last = inner.last.clone();
        CatchUp { heads: inner.heads, events: [const { Vec::new() }; Channel::COUNT], last }
    }

    /// What is remembered after the given numbers.
    #[must_use]
    pub fn since(&self, seen: [u64; Channel::COUNT]) -> CatchUp {
        let inner = self.inner.lock();
        let mut events = [const { Vec::new() }; Channel::COUNT];
        for channel in Channel::ALL {
            let i = channel.index();
            let after = |event: &&Arc<Event>| event.n > seen[i];
            events[i] = match channel {
                Channel::Trades if self.ring > 0 => inner.trades.iter().filter(after).cloned().collect(),
                Channel::Trades | Channel::Quotes | Channel::Status => {
                    inner.last[i].iter().filter(after).cloned().collect()
                }
            };
        }
        CatchUp { heads: inner.heads, events, last: inner.last.clone() }
    }

    /// The newest event of a channel.
    #[must_use]
    pub fn last(&self, channel: Channel) -> Option<Arc<Event>> {
        self.inner.lock().last[channel.index()].clone()
    }
}
