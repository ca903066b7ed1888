//! What an operator may set about the listeners.

use std::{net::SocketAddr, time::Duration};

use crate::limits;

/// Listeners, workers and connection limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where clients connect.
    pub bind: SocketAddr,
    /// Worker threads; each is one shard.
    pub workers: usize,
    /// Origins that browsers may connect from besides the gateway's own (`https://example.com`).
    pub origins: Vec<String>,
    /// Sessions at once.
    pub connections: usize,
    /// Sessions at once of one client address.
    pub connections_per_ip: usize,
    /// A request's head must be complete within this time.
    pub request_timeout: Duration,
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
            origins: Vec::new(),
            connections: limits::DEFAULT_CONNECTIONS,
            connections_per_ip: limits::DEFAULT_CONNECTIONS_PER_IP,
            request_timeout: limits::REQUEST_TIMEOUT,
            grace: limits::DEFAULT_GRACE,
            drain: limits::DEFAULT_DRAIN,
        }
    }
}
