//! What follows from a symbol's trades and quotes: its ticker and its bars. Pure computation: it numbers nothing, keeps
//! no history and knows neither events nor listeners; the topic does that.
//!
//! One clock decides: the time of a trade at its source when the source tells it, else its receipt; a source time that
//! is far ahead of what the [source's clock](SourceClock) says is not believed, or one bad tick would make all later ones
//! late. When no trade comes, the source's clock goes on with the gateway's.

mod bars;
mod exact;
mod past;
mod persist;
mod points;
mod retract;
mod ticker;
mod traded;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

pub use self::ticker::TickerMinute;
use self::{
    bars::{Forming, Series},
    exact::Exact,
    points::{Point, Points},
    ticker::{Rolling, TickerPoint},
    traded::Traded,
};
pub(super) use self::{
    past::Past,
    retract::{Gone, Uncorrected},
};
use crate::{
    hub::SourceClock,
    limits::BAR_GRACE,
    market::{Bar, Body, Channel, Interval, Intervals, Marks, Quote, Symbol, Trade, UnixMicros},
};

/// Why a trade is no part of some derived value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excluded {
    /// Its interval is over, or it is older than the ticker's window.
    Late,
    /// Its price or size cannot be added without losing digits.
    Overflow,
}

impl Excluded {
    pub(super) const COUNT: usize = 2;

    /// The names as metric labels, by position.
    pub(super) const REASONS: [&str; Self::COUNT] = ["late", "overflow"];
}

/// Some of the channels, by their ids: the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Channels(u64);

const _: () = assert!(Channel::ID_LIMIT as u32 <= u64::BITS, "a set of channels is one word");

impl Channels {
    pub(super) const fn insert(&mut self, channel: Channel) {
        self.0 |= 1 << channel.id();
    }

    pub(super) const fn remove(&mut self, channel: Channel) {
        self.0 &= !(1 << channel.id());
    }

    pub(super) const fn contains(self, channel: Channel) -> bool {
        self.0 & (1 << channel.id()) != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What a tick, or the time, has changed.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Bars that are final now, the shortest interval first.
    pub(super) finished: ArrayVec<Bar, { Interval::COUNT }>,
    /// Where there is a newer ticker or forming bar.
    pub(super) changed: Channels,
    /// Where the trade does not count, by [`Excluded`].
    pub(super) excluded: [Channels; Excluded::COUNT],
    /// Forming bars of which nothing is left, as they were.
    pub(super) void: ArrayVec<Bar, { Interval::COUNT }>,
    /// Where a correction does not reach, by [`Uncorrected`].
    pub(super) uncorrected: [Channels; Uncorrected::COUNT],
}

/// What was computed up to some trade, as far as later ones overwrite it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Values {
    bars: [Option<Forming>; Interval::COUNT],
    ticker: Option<TickerPoint>,
}

/// What trades are taken out of again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CorrectionPoints(Points<Values>);

/// A symbol's ticker and bars.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Derived {
    symbol: Symbol,
    ticker: Rolling,
    bars: [Option<Series>; Interval::COUNT],
    /// What format 1 of the store knew of the source's clock: the newest trade's time, and how far that was ahead of its
    /// receipt. The topic knows more.
    newest: i64,
    ahead: i64,
    #[serde(skip)]
    points: Points<Values>,
}

impl Derived {
    /// Of a topic that remembers that many trades.
    pub(super) fn new(symbol: Symbol, intervals: Intervals, trades: usize) -> Self {
        let bars = Interval::ALL.map(|interval| intervals.contains(interval).then(|| Series::new(interval)));
        let points = Points::new(trades, 0);
        Self { symbol, ticker: Rolling::new(), bars, newest: i64::MIN, ahead: 0, points }
    }

    /// Takes in a trade, the event of that number. Marks of it that it counts at its receipt, or not in the ticker, when
    /// that is so: it must be taken out again where it was put in.
    pub(super) fn trade(&mut self, n: u64, trade: &mut Trade, clock: &SourceClock) -> Step {
        let marks = &mut trade.print.marks;
        if trade.te.is_some_and(|te| !clock.believes(te, trade.tr)) {
            *marks = marks.and(Marks::AT_RECEIPT);
        }
        let traded = Traded::new(n, trade);
        let mut step = Step::default();
        if !traded.counts() {
            self.remember(n);
            return step;
        }
        for (series, interval) in self.bars.iter_mut().zip(Interval::ALL) {
            let Some(series) = series else { continue };
            let channel = Channel::Bars(interval);
            match series.add(self.symbol, &traded) {
                Ok(finished) => {
                    step.finished.extend(finished);
                    step.changed.insert(channel);
                }
                Err(why) => step.excluded[why as usize].insert(channel),
            }
        }
        match self.ticker.trade(&traded) {
            Ok(()) => step.changed.insert(Channel::Ticker),
            Err(why) => {
                trade.print.marks = trade.print.marks.and(Marks::OUT_OF_TICKER);
                step.excluded[why as usize].insert(Channel::Ticker);
            }
        }
        self.remember(n);
        step
    }

    /// Keeps what the trades up to that number come to, now and then: also behind one that counts for nothing.
    fn remember(&mut self, n: u64) {
        if self.points.is_due(n) {
            let bars = self.bars.each_ref().map(|series| series.as_ref()?.state().cloned());
            self.points.push(Point { n, values: Values { bars, ticker: Some(self.ticker.point()) } });
        }
    }

    /// What it computes.
    pub(super) fn channels(&self) -> Channels {
        let mut channels = Channels::default();
        channels.insert(Channel::Ticker);
        self.bars
            .iter()
            .zip(Interval::ALL)
            .filter(|(series, _)| series.is_some())
            .for_each(|(_, interval)| channels.insert(Channel::Bars(interval)));
        channels
    }

    /// Takes in a quote.
    pub(super) fn quote(&mut self, quote: &Quote) -> Step {
        let mut step = Step::default();
        if self.ticker.quote(quote) {
            step.changed.insert(Channel::Ticker);
        }
        step
    }

    /// Lets time pass until `now` by the gateway's clock.
    pub(super) fn pass(&mut self, now: UnixMicros, clock: &SourceClock) -> Step {
        let mut step = Step::default();
        let source = clock.source(now);
        let over = UnixMicros(source.0.saturating_sub(BAR_GRACE));
        for series in self.bars.iter_mut().flatten() {
            step.finished.extend(series.finish(self.symbol, over));
        }
        if self.ticker.pass(source) {
            step.changed.insert(Channel::Ticker);
        }
        step
    }

    /// When, by the gateway's clock, the passing of time alone will change something; the far future when nothing.
    pub(super) fn due(&self, clock: &SourceClock) -> UnixMicros {
        let ends = self.bars.iter().flatten().filter_map(Series::end);
        let ends = ends.map(|end| end.0.saturating_add(BAR_GRACE));
        let due = ends.chain(self.ticker.next_leaves().map(|time| time.0)).min();
        due.map_or(UnixMicros(i64::MAX), |due| clock.gateway(UnixMicros(due)))
    }

    /// The newest value of a channel: the ticker, or the forming bar if there is one.
    pub(super) fn newest(&self, channel: Channel) -> Option<Body> {
        match channel {
            Channel::Ticker => Some(Body::Ticker(Box::new(self.ticker.ticker(self.symbol)))),
            Channel::Bars(interval) => {
                let bar = self.bars[interval.index()].as_ref()?.forming(self.symbol)?;
                Some(Body::Bar(Box::new(bar)))
            }
            Channel::Trades | Channel::Quotes | Channel::Status | Channel::Corrections => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::MAX_CLOCK_AHEAD,
        market::{Print, Source},
    };

    const SECOND: i64 = 1_000_000;

    fn trade(te: Option<i64>, tr: i64) -> Trade {
        Trade {
            symbol: Symbol::new("S").unwrap(),
            price: "1.5".parse().unwrap(),
            size: "2".parse().unwrap(),
            side: None,
            id: None,
            source: Source::new("x").unwrap(),
            te: te.map(UnixMicros),
            tr: UnixMicros(tr),
            print: Print::default(),
        }
    }

    /// A trade as a topic takes it in.
    fn take(derived: &mut Derived, clock: &mut SourceClock, mut trade: Trade) -> Step {
        if let Some(te) = trade.te {
            clock.note(te, trade.tr);
        }
        derived.trade(1, &mut trade, clock)
    }

    fn seconds() -> Derived {
        Derived::new(Symbol::new("S").unwrap(), [Interval::Second].into_iter().collect(), 256)
    }

    fn start(bar: &Bar) -> i64 {
        bar.start.0
    }

    #[test]
    fn the_source_s_clock_decides_and_goes_on_with_ours() {
        // A recording of 1970, received now: its bars end when as much time has passed here.
        let (mut derived, mut clock) = (seconds(), SourceClock::UNKNOWN);
        let now = 1_700_000_000 * SECOND;
        assert!(take(&mut derived, &mut clock, trade(Some(3 * SECOND + 400_000), now)).finished.is_empty());
        assert_eq!(derived.due(&clock), UnixMicros(now + 600_000 + BAR_GRACE));
        assert!(derived.pass(UnixMicros(derived.due(&clock).0 - 1), &clock).finished.is_empty());
        let step = derived.pass(derived.due(&clock), &clock);
        assert_eq!(step.finished.iter().map(start).collect::<Vec<_>>(), [3 * SECOND]);
        assert_eq!(derived.newest(Channel::Bars(Interval::Second)), None);
    }

    #[test]
    fn a_trade_without_a_time_counts_when_it_was_received() {
        let (mut derived, mut clock) = (seconds(), SourceClock::UNKNOWN);
        take(&mut derived, &mut clock, trade(None, 7 * SECOND));
        let step = take(&mut derived, &mut clock, trade(Some(8 * SECOND), 8 * SECOND));
        assert_eq!(step.finished.iter().map(start).collect::<Vec<_>>(), [7 * SECOND]);
    }

    #[test]
    fn a_time_far_ahead_is_not_believed() {
        let (mut derived, mut clock) = (seconds(), SourceClock::UNKNOWN);
        take(&mut derived, &mut clock, trade(Some(100 * SECOND + MAX_CLOCK_AHEAD + 1), 100 * SECOND));
        let step = take(&mut derived, &mut clock, trade(Some(101 * SECOND), 101 * SECOND));
        assert!(step.excluded[Excluded::Late as usize].is_empty(), "the next trade is not late");
        assert_eq!(step.finished.iter().map(start).collect::<Vec<_>>(), [100 * SECOND]);
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_no_harm() {
        let mut derived = Derived::new(Symbol::new("S").unwrap(), Intervals::ALL, 256);
        let mut clock = SourceClock::UNKNOWN;
        for (te, tr) in [
            (None, i64::MIN),
            (None, 0),
            (Some(i64::MIN), i64::MAX),
            (None, i64::MAX),
            (Some(i64::MAX), i64::MAX),
            (Some(i64::MAX), i64::MIN),
        ] {
            take(&mut derived, &mut clock, trade(te, tr));
            let _ = derived.due(&clock);
            derived.pass(UnixMicros(i64::MAX), &clock);
            derived.pass(UnixMicros(i64::MIN), &clock);
        }
        assert!(derived.newest(Channel::Ticker).is_some());
    }

    #[test]
    fn a_quote_that_changes_nothing_is_no_change() {
        let mut derived = seconds();
        let level = |price: &str| Some(crate::market::Level { price: price.parse().unwrap(), size: None });
        let quote = |bid: &str| Quote {
            symbol: Symbol::new("S").unwrap(),
            bid: level(bid),
            ask: None,
            source: Source::new("x").unwrap(),
            te: None,
            tr: UnixMicros(1),
            is_snapshot: false,
        };
        for (bid, changes) in [("1.0", true), ("1.0", false), ("1.00", true), ("1.01", true)] {
            assert_eq!(derived.quote(&quote(bid)).changed.contains(Channel::Ticker), changes, "{bid}");
        }
    }

    /// The last price and how many trades were late, after trades of one a second whose times are ahead by `seconds_ahead`;
    /// `None` tells no time.
    fn ahead(seconds_ahead: impl IntoIterator<Item = Option<i64>>) -> (Vec<String>, usize) {
        let (mut derived, mut clock) = (seconds(), SourceClock::UNKNOWN);
        let (mut lasts, mut late) = (Vec::new(), 0);
        for (i, ahead) in seconds_ahead.into_iter().enumerate() {
            let tr = (1_000 + i64::try_from(i).unwrap()) * SECOND;
            let price = format!("{i}").parse().unwrap();
            let told = Trade { price, ..trade(ahead.map(|ahead| tr + ahead * SECOND), tr) };
            let step = take(&mut derived, &mut clock, told);
            late +=
                usize::from(step.excluded[Excluded::Late as usize].contains(Channel::Bars(Interval::Second)));
            derived.pass(UnixMicros(tr + SECOND / 4), &clock);
            let Some(Body::Ticker(ticker)) = derived.newest(Channel::Ticker) else { panic!("a ticker") };
            lasts.push(ticker.last.unwrap().to_string());
        }
        (lasts, late)
    }

    #[test]
    fn a_venue_whose_clock_is_ahead_does_not_hold_the_last_price() {
        let expected: Vec<_> = (0..40).map(|i| i.to_string()).collect();
        type Case = (&'static str, fn(i64) -> Option<i64>);
        let cases: [Case; 6] = [
            ("right", |_| Some(0)),
            ("always ahead", |_| Some(30)),
            ("always behind", |_| Some(-30)),
            ("one stamp", |i| Some(if i == 12 { 30 } else { 0 })),
            ("the first stamp", |i| Some(if i == 0 { 30 } else { 0 })),
            ("some tell no time", |i| (i % 3 == 0).then_some(30)),
        ];
        for (name, case) in cases {
            let (lasts, _) = ahead((0..40).map(case));
            assert_eq!(lasts, expected, "{name}");
        }
    }

    #[test]
    fn one_stamp_far_off_makes_no_other_trade_late() {
        for far in [6, 30, 59, 61, 3_600, 31_536_000, -30, -31_536_000] {
            for place in 3..20 {
                let (_, late) = ahead((0..40).map(|i| Some(if i == place { far } else { 0 })));
                assert!(late <= usize::from(far < 0), "{late} are late with {far} at {place}");
            }
        }
    }
}
