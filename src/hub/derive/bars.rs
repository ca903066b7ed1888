//! The bars of one interval, from trades and the passing of time.
//!
//! One bar forms at a time. It becomes final when a trade of a later interval comes, or when time has passed its end;
//! a trade of an interval that is over is late: it is left out of this interval's bars and changes none. An interval
//! without trades has no bar. Open and close are the earliest and the latest trade by their own times, so that trades
//! that overtake each other within an interval make the same bar; among trades of one time the order of arrival counts.

use serde::{Deserialize, Serialize};

use super::{Exact, Excluded, Traded, past::Past, retract::Reach};
use crate::{
    limits::{MAX_DECIMAL_SCALE, VWAP_DIGITS},
    market::{Bar, Interval, Price, Size, Symbol, UnixMicros},
};

/// The bars of one interval.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Series {
    interval: Interval,
    /// Trades before this are late.
    open_from: UnixMicros,
    forming: Option<Forming>,
}

/// The bar that forms; none yet while no trade that counts for the last price is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Forming {
    start: UnixMicros,
    open: Option<(UnixMicros, Price)>,
    close: Option<(UnixMicros, Price)>,
    high: Option<Price>,
    low: Option<Price>,
    volume: Exact,
    /// Sum of price times size.
    notional: Exact,
    /// Digits after the point of the finest price.
    finest: u32,
    /// How many count for volume.
    trades: u64,
    /// How many there are in all.
    #[serde(default)]
    prints: u64,
    /// Number of the first one; 0 when that is not known.
    #[serde(default)]
    first: u64,
}

impl Series {
    pub(super) const fn new(interval: Interval) -> Self {
        Self { interval, open_from: UnixMicros(i64::MIN), forming: None }
    }

    /// Adds a trade. Returns the bar that it made final.
    pub(super) fn add(&mut self, symbol: Symbol, traded: &Traded) -> Result<Option<Bar>, Excluded> {
        if traded.at < self.open_from {
            return Err(Excluded::Late);
        }
        let start = self.interval.start_of(traded.at);
        match &mut self.forming {
            Some(forming) if forming.start == start => {
                forming.add(traded)?;
                Ok(None)
            }
            older => {
                let mut next = Forming::empty(start, traded.n);
                next.add(traded)?;
                let older = older.replace(next);
                self.open_from = start;
                Ok(older.and_then(|older| older.bar(symbol, self.interval, true)))
            }
        }
    }

    /// Makes the forming bar final when its end is not after `over`, and returns it.
    pub(super) fn finish(&mut self, symbol: Symbol, over: UnixMicros) -> Option<Bar> {
        let end = self.end().filter(|end| *end <= over)?;
        self.open_from = end;
        self.forming.take().and_then(|forming| forming.bar(symbol, self.interval, true))
    }

    /// The forming bar.
    pub(super) fn forming(&self, symbol: Symbol) -> Option<Bar> {
        self.forming.as_ref().and_then(|forming| forming.bar(symbol, self.interval, false))
    }

    /// What the forming bar is made from.
    pub(super) const fn state(&self) -> Option<&Forming> {
        self.forming.as_ref()
    }

    /// Whether that is what trades of an interval can come to; what was read from a file may be anything.
    pub(super) fn is_sound(&self, interval: Interval) -> bool {
        self.interval == interval
            && self
                .forming
                .as_ref()
                .is_none_or(|forming| forming.start >= self.open_from && forming.is_sound(interval))
    }

    /// Whether trades of that time are late.
    pub(super) fn is_over(&self, time: UnixMicros) -> bool {
        time < self.open_from
    }

    /// When the forming bar ends.
    pub(super) fn end(&self) -> Option<UnixMicros> {
        let start = self.forming.as_ref()?.start;
        Some(UnixMicros(start.0.saturating_add(self.interval.micros())))
    }
}

impl Series {
    /// Takes a trade out of the forming bar, or puts another one in its place. `base` finds what the bar came to at an earlier
    /// number from which on every trade is remembered; `past` has what is remembered without the trade that goes. Returns
    /// how far that could be done, and the bar as it was when nothing is left of it.
    pub(super) fn retract(
        &mut self,
        symbol: Symbol,
        (gone, instead): (&Traded, Option<&Traded>),
        base: Option<(u64, Forming)>,
        past: Past<'_>,
    ) -> (Reach, Option<Bar>) {
        let interval = self.interval;
        let Some(forming) = self.forming.as_mut().filter(|forming| forming.holds(gone, interval)) else {
            return (if gone.at < self.open_from { Reach::Final } else { Reach::Nothing }, None);
        };
        let before = forming.bar(symbol, interval, false);
        let reach = forming.retract(interval, (gone, instead), base, (past, u64::MAX));
        let is_void = forming.bar(symbol, interval, false).is_none();
        (reach, before.filter(|_| is_void).map(|bar| Bar { is_void, ..bar }))
    }
}

impl Forming {
    const fn empty(start: UnixMicros, first: u64) -> Self {
        let (volume, notional) = (Exact::ZERO, Exact::ZERO);
        let (open, close, high, low) = (None, None, None, None);
        Self { start, open, close, high, low, volume, notional, finest: 0, trades: 0, prints: 0, first }
    }

    /// Whether that is what trades of an interval can come to.
    pub(super) fn is_sound(&self, interval: Interval) -> bool {
        self.start == interval.start_of(self.start)
            && self.finest <= MAX_DECIMAL_SCALE
            && self.volume.is_amount()
            && self.volume.decimal().is_some()
            && self.notional.is_sound()
    }

    /// Whether the trade is one of its own.
    pub(super) fn holds(&self, traded: &Traded, interval: Interval) -> bool {
        interval.start_of(traded.at) == self.start && self.first <= traded.n
    }

    /// What another state of the same bar can be computed from: nothing at all, when every trade of it is remembered.
    pub(super) fn blank(&self, past: Past<'_>) -> Option<(u64, Self)> {
        let first = self.first.checked_sub(1).filter(|before| *before >= past.forgotten())?;
        Some((first, Self::empty(self.start, self.first)))
    }

    /// Whether it is a state of the same bar.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.start, self.first) == (other.start, other.first)
    }

    /// Takes a trade out of what the bar came to at the number `until`.
    pub(super) fn retract(
        &mut self,
        interval: Interval,
        (gone, instead): (&Traded, Option<&Traded>),
        base: Option<(u64, Self)>,
        (past, until): (Past<'_>, u64),
    ) -> Reach {
        let Some((from, mut again)) = base else { return self.subtract(gone, instead) };
        for traded in past.between(from, until).filter(|traded| self.holds(traded, interval)) {
            // What does not fit is left out, as it was.
            let _overflow = again.add(&traded);
        }
        *self = again;
        Reach::Exact
    }

    /// Where what is needed is forgotten: sums are right all the same, and prices unless the trade was one of them.
    fn subtract(&mut self, gone: &Traded, instead: Option<&Traded>) -> Reach {
        let is = |price: Option<Price>| price == Some(gone.price);
        let was_end = [self.open, self.close].contains(&Some((gone.at, gone.price)));
        let was_price = gone.is_last() && was_end || gone.is_high_low() && (is(self.high) || is(self.low));
        if gone.is_volume() {
            self.volume = self.volume.minus(Exact::of(gone.size.decimal())).unwrap_or(self.volume);
            self.notional = gone.notional.and_then(|it| self.notional.minus(it)).unwrap_or(self.notional);
            self.trades = self.trades.saturating_sub(1);
        }
        self.prints = self.prints.saturating_sub(1);
        if let Some(instead) = instead.filter(|instead| instead.counts()) {
            let _overflow = self.add(instead);
        }
        if was_price { Reach::Inexact } else { Reach::Exact }
    }

    /// Adds a trade, or leaves everything as it was.
    fn add(&mut self, traded: &Traded) -> Result<(), Excluded> {
        if traded.is_volume() {
            let volume = self.volume.plus(Exact::of(traded.size.decimal()));
            let volume = volume.filter(|volume| volume.decimal().is_some()).ok_or(Excluded::Overflow)?;
            let notional = traded.notional.and_then(|notional| self.notional.plus(notional));
            self.notional = notional.ok_or(Excluded::Overflow)?;
            self.volume = volume;
            self.trades += 1;
        }
        if traded.is_last() {
            if self.open.is_none_or(|(at, _)| traded.at < at) {
                self.open = Some((traded.at, traded.price));
            }
            if self.close.is_none_or(|(at, _)| traded.at >= at) {
                self.close = Some((traded.at, traded.price));
            }
        }
        if traded.is_high_low() {
            self.high = Some(self.high.map_or(traded.price, |high| higher(high, traded.price)));
            self.low = Some(self.low.map_or(traded.price, |low| lower(low, traded.price)));
        }
        self.finest = self.finest.max(traded.price.decimal().scale());
        self.prints += 1;
        Ok(())
    }

    /// None while no trade in it counts for the last price. Open and close always lie between low and high.
    fn bar(&self, symbol: Symbol, interval: Interval, is_final: bool) -> Option<Bar> {
        let ((_, open), (_, close)) = self.open.zip(self.close)?;
        let scale = (self.finest + VWAP_DIGITS).min(MAX_DECIMAL_SCALE);
        let volume = self.volume.decimal().and_then(|volume| Size::new(volume).ok());
        Some(Bar {
            symbol,
            interval,
            start: self.start,
            open,
            high: higher(higher(self.high.unwrap_or(open), open), close),
            low: lower(lower(self.low.unwrap_or(open), open), close),
            close,
            volume: volume.expect("trades whose sizes add up to no decimal were left out"),
            vwap: self.notional.divided_by(self.volume, scale).map(Price::new),
            trades: self.trades,
            is_final,
            is_void: false,
        })
    }
}

/// The first one where both are the same.
pub(super) fn higher(a: Price, b: Price) -> Price {
    if b > a { b } else { a }
}

/// Likewise.
pub(super) fn lower(a: Price, b: Price) -> Price {
    if b < a { b } else { a }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn symbol() -> Symbol {
        Symbol::new("S").unwrap()
    }

    fn traded(at: i64, price: &str, size: &str) -> Traded {
        Traded::at(at, price.parse().unwrap(), size.parse().unwrap())
    }

    fn short(bar: &Bar) -> String {
        let Bar { open, high, low, close, volume, trades, start, .. } = bar;
        let vwap = bar.vwap.map_or("-".into(), |vwap| vwap.to_string());
        format!("{} {open} {high} {low} {close} {volume} {vwap} {trades}", start.0 / 1_000_000)
    }

    #[test]
    fn a_bar_keeps_the_scales_and_divides_once() {
        let mut series = Series::new(Interval::Second);
        for (at, price, size) in [(10, "1.50", "2"), (20, "1.5", "0.010"), (5, "1.40", "1"), (20, "1.6", "0")]
        {
            assert_eq!(series.add(symbol(), &traded(at, price, size)), Ok(None));
        }
        let bar = series.forming(symbol()).unwrap();
        // 1.50 * 2 + 1.5 * 0.010 + 1.40 = 4.415; / 3.010 = 1.466777...
        assert_eq!(short(&bar), "0 1.40 1.6 1.40 1.6 3.010 1.466777 4");
        assert!(!bar.is_final);
    }

    #[test]
    fn a_later_trade_or_the_time_makes_a_bar_final_and_nothing_opens_it_again() {
        let mut series = Series::new(Interval::Second);
        series.add(symbol(), &traded(1_200_000, "1", "1")).unwrap();
        let first = series.add(symbol(), &traded(4_000_000, "2", "1")).unwrap().unwrap();
        assert!(
            first.is_final && first.start == UnixMicros(1_000_000),
            "nothing is made for seconds without trades"
        );
        assert_eq!(series.add(symbol(), &traded(1_900_000, "9", "1")), Err(Excluded::Late));
        assert_eq!(series.add(symbol(), &traded(2_500_000, "9", "1")), Err(Excluded::Late));
        assert_eq!(series.finish(symbol(), UnixMicros(4_999_999)), None);
        let second = series.finish(symbol(), UnixMicros(5_000_000)).unwrap();
        assert_eq!(short(&second), "4 2 2 2 2 1 2.0000 1");
        assert_eq!(series.add(symbol(), &traded(4_999_999, "9", "1")), Err(Excluded::Late));
        assert_eq!(series.forming(symbol()), None);
        assert_eq!(series.add(symbol(), &traded(5_000_000, "3", "1")), Ok(None));
    }

    #[test]
    fn a_trade_that_would_overflow_is_left_out_whole() {
        let mut series = Series::new(Interval::Day);
        let large = "79228162514264337593543950335";
        series.add(symbol(), &traded(1, "2", "1")).unwrap();
        for (price, size) in [(large, large), ("9", large), (large, "1.0000000000")] {
            assert_eq!(
                series.add(symbol(), &traded(2, price, size)),
                Err(Excluded::Overflow),
                "{price} {size}"
            );
        }
        assert_eq!(short(&series.forming(symbol()).unwrap()), "0 2 2 2 2 1 2.0000 1");
        // Sizes of zero have no average.
        let mut series = Series::new(Interval::Day);
        series.add(symbol(), &traded(1, "2", "0")).unwrap();
        assert_eq!(short(&series.forming(symbol()).unwrap()), "0 2 2 2 2 0 - 1");
    }

    /// Everything that was not late, put together interval by interval.
    fn naive(interval: Interval, trades: &[(i64, i64, i64)]) -> Vec<String> {
        let mut newest = i64::MIN;
        let mut by_start: BTreeMap<i64, Vec<(i64, Decimal, Decimal)>> = BTreeMap::new();
        for (at, price, size) in trades {
            let start = at - at.rem_euclid(interval.micros());
            if start >= newest {
                newest = start;
                by_start.entry(start).or_default().push((
                    *at,
                    Decimal::new(*price, 2),
                    Decimal::new(*size, 3),
                ));
            }
        }
        let bars = by_start.into_iter().map(|(start, mut trades)| {
            trades.sort_by_key(|trade| trade.0);
            let prices = || trades.iter().map(|trade| trade.1);
            let mut volume: Decimal = trades.iter().map(|trade| trade.2).sum();
            volume.rescale(3);
            let notional: Decimal = trades.iter().map(|trade| trade.1 * trade.2).sum();
            let vwap = if volume.is_zero() {
                "-".into()
            } else {
                let mut vwap = (notional / volume).round_dp(6);
                vwap.rescale(6);
                vwap.to_string()
            };
            let (first, last) = (trades[0].1, trades[trades.len() - 1].1);
            let (high, low) = (prices().max().unwrap(), prices().min().unwrap());
            format!("{} {first} {high} {low} {last} {volume} {vwap} {}", start / 1_000_000, trades.len())
        });
        bars.collect()
    }

    proptest! {
        #[test]
        fn bars_equal_a_naive_recomputation(
            trades in proptest::collection::vec((0_i64..200_000_000, -50_i64..5_000, 0_i64..2_000), 1..120),
            jitter in 1_i64..100_000_000,
        ) {
            // Roughly in order, with trades that overtake each other.
            let mut trades = trades;
            trades.sort_by_key(|(at, price, _)| at + price * jitter / 5_000);
            for interval in Interval::ALL {
                let mut series = Series::new(interval);
                let mut bars = Vec::new();
                for (at, price, size) in &trades {
                    let (price, size) = (Decimal::new(*price, 2), Decimal::new(*size, 3));
                    match series.add(symbol(), &traded(*at, &price.to_string(), &size.to_string())) {
                        Ok(bar) => bars.extend(bar),
                        Err(why) => prop_assert_eq!(why, Excluded::Late),
                    }
                }
                bars.extend(series.finish(symbol(), UnixMicros(i64::MAX)));
                prop_assert!(bars.iter().all(|bar| bar.is_final));
                prop_assert!(bars.is_sorted_by(|a, b| a.start < b.start), "no bar goes back in time");
                prop_assert_eq!(bars.iter().map(short).collect::<Vec<_>>(), naive(interval, &trades));
            }
        }
    }
}
