//! What an operator says about the cluster that a gateway belongs to, checked.

use std::time::Duration;

use crate::{limits, redis::ServerDefinition};

/// `[cluster]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// The cluster's name: a part of every key in Redis.
    pub name: String,
    /// Where its Redis is, and who asks; with paths as they are opened.
    pub server: ServerDefinition,
    /// What this node does in it.
    pub role: Role,
    /// This node's name; none for one made at random.
    pub node: Option<String>,
    /// A leader that is not heard for so long is replaced.
    pub lease: Duration,
    /// A node that does not hear the log for so long tells its clients.
    pub silence: Duration,
    /// How long a batch stays in the log.
    pub window: Duration,
    /// Bytes of the log in Redis.
    pub window_bytes: u64,
    /// Bytes that wait for Redis at the leader.
    pub pending_bytes: usize,
    /// How long a node without history waits before it founds a numbering.
    pub found: Duration,
    /// Which server the log is read from.
    pub read_from: ReadFrom,
    /// Whether batches are compressed.
    pub compress: bool,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Serves clients, and stands for the lead.
    #[default]
    Auto,
    /// Leads or waits; takes no clients.
    Feed,
    /// Serves clients and never leads; needs no feeds.
    Edge,
}

impl Role {
    /// Reads the configuration's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Auto, Self::Feed, Self::Edge].into_iter().find(|role| role.as_str() == text)
    }

    /// The configuration's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Feed => "feed",
            Self::Edge => "edge",
        }
    }
}

/// Which server the log is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadFrom {
    /// The one that is written to.
    #[default]
    Master,
    /// A replica, where there is one: the order and the positions are the same.
    Replica,
}

impl ReadFrom {
    /// Reads the configuration's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "master" => Some(Self::Master),
            "replica" => Some(Self::Replica),
            _ => None,
        }
    }
}

impl ClusterConfig {
    /// A cluster of that name at that server, and every other value as it is by default.
    #[must_use]
    pub fn new(name: String, server: ServerDefinition) -> Self {
        Self {
            name,
            server,
            role: Role::default(),
            node: None,
            lease: limits::DEFAULT_LEASE,
            silence: limits::DEFAULT_SILENCE,
            window: limits::DEFAULT_WINDOW,
            window_bytes: limits::DEFAULT_WINDOW_BYTES,
            pending_bytes: limits::DEFAULT_PENDING_BYTES,
            found: limits::DEFAULT_FOUND,
            read_from: ReadFrom::default(),
            compress: false,
        }
    }

    /// Whether a text can be the name of a cluster or of a node: it stands in keys of Redis, session ids and labels.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=limits::CLUSTER_NAME_CHARS).contains(&text.len()) && text.bytes().all(plain)
    }
}
