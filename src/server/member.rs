//! What a gateway of a cluster has from the others, in place of its own: the feeds of the one that leads, and the way of
//! producers' ticks to it. `app` sets it; this room knows no cluster.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use parking_lot::RwLock;

use crate::{
    market::{Source, State, Tick, UnixMicros},
    session::Simulated,
};

/// A gateway among others.
#[derive(Debug)]
pub struct Member {
    /// The feeds of the gateway that leads.
    pub feeds: Arc<FollowedFeeds>,
    /// The way of producers' ticks.
    pub inbox: Inbox,
}

/// Feeds of another gateway, as it last told of them.
#[derive(Debug, Default)]
pub struct FollowedFeeds {
    feeds: RwLock<Arc<[FeedNow]>>,
    simulated: Simulated,
}

impl FollowedFeeds {
    /// None yet. Those whose prices are made up go into the list that clients are told.
    #[must_use]
    pub fn new(simulated: Simulated) -> Self {
        Self { feeds: RwLock::default(), simulated }
    }

    /// Replaces what was told before.
    pub fn set(&self, feeds: Vec<FeedNow>) {
        let simulated: Vec<_> =
            feeds.iter().filter(|feed| feed.is_simulated()).map(|feed| feed.name).collect();
        if simulated[..] != *self.simulated.get() {
            self.simulated.set(simulated);
        }
        *self.feeds.write() = feeds.into();
    }

    /// What was told last.
    #[must_use]
    pub fn get(&self) -> Arc<[FeedNow]> {
        Arc::clone(&self.feeds.read())
    }
}

/// How a feed is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedNow {
    /// Its name.
    pub name: Source,
    /// `simulator`, `replay`, ….
    pub kind: String,
    /// What moves its quotes, where that is known.
    pub quotes_from: Option<String>,
    /// Whether it delivers.
    pub state: State,
    /// When it last published.
    pub last_tick: Option<UnixMicros>,
    /// Symbols that it carries while another feed is their source.
    pub standby: usize,
    /// How often it broke off, and why the last time.
    pub breaks: Option<(u64, String)>,
}

impl FeedNow {
    /// Whether its prices are made up.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.kind == "simulator"
    }
}

/// What a producer sent to one feed, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pushed {
    /// The feed.
    pub feed: Source,
    /// Its ticks, in order.
    pub ticks: Vec<Tick>,
    /// The producer's name of the request: a repeated one is published once.
    pub key: Option<String>,
}

/// Why what a producer sent is not known to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It is not, and will not be.
    #[error("too many ticks wait for the gateway that leads: nothing was published, try again")]
    Full,
    /// The way to the gateway that leads is cut: it is not, and will not be.
    #[error("the cluster cannot be reached: nothing was published, try again")]
    Unreachable,
    /// It may be, and it may still come.
    #[error(
        "not confirmed in time: it may be published all the same. With an Idempotency-Key it can be sent again, and \
         counts once"
    )]
    Unconfirmed,
}

impl NotTaken {
    /// The label of its metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "inbox_full",
            Self::Unreachable => "unreachable",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// What brings ticks to the gateway that leads. Its answer comes when they are in the log; one that is no longer waited
/// for changes nothing.
type Bring = Box<dyn Fn(Pushed) -> BoxFuture<'static, Result<(), NotTaken>> + Send + Sync>;

/// The way of producers' ticks.
pub struct Inbox(Bring);

impl Inbox {
    /// A way that is a function.
    #[must_use]
    pub fn new(
        bring: impl Fn(Pushed) -> BoxFuture<'static, Result<(), NotTaken>> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(bring))
    }

    /// Brings ticks to the gateway that leads.
    ///
    /// # Errors
    /// When they are not known to be published.
    pub fn bring(&self, pushed: Pushed) -> BoxFuture<'static, Result<(), NotTaken>> {
        (self.0)(pushed)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}
