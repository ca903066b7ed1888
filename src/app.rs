//! Composition root: written by its own change.

use std::{future::Future, net::SocketAddr};

use crate::config::Config;

/// What a gateway tells about itself when it takes connections.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// Names of its feeds.
    pub feeds: Vec<String>,
    /// Symbols known.
    pub symbols: usize,
}

/// Runs a gateway until `shutdown`.
///
/// # Errors
/// When the listener cannot be bound.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()>,
    on_ready: impl FnOnce(&Started),
) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(config.server.bind)
        .await
        .map_err(|why| anyhow::anyhow!("cannot listen on {}: {why}", config.server.bind))?;
    let feeds = config.feeds.iter().map(|feed| feed.name.to_string()).collect();
    on_ready(&Started { address: listener.local_addr()?, feeds, symbols: 0 });
    shutdown.await;
    Ok(())
}
