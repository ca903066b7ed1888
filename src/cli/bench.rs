//! `tickcast bench`: many clients of one gateway, cheap enough that they are not the limit.
//!
//! It measures from outside: what arrives, how old it is, and what the gateway's process spent on it. It does not
//! check the protocol; the tests do that.

mod connect;
mod plan;
mod report;
mod scan;
mod swarm;

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::resync::asking_for_resync;
use crate::limits::{MAX_BENCH_CONNECTIONS, MAX_BENCH_SECONDS};

pub use plan::{Age, BenchPlan, Greeting, Kind};
pub use report::{Ages, NodeReport, Report, Spent};
pub use swarm::run as run_plan;

/// What load to put on which gateway.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The gateway's stream; of a cluster those of several gateways, with commas between them, with one path
    #[arg(long, default_value = "ws://127.0.0.1:8080/v1/ws", value_delimiter = ',', value_name = "URL,…")]
    url: Vec<String>,
    /// Clients
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_BENCH_CONNECTIONS)))]
    connections: u32,
    /// Symbols of each client, drawn from the gateway's; all of them when absent
    #[arg(long, value_name = "N")]
    symbols: Option<usize>,
    /// Channel to subscribe to; may be repeated
    #[arg(long = "channel", default_values_t = [String::from("quotes")], value_name = "NAME")]
    channels: Vec<String>,
    /// Delivery: auto, merge or stream
    #[arg(long, default_value = "stream")]
    mode: String,
    /// Encoding
    #[arg(long, value_enum, default_value_t = FormatName::Json)]
    format: FormatName,
    /// Share of clients that never read, 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    stalled: f64,
    /// Share of clients that read slowly, 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    slow: f64,
    /// How slowly, in bytes a second
    #[arg(long, default_value_t = 20_000, value_name = "BYTES")]
    slow_bytes: u32,
    /// How long to measure
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_BENCH_SECONDS))]
    seconds: u64,
    /// How long to wait before, once all are connected
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=MAX_BENCH_SECONDS))]
    warmup: u64,
    /// Addresses to connect from, in turn, like 127.0.0.2: one address has some 28,000 ports
    #[arg(long, value_delimiter = ',', value_name = "IP,…")]
    sources: Vec<IpAddr>,
    /// Process of the gateway, to tell what it spent
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Which symbols each client draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Count the age of an event from its time at the source (te) or in the gateway (tr)
    #[arg(long, value_enum, default_value_t = AgeName::Tr)]
    age: AgeName,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Load another machine: only with its owner's consent
    #[arg(long)]
    yes_remote: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Json,
    Msgpack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AgeName {
    Te,
    Tr,
}

/// Measures and prints.
///
/// # Errors
/// A flag that cannot be, or a gateway that cannot be reached.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let (address, others, path) = targets(&args.url)?;
    if let Some(address) = others.iter().chain([&address]).find(|address| !address.ip().is_loopback())
        && !args.yes_remote
    {
        bail!("--url: {address} is not this machine; --yes-remote loads it all the same");
    }
    for (flag, share) in [("--stalled", args.stalled), ("--slow", args.slow)] {
        if !(0.0..=1.0).contains(&share) {
            bail!("{flag}: expected 0 to 1, found {share}");
        }
    }
    // Every client is a descriptor; too few of them show as clients that cannot connect.
    let _limit = rlimit::increase_nofile_limit(u64::MAX);
    let plan = BenchPlan {
        address,
        others,
        path,
        connections: args.connections as usize,
        symbols: args.symbols,
        channels: args.channels.clone(),
        mode: args.mode.clone(),
        msgpack: args.format == FormatName::Msgpack,
        stalled: args.stalled,
        slow: args.slow,
        slow_bytes: args.slow_bytes,
        measure: Duration::from_secs(args.seconds),
        warmup: Duration::from_secs(args.warmup),
        sources: args.sources.clone(),
        pid: args.pid,
        seed: args.seed,
        greeting: Greeting::Tickcast,
        age: if args.age == AgeName::Te { Age::Source } else { Age::Received },
        progress: !args.json,
    };
    // Only for Ctrl-C: the clients are one thread's work.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _guard = runtime.enter();
    let report = swarm::run(&plan)?;
    report.print(args.json)
}

/// The addresses of all gateways, and the path that they have in common.
fn targets(urls: &[String]) -> anyhow::Result<(SocketAddr, Vec<SocketAddr>, String)> {
    let targets = urls.iter().map(|url| target(&asking_for_resync(url)));
    let mut targets = targets.collect::<anyhow::Result<Vec<_>>>()?.into_iter();
    let (address, path) = targets.next().context("--url: names no gateway")?;
    let mut others = Vec::new();
    for (other, its_path) in targets {
        if its_path != path {
            bail!("--url: all gateways have one path, found {path:?} and {its_path:?}");
        }
        others.push(other);
    }
    Ok((address, others, path))
}

/// The address and path of a `ws://` URL.
fn target(url: &str) -> anyhow::Result<(SocketAddr, String)> {
    let Some(rest) = url.strip_prefix("ws://") else {
        bail!("--url: expected ws://HOST:PORT/PATH, found {url:?}")
    };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // Without a path there may still be a query.
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/v1/ws{path}") };
    let address = host
        .to_socket_addrs()
        .with_context(|| format!("--url: {host:?} is no HOST:PORT"))?
        .next()
        .with_context(|| format!("--url: {host:?} has no address"))?;
    Ok((address, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!(target("ws://127.0.0.1:9/x/y").unwrap(), (([127, 0, 0, 1], 9).into(), "/x/y".into()));
        assert_eq!(target("ws://127.0.0.1:9").unwrap().1, "/v1/ws");
        let several = ["ws://127.0.0.1:9/v1/ws", "ws://127.0.0.1:10"].map(String::from);
        let (address, others, path) = targets(&several).unwrap();
        assert_eq!((address.port(), others[0].port(), path.as_str()), (9, 10, "/v1/ws?resync=1"));
        let apart = ["ws://127.0.0.1:9/a", "ws://127.0.0.1:9/b"].map(String::from);
        assert!(targets(&apart).unwrap_err().to_string().contains("one path"));
        for bad in ["http://127.0.0.1:9", "ws://127.0.0.1", "ws://no such host:1/"] {
            assert!(target(bad).unwrap_err().to_string().contains("--url"), "{bad}");
        }
    }
}
