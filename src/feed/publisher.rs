//! What a feed may do: declare symbols, publish ticks, count what it skipped, and ask whether to stop.

use std::{
    borrow::Cow,
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::FeedError;
use crate::{
    clock::Clock,
    dialect::ParseError,
    hub::{Demand, Hub, HubError, SourcePosition},
    limits::{MAX_BURST_TICKS, MAX_ERROR_CHARS, REDIS_DOUBTFUL_TRADES},
    market::{Body, Channel, Increments, Source, State, Status, Symbol, Tick, Trade, UnixMicros},
    metrics::{FeedMetrics, RedisMetrics, Stalled, UpstreamMetrics},
};

/// A feed's access to the hub. Clones belong to the same feed.
#[derive(Debug, Clone)]
pub struct Publisher {
    name: Source,
    hub: Arc<Hub>,
    clock: Clock,
    stop: CancellationToken,
    metrics: FeedMetrics,
    health: Arc<Health>,
    goes_on: bool,
}

/// What `/feedz` shows of a feed.
#[derive(Debug, Default)]
pub struct Health {
    live: AtomicBool,
    ended: AtomicBool,
    /// Without demand the feed has disconnected from its source.
    resting: AtomicBool,
    last_tick: AtomicI64,
    /// In steady time, plus one.
    last_sign: AtomicU64,
    breaks: Mutex<Option<(u64, &'static str)>>,
}

impl Health {
    /// The feed is started in this gateway: nothing is known of it yet.
    fn begin_anew(&self) {
        for flag in [&self.live, &self.ended, &self.resting] {
            flag.store(false, Ordering::Relaxed);
        }
        self.last_sign.store(0, Ordering::Relaxed);
    }

    /// Whether the feed delivers.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.ended.load(Ordering::Relaxed), self.live.load(Ordering::Relaxed)) {
            (true, _) => State::Closed,
            (false, true) => State::Live,
            (false, false) if self.last_tick().is_none() => State::Pending,
            (false, false) => State::Stale,
        }
    }

    /// How often the feed broke off, and the last reason, as the label of its restarts; `None` if it never did.
    #[must_use]
    pub fn breaks(&self) -> Option<(u64, &'static str)> {
        *self.breaks.lock()
    }

    /// Notes that the feed says nothing any more. Returns whether that is news; of a feed that is not to say anything it
    /// is none.
    pub(super) fn falls_silent(&self) -> bool {
        let may_be_silent = self.ended.load(Ordering::Relaxed) || self.resting.load(Ordering::Relaxed);
        !may_be_silent && self.live.swap(false, Ordering::Relaxed)
    }

    /// Notes a sign of life. Returns true if the feed had not proved alive before.
    pub(super) fn lives(&self, steady: Duration) -> bool {
        self.shows_life(steady);
        self.resting.store(false, Ordering::Relaxed);
        !self.live.swap(true, Ordering::Relaxed)
    }

    /// When the feed last proved alive, in steady time: by a tick, or by a heartbeat of its source.
    #[must_use]
    pub fn last_sign(&self) -> Option<Duration> {
        self.last_sign.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_micros)
    }

    pub(super) fn shows_life(&self, steady: Duration) {
        let micros = u64::try_from(steady.as_micros()).unwrap_or(u64::MAX);
        self.last_sign.store(micros.saturating_add(1), Ordering::Relaxed);
    }

    /// When the feed last published.
    #[must_use]
    pub fn last_tick(&self) -> Option<UnixMicros> {
        let last = self.last_tick.load(Ordering::Relaxed);
        (last != 0).then_some(UnixMicros(last))
    }
}

/// What was published of a symbol by one feed.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// The newest trade.
    pub(super) trade: Option<Trade>,
    /// Whether there is a quote.
    pub(super) has_quote: bool,
}

impl Publisher {
    /// A publisher for the feed of this name; `stop` ends the feed.
    #[must_use]
    pub fn new(name: Source, hub: Arc<Hub>, stop: CancellationToken) -> Self {
        let metrics = hub.metrics().feed(name.as_str());
        metrics.restart_reasons(["broken", "panic"]);
        Self { name, clock: hub.clock().clone(), hub, stop, metrics, health: Arc::default(), goes_on: false }
    }

    /// Likewise, for a hub whose symbols another gateway may have brought until now. How the feed is doing is told in
    /// `health`, which outlives the hub.
    #[must_use]
    pub fn going_on(
        name: Source,
        hub: Arc<Hub>,
        stop: CancellationToken,
        (health, goes_on): (Arc<Health>, bool),
    ) -> Self {
        health.begin_anew();
        Self { health, goes_on, ..Self::new(name, hub, stop) }
    }

    /// Whether another gateway has brought the symbols until now.
    #[must_use]
    pub const fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The feed's name, which is also the source of its ticks unless a tick says otherwise.
    #[must_use]
    pub const fn name(&self) -> Source {
        self.name
    }

    /// The time.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The feed's metrics.
    #[must_use]
    pub const fn metrics(&self) -> &FeedMetrics {
        &self.metrics
    }

    /// The feed's health, for other tasks.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Makes the symbols known, so that clients can subscribe before the first tick.
    ///
    /// # Errors
    /// Fatal when the gateway has no room for that many symbols.
    pub fn declare(&self, symbols: impl IntoIterator<Item = Symbol>) -> Result<(), FeedError> {
        for symbol in symbols {
            self.hub
                .declare(symbol, self.name)
                .map_err(|full: HubError| FeedError::Fatal(full.to_string()))?;
        }
        Ok(())
    }

    /// Makes the symbol of a tick known: it is removed again when no more ticks of it come, if the feed's terms say so.
    ///
    /// # Errors
    /// When the gateway has no room for it.
    pub fn admit(&self, symbol: Symbol) -> Result<(), HubError> {
        self.hub.admit(symbol, self.name).map(|_topic| ())
    }

    /// How many symbols were removed so far, of any feed.
    #[must_use]
    pub fn removals(&self) -> u64 {
        self.hub.metrics().topics_removed.get()
    }

    /// Whether the gateway knows the symbol, from whichever feed.
    #[must_use]
    pub fn is_known(&self, symbol: Symbol) -> bool {
        self.hub.topic(symbol).is_some()
    }

    /// How many symbols belong to this feed. Looks at all symbols of the gateway.
    #[must_use]
    pub fn symbol_count(&self) -> usize {
        self.hub.all_topics().iter().filter(|topic| topic.home() == self.name).count()
    }

    /// What clients have seen of this feed's symbol, also from before the feed was started. Behind a loss that is told
    /// nothing more can be missing, and of a symbol whose source is another feed its change of source is told.
    pub(super) fn published(&self, symbol: Symbol) -> Published {
        let Some(topic) = self.hub.topic(symbol).filter(|topic| topic.feed() == self.name) else {
            return Published::default();
        };
        let newest = |channel| topic.last(channel).filter(|_| !topic.ends_lost(channel));
        let trade = newest(Channel::Trades).and_then(|event| match &event.body {
            Body::Tick(Tick::Trade(trade)) => Some(trade.clone()),
            Body::Tick(Tick::Quote(_) | Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_))
            | Body::Bar(_)
            | Body::Ticker(_) => None,
        });
        Published { trade, has_quote: newest(Channel::Quotes).is_some() }
    }

    /// Counts a tick whose symbol has no room.
    pub fn refuse_tick(&self) {
        self.hub.metrics().refused_ticks.inc();
    }

    /// Sets the steps of symbols that belong to this feed.
    pub fn describe(&self, steps: impl IntoIterator<Item = (Symbol, Increments)>) {
        for (symbol, increments) in steps {
            if let Some(topic) = self.hub.topic(symbol).filter(|topic| topic.home() == self.name) {
                topic.describe(increments);
            }
        }
    }

    /// Tells `demand` whether these symbols have listeners, now and whenever that changes.
    pub fn watch(&self, symbols: impl IntoIterator<Item = Symbol>, demand: &Arc<Demand>) {
        symbols.into_iter().for_each(|symbol| self.hub.watch(symbol, self.name, demand));
    }

    /// Whether somebody listens to what this feed is to bring of that symbol.
    #[must_use]
    pub fn is_wanted(&self, symbol: Symbol) -> bool {
        self.hub.topic(symbol).is_some_and(|topic| topic.is_wanted_of(self.name))
    }

    /// Tells a new state of the symbols whose present state at this feed is one of `from`.
    pub fn change_state(
        &self,
        symbols: impl IntoIterator<Item = Symbol>,
        from: &[State],
        to: State,
        why: &'static str,
    ) {
        self.tell_state(symbols, from, to, why);
    }

    /// Likewise, with a reason that is not a constant.
    pub fn tell_state(
        &self,
        symbols: impl IntoIterator<Item = Symbol>,
        from: &[State],
        to: State,
        why: impl Into<Cow<'static, str>>,
    ) {
        let why = why.into();
        let state = |symbol: Symbol| self.hub.topic(symbol)?.state_of(self.name);
        let has = |symbol: &Symbol| state(*symbol).is_some_and(|state| from.contains(&state));
        let (source, since) = (self.name, self.clock.now());
        let tell = |symbol| Tick::Status(Status { symbol, state: to, source, since, why: why.clone() });
        let mut ticks = symbols.into_iter().filter(has).map(tell).peekable();
        while ticks.peek().is_some() {
            self.hub.publish(self.name, ticks.by_ref().take(MAX_BURST_TICKS));
        }
    }

    /// The source is connected, perhaps without ticks. The feed itself tells the states of its symbols.
    pub fn connected(&self) {
        if self.health.lives(self.clock.steady()) {
            self.metrics.up(true);
            self.hub.feed_is_up(self.name);
        }
    }

    /// Without demand the feed has disconnected from its source, so its silence means nothing.
    pub fn rests(&self) {
        self.health.resting.store(true, Ordering::Relaxed);
        self.metrics.up(true);
    }

    /// The feed's metrics as a connection to a venue.
    #[must_use]
    pub fn upstream_metrics(&self) -> UpstreamMetrics {
        self.hub.metrics().upstream(self.name.as_str())
    }

    /// The feed's metrics as a reader of Redis.
    #[must_use]
    pub fn redis_metrics(&self, is_stream: bool) -> RedisMetrics {
        self.hub.metrics().redis(self.name.as_str(), is_stream)
    }

    /// Every symbol that this feed carries. Looks at all symbols of the gateway.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        let all = self.hub.all_topics();
        let ours = all.iter().filter(|topic| topic.state_of(self.name).is_some());
        ours.map(|topic| topic.symbol()).collect()
    }

    /// How far the feed has read one of its sources, as it said itself, or as the store knows it.
    #[must_use]
    pub fn position(&self, key: &str) -> Option<SourcePosition> {
        self.hub.source_position(self.name, key)
    }

    /// Tells how far the feed has read one of its sources: everything up to `done` is published, and nothing behind `upto`.
    pub fn set_position(&self, key: &str, done: &str, upto: &str) {
        let (key, done, upto) = (key.to_owned(), done.to_owned(), upto.to_owned());
        self.hub.set_source_position(SourcePosition { feed: self.name, key, done, upto });
    }

    /// Whether the same was published before, but for the time of receipt, as far as that is remembered.
    #[must_use]
    pub fn has_published(&self, tick: &Tick) -> bool {
        let Some(topic) = self.hub.topic(tick.symbol()) else { return false };
        let same = |known: &Body| matches!(known, Body::Tick(known) if known.is_same(tick));
        match tick.channel() {
            Channel::Trades => {
                let page = topic.trades(None, REDIS_DOUBTFUL_TRADES);
                page.events.iter().any(|event| same(&event.body))
            }
            channel @ (Channel::Quotes | Channel::Corrections) => {
                topic.since(channel, 0).events.iter().any(|event| same(&event.body))
            }
            Channel::Status | Channel::Ticker | Channel::Bars(_) => false,
        }
    }

    /// Publishes the ticks in order and leaves the buffer empty for reuse. Never waits.
    ///
    /// At most [`MAX_BURST_TICKS`] are one burst; a longer buffer is published as several.
    pub fn publish(&self, ticks: &mut Vec<Tick>) {
        if ticks.is_empty() {
            return;
        }
        self.alive();
        self.health.last_tick.store(self.clock.now().0, Ordering::Relaxed);
        self.metrics.ticks(ticks);
        while !ticks.is_empty() {
            let burst = ticks.len().min(MAX_BURST_TICKS);
            self.hub.publish(self.name, ticks.drain(..burst));
        }
    }

    /// The source proves alive. Restores the states of these symbols if they were stale because of it; it does not bring the
    /// others now.
    pub fn alive_for(&self, symbols: impl IntoIterator<Item = Symbol>) {
        if self.health.lives(self.clock.steady()) {
            self.metrics.up(true);
            self.hub.feed_is_up(self.name);
            self.hub.symbols_are_back(self.name, symbols);
        }
    }

    /// The source proves alive, with or without a tick. Restores the states of symbols that were stale because of it.
    pub fn alive(&self) {
        if self.health.lives(self.clock.steady()) {
            self.metrics.up(true);
            self.hub.feed_is_back(self.name);
        }
    }

    /// Waits until every shard has room for more, or the feed is to stop.
    ///
    /// For sources that can wait, such as a recording played as fast as possible. A live source does not wait:
    /// its shards are lapped instead.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn room(&self) {
        while self.hub.is_congested() && !self.stop.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How far the clock of the symbol's source is behind the gateway's, in microseconds, if known.
    pub(super) fn offset(&self, symbol: Symbol) -> Option<i64> {
        self.hub.topic(symbol)?.offset()
    }

    /// Counts a time at which the feed was held up.
    pub fn count_stall(&self) {
        self.hub.metrics().time.stalled(Stalled::Feed);
    }

    /// Counts one frame or line read from the source.
    pub fn count_message(&self) {
        self.metrics.message();
    }

    /// Counts a frame that a named rule passes over.
    pub fn count_ignored(&self, rule: &'static str) {
        self.metrics.ignored(rule);
    }

    /// Counts frames, lines or records read from the source.
    pub fn count_messages(&self, count: u64) {
        self.metrics.messages(count);
    }

    /// Counts frames that a named rule passes over.
    pub fn count_ignored_by(&self, rule: &'static str, count: u64) {
        self.metrics.ignored_by(rule, count);
    }

    /// Counts a frame that could not be read. Logs the first of a kind, then ever fewer.
    pub fn count_parse_error(&self, error: &ParseError) {
        self.count_skipped(error.kind(), error);
    }

    /// Counts a line or record that could not be read; `kind` is a metric label. Logs the first of a kind, then ever fewer.
    pub fn count_skipped(&self, kind: &'static str, why: &dyn Display) {
        let seen = self.metrics.parse_error(kind);
        if seen.is_power_of_two() {
            let why: String = why.to_string().chars().take(MAX_ERROR_CHARS).collect();
            tracing::warn!(feed = %self.name, kind, seen, "skipped: {why}");
        }
    }

    /// Completes when the feed is to stop.
    ///
    /// # Cancel safety
    /// May be dropped and asked again.
    pub async fn cancelled(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the feed is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The feed broke off and will be started again: counts that.
    pub(super) fn broke_off(&self, reason: &'static str) {
        self.metrics.restart(reason);
        let mut breaks = self.health.breaks.lock();
        *breaks = Some((breaks.map_or(1, |(count, _)| count + 1), reason));
    }

    /// The feed broke off: its symbols are stale until it publishes again.
    pub(super) fn lost(&self, why: &str) {
        self.health.live.store(false, Ordering::Relaxed);
        self.hub.set_feed_state(self.name, State::Stale, why);
    }

    /// The feed has ended for good: its symbols are closed.
    pub(super) fn ended(&self, why: &str) {
        self.health.ended.store(true, Ordering::Relaxed);
        self.hub.set_feed_state(self.name, State::Closed, why);
    }
}
