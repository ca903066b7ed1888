//! Ticker and bars on their way to a file and back. What comes back may be anything: it is taken as a whole when it is
//! what trades can come to, or not at all.

use super::{Derived, TickerMinute};
use crate::market::{Bar, Interval, Intervals, Symbol};

impl Derived {
    /// Everything but the ticker's minutes.
    pub(in crate::hub) fn outline(&self) -> Self {
        let Self { symbol, ticker, bars, newest, ahead } = self;
        Self { symbol: *symbol, ticker: ticker.outline(), bars: bars.clone(), newest: *newest, ahead: *ahead }
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

    /// An [outline](Self::outline) with its minutes again, for bars of these intervals; one that is new starts now. `None`
    /// when it is not what trades of that symbol can come to.
    pub(in crate::hub) fn completed(
        self,
        symbol: Symbol,
        minutes: Vec<TickerMinute>,
        intervals: Intervals,
    ) -> Option<Self> {
        let sound = |interval: &Interval| {
            self.bars[interval.index()].as_ref().is_none_or(|series| series.is_sound(*interval))
        };
        if self.symbol != symbol || !Interval::ALL.iter().all(sound) {
            return None;
        }
        let Self { bars: kept, ticker, newest, ahead, .. } = self;
        let mut bars = Self::new(symbol, intervals).bars;
        for (series, kept) in bars.iter_mut().zip(kept) {
            if series.is_some() && kept.is_some() {
                *series = kept;
            }
        }
        Some(Self { symbol, ticker: ticker.with_minutes(minutes)?, bars, newest, ahead })
    }
}
