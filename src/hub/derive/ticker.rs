//! The ticker of one symbol: last trade, best bid and ask, and a window of 24 hours in steps of a minute.
//!
//! The window is the newest minute and the 1,439 before it. A trade counts in the minute of its time, or in the newest
//! one when that minute is past, so that what is summed up is never searched for; a trade older than the window is left
//! out. Each tick costs the same however many trades the window holds: sums lose what a minute that leaves had added,
//! and highs and lows are kept as the falling and rising runs that can still become the extreme. The prices of each minute
//! are kept beside them, for the day on which the extreme is taken back.

mod persist;
mod retract;

pub(super) use self::retract::TickerPoint;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

pub use self::persist::TickerMinute;
use super::{
    Exact, Excluded, Traded,
    bars::{higher, lower},
};
use crate::{
    limits::{PERCENT_DIGITS, TICKER_MINUTES},
    market::{Level, Percent, Price, Quote, Size, Symbol, Ticker, UnixMicros},
};

const MINUTE: i64 = 60_000_000;

/// What a ticker is made from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rolling {
    last: Option<(UnixMicros, Price)>,
    bid: Option<Price>,
    ask: Option<Price>,
    /// Of the newest tick that counts here: time at the source, and of its receipt.
    te: Option<UnixMicros>,
    tr: UnixMicros,
    newest: i64,
    #[serde(skip)]
    minutes: VecDeque<Minute>,
    #[serde(skip)]
    highs: VecDeque<(i64, Price)>,
    #[serde(skip)]
    lows: VecDeque<(i64, Price)>,
    /// The first price of the window that is one, and its minute.
    #[serde(skip)]
    open: Option<(i64, Price)>,
    /// Sum of the sizes; its scale is the finest that the symbol's sizes have had.
    volume: Exact,
    trades: u64,
}

/// A minute with trades. Its prices are none while no trade counts for them.
#[derive(Debug)]
struct Minute {
    minute: i64,
    /// Number of its first trade; 0 when that is not known. A trade is in the last minute whose number is not above its own.
    first: u64,
    open: Option<Price>,
    high: Option<Price>,
    low: Option<Price>,
    volume: Exact,
    /// How many count for volume.
    trades: u64,
    /// How many there are in all.
    prints: u64,
}

impl Minute {
    const fn new(minute: i64, first: u64) -> Self {
        let (open, high, low) = (None, None, None);
        Self { minute, first, open, high, low, volume: Exact::ZERO, trades: 0, prints: 0 }
    }
}

impl Rolling {
    pub(super) fn new() -> Self {
        Self {
            last: None,
            bid: None,
            ask: None,
            te: None,
            tr: UnixMicros(0),
            newest: i64::MIN,
            minutes: VecDeque::new(),
            highs: VecDeque::new(),
            lows: VecDeque::new(),
            open: None,
            volume: Exact::ZERO,
            trades: 0,
        }
    }

    /// Takes in a trade, or leaves everything but the window's end as it was.
    pub(super) fn trade(&mut self, traded: &Traded) -> Result<(), Excluded> {
        let minute = traded.at.0.div_euclid(MINUTE);
        if minute <= self.newest.saturating_sub(TICKER_MINUTES) {
            return Err(Excluded::Late);
        }
        self.advance(minute);
        let minute = self.newest;
        let size = if traded.is_volume() { Exact::of(traded.size.decimal()) } else { Exact::ZERO };
        let volume = self.volume.plus(size).filter(|volume| volume.decimal().is_some());
        self.volume = volume.ok_or(Excluded::Overflow)?;
        if self.minutes.back().is_none_or(|now| now.minute != minute) {
            self.minutes.push_back(Minute::new(minute, traded.n));
        }
        let Some(now) = self.minutes.back_mut() else { return Ok(()) };
        now.prints += 1;
        if traded.is_volume() {
            // A part of a sum that fits.
            now.volume = now.volume.plus(size).ok_or(Excluded::Overflow)?;
            now.trades += 1;
            self.trades += 1;
        }
        if traded.is_high_low() {
            now.high = Some(now.high.map_or(traded.price, |high| higher(high, traded.price)));
            now.low = Some(now.low.map_or(traded.price, |low| lower(low, traded.price)));
            extend(&mut self.highs, minute, traded.price, |old, new| old >= new);
            extend(&mut self.lows, minute, traded.price, |old, new| old <= new);
        }
        if traded.is_last() {
            now.open = now.open.or(Some(traded.price));
            self.open = self.open.or(Some((minute, traded.price)));
            if self.last.is_none_or(|(at, _)| traded.stands() >= at) {
                self.last = Some((traded.stands(), traded.price));
            }
        }
        (self.te, self.tr) = (traded.te, traded.tr);
        Ok(())
    }

    /// Takes in a quote. Returns whether it changed the best bid or ask.
    pub(super) fn quote(&mut self, quote: &Quote) -> bool {
        let price = |level: Option<Level>| level.map(|level| level.price);
        let (bid, ask) = (price(quote.bid), price(quote.ask));
        let same = |a: Option<Price>, b: Option<Price>| {
            a == b && a.map(|price| price.decimal().scale()) == b.map(|price| price.decimal().scale())
        };
        if same(bid, self.bid) && same(ask, self.ask) {
            return false;
        }
        (self.bid, self.ask, self.te, self.tr) = (bid, ask, quote.te, quote.tr);
        true
    }

    /// Moves the window's end. Returns whether trades have left it.
    pub(super) fn pass(&mut self, now: UnixMicros) -> bool {
        let before = self.minutes.len();
        self.advance(now.0.div_euclid(MINUTE));
        self.minutes.len() != before
    }

    /// When the oldest trades will leave the window.
    pub(super) fn next_leaves(&self) -> Option<UnixMicros> {
        let oldest = self.minutes.front()?.minute;
        Some(UnixMicros(oldest.saturating_add(TICKER_MINUTES).saturating_mul(MINUTE)))
    }

    fn advance(&mut self, minute: i64) {
        if minute <= self.newest {
            return;
        }
        self.newest = minute;
        let gone = minute.saturating_sub(TICKER_MINUTES);
        while let Some(oldest) = self.minutes.pop_front_if(|oldest| oldest.minute <= gone) {
            self.volume = self.volume.minus(oldest.volume).unwrap_or_default();
            self.trades -= oldest.trades;
        }
        while self.highs.pop_front_if(|(minute, _)| *minute <= gone).is_some() {}
        while self.lows.pop_front_if(|(minute, _)| *minute <= gone).is_some() {}
        if self.open.is_some_and(|(minute, _)| minute <= gone) {
            self.find_open();
        }
    }

    fn find_open(&mut self) {
        self.open = self.minutes.iter().find_map(|minute| Some((minute.minute, minute.open?)));
    }

    /// The ticker as it is now.
    pub(super) fn ticker(&self, symbol: Symbol) -> Ticker {
        let last = self.last.map(|(_, price)| price);
        let open = self.open.map(|(_, price)| price);
        let change = last.zip(open).and_then(|(last, open)| exact(last).minus(exact(open)));
        let change_pct = change.zip(open.filter(|open| open.decimal() > rust_decimal::Decimal::ZERO));
        let change_pct =
            change_pct.and_then(|(change, open)| change.times(100)?.divided_by(exact(open), PERCENT_DIGITS));
        Ticker {
            symbol,
            last,
            bid: self.bid,
            ask: self.ask,
            open,
            high: self.highs.front().map(|(_, price)| *price),
            low: self.lows.front().map(|(_, price)| *price),
            volume: self
                .volume
                .decimal()
                .and_then(|volume| Size::new(volume).ok())
                .expect("trades whose sizes add up to no decimal were left out"),
            change: change.and_then(Exact::decimal).map(Price::new),
            change_pct: change_pct.map(Percent::new),
            trades: self.trades,
            te: self.te,
            tr: self.tr,
        }
    }
}

const fn exact(price: Price) -> Exact {
    Exact::of(price.decimal())
}

/// Adds a price to a run in which each entry beats all later ones; `beats` also holds for equal prices.
fn extend(run: &mut VecDeque<(i64, Price)>, minute: i64, price: Price, beats: fn(Price, Price) -> bool) {
    if run.back().is_some_and(|(of, best)| *of == minute && beats(*best, price)) {
        return;
    }
    // Of equal prices in different minutes both stay: the later one is still there when the earlier has left.
    while run.pop_back_if(|(_, worse)| !beats(*worse, price)).is_some() {}
    run.push_back((minute, price));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn symbol() -> Symbol {
        Symbol::new("S").unwrap()
    }

    fn traded(at: i64, price: Decimal, size: Decimal) -> Traded {
        Traded::at(at, Price::new(price), Size::new(size).unwrap())
    }

    fn show(ticker: &Ticker) -> String {
        let or = |price: Option<Price>| price.map_or("-".into(), |price| price.to_string());
        let Ticker { last, open, high, low, change, volume, trades, .. } = ticker;
        let pct = ticker.change_pct.map_or("-".into(), |pct| pct.to_string());
        let [last, open, high, low, change] = [last, open, high, low, change].map(|price| or(*price));
        format!("{last} {open} {high} {low} {volume} {change} {pct} {trades}")
    }

    #[test]
    fn the_window_moves_with_trades_and_with_time() {
        let mut rolling = Rolling::new();
        assert_eq!(show(&rolling.ticker(symbol())), "- - - - 0 - - 0");
        let hour = 3_600_000_000;
        for (at, price, size) in [(0, "2.00", "1.5"), (hour, "3.0", "1"), (23 * hour, "1.00", "0.25")] {
            let [price, size] = [price, size].map(|text| Decimal::from_str_exact(text).unwrap());
            rolling.trade(&traded(at, price, size)).unwrap();
        }
        assert_eq!(show(&rolling.ticker(symbol())), "1.00 2.00 3.0 1.00 2.75 -1.00 -50.0000 3");
        assert_eq!(rolling.next_leaves(), Some(UnixMicros(24 * hour)));
        assert!(!rolling.pass(UnixMicros(24 * hour - 1)));
        assert!(rolling.pass(UnixMicros(24 * hour)));
        assert_eq!(show(&rolling.ticker(symbol())), "1.00 3.0 3.0 1.00 1.25 -2.00 -66.6667 2");
        assert!(rolling.pass(UnixMicros(47 * hour)));
        assert_eq!(show(&rolling.ticker(symbol())), "1.00 - - - 0.00 - - 0");
        let old = traded(22 * hour, Decimal::ONE, Decimal::ONE);
        assert_eq!(rolling.trade(&old), Err(Excluded::Late));
    }

    #[test]
    fn a_percentage_of_nothing_is_not_told() {
        for open in ["0.00", "-37.63"] {
            let mut rolling = Rolling::new();
            rolling.trade(&traded(0, Decimal::from_str_exact(open).unwrap(), Decimal::ONE)).unwrap();
            rolling.trade(&traded(1, Decimal::ONE, Decimal::ONE)).unwrap();
            let ticker = rolling.ticker(symbol());
            assert!(ticker.change.is_some() && ticker.change_pct.is_none(), "{open}");
        }
    }

    #[test]
    fn a_trade_that_would_overflow_is_left_out() {
        let mut rolling = Rolling::new();
        rolling.trade(&traded(0, Decimal::ONE, Decimal::MAX)).unwrap();
        assert_eq!(rolling.trade(&traded(1, Decimal::TWO, Decimal::ONE)), Err(Excluded::Overflow));
        assert_eq!(show(&rolling.ticker(symbol())), format!("1 1 1 1 {} 0 0.0000 1", Decimal::MAX));
        assert!(rolling.pass(UnixMicros(i64::MAX)), "and the window goes on");
    }

    /// Everything again for each trade: which minute it counts in, and what the window then holds.
    fn naive(trades: &[(i64, i64, u32, i64)]) -> String {
        let mut newest = i64::MIN;
        let mut kept: Vec<(i64, Decimal, Decimal)> = Vec::new();
        let mut last: Option<(i64, Decimal)> = None;
        let mut finest = 0;
        for (at, price, scale, size) in trades {
            let minute = at / MINUTE;
            if minute <= newest.saturating_sub(1_440) {
                continue;
            }
            newest = newest.max(minute);
            let (price, size) = (Decimal::new(*price, *scale), Decimal::new(*size, *scale));
            finest = finest.max(*scale);
            kept.push((newest, price, size));
            if last.is_none_or(|last| *at >= last.0) {
                last = Some((*at, price));
            }
        }
        kept.retain(|(minute, ..)| *minute > newest - 1_440);
        let (mut high, mut low, mut volume) = (kept[0].1, kept[0].1, Decimal::new(0, finest));
        for (_, price, size) in &kept {
            high = if *price > high { *price } else { high };
            low = if *price < low { *price } else { low };
            volume += size;
        }
        // The library may drop the scale of a zero.
        volume.rescale(finest);
        let (last, open) = (last.unwrap().1, kept[0].1);
        let mut change = last - open;
        change.rescale(last.scale().max(open.scale()));
        let mut pct = (change * Decimal::ONE_HUNDRED / open).round_dp(4);
        pct.rescale(4);
        format!("{last} {open} {high} {low} {volume} {change} {pct} {}", kept.len())
    }

    proptest! {
        #[test]
        fn the_ticker_equals_a_naive_recomputation(
            trades in proptest::collection::vec((0_i64..200_000_000_000, 1_i64..60, 0_u32..3, 0_i64..2_000), 1..150),
            jitter in 0_i64..100_000_000_000,
        ) {
            let mut trades = trades;
            trades.sort_by_key(|(at, _, _, size)| at + size * jitter / 2_000);
            let mut rolling = Rolling::new();
            for (i, (at, price, scale, size)) in trades.iter().enumerate() {
                let _late = rolling.trade(&traded(*at, Decimal::new(*price, *scale), Decimal::new(*size, *scale)));
                prop_assert_eq!(show(&rolling.ticker(symbol())), naive(&trades[..=i]));
            }
        }
    }
}
