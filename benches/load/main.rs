//! The load bench: tickcast and its peers under the same workloads, one after the other and round after round, so that
//! what the machine does meanwhile hits all of them. `make bench` runs it; `--help` tells the rest.
//!
//! Each server has one core, the load generator the other. All peers send the same text of the same size on the same
//! schedule, from a timer of one millisecond, and ages count from when an event was due.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench is rates, ratios and a table on the terminal; no price is near"
)]

mod bare;
mod cells;
mod market;
mod nats;
mod process;
mod run;
mod table;
mod usual;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "tickcast and its peers under the same load, as ratios")]
struct Args {
    /// Rounds; the medians count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Only cells whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Minutes of the long run with stalled and thin clients; none by default
    #[arg(long, default_value_t = 0)]
    soak: u64,
    /// The gateway of another build, measured beside this one
    #[arg(long)]
    before: Option<PathBuf>,
    /// Write the results into benches/README.md
    #[arg(long)]
    write: bool,
    /// What cargo passes to every bench
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What the bench starts itself as.
#[derive(Subcommand)]
enum Role {
    /// A server
    #[command(hide = true)]
    Serve { kind: run::Own, rate: f64, symbols: usize },
    /// The load generator
    #[command(hide = true)]
    Drive { plan: String },
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    match args.role {
        Some(Role::Serve { kind, rate, symbols }) => {
            let market = market::Market::new(rate, symbols);
            match kind {
                run::Own::Usual => usual::serve(market),
                run::Own::Bare => bare::serve(market),
                run::Own::NatsPublisher => nats::publish(market),
            }
        }
        Some(Role::Drive { plan }) => run::drive(&plan),
        None => {
            if let Some(before) = args.before {
                let program = before.canonicalize()?;
                run::BEFORE.get_or_init(|| program);
            }
            let bench = cells::Bench {
                rounds: args.rounds,
                measure: Duration::from_secs(args.seconds),
                only: args.only,
                soak: Duration::from_secs(args.soak * 60),
            };
            let results = bench.run()?;
            table::print(&results, args.write)
        }
    }
}
