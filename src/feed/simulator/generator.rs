//! The market: which symbol ticks when, drawn from one seed.

#![expect(clippy::float_arithmetic, reason = "times between arrivals are real-valued")]

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{
    Distribution as _,
    weighted::{Error as WeightError, WeightedAliasIndex},
};

use super::{
    draw::exponential,
    instrument::{Happening, Instrument},
};
use crate::market::{Level, Print, Quote, Source, Tick, Trade, TradeId, UnixMicros};

/// A sequence of arrivals. The same instruments, rate and seed give the same sequence on every machine.
///
/// Every symbol ticks as a Poisson process of its own. Independent Poisson processes together are one process of the
/// summed rate in which each arrival belongs to a symbol with the probability of its share, so one exponential clock
/// and one draw by weight make the same market as a clock for every symbol, at a cost that does not grow with them.
#[derive(Debug)]
pub struct Generator {
    instruments: Vec<Instrument>,
    pick: WeightedAliasIndex<f64>,
    mean_gap: f64,
    trades_share: f64,
    random: ChaCha8Rng,
    /// Time of the last arrival, in seconds from the start.
    at: f64,
}

/// One arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When, from the start.
    pub at: Duration,
    /// To which symbol, by its position.
    pub instrument: usize,
    /// What.
    pub what: Happening,
}

impl Generator {
    /// A market of these (instrument, weight) pairs that ticks `rate` times a second.
    ///
    /// # Errors
    /// When the weights do not make a distribution.
    pub fn new(
        instruments: Vec<(Instrument, f64)>,
        rate: f64,
        trades_share: f64,
        seed: u64,
    ) -> Result<Self, WeightError> {
        let (instruments, weights): (Vec<_>, Vec<_>) = instruments.into_iter().unzip();
        Ok(Self {
            instruments,
            pick: WeightedAliasIndex::new(weights)?,
            mean_gap: 1.0 / rate,
            trades_share,
            random: ChaCha8Rng::seed_from_u64(seed),
            at: 0.0,
        })
    }

    /// Its symbols.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// Ticks a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        1.0 / self.mean_gap
    }

    /// The next arrival.
    pub fn arrival(&mut self) -> Arrival {
        let random = &mut self.random;
        self.at += exponential(random) * self.mean_gap;
        let position = self.pick.sample(random);
        let instrument = &mut self.instruments[position];
        let is_trade = random.random::<f64>() < self.trades_share;
        // Trades are made at the book that was last quoted, except in a market that shows no quotes.
        if !is_trade || self.trades_share >= 1.0 {
            instrument.walk(self.at, random);
        }
        let what = if is_trade { instrument.trade(random) } else { instrument.quote(random) };
        Arrival { at: Duration::from_secs_f64(self.at), instrument: position, what }
    }

    /// An arrival as a tick.
    #[must_use]
    pub fn tick(&self, arrival: &Arrival, source: Source, te: UnixMicros, tr: UnixMicros) -> Tick {
        let instrument = &self.instruments[arrival.instrument];
        let (symbol, te) = (instrument.symbol, Some(te));
        match arrival.what {
            Happening::Trade { price, size, side, id } => Tick::Trade(Trade {
                symbol,
                price: instrument.price(price),
                size: instrument.size(size),
                side: Some(side),
                id: Some(TradeId::Number(id)),
                source,
                te,
                tr,
                print: Print::default(),
            }),
            Happening::Quote { bid, bid_size, ask, ask_size } => {
                let level = |price, size| {
                    Some(Level { price: instrument.price(price), size: Some(instrument.size(size)) })
                };
                Tick::Quote(Quote {
                    symbol,
                    bid: level(bid, bid_size),
                    ask: level(ask, ask_size),
                    source,
                    te,
                    tr,
                    is_snapshot: false,
                })
            }
        }
    }
}
