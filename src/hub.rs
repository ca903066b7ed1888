//! Topics: where every event of a symbol gets its number, is remembered, and goes out to the shards.
//!
//! [`Hub::publish`] is synchronous: it takes one short lock a topic and never waits for a shard, a session or a
//! socket. The hub does not know what a session is; it knows lanes, one for each shard.

mod apply;
mod batch;
mod context;
mod demand;
mod derive;
mod epoch;
mod event;
mod expire;
mod failover;
mod feed_table;
mod follow;
mod freshness;
mod history;
mod image;
mod input;
mod lane;
mod numbering;
mod origin;
mod restore;
mod ring;
mod source_clock;
mod source_positions;
mod source_word;
mod sum;
mod sweep;
mod time;
mod topic;
mod topic_id;
mod topics;

pub use demand::Demand;
pub use derive::{CorrectionPoints, TickerMinute};
pub use event::Event;
pub use failover::FailoverTimes;
pub use feed_table::FeedTerms;
pub use follow::RULES;
pub use freshness::FreshnessLimits;
pub use history::{BarSpan, Page};
pub use image::{Computed, Image, Numbered, Present, RingImage, SavedMark};
pub use input::Input;
pub use lane::{Drained, Lane};
pub use numbering::Numbering;
pub use restore::RestoreError;
pub use source_clock::SourceClock;
pub use source_positions::SourcePosition;
pub use source_word::SourceWord;
pub use topic::{Remembered, Topic};
pub use topic_id::TopicId;

pub use crate::market::Body;

use std::{collections::VecDeque, sync::Arc};

use parking_lot::{Mutex, RwLock};

use self::{
    batch::PublishBatch, context::TopicContext, epoch::Epoch, feed_table::FeedTable,
    source_positions::SourcePositions, source_word::SourceWords, sweep::Sweep, topics::Topics,
};
use crate::{
    clock::{Clock, Instant},
    limits::{
        DEFAULT_BARS, DEFAULT_LANE_EVENTS, DEFAULT_TRADES_PER_SYMBOL, MAX_FEEDS_PER_SYMBOL, MAX_SHARDS,
        MAX_TOPICS,
    },
    market::{Channel, Intervals, Source, State, Status, Symbol, Tick, UnixMicros},
    metrics::Metrics,
};

/// Sizes of the hub's memories.
#[derive(Debug, Clone, Copy)]
pub struct HubConfig {
    /// Trades that each topic remembers.
    pub trades_per_symbol: usize,
    /// Final bars that each topic remembers of each interval.
    pub bars: usize,
    /// Which bars are computed.
    pub intervals: Intervals,
    /// Events that wait between the hub and one shard.
    pub lane_events: usize,
    /// When another feed becomes a symbol's source.
    pub failover: FailoverTimes,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            trades_per_symbol: DEFAULT_TRADES_PER_SYMBOL,
            bars: DEFAULT_BARS,
            intervals: Intervals::ALL,
            lane_events: DEFAULT_LANE_EVENTS,
            failover: FailoverTimes::default(),
        }
    }
}

/// Why the hub refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// [`MAX_TOPICS`] symbols are known already.
    #[error("the gateway knows {MAX_TOPICS} symbols already and takes no more")]
    TooManyTopics,
    /// [`MAX_FEEDS_PER_SYMBOL`] feeds carry the symbol already.
    #[error("{0} is carried by {MAX_FEEDS_PER_SYMBOL} feeds already, which is the most")]
    TooManyFeeds(Symbol),
    /// [`MAX_SHARDS`] shards exist already.
    #[error("a gateway has at most {MAX_SHARDS} worker threads")]
    TooManyShards,
}

/// All topics, and the lanes to all shards.
#[derive(Debug)]
pub struct Hub {
    context: Arc<TopicContext>,
    epoch: Epoch,
    source_words: SourceWords,
    clock: Clock,
    metrics: Arc<Metrics>,
    topics: Topics,
    /// But for the number of the next topic, which the topics know.
    numbering: Mutex<Numbering>,
    lanes: RwLock<Vec<Option<Arc<Lane>>>>,
    feed_table: RwLock<FeedTable>,
    /// The topics that several feeds carry.
    contested: RwLock<Vec<Arc<Topic>>>,
    /// What symbols of whole feeds are still to be told.
    sweeps: Mutex<VecDeque<Sweep>>,
    /// Number of the topic from which the look for symbols that are no longer fresh goes on.
    looked_at: Mutex<u32>,
    source_positions: SourcePositions,
}

impl Hub {
    /// An empty hub whose numbering is named `epoch`.
    #[must_use]
    pub fn new(config: HubConfig, epoch: String, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let context = TopicContext::new(config, &metrics);
        Self::with_context(context, epoch, clock, metrics)
    }

    fn with_context(context: TopicContext, epoch: String, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            context: Arc::new(context),
            epoch: Epoch::new(epoch),
            source_words: SourceWords::default(),
            clock,
            metrics,
            topics: Topics::default(),
            numbering: Mutex::default(),
            lanes: RwLock::default(),
            feed_table: RwLock::default(),
            contested: RwLock::default(),
            sweeps: Mutex::default(),
            looked_at: Mutex::default(),
            source_positions: SourcePositions::default(),
        }
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

    /// Makes a symbol known, and that the feed carries it. Of several feeds one is its source.
    ///
    /// # Errors
    /// When there are too many symbols, or feeds that carry it.
    pub fn declare(&self, symbol: Symbol, feed: Source) -> Result<Arc<Topic>, HubError> {
        let topic = self.enter(symbol, feed, &self.lanes.read())?;
        topic.stay();
        Ok(topic)
    }

    /// Makes a symbol known because a tick of it has come: it may [expire](Self::expire).
    ///
    /// # Errors
    /// When there are too many symbols, or feeds that carry it.
    pub fn admit(&self, symbol: Symbol, feed: Source) -> Result<Arc<Topic>, HubError> {
        self.enter(symbol, feed, &self.lanes.read())
    }

    /// Declares with the lanes at hand: taking their lock again would wait for ever behind a shard that waits for it.
    fn enter(
        &self,
        symbol: Symbol,
        feed: Source,
        lanes: &[Option<Arc<Lane>>],
    ) -> Result<Arc<Topic>, HubError> {
        if let Some(topic) = self.topic(symbol) {
            topic.named();
            return self.carried(topic, feed, lanes);
        }
        let (topic, is_new) = self.make_known(symbol, feed)?;
        if !is_new {
            return self.carried(topic, feed, lanes);
        }
        let pending = Status {
            symbol,
            state: State::Pending,
            source: feed,
            since: self.clock.now(),
            why: freshness::NOTHING_YET.into(),
        };
        let mut batch = PublishBatch::new(lanes, self.times());
        let _its_own = topic.publish(feed, Tick::Status(pending), &mut batch);
        batch.end(&self.context);
        // No session can be subscribed yet, but sessions that follow a pattern must look again.
        lanes.iter().flatten().for_each(|lane| lane.wake());
        Ok(topic)
    }

    /// The topic of a symbol, and whether it was made only now.
    fn make_known(&self, symbol: Symbol, feed: Source) -> Result<(Arc<Topic>, bool), HubError> {
        let make = |id| {
            let base = self.numbering.lock().begin(symbol);
            let context = Arc::clone(&self.context);
            self.context.tap(|| Input::Symbol(symbol, feed));
            Ok::<_, HubError>(Topic::new((id, base), symbol, self.feed_ref(feed), context))
        };
        let (topic, is_new) = self.topics.get_or_make(symbol, None, &self.context.slots, make)?;
        if is_new {
            self.context.topics.inc();
        }
        Ok((topic, is_new))
    }

    /// Numbers the ticks, remembers them and hands the events to the interested shards: one push an event, one wake
    /// a burst and shard. Never waits.
    ///
    /// A symbol that is not known yet becomes the `owner`'s. Ticks of a symbol whose source is another feed go nowhere.
    pub fn publish(&self, owner: Source, ticks: impl IntoIterator<Item = Tick>) {
        let lanes = self.lanes.read();
        let mut batch = PublishBatch::new(&lanes, self.times());
        for tick in ticks {
            let symbol = tick.symbol();
            let Some(topic) = self.topic(symbol).or_else(|| self.enter(symbol, owner, &lanes).ok()) else {
                self.metrics.refused_ticks.inc();
                continue;
            };
            if let Some(tick) = topic.publish(owner, tick, &mut batch) {
                // The feed was not known to carry it; with too many that do it is refused.
                let carried = self.enter(symbol, owner, &lanes).ok();
                if carried.is_none_or(|topic| topic.publish(owner, tick, &mut batch).is_some()) {
                    self.metrics.refused_ticks.inc();
                }
            }
        }
        if batch.standby > 0 {
            self.metrics.switches.standby(owner.as_str(), batch.standby);
        }
        batch.end(&self.context);
    }

    /// Tells the hub how late it is: bars whose interval is over become final although no trade came, and trades leave
    /// the tickers' windows. At most [`MAX_BURST_TICKS`](crate::limits::MAX_BURST_TICKS) symbols at once, so that lanes can be emptied in between;
    /// returns whether there are more. To be called a few times a second.
    pub fn tick_clock(&self, now: UnixMicros) -> bool {
        self.pass_due(now, |_| true)
    }

    /// Whether events of that channel can exist here: all but bars of intervals that are not computed.
    #[must_use]
    pub fn offers(&self, channel: Channel) -> bool {
        match channel {
            Channel::Bars(interval) => self.context.config.intervals.contains(interval),
            Channel::Trades | Channel::Quotes | Channel::Status | Channel::Corrections | Channel::Ticker => {
                true
            }
        }
    }

    /// How many symbols are in which state, by the feed that is their source.
    #[must_use]
    pub fn states(&self) -> Vec<(Source, State, i64)> {
        let mut counts: Vec<(Source, State, i64)> = Vec::new();
        for topic in self.all_topics() {
            let (feed, state) = (topic.feed(), topic.state());
            match counts.iter_mut().find(|(name, of, _)| *name == feed && *of == state) {
                Some((.., count)) => *count += 1,
                None => counts.push((feed, state, 1)),
            }
        }
        counts
    }

    /// Lets a feed know whether a symbol is in demand, now and whenever that changes. Unknown symbols have no one who
    /// listens.
    pub fn watch(&self, symbol: Symbol, feed: Source, demand: &Arc<Demand>) {
        if let Some(topic) = self.topic(symbol) {
            topic.watch(feed, demand);
        }
    }

    /// The topic of a symbol.
    #[must_use]
    pub fn topic(&self, symbol: Symbol) -> Option<Arc<Topic>> {
        self.topics.get(symbol)
    }

    /// How many symbols are known.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// The number that the next topic gets.
    #[must_use]
    pub fn next_topic(&self) -> u32 {
        self.topics.next()
    }

    /// The topic of that number, if it is still there.
    #[must_use]
    pub fn topic_at(&self, number: u32) -> Option<Arc<Topic>> {
        self.topics.at(number)
    }

    /// At most `most` topics from that number on, in the order in which they became known.
    #[must_use]
    pub fn topics_since(&self, number: u32, most: usize) -> Vec<Arc<Topic>> {
        self.topics.since(number, most)
    }

    /// What numbers new topics get.
    #[must_use]
    pub fn numbering(&self) -> Numbering {
        Numbering { next: self.topics.next(), ..self.numbering.lock().clone() }
    }

    /// Every topic, in the order in which they became known. Not for what clients can ask for: there may be very many.
    #[must_use]
    pub fn all_topics(&self) -> Vec<Arc<Topic>> {
        self.topics.since(0, MAX_TOPICS)
    }

    /// At most `most` topics whose symbols begin with `prefix`, in the order of the symbols, behind that one: with the
    /// last symbol of an answer the next one is found, however many topics there are.
    #[must_use]
    pub fn topics_named(&self, prefix: &str, behind: Option<&Symbol>, most: usize) -> Vec<Arc<Topic>> {
        self.topics.named(prefix, behind, most)
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
        let lane = Arc::new(Lane::new(index, self.context.config.lane_events));
        if index == lanes.len() {
            lanes.push(Some(Arc::clone(&lane)));
        } else {
            lanes[index] = Some(Arc::clone(&lane));
        }
        Ok(lane)
    }

    /// Closes a shard's lane and forgets its interests; then the index may be used again, and not before: the next shard
    /// would lose what it has joined meanwhile.
    pub fn close_lane(&self, lane: &Lane) {
        for topic in self.all_topics() {
            for channel in Channel::ALL {
                topic.part(lane.index(), channel);
            }
        }
        self.lanes.write()[lane.index()] = None;
    }

    /// Whether some lane is more than half full.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.lanes.read().iter().flatten().any(|lane| lane.len() > self.context.config.lane_events / 2)
    }

    /// Monotonic time, for ages of events.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.clock.instant()
    }
}

#[cfg(test)]
pub(crate) mod tests;
