//! One simulated symbol: a random walk of the mid price, and quotes and trades on the grid around it.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the walk is real-valued; what leaves are whole numbers of ticks and lots"
)]

use rand::{Rng, RngExt as _};
use rust_decimal::Decimal;

use super::draw::{Geometric, normal};
use crate::market::{Price, Side, Size, Symbol};

/// A year without closing hours, in seconds.
const YEAR: f64 = 365.0 * 86_400.0;

/// Highest mid price in ticks, and largest size in lots. The walk stops there: with the largest mantissa that a
/// definition may give a tick or a lot (1e15) the product still fits a decimal (7.9e28).
const MAX_STEPS: i64 = 10_000_000_000_000;

/// Lowest mid price in ticks: the bid stays above 0.
const MIN_MID: f64 = 2.0;

/// One symbol and where its price is.
#[derive(Debug, Clone)]
pub struct Instrument {
    /// Its symbol.
    pub symbol: Symbol,
    tick: Decimal,
    lot: Decimal,
    /// The part of the spread in ticks that is always there, at least 1.
    spread: i64,
    /// And the part that varies.
    wider: Geometric,
    /// Standard deviation of the logarithm of the price over one square root of a second.
    sigma: f64,
    /// Lots of a size over the first.
    more: Geometric,
    /// The mid price in ticks, between grid points.
    mid: f64,
    /// When it was there, in seconds from the start.
    at: f64,
    bid: i64,
    ask: i64,
    next_id: u64,
}

/// What happened to a symbol, in whole ticks and lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A trade at the bid or the ask.
    Trade {
        /// Its price in ticks.
        price: i64,
        /// Its size in lots.
        size: i64,
        /// Who took liquidity.
        side: Side,
        /// Its number.
        id: u64,
    },
    /// A new best bid and ask.
    Quote {
        /// Bid price in ticks.
        bid: i64,
        /// Bid size in lots.
        bid_size: i64,
        /// Ask price in ticks.
        ask: i64,
        /// Ask size in lots.
        ask_size: i64,
    },
}

impl Instrument {
    /// A symbol at that price (ticks, size of a tick), with that mean spread (ticks) and volatility (percent a year),
    /// traded in that (lot, mean number of lots).
    #[must_use]
    pub fn new(
        symbol: Symbol,
        (ticks, tick): (i64, Decimal),
        (spread, volatility): (f64, f64),
        (lot, size): (Decimal, f64),
        first_id: u64,
    ) -> Self {
        let sigma = volatility / 100.0 / YEAR.sqrt();
        // About half of the spread stays, so that quotes breathe without collapsing to one tick; the means add up.
        let fixed = 1.0 + ((spread - 1.0) / 2.0).floor();
        let mut instrument = Self {
            symbol,
            tick,
            lot,
            spread: fixed as i64,
            wider: Geometric::new(spread - fixed),
            sigma,
            more: Geometric::new(size - 1.0),
            mid: ticks as f64,
            at: 0.0,
            bid: 0,
            ask: 0,
            next_id: first_id,
        };
        instrument.set_book(spread.round() as i64);
        instrument
    }

    /// Moves the mid price by the time since it last moved, and puts a bid and an ask around it; `at` is in seconds
    /// from the start.
    pub(super) fn walk(&mut self, at: f64, random: &mut impl Rng) {
        let seconds = (at - self.at).max(0.0);
        self.at = at;
        let step = libm::exp(self.sigma * seconds.sqrt() * normal(random));
        self.mid = (self.mid * step).clamp(MIN_MID, MAX_STEPS as f64);
        let spread = self.spread + self.wider.draw(random);
        self.set_book(spread);
    }

    fn set_book(&mut self, spread: i64) {
        self.bid = ((self.mid - spread as f64 / 2.0).round() as i64).max(1);
        self.ask = self.bid + spread;
    }

    /// The present bid and ask with new sizes.
    pub(super) fn quote(&self, random: &mut impl Rng) -> Happening {
        let (bid_size, ask_size) = (self.lots(random), self.lots(random));
        Happening::Quote { bid: self.bid, bid_size, ask: self.ask, ask_size }
    }

    /// A trade at the present bid or ask.
    pub(super) fn trade(&mut self, random: &mut impl Rng) -> Happening {
        let side = if random.random() { Side::Buy } else { Side::Sell };
        let price = if side == Side::Buy { self.ask } else { self.bid };
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        Happening::Trade { price, size: self.lots(random), side, id }
    }

    fn lots(&self, random: &mut impl Rng) -> i64 {
        (1 + self.more.draw(random)).min(MAX_STEPS)
    }

    /// A price of that many ticks, with the scale of the tick.
    #[must_use]
    pub fn price(&self, ticks: i64) -> Price {
        Price::new(multiple(self.tick, ticks))
    }

    /// A size of that many lots, with the scale of the lot.
    #[must_use]
    pub fn size(&self, lots: i64) -> Size {
        Size::new(multiple(self.lot, lots.max(0))).expect("a whole number of lots is not negative")
    }
}

/// An exact multiple that keeps the scale.
fn multiple(step: Decimal, count: i64) -> Decimal {
    Decimal::from_i128_with_scale(step.mantissa() * i128::from(count), step.scale())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_wildest_walk_stays_within_what_a_decimal_holds() {
        let random = &mut ChaCha8Rng::seed_from_u64(1);
        let largest: Decimal = "99999999999.9999".parse().unwrap();
        let symbol = Symbol::new("A").unwrap();
        let mut wild =
            Instrument::new(symbol, (2_000_000_000_000, largest), (100_000.0, 10_000.0), (largest, 1e9), 1);
        let (mut lowest, mut highest) = (i64::MAX, 0);
        for century in 1..=100 {
            wild.walk(f64::from(century) * 100.0 * YEAR, random);
            let Happening::Quote { bid, ask, bid_size, .. } = wild.quote(random) else { panic!("a quote") };
            assert!(bid >= 1 && ask > bid, "{bid} {ask}");
            assert!(wild.price(bid) < wild.price(ask));
            assert!(!wild.size(bid_size).decimal().is_zero());
            (lowest, highest) = (lowest.min(bid), highest.max(bid));
        }
        assert!(lowest == 1 && highest > MAX_STEPS / 2, "both ends were reached: {lowest} {highest}");
    }
}
