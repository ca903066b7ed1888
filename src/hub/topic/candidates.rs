//! The feeds that carry one symbol: how each stands with it, and what is told when another becomes its source.

use std::{sync::Arc, time::Duration};

use super::{Inner, Topic};
use crate::{
    clock::Instant,
    hub::{
        Demand, Input,
        batch::PublishBatch,
        failover::{Choice, Reason, Standing, Verdict},
        freshness::{Change, Freshness, FreshnessLimits},
        source_clock::SourceClock,
    },
    market::{Channel, Loss, LossWhy, Quote, Source, State, Status, Symbol, Tick, Trade, UnixMicros},
};

/// Place of a feed among all: what is stated, then the order of the configuration.
pub(in crate::hub) type Rank = (u32, usize);

/// A feed as a topic gets to know it.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) struct FeedRef {
    pub(in crate::hub) feed: Source,
    pub(in crate::hub) rank: Rank,
    pub(in crate::hub) limits: FreshnessLimits,
    /// Whether the feed as a whole works.
    pub(in crate::hub) is_up: bool,
}

/// One feed of a symbol.
#[derive(Debug)]
pub(super) struct Candidate {
    feed_ref: FeedRef,
    pub(super) freshness: Freshness,
    /// What its ticks tell of its clock.
    pub(super) clock: SourceClock,
    /// Whether it said anything since it is live, and whether it ever did.
    has_ticked: bool,
    ever_ticked: bool,
    is_up: bool,
    /// Its newest quote while another feed is the source.
    held: Option<Tick>,
    demand: Option<Arc<Demand>>,
}

/// All feeds of a symbol, in the order of preference; there is always one.
#[derive(Debug)]
pub(super) struct Candidates {
    all: Vec<Candidate>,
    choice: Choice,
}

impl Candidate {
    fn new(feed_ref: FeedRef) -> Self {
        Self {
            feed_ref,
            freshness: Freshness::new(feed_ref.limits),
            clock: SourceClock::UNKNOWN,
            has_ticked: false,
            ever_ticked: false,
            is_up: feed_ref.is_up,
            held: None,
            demand: None,
        }
    }

    fn standing(&self) -> Standing {
        Standing {
            state: self.freshness.state(),
            has_ticked: self.has_ticked,
            is_up: self.is_up,
            is_on_demand: self.demand.is_some(),
        }
    }

    /// What a tick tells of its clock.
    pub(super) fn note_time(&mut self, tick: &Tick) {
        if let Some((te, tr)) = times(tick) {
            self.clock.note(te, tr);
        }
    }

    /// What it said before counts no more once it is not live.
    fn settle(&mut self) {
        if !matches!(self.freshness.state(), State::Live | State::Halted) {
            self.has_ticked = false;
            self.held = None;
        }
    }
}

impl Candidates {
    pub(super) fn new(feed_ref: FeedRef) -> Self {
        let mut choice = Choice::default();
        choice.insert(0, true);
        Self { all: vec![Candidate::new(feed_ref)], choice }
    }

    fn position(&self, feed: Source) -> Option<usize> {
        self.all.iter().position(|candidate| candidate.feed_ref.feed == feed)
    }

    pub(super) fn source(&self) -> &Candidate {
        &self.all[self.choice.current()]
    }

    pub(super) fn source_mut(&mut self) -> &mut Candidate {
        &mut self.all[self.choice.current()]
    }

    pub(super) fn feed(&self) -> Source {
        self.source().feed_ref.feed
    }

    /// The most preferred one, whether it is the source or not.
    pub(super) fn home(&self) -> Source {
        self.all[0].feed_ref.feed
    }

    fn is_source(&self, position: usize) -> bool {
        position == self.choice.current()
    }

    /// Makes that feed the source, as another hub has decided. Where there is no place for one more, it takes the source's.
    pub(super) fn follow(&mut self, feed_ref: FeedRef) {
        let known = self.position(feed_ref.feed);
        if known.is_none() && self.all.len() >= crate::limits::MAX_FEEDS_PER_SYMBOL {
            *self.source_mut() = Candidate::new(feed_ref);
            return;
        }
        let position = known.unwrap_or_else(|| self.insert(feed_ref));
        self.choice.choose(position);
    }

    /// One more feed carries the symbol. Returns its place by preference.
    fn insert(&mut self, feed_ref: FeedRef) -> usize {
        let position = self.all.partition_point(|candidate| candidate.feed_ref.rank <= feed_ref.rank);
        self.all.insert(position, Candidate::new(feed_ref));
        self.choice.insert(position, false);
        position
    }

    /// All but the most preferred one, and what is known of their clocks.
    pub(super) fn others(&self) -> Vec<(Source, SourceClock)> {
        self.all[1..].iter().map(|candidate| (candidate.feed_ref.feed, candidate.clock)).collect()
    }

    /// One more, of which another gateway knows that clock.
    pub(super) fn add(&mut self, feed_ref: FeedRef, clock: SourceClock) {
        if self.position(feed_ref.feed).is_none() {
            let position = self.insert(feed_ref);
            self.all[position].clock = clock;
        }
    }

    /// That one is the source, as another gateway has it, and shows that state. `None` when it is not known.
    pub(super) fn go_on(&mut self, source: Source, state: Option<State>, has_values: bool) -> Option<()> {
        let position = self.position(source)?;
        for candidate in &mut self.all {
            if has_values {
                candidate.freshness.restored();
            }
        }
        self.choice.choose(position);
        let candidate = self.source_mut();
        candidate.ever_ticked = has_values;
        candidate.freshness.goes_on(state);
        Some(())
    }

    /// What is known of the clock of the most preferred one.
    pub(super) fn home_clock(&self) -> &SourceClock {
        &self.all[0].clock
    }

    pub(super) fn home_clock_mut(&mut self) -> &mut SourceClock {
        &mut self.all[0].clock
    }

    /// The gateway's clock has jumped forward by that much.
    pub(super) fn jumped(&mut self, by: i64) {
        self.all.iter_mut().for_each(|candidate| candidate.clock.jumped(by));
    }

    /// Whether several carry the symbol.
    pub(super) const fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// Whether the feed brings the symbol while it has listeners.
    pub(super) fn asks(&self, feed: Source) -> bool {
        self.position(feed).is_some_and(|position| self.choice.asks(position))
    }

    pub(super) fn state_of(&self, feed: Source) -> Option<State> {
        self.position(feed).map(|position| self.all[position].freshness.shown())
    }

    /// Time has passed. Returns the change of the source's state, if there is one.
    pub(super) fn passed(&mut self, steady: Duration) -> Option<Change> {
        let current = self.choice.current();
        let mut told = None;
        for (position, candidate) in self.all.iter_mut().enumerate() {
            let change = candidate.freshness.passed(steady);
            if position == current {
                told = change;
            }
        }
        told
    }

    /// A feed proves alive again. Returns the change of state, if it is the source's.
    pub(super) fn feed_is_back(
        &mut self,
        feed: Source,
        (now, steady): (UnixMicros, Duration),
    ) -> Option<Change> {
        let position = self.position(feed)?;
        let candidate = &mut self.all[position];
        candidate.is_up = true;
        let change = candidate.freshness.feed_is_back((now, candidate.clock.ahead()), steady);
        change.filter(|_| self.is_source(position))
    }

    /// The gateway was held up for `late`: silences and grace times are longer by that.
    pub(super) fn excuse(&mut self, late: Duration, now: (Instant, Duration)) {
        self.all.iter_mut().for_each(|candidate| candidate.freshness.excuse(late, now.1));
        self.choice.excuse(late, now.0);
    }

    pub(super) fn watch(&mut self, feed: Source, demand: &Arc<Demand>) {
        if let Some(position) = self.position(feed) {
            self.all[position].demand = Some(Arc::clone(demand));
        }
    }

    /// Lets those who bring the symbol on demand look how they stand.
    pub(super) fn notify_demand(&self, symbol: Symbol) {
        self.all
            .iter()
            .filter_map(|candidate| candidate.demand.as_ref())
            .for_each(|demand| demand.changed(symbol));
    }
}

/// When a tick was said and received, if that was told. A snapshot was said at any time before it was asked for.
const fn times(tick: &Tick) -> Option<(UnixMicros, UnixMicros)> {
    match tick {
        Tick::Trade(Trade { te: Some(te), tr, .. })
        | Tick::Quote(Quote { te: Some(te), tr, is_snapshot: false, .. }) => Some((*te, *tr)),
        Tick::Trade(_) | Tick::Quote(_) | Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => None,
    }
}

/// Whose a tick is.
pub(super) enum FeedRole {
    /// The source's.
    Source,
    /// A standby's: it is dropped.
    Standby,
    /// Of a feed that is not known to carry the symbol.
    Unknown,
}

impl Topic {
    /// The feeds that carry it, in the order of preference, each with its state.
    #[must_use]
    pub fn feeds(&self) -> Vec<(Source, State)> {
        let inner = self.inner.lock();
        inner
            .candidates
            .all
            .iter()
            .map(|candidate| (candidate.feed_ref.feed, candidate.freshness.shown()))
            .collect()
    }

    /// The feed that is preferred, whether it is the source now or not.
    #[must_use]
    pub fn home(&self) -> Source {
        self.inner.lock().candidates.home()
    }

    /// How the symbol stands with that feed, if it carries it.
    #[must_use]
    pub fn state_of(&self, feed: Source) -> Option<State> {
        self.inner.lock().candidates.state_of(feed)
    }

    /// Whether that feed should bring it: it has listeners, and the feed is the source, preferred to it, or asked to
    /// take over.
    #[must_use]
    pub fn is_wanted_of(&self, feed: Source) -> bool {
        let inner = self.inner.lock();
        inner.is_wanted() && inner.candidates.asks(feed)
    }

    /// One more feed carries it. Returns how many do; nothing, when it was known or there is no place.
    pub(in crate::hub) fn carry(&self, feed_ref: FeedRef, batch: &mut PublishBatch<'_>) -> Option<usize> {
        let inner = &mut *self.inner.lock();
        if inner.candidates.position(feed_ref.feed).is_some()
            || inner.candidates.all.len() >= crate::limits::MAX_FEEDS_PER_SYMBOL
        {
            return None;
        }
        let has_values = inner
            .last
            .iter()
            .zip(Channel::ALL)
            .any(|(last, channel)| channel != Channel::Status && last.is_some());
        let candidates = &mut inner.candidates;
        let position = candidates.insert(feed_ref);
        if has_values {
            // Values are shown already, and none of them is this feed's.
            candidates.all[position].freshness.restored();
        }
        let count = candidates.all.len();
        if position < candidates.choice.current() && !candidates.source().ever_ticked {
            candidates.choice.choose(position);
            self.tap_source(inner);
            let candidates = &mut inner.candidates;
            let state = candidates.source().freshness.shown();
            let change = (state, "a preferred feed carries it".into());
            self.changed(inner, change, (feed_ref.feed, batch.now), batch);
        }
        Some(count)
    }

    /// Whether one of these feeds carries it.
    pub(in crate::hub) fn is_carried_by(&self, feeds: &[Source]) -> bool {
        self.inner.lock().candidates.all.iter().any(|candidate| feeds.contains(&candidate.feed_ref.feed))
    }

    /// Whose the tick is; what it says of its feed is noted.
    pub(super) fn note(
        &self,
        inner: &mut Inner,
        owner: Source,
        tick: &Tick,
        batch: &mut PublishBatch<'_>,
    ) -> FeedRole {
        let candidates = &mut inner.candidates;
        let Some(position) = candidates.position(owner) else { return FeedRole::Unknown };
        let is_source = candidates.is_source(position);
        let candidate = &mut candidates.all[position];
        if let Tick::Trade(_) | Tick::Quote(_) = tick {
            candidate.has_ticked = true;
            candidate.ever_ticked = true;
            candidate.is_up = true;
            candidate.note_time(tick);
        }
        if is_source {
            return FeedRole::Source;
        }
        match tick {
            Tick::Status(status) => candidate.freshness.told(status.state),
            Tick::Correction(_) | Tick::Loss(_) => {}
            Tick::Trade(_) | Tick::Quote(_) => {
                let _nobody_is_told =
                    candidate.freshness.heard(tick, (candidate.clock.ahead(), batch.steady));
                if let Tick::Quote(_) = tick {
                    candidate.held = Some(tick.clone());
                }
            }
        }
        candidate.settle();
        if let Tick::Trade(_) | Tick::Quote(_) = tick {
            batch.standby += 1;
            self.look(inner, batch);
        }
        FeedRole::Standby
    }

    /// Draws the consequences of how its feeds stand: another may become its source.
    pub(in crate::hub) fn check_feeds(&self, batch: &mut PublishBatch<'_>) {
        self.look(&mut self.inner.lock(), batch);
    }

    /// The gateway was held up for `late`, which counts for none of its feeds.
    pub(in crate::hub) fn excuse(&self, late: Duration, now: (Instant, Duration)) {
        let inner = &mut *self.inner.lock();
        inner.heard = inner.heard.map(|heard| heard + late);
        inner.candidates.excuse(late, now);
    }

    /// The feed as a whole works, or does not.
    pub(in crate::hub) fn feed_is_up(&self, feed: Source, is_up: bool) {
        let candidates = &mut self.inner.lock().candidates;
        if let Some(position) = candidates.position(feed) {
            candidates.all[position].is_up = is_up;
        }
    }

    fn look(&self, inner: &mut Inner, batch: &mut PublishBatch<'_>) {
        let is_wanted = inner.is_wanted();
        let candidates = &mut inner.candidates;
        candidates.all.iter_mut().for_each(Candidate::settle);
        let standings: Vec<_> = candidates.all.iter().map(Candidate::standing).collect();
        let from = candidates.feed();
        let times = &self.context.config.failover;
        match candidates.choice.look(batch.received, is_wanted, &standings, times) {
            Verdict::Stay => {}
            Verdict::Asks => candidates.notify_demand(self.symbol),
            Verdict::Switch(_, reason) => {
                candidates.notify_demand(self.symbol);
                self.switched(inner, from, reason, batch);
            }
        }
    }

    /// Tells that the source is another one: streams have missed what it said, and what it shows now is shown.
    fn switched(&self, inner: &mut Inner, from: Source, reason: Reason, batch: &mut PublishBatch<'_>) {
        let to = inner.candidates.feed();
        let candidate = inner.candidates.source_mut();
        let (state, held) = (candidate.freshness.shown(), candidate.held.take());
        batch.switched(self.symbol, from, to, reason);
        self.tap_source(inner);
        self.lose_all(inner, batch);
        let why = match reason {
            Reason::Preferred => format!("{to} is preferred to {from} and works again"),
            Reason::Pending => format!("{to} takes over: {from} is not there"),
            Reason::Stale => format!("{to} takes over: {from} is lost or late"),
            Reason::Closed => format!("{to} takes over: {from} does not have it any more"),
        };
        let since = batch.now;
        let status = Status { symbol: self.symbol, state, source: to, since, why: why.into() };
        self.emit_status(inner, status, batch);
        if let Some(quote) = held {
            self.bring(inner, quote, batch);
            // Its clock knew the quote when it came.
            self.tap_source(inner);
        }
    }

    fn tap_source(&self, inner: &mut Inner) {
        self.reckon_due(inner);
        let Candidate { feed_ref, clock, .. } = inner.candidates.source();
        self.context.tap(|| Input::Source(self.symbol, feed_ref.feed, *clock));
    }

    /// Whatever may have been missed of the channels that feeds bring is told as one loss each.
    pub(super) fn lose_all(&self, inner: &mut Inner, batch: &mut PublishBatch<'_>) {
        for channel in [Channel::Trades, Channel::Quotes] {
            if inner.goes_on_lost(channel) {
                continue;
            }
            let loss = Loss { symbol: self.symbol, channel, why: LossWhy::Reconnect, events: None };
            self.context.tap(|| Input::Tick(Tick::Loss(loss)));
            self.emit(inner, Tick::Loss(loss).into(), batch);
        }
    }
}

impl Inner {
    /// Whether nothing has come since the newest loss: it goes on, and another need not be told.
    pub(super) fn goes_on_lost(&self, channel: Channel) -> bool {
        let n = |event: &Option<Arc<crate::hub::Event>>| event.as_ref().map_or(0, |event| event.n);
        n(&self.last[channel.index()]) <= n(&self.lost[channel.index()])
    }
}
