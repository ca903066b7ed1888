//! One symbol's broadcast: numbers, last values, the rings, what is derived, and which shards listen.
//!
//! A change of a derived channel takes its number whether or not its event is made: so the numbers follow from what
//! sources say, and another gateway that hears the same gives the same. The event is made only when it can be seen:
//! when a shard listens to its channel, when a bar becomes final (the ring keeps it), or when the newest is asked for
//! one. What is computed is always kept, so an event made late says what it would have said, under the number of the newest
//! change.

mod applied;
mod candidates;
mod correct;
mod idle;
mod persist;
mod present;
mod read;
mod status;

pub(super) use candidates::FeedRef;
pub use read::Remembered;

use std::{
    mem::size_of,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use self::candidates::{Candidates, FeedRole};
use super::{
    Demand, Event, Input, TopicId,
    batch::{PublishBatch, Times},
    context::TopicContext,
    derive::{Channels, Derived, Step},
    ring::Ring,
};
use crate::{
    clock::Instant,
    limits::CORRECTIONS_PER_SYMBOL,
    market::{
        Bar, Body, Channel, Increments, Interval, Quote, Source, State, Symbol, Tick, Trade, UnixMicros,
    },
};

/// What one remembered bar takes, without its encoded forms: the event, the bar, and two counters and a place.
const BAR_BYTES: usize = size_of::<Event>() + size_of::<Bar>() + 3 * size_of::<usize>();

/// One symbol.
#[derive(Debug)]
pub struct Topic {
    id: TopicId,
    base: u64,
    symbol: Symbol,
    context: Arc<TopicContext>,
    inner: Mutex<Inner>,
    /// When, by the gateway's clock, time alone changes something derived; read without the lock.
    due: AtomicI64,
    /// Whether it came with a tick, and no configuration names it.
    is_passing: AtomicBool,
    increments: Mutex<Increments>,
}

#[derive(Debug)]
struct Inner {
    heads: [u64; Channel::COUNT],
    last: [Option<Arc<Event>>; Channel::COUNT],
    /// The newest loss of each channel: it is no value, so it does not become the last one.
    lost: [Option<Arc<Event>>; Channel::COUNT],
    trades: Ring,
    corrections: Ring,
    candidates: Candidates,
    /// Bit i of a channel: shard i has a subscriber.
    interest: [u64; Channel::COUNT],
    /// Clients of other gateways listen.
    is_wanted_elsewhere: bool,
    /// From the first trade or quote on.
    derived: Option<Box<Memory>>,
    /// Whether it was restored, and its feed has neither named nor sent it since.
    is_absent: bool,
    /// When, in steady time, it was last heard, or first looked at.
    heard: Option<Duration>,
    /// Nothing is told any more: another topic of its symbol may be there.
    is_removed: bool,
}

impl Inner {
    fn new(base: u64, feed_ref: FeedRef, context: &TopicContext) -> Self {
        let ring = |size: usize| {
            let mut ring = Ring::new(size);
            ring.forget_until(base);
            ring
        };
        Self {
            heads: [base; Channel::COUNT],
            last: [const { None }; Channel::COUNT],
            lost: [const { None }; Channel::COUNT],
            trades: ring(context.config.trades_per_symbol),
            corrections: ring(CORRECTIONS_PER_SYMBOL),
            candidates: Candidates::new(feed_ref),
            interest: [0; Channel::COUNT],
            is_wanted_elsewhere: false,
            derived: None,
            is_absent: false,
            heard: None,
            is_removed: false,
        }
    }

    fn is_wanted(&self) -> bool {
        let status = Channel::Status.index();
        self.is_wanted_elsewhere
            || self.interest.iter().enumerate().any(|(channel, shards)| channel != status && *shards != 0)
    }

    fn notify_demand(&self, symbol: Symbol, was_wanted: bool) {
        if self.is_wanted() != was_wanted {
            self.candidates.notify_demand(symbol);
        }
    }
}

/// What is computed, and the final bars.
#[derive(Debug)]
struct Memory {
    computed: Derived,
    /// Where what is computed is newer than the last event: no shard listened.
    deferred: Channels,
    deferred_since: Instant,
    /// The source's offset with which it was computed when time alone changes something.
    offset: Option<i64>,
    bars: [Ring; Interval::COUNT],
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.context.slots.give_back(self.id);
    }
}

impl Topic {
    /// A topic whose numbers begin behind `base`.
    pub(super) fn new(
        (id, base): (TopicId, u64),
        symbol: Symbol,
        feed_ref: FeedRef,
        context: Arc<TopicContext>,
    ) -> Self {
        let inner = Inner::new(base, feed_ref, &context);
        let due = AtomicI64::new(i64::MAX);
        let increments = Mutex::default();
        Self {
            id,
            base,
            symbol,
            context,
            inner: Mutex::new(inner),
            due,
            is_passing: AtomicBool::new(true),
            increments,
        }
    }

    /// Which topic it is.
    #[must_use]
    pub const fn id(&self) -> TopicId {
        self.id
    }

    /// Its first event of each channel has the next number: 0, unless a symbol was removed before. Numbers up to here may
    /// have been another topic's of the same symbol.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// The highest number that an event of it has.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.inner.lock().heads.into_iter().max().unwrap_or(self.base)
    }

    /// Its symbol.
    #[must_use]
    pub const fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// The feed that is its source now.
    #[must_use]
    pub fn feed(&self) -> Source {
        self.inner.lock().candidates.feed()
    }

    /// The steps in which it is priced and traded, as far as its feed knows them.
    #[must_use]
    pub fn increments(&self) -> Increments {
        *self.increments.lock()
    }

    /// Makes its steps known.
    pub fn describe(&self, increments: Increments) {
        let known = &mut *self.increments.lock();
        if *known != increments {
            *known = increments;
            self.context.tap(|| Input::Described(self.symbol, increments));
        }
    }

    /// Its present state.
    #[must_use]
    pub fn state(&self) -> State {
        self.inner.lock().candidates.source().freshness.shown()
    }

    /// Numbers one tick and what follows from it, and hands both to the interested lanes, under the topic's lock so
    /// that every lane gets the topic's events in the order of their numbers. Of feeds that stand by it is noted how they
    /// stand, and nothing else. The tick of a feed that is not known to carry the symbol is given back.
    pub(super) fn publish(&self, owner: Source, tick: Tick, batch: &mut PublishBatch<'_>) -> Option<Tick> {
        let inner = &mut *self.inner.lock();
        if inner.is_removed {
            return Some(tick);
        }
        match self.note(inner, owner, &tick, batch) {
            FeedRole::Source => self.bring(inner, tick, batch),
            FeedRole::Standby => {}
            FeedRole::Unknown => return Some(tick),
        }
        None
    }

    /// Takes a tick of its source.
    fn bring(&self, inner: &mut Inner, tick: Tick, batch: &mut PublishBatch<'_>) {
        let mut tick = match tick {
            Tick::Status(status) => return self.told(inner, status, batch),
            Tick::Correction(correction) => {
                self.context.tap(|| Input::Tick(Tick::Correction(correction.clone())));
                return self.correct(inner, *correction, batch);
            }
            tick @ (Tick::Trade(_) | Tick::Quote(_) | Tick::Loss(_)) => tick,
        };
        match &tick {
            Tick::Status(_) | Tick::Correction(_) => {}
            // The change of source has told it.
            Tick::Loss(loss) if inner.candidates.are_several() && inner.goes_on_lost(loss.channel) => return,
            Tick::Loss(_) => {}
            Tick::Trade(Trade { source, tr, .. }) | Tick::Quote(Quote { source, tr, .. }) => {
                inner.is_absent = false;
                inner.heard = Some(batch.steady);
                let candidate = inner.candidates.source_mut();
                let times = (candidate.clock.ahead(), batch.steady);
                if let Some(change) = candidate.freshness.heard(&tick, times) {
                    self.changed(inner, change, (*source, *tr), batch);
                }
            }
        }
        self.context.tap(|| Input::Tick(tick.clone()));
        let step = self.derive(inner, &mut tick, batch.received);
        self.emit(inner, tick.into(), batch);
        if let Some(step) = step {
            self.emit_derived(inner, step, batch);
        }
    }

    /// Time alone may have made it stale.
    pub(super) fn check_freshness(&self, batch: &mut PublishBatch<'_>) {
        let inner = &mut *self.inner.lock();
        if let Some(change) = inner.candidates.passed(batch.steady) {
            self.changed(inner, change, (inner.candidates.feed(), batch.now), batch);
        }
    }

    /// One of its feeds proves alive again.
    pub(super) fn feed_is_back(&self, feed: Source, batch: &mut PublishBatch<'_>) {
        let inner = &mut *self.inner.lock();
        if let Some(change) = inner.candidates.feed_is_back(feed, (batch.now, batch.steady)) {
            self.changed(inner, change, (feed, batch.now), batch);
        }
    }

    fn derive(&self, inner: &mut Inner, tick: &mut Tick, now: Instant) -> Option<Step> {
        if !self.context.derives || !matches!(tick, Tick::Trade(_) | Tick::Quote(_)) {
            return None;
        }
        let config = &self.context.config;
        let clock = inner.candidates.source().clock;
        let memory = inner.derived.get_or_insert_with(|| {
            Box::new(Memory {
                computed: Derived::new(self.symbol, config.intervals, config.trades_per_symbol),
                deferred: Channels::default(),
                deferred_since: now,
                offset: None,
                bars: Interval::ALL.map(|_| {
                    let mut ring = Ring::new(config.bars);
                    ring.forget_until(self.base);
                    ring
                }),
            })
        });
        match tick {
            Tick::Trade(trade) => {
                let n = inner.heads[Channel::Trades.index()] + 1;
                let step = memory.computed.trade(n, trade, &clock);
                memory.offset = clock.offset();
                self.due.store(memory.computed.due(&clock).0, Ordering::Relaxed);
                Some(step)
            }
            Tick::Quote(quote) => {
                if memory.offset != clock.offset() {
                    memory.offset = clock.offset();
                    self.due.store(memory.computed.due(&clock).0, Ordering::Relaxed);
                }
                Some(memory.computed.quote(quote))
            }
            Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => None,
        }
    }

    /// Numbers what has changed, and makes the events that can be seen.
    fn emit_derived(&self, inner: &mut Inner, step: Step, batch: &mut PublishBatch<'_>) {
        for bar in step.finished {
            let channel = Channel::Bars(bar.interval);
            let event = self.emit(inner, Body::Bar(Box::new(bar)), batch);
            if let (Some(memory), Channel::Bars(interval)) = (&mut inner.derived, channel) {
                memory.deferred.remove(channel);
                if memory.bars[interval.index()].push(&event) {
                    self.context.bars[interval.index()].inc();
                    self.context.bar_bytes.add(i64::try_from(BAR_BYTES).unwrap_or(i64::MAX));
                }
            }
        }
        for channel in Channel::DERIVED {
            if !step.changed.contains(channel) {
                continue;
            }
            let Some(memory) = &mut inner.derived else { return };
            // A number depends on what sources say alone, never on who listens.
            inner.heads[channel.index()] += 1;
            if inner.interest[channel.index()] == 0 {
                memory.deferred.insert(channel);
                memory.deferred_since = batch.received;
            } else if let Some(body) = memory.computed.newest(channel) {
                self.emit_at_head(inner, body, batch);
            }
        }
        self.context.count_excluded(&step.excluded);
    }

    /// Numbers an event, remembers it as the last, and hands it to the interested lanes.
    fn emit(&self, inner: &mut Inner, body: Body, batch: &mut PublishBatch<'_>) -> Arc<Event> {
        inner.heads[body.channel().index()] += 1;
        self.emit_at_head(inner, body, batch)
    }

    /// Makes the event of the number that was given last.
    fn emit_at_head(&self, inner: &mut Inner, body: Body, batch: &mut PublishBatch<'_>) -> Arc<Event> {
        let channel = body.channel().index();
        batch.made[channel] += 1;
        let event = Arc::new(Event::new(self.id, inner.heads[channel], body, batch.received));
        if channel == Channel::Trades.index() {
            inner.trades.push(&event);
        } else if channel == Channel::Corrections.index() {
            inner.corrections.push(&event);
        }
        let mut interested = inner.interest[channel];
        batch.touched |= interested;
        while interested != 0 {
            let index = interested.trailing_zeros() as usize;
            interested &= interested - 1;
            if let Some(Some(lane)) = batch.lanes.get(index) {
                lane.push(&event);
            }
        }
        let newest = if event.is_loss() { &mut inner.lost } else { &mut inner.last };
        newest[channel] = Some(Arc::clone(&event));
        event
    }

    /// Makes the event of the newest change that was numbered while no shard listened.
    fn catch_up(&self, inner: &mut Inner, channel: Channel) {
        let Some(memory) = &mut inner.derived else { return };
        if !memory.deferred.contains(channel) {
            return;
        }
        memory.deferred.remove(channel);
        if let Some(body) = memory.computed.newest(channel) {
            // No lane: a shard that listens has had every event.
            let mut batch = PublishBatch::new(
                &[],
                Times { received: memory.deferred_since, now: UnixMicros(0), steady: Duration::ZERO },
            );
            self.emit_at_head(inner, body, &mut batch);
            batch.end(&self.context);
        }
    }

    /// When, by the gateway's clock, the passing of time changes something.
    pub(super) fn due(&self) -> UnixMicros {
        UnixMicros(self.due.load(Ordering::Relaxed))
    }

    /// Lets time pass: bars become final and trades leave the ticker's window.
    pub(super) fn pass(&self, now: UnixMicros, batch: &mut PublishBatch<'_>) {
        let inner = &mut *self.inner.lock();
        let Some(memory) = inner.derived.as_mut().filter(|_| !inner.is_removed) else { return };
        self.context.tap(|| Input::Time(self.symbol, now));
        let clock = inner.candidates.source().clock;
        let step = memory.computed.pass(now, &clock);
        self.due.store(memory.computed.due(&clock).0, Ordering::Relaxed);
        self.emit_derived(inner, step, batch);
    }

    /// The gateway's clock has jumped forward by so much: the clocks of its sources have not.
    pub(super) fn jumped(&self, by: i64) {
        let inner = &mut *self.inner.lock();
        self.context.tap(|| Input::Jumped(self.symbol, by));
        inner.candidates.jumped(by);
        self.reckon_due(inner);
    }

    /// What is known of the source's clock has changed: so has the time at which time alone changes something.
    fn reckon_due(&self, inner: &mut Inner) {
        let Some(memory) = &mut inner.derived else { return };
        let clock = &inner.candidates.source().clock;
        memory.offset = clock.offset();
        self.due.store(memory.computed.due(clock).0, Ordering::Relaxed);
    }

    /// How far its source's time is behind the gateway's, in microseconds, if that is known; negative when it is ahead.
    #[must_use]
    pub fn offset(&self) -> Option<i64> {
        self.inner.lock().candidates.source().clock.offset()
    }

    /// Starts the interest of a shard in a channel and tells where the channel stands, in one step: the lane gets
    /// every event after the returned number and none before.
    #[must_use]
    pub fn join(&self, shard: usize, channel: Channel) -> (u64, Option<Arc<Event>>) {
        let inner = &mut *self.inner.lock();
        self.catch_up(inner, channel);
        let wanted = inner.is_wanted();
        inner.interest[channel.index()] |= 1 << shard;
        inner.notify_demand(self.symbol, wanted);
        (inner.heads[channel.index()], inner.last[channel.index()].clone())
    }

    /// Ends the interest of a shard in a channel.
    pub fn part(&self, shard: usize, channel: Channel) {
        let mut inner = self.inner.lock();
        let wanted = inner.is_wanted();
        inner.interest[channel.index()] &= !(1 << shard);
        inner.notify_demand(self.symbol, wanted);
    }

    /// Whether clients of other gateways listen, for whom this one has the feeds: it counts as a shard that does.
    pub fn set_wanted_elsewhere(&self, is_wanted: bool) {
        let inner = &mut *self.inner.lock();
        let wanted = inner.is_wanted();
        inner.is_wanted_elsewhere = is_wanted;
        inner.notify_demand(self.symbol, wanted);
    }

    /// Whether a shard listens to what a feed brings. Status alone asks for no data.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.inner.lock().is_wanted()
    }

    /// Tells this and every further change of [`is_wanted_of`](Self::is_wanted_of) to a feed that carries it.
    pub(super) fn watch(&self, feed: Source, watcher: &Arc<Demand>) {
        self.inner.lock().candidates.watch(feed, watcher);
        watcher.changed(self.symbol);
    }
}

#[cfg(test)]
mod tests;
