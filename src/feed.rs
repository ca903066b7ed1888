//! Sources of ticks. A feed yields ticks and never learns who listens.
//!
//! [`supervise`] runs a [`Feed`] until it has ended or the gateway stops, and starts it again with jittered backoff
//! when it fails. A feed talks to the hub through its [`Publisher`] only.

mod backoff;
mod publisher;
mod supervisor;
#[cfg(test)]
mod tests;
mod watch;

pub mod push;
pub mod record;
pub mod redis;
pub mod replay;
pub mod simulator;
pub mod upstream;

pub use backoff::Backoff;
pub use publisher::{Health, Publisher};
pub use push::SymbolRoom;
pub use supervisor::{panic_message, supervise, supervise_lent};
pub use watch::Watch;

use std::future::Future;

use crate::{limits::FEED_BACKOFF, redis::LinkError};

/// A source of ticks.
pub trait Feed: Send + 'static {
    /// Publishes ticks until the source has ended, fails, or [`Publisher::cancelled`] says stop.
    ///
    /// Called again after an error; then it starts over where that makes sense for the source.
    ///
    /// # Cancel safety
    /// The supervisor never drops the future half way: a feed must watch [`Publisher::cancelled`] itself at
    /// every await that can take long.
    ///
    /// # Errors
    /// [`FeedError`] says whether another attempt makes sense.
    fn run(&mut self, out: &Publisher) -> impl Future<Output = Result<End, FeedError>> + Send;

    /// The next run is for another hub, by another publisher, after others have brought its symbols: what it knows of
    /// its source's ticks counts no longer.
    fn begin_anew(&mut self) {}

    /// The pauses before it is started again.
    fn backoff(&self) -> Backoff {
        Backoff::new(FEED_BACKOFF.0, FEED_BACKOFF.1)
    }
}

/// How a feed came to an end without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The source has no more ticks: its symbols become `closed`.
    Finished,
    /// The gateway is stopping.
    Cancelled,
}

/// Why a feed stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Trying again cannot help: a missing file, a definition that does not fit the recording.
    #[error("{0}")]
    Fatal(String),
    /// The source broke off.
    #[error("{0}")]
    Broken(#[from] std::io::Error),
    /// The connection to a venue was lost or given up.
    #[error("{0}")]
    Upstream(#[from] upstream::Break),
    /// The connection to Redis could not be made, or was lost.
    #[error("{0}")]
    Redis(#[from] LinkError),
    /// The feed panicked, with that message: a defect, which others must not feel.
    #[error("it panicked: {0}")]
    Panicked(String),
}

impl FeedError {
    /// Whether the supervisor should start the feed again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::Fatal(_))
    }

    /// Whether the source would rather not see another attempt soon: the longest pause is taken at once.
    #[must_use]
    pub fn wants_peace(&self) -> bool {
        match self {
            Self::Upstream(broken) => broken.reason.wants_peace(),
            Self::Redis(broken) => broken.wants_peace(),
            Self::Fatal(_) | Self::Broken(_) | Self::Panicked(_) => false,
        }
    }

    /// What clients are told of a source that never proved alive: few and general words, so that one attempt after the other
    /// says the same.
    #[must_use]
    pub fn in_general(&self) -> &'static str {
        match self {
            Self::Fatal(_) | Self::Panicked(_) => "the feed cannot be started",
            Self::Redis(broken) if broken.wants_peace() => {
                "could not connect yet: the source refuses the credentials"
            }
            Self::Broken(_) | Self::Redis(_) => "could not connect yet: the source cannot be reached",
            Self::Upstream(broken) => match broken.reason {
                upstream::Reason::Auth => "could not connect yet: the source refuses the credentials",
                upstream::Reason::Blocked => "could not connect yet: the source refuses this address",
                upstream::Reason::RateLimited => "could not connect yet: the source asks for a pause",
                upstream::Reason::Proxy | upstream::Reason::ProxyAuth => {
                    "could not connect yet: the proxy lets nothing through"
                }
                upstream::Reason::Connect
                | upstream::Reason::ConnectTimeout
                | upstream::Reason::Closed
                | upstream::Reason::Dropped
                | upstream::Reason::Silent
                | upstream::Reason::Unanswered
                | upstream::Reason::Stuck
                | upstream::Reason::Oversize
                | upstream::Reason::Protocol => "could not connect yet: the source cannot be reached",
            },
        }
    }

    /// The kind as a metric label.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Fatal(_) => "fatal",
            Self::Broken(_) => "broken",
            Self::Upstream(broken) => broken.reason.as_str(),
            Self::Redis(broken) => broken.kind(),
            Self::Panicked(_) => "panic",
        }
    }
}

/// What is wrong with a feed definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct DefinitionError {
    /// The key, dotted from the feed's table on: `symbol[3].tick`.
    pub key: String,
    /// What was found and what was expected.
    pub why: String,
}

impl DefinitionError {
    /// An error at that key.
    #[must_use]
    pub fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self { key: key.into(), why: why.into() }
    }
}
