//! What a cluster asks of its log: the same of the one in memory and of the one in Redis.

mod contract;
mod redis;

use tickcast::{
    cluster::log::{Log, MemoryServer, RedisLog},
    redis::{Server, ServerDefinition},
};

use crate::util::redis_server::RedisServer;

/// Where the handles of a test come from.
enum Bench {
    Memory(MemoryServer),
    Redis(RedisServer),
}

impl Bench {
    fn memory() -> Self {
        Self::Memory(MemoryServer::new())
    }

    fn redis() -> Self {
        Self::Redis(RedisServer::start())
    }

    /// Another node's.
    fn handle(&self) -> Log {
        match self {
            Self::Memory(server) => server.log(),
            Self::Redis(server) => log_on(server),
        }
    }
}

/// A handle of the log of the cluster `test`.
fn log_on(server: &RedisServer) -> Log {
    named(server, "test")
}

/// A handle of the log of that cluster.
fn named(server: &RedisServer, cluster: &str) -> Log {
    let definition = ServerDefinition { url: Some(server.url()), ..ServerDefinition::default() };
    Log::Redis(RedisLog::new(Server::new(&definition, ".".as_ref()).unwrap(), cluster))
}
