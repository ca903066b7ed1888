//! Simulated ticks: made up, but in the shape of a real market, and the same for the same seed.
//!
//! A [`Generator`] is the market: a pure sequence of arrivals with their offsets from the start. The feed only paces
//! it against the clock. It does not model an order book, sessions or news.

mod definition;
mod draw;
mod generator;
mod instrument;

pub use definition::Definition;
pub use generator::{Arrival, Generator};
pub use instrument::Instrument;

use std::time::Duration;

use tokio::time::Instant;

use super::{End, Feed, FeedError, Publisher};
use crate::{
    drill,
    limits::{MAX_BURST_TICKS, SIMULATOR_CLOCK_STEP, SIMULATOR_LAG},
    market::{Increments, Source, Tick, UnixMicros},
};

/// A simulated market as a feed.
#[derive(Debug)]
pub struct Simulator {
    generator: Generator,
    source: Option<Source>,
    seed: u64,
}

impl Simulator {
    /// Its market, for recording without waiting.
    #[must_use]
    pub fn into_generator(self) -> Generator {
        self.generator
    }

    /// How many symbols it has.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.generator.instruments().len()
    }
}

impl Feed for Simulator {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        let source = self.source.unwrap_or(out.name());
        out.declare(self.generator.instruments().iter().map(|instrument| instrument.symbol))?;
        out.describe(self.generator.instruments().iter().map(|instrument| {
            (instrument.symbol, Increments { tick: Some(instrument.price(1)), lot: None })
        }));
        tracing::info!(feed = %out.name(), seed = self.seed, symbols = self.symbols(), "simulating");
        // Offset 0 of the market is now, on both clocks.
        let mut start = Instant::now();
        let mut epoch = out.clock().now().0;
        let mut burst: Vec<Tick> = Vec::with_capacity(MAX_BURST_TICKS);
        let mut next = self.generator.arrival();
        loop {
            // The timer fires on whole milliseconds: alone at low rates, with all that became due since at high ones.
            tokio::select! {
                () = tokio::time::sleep_until(start + next.at) => {}
                () = out.cancelled() => return Ok(End::Cancelled),
            }
            drill::strike("feed");
            let tr = out.clock().now();
            let mut elapsed = start.elapsed();
            if let Some(late) = elapsed.checked_sub(next.at + SIMULATOR_LAG) {
                // The machine slept or is too slow: the market moves on to the present instead of flooding.
                tracing::warn!(feed = %out.name(), late_ms = late.as_millis(), "late: skipped to the present");
                start = Instant::now() - next.at;
                epoch = tr.0 - micros(next.at);
                elapsed = next.at;
            }
            let apart = tr.0 - (epoch + micros(elapsed));
            if apart.unsigned_abs() > SIMULATOR_CLOCK_STEP.as_micros().try_into().unwrap_or(u64::MAX) {
                // The wall clock was set, or ran on while the machine was suspended: event times follow it.
                tracing::info!(feed = %out.name(), apart_ms = apart / 1_000, "the clock was set: event times follow");
                epoch += apart;
            }
            while next.at <= elapsed {
                let te = UnixMicros((epoch + micros(next.at)).min(tr.0));
                burst.push(self.generator.tick(&next, source, te, tr));
                next = self.generator.arrival();
                if burst.len() == MAX_BURST_TICKS {
                    out.publish(&mut burst);
                    // Other feeds on this thread get a turn.
                    tokio::task::yield_now().await;
                }
            }
            out.publish(&mut burst);
        }
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
