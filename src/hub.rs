//! Topics: where every event of a symbol gets its number, is remembered, and goes out to the shards.
//!
//! [`Hub::publish`] is synchronous: it takes one short lock a topic and never waits for a shard, a session or a
//! socket. The hub does not know what a session is; it knows lanes, one for each shard.

mod demand;
mod event;
mod lane;
mod topic;

pub use demand::Demand;
pub use event::{Body, Event};
pub use lane::{Drained, Lane};
pub use topic::{Topic, TopicId};

use std::sync::Arc;

use dashmap::{DashMap, Entry};
use parking_lot::RwLock;
use prometheus::IntCounter;

use crate::{
    clock::{Clock, Instant},
    limits::{DEFAULT_LANE_EVENTS, DEFAULT_TRADES_PER_SYMBOL, MAX_SHARDS, MAX_TOPICS},
    market::{Channel, Source, State, Status, Symbol, Tick},
    metrics::Metrics,
};

/// Sizes of the hub's memories.
#[derive(Debug, Clone, Copy)]
pub struct HubConfig {
    /// Trades that each topic remembers.
    pub trades_per_symbol: usize,
    /// Events that wait between the hub and one shard.
    pub lane_events: usize,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self { trades_per_symbol: DEFAULT_TRADES_PER_SYMBOL, lane_events: DEFAULT_LANE_EVENTS }
    }
}

/// Why the hub refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// [`MAX_TOPICS`] symbols are known already.
    #[error("the gateway knows {MAX_TOPICS} symbols already and takes no more")]
    TooManyTopics,
    /// [`MAX_SHARDS`] shards exist already.
    #[error("a gateway has at most {MAX_SHARDS} worker threads")]
    TooManyShards,
}

/// All topics, and the lanes to all shards.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    epoch: String,
    clock: Clock,
    metrics: Arc<Metrics>,
    events: [IntCounter; Channel::COUNT],
    by_symbol: DashMap<Symbol, Arc<Topic>>,
    by_id: RwLock<Vec<Arc<Topic>>>,
    lanes: RwLock<Vec<Option<Arc<Lane>>>>,
}

impl Hub {
    /// An empty hub whose numbering is named `epoch`.
    #[must_use]
    pub fn new(config: HubConfig, epoch: String, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            config,
            epoch,
            clock,
            events: metrics.events(),
            metrics,
            by_symbol: DashMap::new(),
            by_id: RwLock::default(),
            lanes: RwLock::default(),
        }
    }

    /// The name of this incarnation of the numbering.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The time.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The metrics.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Makes a symbol known. One that is known already keeps its first feed.
    ///
    /// # Errors
    /// When there are too many.
    pub fn declare(&self, symbol: Symbol, feed: Source) -> Result<Arc<Topic>, HubError> {
        if let Some(topic) = self.topic(symbol) {
            return Ok(topic);
        }
        let topic = match self.by_symbol.entry(symbol) {
            Entry::Occupied(known) => return Ok(Arc::clone(known.get())),
            Entry::Vacant(free) => {
                let mut by_id = self.by_id.write();
                if by_id.len() >= MAX_TOPICS {
                    return Err(HubError::TooManyTopics);
                }
                let id = TopicId::new(by_id.len());
                let topic = Arc::new(Topic::new(id, symbol, feed, self.config.trades_per_symbol));
                by_id.push(Arc::clone(&topic));
                free.insert(Arc::clone(&topic));
                topic
            }
        };
        self.metrics.topics.inc();
        let pending = Status {
            symbol,
            state: State::Pending,
            source: feed,
            since: self.clock.now(),
            why: "nothing received yet".into(),
        };
        let lanes = self.lanes.read();
        topic.publish(Tick::Status(pending), self.clock.instant(), &lanes);
        self.events[Channel::Status.index()].inc();
        // Nobody can be subscribed yet, but sessions that follow a pattern must look again.
        lanes.iter().flatten().for_each(|lane| lane.wake());
        Ok(topic)
    }

    /// Numbers the ticks, remembers them and hands the events to the interested shards: one push an event, one wake
    /// a burst and shard. Never waits.
    ///
    /// A symbol that is not known yet becomes the `owner`'s.
    pub fn publish(&self, owner: Source, ticks: impl IntoIterator<Item = Tick>) {
        let received = self.clock.instant();
        let lanes = self.lanes.read();
        let mut touched = 0_u64;
        let mut counts = [0_u64; Channel::COUNT];
        for tick in ticks {
            let symbol = tick.symbol();
            let channel = tick.channel();
            let Some(topic) = self.topic(symbol).or_else(|| self.declare(symbol, owner).ok()) else {
                self.metrics.refused_ticks.inc();
                continue;
            };
            let (more, states) = topic.publish(tick, received, &lanes);
            touched |= more;
            counts[channel.index()] += 1;
            counts[Channel::Status.index()] += states;
        }
        for (counter, count) in self.events.iter().zip(counts) {
            counter.inc_by(count);
        }
        wake(&lanes, touched);
    }

    /// Tells the state of a whole feed on the status channel of each of its symbols.
    pub fn set_feed_state(&self, feed: Source, state: State, why: &str) {
        let since = self.clock.now();
        let topics = self.topics_since(0);
        let ticks = topics.iter().filter(|topic| topic.feed() == feed).map(|topic| {
            let why = why.to_owned().into();
            Tick::Status(Status { symbol: topic.symbol(), state, source: feed, since, why })
        });
        self.publish(feed, ticks);
    }

    /// Lets a feed know whether somebody listens to a symbol, now and whenever that changes. Unknown symbols have
    /// nobody.
    pub fn watch(&self, symbol: Symbol, demand: &Arc<Demand>) {
        if let Some(topic) = self.topic(symbol) {
            topic.watch(demand);
        }
    }

    /// The topic of a symbol.
    #[must_use]
    pub fn topic(&self, symbol: Symbol) -> Option<Arc<Topic>> {
        self.by_symbol.get(&symbol).map(|topic| Arc::clone(&topic))
    }

    /// How many symbols are known.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.by_id.read().len()
    }

    /// The topics from that position on, in the order in which they became known.
    #[must_use]
    pub fn topics_since(&self, position: usize) -> Vec<Arc<Topic>> {
        self.by_id.read().get(position..).unwrap_or_default().to_vec()
    }

    /// Opens a lane for one more shard; its index is the shard's.
    ///
    /// # Errors
    /// When there are too many.
    pub fn open_lane(&self) -> Result<Arc<Lane>, HubError> {
        let mut lanes = self.lanes.write();
        let index = lanes.iter().position(Option::is_none).unwrap_or(lanes.len());
        if index >= MAX_SHARDS {
            return Err(HubError::TooManyShards);
        }
        let lane = Arc::new(Lane::new(index, self.config.lane_events));
        if index == lanes.len() {
            lanes.push(Some(Arc::clone(&lane)));
        } else {
            lanes[index] = Some(Arc::clone(&lane));
        }
        Ok(lane)
    }

    /// Closes a shard's lane and forgets its interests; the index may be used again.
    pub fn close_lane(&self, lane: &Lane) {
        let topics = self.topics_since(0);
        self.lanes.write()[lane.index()] = None;
        for topic in topics {
            for channel in Channel::ALL {
                topic.part(lane.index(), channel);
            }
        }
    }

    /// Whether some lane is more than half full.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.lanes.read().iter().flatten().any(|lane| lane.len() > self.config.lane_events / 2)
    }

    /// Monotonic time, for ages of events.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.clock.instant()
    }
}

fn wake(lanes: &[Option<Arc<Lane>>], mut touched: u64) {
    while touched != 0 {
        let index = touched.trailing_zeros() as usize;
        touched &= touched - 1;
        if let Some(Some(lane)) = lanes.get(index) {
            lane.wake();
        }
    }
}
