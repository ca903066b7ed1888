//! The load that is put on a gateway: how many clients, what each asks for, and how each reads.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The load of a measurement.
#[derive(Debug, Clone)]
pub struct BenchPlan {
    /// The gateway.
    pub address: SocketAddr,
    /// Other gateways that number alike: clients connect to all of them in turn.
    pub others: Vec<SocketAddr>,
    /// Path of its stream.
    pub path: String,
    /// Clients.
    pub connections: usize,
    /// Symbols of each, or all.
    pub symbols: Option<usize>,
    /// Channels of each.
    pub channels: Vec<String>,
    /// `mode` of the subscriptions.
    pub mode: String,
    /// MessagePack instead of JSON.
    pub msgpack: bool,
    /// Share of clients that never read.
    pub stalled: f64,
    /// Share of clients that read slowly.
    pub slow: f64,
    /// Bytes a second of those.
    pub slow_bytes: u32,
    /// How long to measure.
    pub measure: Duration,
    /// How long to wait before.
    pub warmup: Duration,
    /// Addresses to connect from.
    pub sources: Vec<IpAddr>,
    /// The gateway's process.
    pub pid: Option<u32>,
    /// Which symbols are drawn.
    pub seed: u64,
    /// How clients ask for symbols.
    pub greeting: Greeting,
    /// Which time of an event its age is counted from.
    pub age: Age,
    /// Show on stderr how far it is, if that is a terminal.
    pub progress: bool,
}

impl BenchPlan {
    /// Every gateway.
    pub(super) fn gateways(&self) -> impl Iterator<Item = SocketAddr> {
        (0..=self.others.len()).map(|place| self.gateway(place))
    }

    /// The gateway of a client.
    pub(super) fn gateway(&self, client: usize) -> SocketAddr {
        let place = self.place(client);
        place.checked_sub(1).map_or(self.address, |other| self.others[other])
    }

    /// Its place among all.
    pub(super) const fn place(&self, client: usize) -> usize {
        client % (self.others.len() + 1)
    }
}

/// How clients ask for symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// By commands of the protocol; the symbols are the gateway's own.
    Tickcast,
    /// By the same commands, from a server that cannot list its symbols: these.
    Listed(Vec<String>),
    /// By NATS' own commands: these subjects.
    Nats(Vec<String>),
}

/// A time in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// `te`: when it happened at the source, or was due there.
    Source,
    /// `tr`: when the gateway received it.
    Received,
}

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As fast as it can.
    Healthy,
    /// A limited number of bytes, at intervals.
    Slow,
    /// Not at all.
    Stalled,
}
