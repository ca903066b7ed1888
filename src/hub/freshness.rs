//! Whether what is known of one symbol can be trusted to be current.
//!
//! `pending` until the first event, then `live`. A symbol turns `stale` when its feed is lost or silent, when its events
//! are older than they may be, or when a channel with a limit of its own says nothing for that long; a quiet symbol
//! without such a limit stays live as long as its feed proves alive. What ends the cause ends the state. A halt is
//! the venue's word: only the venue takes it back.
//!
//! A symbol of which nothing was ever received stays `pending`, whatever becomes of its feed: there is no value that could
//! be current or old.

use std::{borrow::Cow, time::Duration};

use crate::market::{State, Tick, UnixMicros};

/// What a feed's symbols are held to. Nothing by default: what is late for one source is normal for another.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FreshnessLimits {
    /// Longest time without a sign of life of the whole feed.
    pub silence: Option<Duration>,
    /// How far the event time may be behind the time of receipt.
    pub age: Option<Duration>,
    /// Longest time without a trade of a symbol that had one.
    pub trades: Option<Duration>,
    /// Longest time without a quote of a symbol that had one.
    pub quotes: Option<Duration>,
}

impl FreshnessLimits {
    /// Whether time alone can make a symbol stale.
    #[must_use]
    pub const fn watches_channels(&self) -> bool {
        self.trades.is_some() || self.quotes.is_some()
    }
}

/// Why a symbol is pending that nothing hinders.
pub(super) const NOTHING_YET: &str = "nothing received yet";

/// A new state and why. The words name limits and no measured times: a cause that goes on is told in the same words.
pub(super) type Change = (State, Cow<'static, str>);

/// Where one symbol stands.
#[derive(Debug)]
pub(super) struct Freshness {
    state: State,
    /// To which it returns when its feed is back.
    before: State,
    limits: FreshnessLimits,
    /// Whether there is a value: one was received, or is from before.
    has_value: bool,
    /// Newest event time so far: one late event among current ones means nothing.
    newest: i64,
    /// When a trade and a quote were last received, in steady time.
    heard: [Option<Duration>; 2],
}

impl Freshness {
    pub(super) const fn new(limits: FreshnessLimits) -> Self {
        Self {
            state: State::Pending,
            before: State::Pending,
            limits,
            has_value: false,
            newest: i64::MIN,
            heard: [None; 2],
        }
    }

    /// How the feed stands with the symbol: which decides whether another one becomes its source.
    pub(super) const fn state(&self) -> State {
        self.state
    }

    /// What clients are told.
    pub(super) const fn shown(&self) -> State {
        match self.state {
            State::Live | State::Stale if !self.has_value => State::Pending,
            state @ (State::Pending | State::Live | State::Stale | State::Halted | State::Closed) => state,
        }
    }

    /// A trade or a quote was received. Returns the state that it brings about, if that is another one.
    pub(super) fn heard(&mut self, tick: &Tick, (ahead, steady): (i64, Duration)) -> Option<Change> {
        let (channel, te, tr) = match tick {
            Tick::Trade(trade) => (0, trade.te, trade.tr),
            // How old a snapshot is says nothing of the feed.
            Tick::Quote(quote) => (1, quote.te.filter(|_| !quote.is_snapshot), quote.tr),
            Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => return None,
        };
        let shown = self.shown();
        self.has_value = true;
        self.heard[channel] = Some(steady);
        // By the source's clock, when it is ahead. No tick is newer than its receipt, or one stamp would hide what comes after.
        let now = UnixMicros(tr.0.saturating_add(ahead));
        if let Some(te) = te {
            self.newest = self.newest.max(te.0.min(now.0));
        }
        if self.state == State::Halted {
            return None;
        }
        let (state, why) = match self.complaint(now, steady) {
            None => (State::Live, "receiving".into()),
            Some(why) => (State::Stale, why),
        };
        (shown != state).then(|| self.turn(state, why))
    }

    /// Time has passed, until that steady time. Returns the state that it brings about, if that is another one.
    pub(super) fn passed(&mut self, steady: Duration) -> Option<Change> {
        if self.state != State::Live {
            return None;
        }
        self.quiet(steady).map(|why| self.turn(State::Stale, why))
    }

    /// The feed, or the venue, says so.
    pub(super) const fn told(&mut self, state: State) {
        if matches!(self.state, State::Live | State::Halted) {
            self.before = self.state;
        }
        self.state = state;
    }

    /// Another hub has shown that state, of which this one is a copy.
    pub(super) const fn shown_by_another(&mut self, state: State) {
        self.told(state);
        self.has_value |= matches!(state, State::Live | State::Stale);
    }

    /// Another gateway has brought it until now, and shown that state: what is stale stays so until it is heard itself, since
    /// this gateway knows no state of before.
    pub(super) const fn goes_on(&mut self, state: Option<State>) {
        match state {
            Some(State::Stale) => self.restored(),
            Some(state) => {
                (self.state, self.before) = (state, state);
                self.has_value |= matches!(state, State::Live);
            }
            None => (self.state, self.before) = (State::Pending, State::Pending),
        }
    }

    /// Its values are from before a restart: it is stale until it is heard itself, whatever the feed says of others.
    pub(super) const fn restored(&mut self) {
        (self.state, self.before) = (State::Stale, State::Stale);
        self.has_value = true;
    }

    /// The feed proves alive again: what was stale for its sake is as it was before. Returns the state, if that is another
    /// one.
    pub(super) fn feed_is_back(
        &mut self,
        (now, ahead): (UnixMicros, i64),
        steady: Duration,
    ) -> Option<Change> {
        let now = UnixMicros(now.0.saturating_add(ahead));
        let stale_for_it = self.state == State::Stale && self.before != State::Stale;
        let returns = stale_for_it && self.complaint(now, steady).is_none();
        returns.then(|| {
            let why = if self.has_value { "the feed is back" } else { NOTHING_YET };
            let (_, why) = self.turn(self.before, why.into());
            (self.shown(), why)
        })
    }

    /// The gateway was held up until that steady time: that silence counts for no channel.
    pub(super) fn excuse(&mut self, late: Duration, steady: Duration) {
        for heard in self.heard.iter_mut().flatten() {
            *heard = (*heard + late).min(steady);
        }
    }

    fn turn(&mut self, state: State, why: Cow<'static, str>) -> Change {
        self.told(state);
        (state, why)
    }

    /// What is wrong with what was received, when the source's clock says `now`.
    fn complaint(&self, now: UnixMicros, steady: Duration) -> Option<Cow<'static, str>> {
        if let Some(age) = self.limits.age
            && self.newest != i64::MIN
        {
            let behind = now.0.saturating_sub(self.newest);
            if behind > micros(age) {
                return Some(format!("its newest event is more than {} ms old", age.as_millis()).into());
            }
        }
        self.quiet(steady)
    }

    fn quiet(&self, steady: Duration) -> Option<Cow<'static, str>> {
        let limits = [(self.limits.trades, "trade"), (self.limits.quotes, "quote")];
        for ((limit, name), heard) in limits.into_iter().zip(self.heard) {
            let Some(limit) = limit else { continue };
            if heard.is_some_and(|heard| steady.saturating_sub(heard) > limit) {
                return Some(format!("no {name} for more than {} ms", limit.as_millis()).into());
            }
        }
        None
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Print, Quote, Source, Symbol, Trade};

    const SECOND: i64 = 1_000_000;

    /// What happens, at a second.
    #[derive(Debug, Clone, Copy)]
    enum Happens {
        /// A trade whose event time is that number of seconds behind.
        Trade(i64),
        Quote(i64),
        Told(State),
        Time,
        FeedBack,
    }

    fn play(limits: FreshnessLimits, script: &[(i64, Happens, State)]) {
        let mut freshness = Freshness::new(limits);
        for (second, happens, expected) in script {
            let now = UnixMicros(1_000 * SECOND + second * SECOND);
            let te = |behind: i64| Some(UnixMicros(now.0 - behind * SECOND));
            let steady = Duration::from_secs(second.unsigned_abs());
            let before = freshness.shown();
            let (symbol, source) = (Symbol::new("A").unwrap(), Source::new("s").unwrap());
            let change = match *happens {
                Happens::Trade(behind) => freshness.heard(
                    &Tick::Trade(Trade {
                        symbol,
                        price: "1".parse().unwrap(),
                        size: "1".parse().unwrap(),
                        side: None,
                        id: None,
                        source,
                        te: te(behind),
                        tr: now,
                        print: Print::default(),
                    }),
                    (0, steady),
                ),
                Happens::Quote(behind) => {
                    let te = te(behind);
                    let quote =
                        Quote { symbol, bid: None, ask: None, source, te, tr: now, is_snapshot: false };
                    freshness.heard(&Tick::Quote(quote), (0, steady))
                }
                Happens::Told(state) => {
                    freshness.told(state);
                    None
                }
                Happens::Time => freshness.passed(steady),
                Happens::FeedBack => freshness.feed_is_back((now, 0), steady),
            };
            assert_eq!(freshness.shown(), *expected, "{second} s: {happens:?}");
            if let Some((state, why)) = change {
                assert_eq!(state, *expected);
                let is_same = state == before && state != State::Pending;
                assert!(!is_same, "a change is told once");
                assert!(!why.is_empty());
            } else if !matches!(happens, Happens::Told(_)) {
                assert_eq!(before, *expected, "{second} s: {happens:?} changed the state in silence");
            }
        }
    }

    #[test]
    fn a_quiet_symbol_of_a_live_feed_is_not_stale() {
        use Happens::{Time, Trade};
        play(
            FreshnessLimits { silence: Some(Duration::from_secs(5)), ..FreshnessLimits::default() },
            &[(0, Time, State::Pending), (1, Trade(0), State::Live), (86_400, Time, State::Live)],
        );
    }

    #[test]
    fn a_channel_with_a_limit_of_its_own_turns_stale_when_it_is_quiet() {
        use Happens::{Quote, Time, Trade};
        play(
            FreshnessLimits { quotes: Some(Duration::from_secs(5)), ..FreshnessLimits::default() },
            &[
                (1, Trade(0), State::Live),
                (60, Time, State::Live),
                (61, Quote(0), State::Live),
                (66, Time, State::Live),
                (67, Time, State::Stale),
                (68, Trade(0), State::Stale),
                (69, Quote(0), State::Live),
            ],
        );
    }

    #[test]
    fn old_events_are_stale_however_many_come() {
        use Happens::{FeedBack, Quote, Trade};
        play(
            FreshnessLimits { age: Some(Duration::from_secs(10)), ..FreshnessLimits::default() },
            &[
                (1, Trade(3_600), State::Stale),
                (2, Quote(3_600), State::Stale),
                (3, FeedBack, State::Stale),
                (4, Trade(1), State::Live),
                // One late event among current ones.
                (5, Trade(60), State::Live),
                (30, Trade(20), State::Stale),
                (31, Trade(0), State::Live),
            ],
        );
    }

    #[test]
    fn what_was_restored_is_stale_until_it_is_heard() {
        let mut freshness = Freshness::new(FreshnessLimits::default());
        freshness.restored();
        freshness.told(State::Stale);
        assert_eq!(freshness.feed_is_back((UnixMicros(9), 0), Duration::ZERO), None, "others were heard");
        freshness.told(State::Live);
        freshness.told(State::Stale);
        assert_eq!(
            freshness.feed_is_back((UnixMicros(9), 0), Duration::ZERO).unwrap().0,
            State::Live,
            "from then on as ever"
        );
    }

    #[test]
    fn a_lost_feed_is_stale_until_it_is_back_and_a_halt_outlives_it() {
        use Happens::{FeedBack, Told, Trade};
        play(
            FreshnessLimits::default(),
            &[
                (1, Trade(0), State::Live),
                (2, Told(State::Stale), State::Stale),
                (3, FeedBack, State::Live),
                (4, Told(State::Stale), State::Stale),
                (5, Trade(0), State::Live),
                (6, Told(State::Halted), State::Halted),
                (7, Trade(0), State::Halted),
                (8, Told(State::Stale), State::Stale),
                (9, FeedBack, State::Halted),
                (10, Told(State::Live), State::Live),
                (11, Told(State::Closed), State::Closed),
                (12, Trade(0), State::Live),
            ],
        );
    }

    #[test]
    fn what_was_never_received_is_pending_whatever_its_feed_does() {
        use Happens::{FeedBack, Quote, Told, Trade};
        for state in [State::Stale, State::Live] {
            play(
                FreshnessLimits::default(),
                &[(1, Told(state), State::Pending), (2, Trade(0), State::Live), (3, Quote(0), State::Live)],
            );
        }
        play(
            FreshnessLimits::default(),
            &[(1, Told(State::Stale), State::Pending), (2, FeedBack, State::Pending)],
        );
        let late = FreshnessLimits { age: Some(Duration::from_secs(1)), ..FreshnessLimits::default() };
        play(late, &[(1, Told(State::Stale), State::Pending), (2, Trade(60), State::Stale)]);
        // A halt and an end are the venue's word.
        for state in [State::Halted, State::Closed] {
            play(FreshnessLimits::default(), &[(1, Told(state), state)]);
        }
    }
}
