//! One simulated symbol: a random walk of the mid price, and quotes and trades on the grid around it.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the walk is real-valued; what leaves are whole numbers of ticks and lots"
)]

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, Exp1, StandardNormal};
use rust_decimal::Decimal;

use crate::market::{Price, Side, Size, Symbol};

/// A year without closing hours, in seconds.
const YEAR: f64 = 365.0 * 86_400.0;

/// Largest size, in lots: far above any mean, far below what a decimal holds.
const MAX_LOTS: f64 = 1e12;

/// One symbol and where its price is.
#[derive(Debug, Clone)]
pub struct Instrument {
    /// Its symbol.
    pub symbol: Symbol,
    tick: Decimal,
    lot: Decimal,
    spread: f64,
    /// Standard deviation of the logarithm of the price over one square root of a second.
    sigma: f64,
    size: f64,
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
        let (bid, ask) = (ticks - 1, ticks + 1);
        Self {
            symbol,
            tick,
            lot,
            spread,
            sigma,
            size,
            mid: ticks as f64,
            at: 0.0,
            bid: bid.max(1),
            ask,
            next_id: first_id,
        }
    }

    /// The next thing that happens, `at` seconds from the start.
    pub(super) fn happen(&mut self, at: f64, is_trade: bool, random: &mut impl Rng) -> Happening {
        if is_trade {
            let side = if random.random() { Side::Buy } else { Side::Sell };
            let price = if side == Side::Buy { self.ask } else { self.bid };
            let id = self.next_id;
            self.next_id = self.next_id.wrapping_add(1);
            return Happening::Trade { price, size: self.lots(random), side, id };
        }
        let step: f64 = StandardNormal.sample(random);
        let seconds = (at - self.at).max(0.0);
        self.at = at;
        self.mid = (self.mid * (self.sigma * seconds.sqrt() * step).exp()).clamp(2.0, 1e15);
        // The spread varies around its mean and is never under one tick.
        let extra: f64 = Exp1.sample(random);
        let spread = 1.0 + (self.spread - 1.0) * (0.5 + 0.5 * extra);
        self.bid = ((self.mid - spread / 2.0).round() as i64).max(1);
        self.ask = self.bid + (spread.round() as i64).max(1);
        Happening::Quote {
            bid: self.bid,
            bid_size: self.lots(random),
            ask: self.ask,
            ask_size: self.lots(random),
        }
    }

    fn lots(&self, random: &mut impl Rng) -> i64 {
        let share: f64 = Exp1.sample(random);
        (share * self.size).ceil().clamp(1.0, MAX_LOTS) as i64
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
