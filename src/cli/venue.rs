//! `tickcast venue`: plays a recording as a venue on this machine, with faults on demand. Tests run against it without
//! internet, and operators try their alarms with it.
//!
//! It answers requests as the venue does, sends only what was subscribed, and continues where it was when a client comes
//! back. It enforces the limits that the venue documents: a client that breaks one is closed or refused. It follows a
//! script; it does not simulate a market.

mod connection;
mod counter;
mod fault;
mod http;
mod mock;
mod peers;
mod products;
mod protocol;
mod rules;
mod tape;
mod trouble;
mod values;

pub use fault::{Fault, Planned, ValueFault};

pub use mock::{Counts, MockVenue, Script};
pub use peers::ListFault;
pub use rules::{Reading, Rules};
pub use tape::{Recorded, read};
pub use trouble::Trouble;

use std::{net::Ipv4Addr, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;

use super::{output::print, signals::Signals};
use crate::dialect::Venue;

/// What to play and how.
#[derive(Debug, Args)]
pub struct VenueArgs {
    /// Recording of the venue's frames, such as one that `tickcast record` wrote
    file: PathBuf,
    /// Whose frames they are
    #[arg(long, value_enum)]
    venue: VenueName,
    /// Where to listen, on 127.0.0.1; 0 takes any free port
    #[arg(long, default_value_t = 0, value_name = "N")]
    port: u16,
    /// How fast: 1 is as recorded; without it, as fast as clients take it. A recording without times has none
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    speed: Option<f64>,
    /// A fault at the data frame of that number, from 1: FAULT@N; may be repeated. Without @N at the hundredth
    #[arg(long = "fault", value_name = "FAULT[@N]", value_parser = Planned::parse)]
    faults: Vec<Planned>,
    /// What goes wrong with the product list: one request after the other; may be repeated. After that all is well
    #[arg(long = "list-fault", value_enum, value_name = "FAULT")]
    list_faults: Vec<ListFault>,
    /// What goes wrong with first values: one request after the other; may be repeated. After that all is well
    #[arg(long = "value-fault", value_enum, value_name = "FAULT")]
    value_faults: Vec<ValueFault>,
    /// How the venue behaves where sources disagree; may be repeated
    #[arg(long = "reading", value_enum, value_name = "READING")]
    readings: Vec<Reading>,
    /// Most symbols of one connection (Alpaca's plan), or streams (Binance)
    #[arg(long, value_name = "N")]
    places: Option<usize>,
    /// Most connections of one account at a time (Alpaca's plan)
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// Most messages of one connection in a second, where the venue documents no number (Kraken)
    #[arg(long, value_name = "N")]
    rate: Option<usize>,
    /// What is wrong with every connection from the first one on; may be repeated
    #[arg(long = "trouble", value_enum, value_name = "TROUBLE")]
    troubles: Vec<Trouble>,
    /// How many seconds the Date of its answers is off
    #[arg(long, default_value_t = 0, value_name = "N", allow_negative_numbers = true)]
    date_off: i64,
    /// Frames that are lost when a fault ends the connection, as on a real venue
    #[arg(long, default_value_t = 0, value_name = "N")]
    lose: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum VenueName {
    Binance,
    Coinbase,
    Kraken,
    Alpaca,
}

impl From<VenueName> for Venue {
    fn from(name: VenueName) -> Self {
        match name {
            VenueName::Binance => Self::Binance,
            VenueName::Coinbase => Self::Coinbase,
            VenueName::Kraken => Self::Kraken,
            VenueName::Alpaca => Self::Alpaca,
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let range = crate::limits::REPLAY_SPEED;
    let factor: f64 = text.parse().map_err(|why| format!("{why}"))?;
    if range.contains(&factor) {
        return Ok(factor);
    }
    Err(format!("is not within {} to {}", range.start(), range.end()))
}

/// Plays until it is interrupted.
///
/// # Errors
/// When the recording cannot be read or the port cannot be taken.
pub fn run(args: &VenueArgs) -> anyhow::Result<()> {
    let frames = read(args.venue.into(), &args.file).map_err(anyhow::Error::msg)?;
    let count = frames.len();
    let script = Script {
        venue: args.venue.into(),
        frames,
        faults: args.faults.clone(),
        speed: args.speed,
        lose: args.lose,
        held: args.troubles.contains(&Trouble::Quiet),
        list_faults: args.list_faults.clone(),
        rules: Rules {
            readings: args.readings.clone(),
            places: args.places,
            rate: args.rate,
            connections: args.connections,
            value_faults: args.value_faults.clone(),
            troubles: args.troubles.clone(),
            date_off: args.date_off,
            ..Rules::default()
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await;
        let listener = listener.with_context(|| format!("cannot listen on port {}", args.port))?;
        let mut signals = Signals::catch().context("signals cannot be received")?;
        let venue = MockVenue::start(listener, script)?;
        print(|out| {
            writeln!(out, "ws://{}/ plays {count} data frames", venue.address())?;
            writeln!(out, "http://{}{} lists their products", venue.address(), venue.list_path())?;
            match venue.values_path() {
                Some(path) => writeln!(out, "http://{}{path} has their newest quotes", venue.address()),
                None => Ok(()),
            }
        })?;
        signals.next().await;
        Ok(())
    })
}
