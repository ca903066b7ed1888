//! Listener settings.

use std::{net::SocketAddr, time::Duration};

use super::{HostPattern, Networks, OriginPattern};
use crate::limits;

/// How a session's bytes travel once its connection is upgraded. Both behave the same to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// The shard writes into the TCP socket itself: least work, least memory.
    #[default]
    Socket,
    /// Through actix, as the body of the upgrade's response.
    Actix,
}

impl Driver {
    /// Every driver.
    pub const ALL: [Self; 2] = [Self::Socket, Self::Actix];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Actix => "actix",
        }
    }

    /// The driver of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|driver| driver.as_str() == name)
    }
}

/// Listeners, workers and connection limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where clients connect.
    pub bind: SocketAddr,
    /// Worker threads; each is one shard.
    pub workers: usize,
    /// How sessions' bytes travel.
    pub driver: Driver,
    /// Names that are the gateway's besides addresses and names without a dot; requests for others are refused.
    pub hosts: Vec<HostPattern>,
    /// Origins whose pages may ask besides the gateway's own (`https://example.com`).
    pub origins: Vec<OriginPattern>,
    /// Proxies whose word on a client's address counts.
    pub trusted_proxies: Networks,
    /// Sessions at once.
    pub connections: usize,
    /// Sessions at once of one client address.
    pub connections_per_ip: usize,
    /// Connections at once of one client address that have completed neither a handshake nor a request.
    pub unproven_per_address: usize,
    /// Connections a second of one client address; zero is no limit.
    pub accepts_per_second: u32,
    /// Whether that counts for clients on this machine, too.
    pub loopback_counts: bool,
    /// A request's head must be complete within this time.
    pub request_timeout: Duration,
    /// A request's body must be complete within this time from the end of its head.
    pub body_timeout: Duration,
    /// Pause between the end of readiness and the first goodbye.
    pub grace: Duration,
    /// The goodbyes are spread over this long.
    pub drain: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            workers: std::thread::available_parallelism().map_or(1, usize::from).min(limits::MAX_SHARDS),
            driver: Driver::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
            trusted_proxies: Networks::default(),
            connections: limits::DEFAULT_CONNECTIONS,
            connections_per_ip: limits::DEFAULT_CONNECTIONS_PER_IP,
            unproven_per_address: limits::DEFAULT_UNPROVEN_PER_ADDRESS,
            accepts_per_second: *limits::ACCEPTS_PER_SECOND_RANGE.start(),
            loopback_counts: false,
            request_timeout: limits::REQUEST_TIMEOUT,
            body_timeout: limits::DEFAULT_BODY_TIMEOUT,
            grace: limits::DEFAULT_GRACE,
            drain: limits::DEFAULT_DRAIN,
        }
    }
}
