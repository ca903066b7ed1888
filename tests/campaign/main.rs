//! A campaign: hundreds of verifying clients on one gateway while everything goes wrong at once. Not part of the test
//! suite: `make campaign` runs it for ten minutes, `SECONDS` and `SEED` choose others.
//!
//! The gateway is the release binary, started, paused, killed and started again by this program. What clients see is
//! checked by rules of docs/protocol.md alone: nothing missing without a gap, nothing twice, the same event for all,
//! and no healthy connection ended without a cause that this program has made.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    reason = "a program for developers: it measures, prints, and a campaign that cannot go on has failed"
)]

mod checker;
mod faults;
mod gateway;
mod http;
mod journal;
mod producer;
mod report;
mod strangers;
mod stream;
mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use world::World;

/// Runs verifying clients through faults.
#[derive(Debug, Parser)]
struct Args {
    /// The gateway's program
    #[arg(long, default_value = "target/release/tickcast")]
    program: std::path::PathBuf,
    /// How long faults go on
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Verifying clients
    #[arg(long, default_value_t = 300)]
    clients: usize,
    /// Chooses every fault and its time; random when absent
    #[arg(long)]
    seed: Option<u64>,
    /// The session driver: `socket` or `actix`
    #[arg(long, default_value = "socket")]
    driver: String,
    /// Names of the only faults that happen; all of them by default
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse_from(std::env::args().filter(|arg| arg != "--bench"));
    let seed = args.seed.unwrap_or_else(|| rand::rng().random());
    println!("campaign: seed {seed}, {} clients, {} s, driver {}", args.clients, args.seconds, args.driver);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(campaign(args, seed))
}

async fn campaign(args: Args, seed: u64) -> ExitCode {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let world = Arc::new(World::new(&args.program, &args.driver, &args.only, random.random()));
    let mut tasks = tokio::task::JoinSet::new();
    world.gateway.start(&world.journal).await;
    for number in 0..args.clients {
        tasks.spawn(stream::client(Arc::clone(&world), number, random.random()));
    }
    faults::start(&world, &mut tasks, &mut random);
    let mut left = args.seconds;
    while left > 0 {
        let step = left.min(30);
        tokio::time::sleep(Duration::from_secs(step)).await;
        left -= step;
        println!("{}", world.progress());
    }
    // What follows is peace: every client must end on the newest value.
    world.stop_faults();
    world.gateway.settle(&world.journal).await;
    producer::quiet(&world).await;
    world.stop_clients();
    while let Some(ended) = tasks.join_next().await {
        if let Err(why) = ended {
            world.found("campaign", format!("a task of the campaign itself failed: {why}"));
        }
    }
    world.gateway.end(&world.journal).await;
    report::print(&world, seed)
}
