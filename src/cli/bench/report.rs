//! What a run came to, for people and as JSON.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::cli::output::print;

/// Ages of events when they were read, in microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Ages {
    /// Half were younger.
    pub p50_us: u64,
    /// 99 % were younger.
    pub p99_us: u64,
    /// 99.9 % were younger.
    pub p999_us: u64,
    /// The oldest.
    pub max_us: u64,
}

impl Ages {
    pub(super) fn of(ages: &Histogram<u64>) -> Self {
        Self {
            p50_us: ages.value_at_quantile(0.5),
            p99_us: ages.value_at_quantile(0.99),
            p999_us: ages.value_at_quantile(0.999),
            max_us: ages.max(),
        }
    }
}

/// What the gateway's process spent while it was measured.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Spent {
    /// Share of one core, in percent.
    pub cpu_percent: f64,
    /// User time of one delivery, in microseconds.
    pub user_us_per_delivery: f64,
    /// System time of one delivery, in microseconds.
    pub system_us_per_delivery: f64,
    /// Resident memory before the clients came, in bytes.
    pub rss_before: u64,
    /// Resident memory when the measurement began, in bytes.
    pub rss_start: u64,
    /// Resident memory at the end, in bytes.
    pub rss_after: u64,
    /// Context switches a second, of the threads that are still there.
    pub switches_per_second: f64,
}

/// What came from one of several gateways, to clients that read as fast as they can.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct NodeReport {
    /// The gateway.
    pub address: SocketAddr,
    /// Events that arrived.
    pub deliveries: u64,
    /// Their ages.
    pub ages: Ages,
}

/// What a run came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Clients that were connected and subscribed.
    pub connected: usize,
    /// How long that took, in milliseconds.
    pub connect_ms: u64,
    /// Connections that ended while they were measured.
    pub ended: usize,
    /// How often a client was told of another numbering. Each time it got the newest values again, old as they were.
    pub resyncs: u64,
    /// Seconds measured.
    pub seconds: f64,
    /// Events that arrived.
    pub deliveries: u64,
    /// Events a second.
    pub deliveries_per_second: f64,
    /// Bytes that arrived.
    pub bytes: u64,
    /// Reads that brought something.
    pub reads: u64,
    /// Ages at clients that read as fast as they can.
    pub healthy: Ages,
    /// Ages at clients that read slowly.
    pub slow: Option<Ages>,
    /// Share of one core that this generator took, in percent: near 100 it was the limit itself.
    pub generator_cpu_percent: f64,
    /// Memory of this machine's TCP sockets at the end, in bytes: what waits in the kernel, both ends together.
    pub tcp_bytes: u64,
    /// What came from each gateway, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeReport>,
    /// What the gateway spent, if its process is known.
    pub gateway: Option<Spent>,
}

impl Report {
    /// Prints it.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            let line = serde_json::to_string(self)?;
            return Ok(print(|out| writeln!(out, "{line}"))?);
        }
        Ok(print(|out| self.for_people(out))?)
    }

    fn for_people(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "clients      {} connected in {} ms, {} ended",
            self.connected, self.connect_ms, self.ended
        )?;
        writeln!(
            out,
            "deliveries   {:.0}/s ({} in {:.1} s)",
            self.deliveries_per_second, self.deliveries, self.seconds
        )?;
        if self.resyncs > 0 {
            writeln!(out, "resyncs      {}: ages are also those of values that came again", self.resyncs)?;
        }
        writeln!(out, "bytes        {} in {} reads", self.bytes, self.reads)?;
        let mut ages = |name: &str, ages: &Ages| {
            let Ages { p50_us, p99_us, p999_us, max_us } = ages;
            writeln!(out, "{name:<12} p50 {p50_us} µs, p99 {p99_us} µs, p99.9 {p999_us} µs, max {max_us} µs")
        };
        ages("age", &self.healthy)?;
        if let Some(slow) = &self.slow {
            ages("age (slow)", slow)?;
        }
        for NodeReport { address, deliveries, ages } in &self.nodes {
            let Ages { p50_us, p99_us, .. } = ages;
            writeln!(out, "node         {address}: {deliveries} events, p50 {p50_us} µs, p99 {p99_us} µs")?;
        }
        writeln!(out, "generator    {:.0} % of a core", self.generator_cpu_percent)?;
        writeln!(out, "kernel       {} bytes in TCP sockets, both ends", self.tcp_bytes)?;
        if let Some(spent) = &self.gateway {
            let Spent { cpu_percent, user_us_per_delivery, system_us_per_delivery, .. } = spent;
            writeln!(
                out,
                "gateway      {cpu_percent:.0} % of a core: {user_us_per_delivery:.3} µs user and \
                 {system_us_per_delivery:.3} µs system a delivery"
            )?;
            let Spent { rss_before, rss_start, rss_after, switches_per_second, .. } = spent;
            writeln!(
                out,
                "memory       {rss_before} → {rss_start} → {rss_after} bytes, {switches_per_second:.0} switches/s"
            )?;
        }
        Ok(())
    }
}
