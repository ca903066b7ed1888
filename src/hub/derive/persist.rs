//! Ticker and bars on their way to a file and back. What comes back may be anything: it is taken as a whole when it is
//! what trades can come to, or not at all.

use super::{CorrectionPoints, Derived, Point, Points, TickerMinute, Values};
use crate::{
    hub::SourceClock,
    market::{Bar, Interval, Intervals, Symbol},
};

impl Derived {
    /// Everything but the ticker's minutes.
    pub(in crate::hub) fn outline(&self) -> Self {
        let Self { symbol, ticker, bars, newest, ahead, .. } = self;
        Self {
            symbol: *symbol,
            ticker: ticker.outline(),
            bars: bars.clone(),
            newest: *newest,
            ahead: *ahead,
            points: Points::default(),
        }
    }

    /// What trades are taken out of again.
    pub(in crate::hub) fn correction_points(&self) -> CorrectionPoints {
        CorrectionPoints(self.points.clone())
    }

    /// Takes over what trades were taken out of in another gateway, whose newest trade has the number `head`. Nothing where
    /// that is not what trades can come to.
    pub(in crate::hub) fn with_correction_points(
        mut self,
        points: CorrectionPoints,
        head: u64,
    ) -> Option<Self> {
        let is_sound = |values: &Values| {
            let mut bars = Interval::ALL.into_iter().zip(&values.bars);
            bars.all(|(interval, bar)| bar.as_ref().is_none_or(|bar| bar.is_sound(interval)))
        };
        self.points = points.0;
        self.points.is_sound(head, is_sound).then_some(self)
    }

    /// What format 1 of the store knew of the source's clock.
    pub(in crate::hub) fn clock_of_format_1(&self) -> SourceClock {
        if self.newest == i64::MIN { SourceClock::UNKNOWN } else { SourceClock::of_newest(self.ahead) }
    }

    /// Whether trades of the bar's time come too late for its interval.
    pub(in crate::hub) fn is_over(&self, bar: &Bar) -> bool {
        self.bars[bar.interval.index()].as_ref().is_some_and(|series| series.is_over(bar.start))
    }

    /// The ticker's newest minute.
    pub(in crate::hub) const fn newest_minute(&self) -> i64 {
        self.ticker.newest()
    }

    /// The ticker's minutes from that one on.
    pub(in crate::hub) fn minutes_from(&self, first: i64) -> Vec<TickerMinute> {
        self.ticker.minutes_from(first)
    }

    /// The intervals whose bars it computes.
    pub(in crate::hub) fn intervals(&self) -> Intervals {
        Interval::ALL.into_iter().filter(|interval| self.bars[interval.index()].is_some()).collect()
    }

    /// An [outline](Self::outline) with its minutes again, for bars of these intervals; one that is new starts now. `trades`
    /// are how many the topic remembers, and the number of the newest. `None` when it is not what trades of that symbol
    /// can come to.
    pub(in crate::hub) fn completed(
        self,
        symbol: Symbol,
        minutes: Vec<TickerMinute>,
        intervals: Intervals,
        (trades, head): (usize, u64),
    ) -> Option<Self> {
        let sound = |interval: &Interval| {
            self.bars[interval.index()].as_ref().is_none_or(|series| series.is_sound(*interval))
        };
        if self.symbol != symbol || !Interval::ALL.iter().all(sound) {
            return None;
        }
        let Self { bars: kept, ticker, newest, ahead, .. } = self;
        let mut bars = Self::new(symbol, intervals, trades).bars;
        for (series, kept) in bars.iter_mut().zip(kept) {
            if series.is_some() && kept.is_some() {
                *series = kept;
            }
        }
        let ticker = ticker.with_minutes(minutes)?;
        let mut points = Points::new(trades, head);
        // What is known now is a copy too: trades from here on can be taken out of it.
        let states = bars.each_ref().map(|series| series.as_ref()?.state().cloned());
        points.push(Point { n: head, values: Values { bars: states, ticker: Some(ticker.point()) } });
        Some(Self { symbol, ticker, bars, newest, ahead, points })
    }
}
