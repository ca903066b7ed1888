//! `tickcast simulate`: a recording of a simulated session, made without waiting.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::{output::print, signals};
use crate::{
    config::{AnyFeed, Config, environment},
    feed::record::{self, Format, Output, RecordPlan},
    limits::MAX_RECORDED_SECONDS,
    market::{Symbol, UnixMicros},
};

/// What to record.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Definition file of a simulator, or "demo"; its seed decides what happens
    #[arg(long, default_value = "demo", value_name = "NAME_OR_FILE")]
    feed: String,
    /// Length of the session
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_RECORDED_SECONDS))]
    seconds: u64,
    /// What the recording looks like
    #[arg(long, value_enum)]
    format: FormatName,
    /// Where it goes; a name ending in .gz or .zst is compressed
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// When the session begins
    #[arg(long, default_value = "2026-01-05T14:30:00Z", value_name = "RFC3339")]
    start: jiff::Timestamp,
    /// These symbols only
    #[arg(long, value_delimiter = ',', value_name = "SYMBOL,…")]
    symbols: Vec<Symbol>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    Native,
    CsvTrades,
    CsvQuotes,
    Binance,
    Coinbase,
    Dbn,
}

/// Writes the recording and says how long it became.
///
/// # Errors
/// [`ConfigErrors`](crate::config::ConfigErrors) of the definition, what kept the file from being written, or that a
/// signal came first.
pub fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let mut feeds = Config::load_definition(Path::new(&args.feed), environment())?;
    let Some((feed, true)) = feeds.pop().map(|feed| (feed, feeds.is_empty())) else {
        bail!("{}: expected a definition with exactly one feed", args.feed);
    };
    let AnyFeed::Simulator(simulator) = feed.feed else {
        bail!("{}: only a simulator can be simulated, this is a {}", args.feed, feed.feed.kind());
    };
    let mut market = simulator.into_generator().context("the market runs as a feed")?;
    let known: HashSet<_> = market.instruments().iter().map(|instrument| instrument.symbol).collect();
    if let Some(unknown) = args.symbols.iter().find(|symbol| !known.contains(symbol)) {
        bail!("--symbols: {unknown} is not in {}", args.feed);
    }
    let plan = RecordPlan {
        start: UnixMicros(args.start.as_microsecond()),
        length: Duration::from_secs(args.seconds),
        symbols: args.symbols.iter().copied().collect(),
        source: feed.name,
    };
    let format = match args.format {
        FormatName::Native => Format::Native,
        FormatName::CsvTrades => Format::CsvTrades,
        FormatName::CsvQuotes => Format::CsvQuotes,
        FormatName::Binance => Format::Binance,
        FormatName::Coinbase => Format::Coinbase,
        FormatName::Dbn => Format::Dbn,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = runtime.block_on(async { signals::stop() }).context("signals cannot be received")?;
    let failed = || format!("cannot record to {}", args.out.display());
    let out = Output::create(&args.out, args.force).with_context(failed)?;
    let ticks = record::record(&mut market, &plan, format, out, &stop).with_context(failed)?;
    print(|out| writeln!(out, "{}: {ticks} ticks", args.out.display()))?;
    if stop.is_cancelled() { Err(signals::Interrupted.into()) } else { Ok(()) }
}
