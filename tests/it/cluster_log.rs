//! What a cluster asks of its log: the same of the one in memory and of the one in Redis.

mod contract;

use tickcast::cluster::log::{Log, MemoryServer};

/// Where the handles of a test come from.
struct Bench {
    log: Log,
    /// Gives another handle of the same log.
    server: Option<MemoryServer>,
}

impl Bench {
    async fn memory() -> Self {
        let server = MemoryServer::new();
        Self { log: server.log(), server: Some(server) }
    }

    fn handle(&self) -> Log {
        match &self.server {
            Some(server) => server.log(),
            None => self.log.clone(),
        }
    }
}
