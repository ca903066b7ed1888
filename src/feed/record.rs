//! Writes a simulated session as a recording, in virtual time: nothing waits. The same market, start and format give
//! the same bytes.
//!
//! It writes what it simulates only; recording live sources is another matter.

mod csv;
mod dbn;
mod json;
mod output;

use std::{
    collections::HashSet,
    io::{self, Write},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

pub use output::Output;

use super::simulator::Generator;
use crate::{
    limits::{MAX_RECORDED_TICKS, SIMULATE_FLUSH_TICKS},
    market::{Source, Symbol, Tick, UnixMicros},
};

/// What a recording looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The gateway's own events, one a line.
    Native,
    /// Trades with a header, times in microseconds.
    CsvTrades,
    /// Quotes with a header, times in microseconds.
    CsvQuotes,
    /// Binance spot frames behind their receive time in nanoseconds.
    Binance,
    /// Coinbase Exchange frames behind their receive time in nanoseconds.
    Coinbase,
    /// Databento trades.
    Dbn,
}

/// What to record.
#[derive(Debug, Clone)]
pub struct RecordPlan {
    /// Time of the market's beginning.
    pub start: UnixMicros,
    /// For how long, in the market's time.
    pub length: Duration,
    /// These symbols only, when any are named.
    pub symbols: HashSet<Symbol>,
    /// Name of the source in native recordings.
    pub source: Source,
}

/// Why a recording could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The Databento encoder.
    #[error("{0}")]
    Dbn(#[from] ::dbn::Error),
    /// A value that the format cannot hold.
    #[error("{symbol}: {what} does not fit into this format: {why}")]
    Unfit {
        /// Whose value.
        symbol: Symbol,
        /// Which value.
        what: String,
        /// Why not.
        why: &'static str,
    },
    /// The plan is longer than [`MAX_RECORDED_TICKS`].
    #[error("more than {MAX_RECORDED_TICKS} ticks: record less time or a slower market")]
    TooLong,
}

/// Writes the recording until its end, or until `stop`, and ends the file; returns how many ticks it has.
///
/// # Errors
/// When the file cannot be written or a value does not fit the format. What was written by then stays, and is whole.
pub fn record(
    market: &mut Generator,
    plan: &RecordPlan,
    format: Format,
    mut out: Output,
    stop: &CancellationToken,
) -> Result<u64, RecordError> {
    let written = write(market, plan, format, &mut out, stop);
    out.finish()?;
    written
}

fn write(
    market: &mut Generator,
    plan: &RecordPlan,
    format: Format,
    out: &mut impl Write,
    stop: &CancellationToken,
) -> Result<u64, RecordError> {
    let mut writer = match format {
        Format::Native => Writer::Native(json::Native::default()),
        Format::Binance => Writer::Binance(json::Binance::default()),
        Format::Coinbase => Writer::Coinbase(json::Coinbase::default()),
        Format::CsvTrades => {
            csv::trades_header(out)?;
            Writer::CsvTrades
        }
        Format::CsvQuotes => {
            csv::quotes_header(out)?;
            Writer::CsvQuotes
        }
        Format::Dbn => {
            let symbols = market.instruments().iter().map(|instrument| instrument.symbol);
            let wanted = symbols.filter(|symbol| plan.wants(*symbol)).collect();
            Writer::Dbn(Box::new(dbn::Dbn::begin(wanted, plan, out)?))
        }
    };
    let mut count = 0;
    loop {
        let arrival = market.arrival();
        if arrival.at > plan.length || stop.is_cancelled() {
            return Ok(count);
        }
        let at = UnixMicros(plan.start.0 + i64::try_from(arrival.at.as_micros()).unwrap_or(i64::MAX));
        let tick = market.tick(&arrival, plan.source, at, at);
        if plan.wants(tick.symbol()) && writer.write(&tick, at, out)? {
            count += 1;
            // By count and not by time: the same market gives the same bytes.
            if count.is_multiple_of(SIMULATE_FLUSH_TICKS) {
                out.flush()?;
            }
        }
        if count > MAX_RECORDED_TICKS {
            return Err(RecordError::TooLong);
        }
    }
}

impl RecordPlan {
    fn wants(&self, symbol: Symbol) -> bool {
        self.symbols.is_empty() || self.symbols.contains(&symbol)
    }
}

enum Writer {
    Native(json::Native),
    Binance(json::Binance),
    Coinbase(json::Coinbase),
    CsvTrades,
    CsvQuotes,
    Dbn(Box<dbn::Dbn>),
}

impl Writer {
    /// Writes one tick; returns whether the format has a place for it.
    fn write(&mut self, tick: &Tick, at: UnixMicros, out: &mut impl Write) -> Result<bool, RecordError> {
        match (self, tick) {
            (Self::Native(native), _) => native.write(tick, out)?,
            (Self::Binance(binance), _) => return Ok(binance.write(tick, at, out)?),
            (Self::Coinbase(coinbase), _) => return Ok(coinbase.write(tick, at, out)?),
            (Self::CsvTrades, Tick::Trade(trade)) => csv::trade(trade, out)?,
            (Self::CsvQuotes, Tick::Quote(quote)) => csv::quote(quote, out)?,
            (Self::Dbn(dbn), Tick::Trade(trade)) => dbn.write(trade, at, out)?,
            (Self::CsvTrades | Self::CsvQuotes | Self::Dbn(_), _) => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
