//! What the workers of one gateway share, and the shard that each of them has.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
    sync::Arc,
};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    config::ServerConfig,
    member::{FeedNow, Member},
    readiness::ReadinessCell,
};
use crate::{
    feed::{Health, Publisher, SymbolRoom},
    hub::{Hub, HubError},
    market::Source,
    session::{ConnectionLimits, Mailboxes, SessionConfig, Shard, run},
};

/// A feed as `/feedz` tells of it.
#[derive(Debug, Clone)]
pub struct FeedView {
    /// Its name.
    pub name: Source,
    /// `simulator`, `replay`, ….
    pub kind: &'static str,
    /// What moves its quotes, where that is known: `book` or `trades`.
    pub quotes_from: Option<&'static str>,
    /// How it is doing.
    pub health: Arc<Health>,
}

/// A feed that producers publish to.
#[derive(Debug)]
pub struct PushView {
    /// Its way to the hub.
    pub publisher: Publisher,
    /// Whether producers may be on other machines.
    pub allow_remote: bool,
    /// Room for its symbols.
    pub room: SymbolRoom,
}

/// What every worker of one gateway shares.
#[derive(Debug)]
pub struct Gateway {
    /// Where events come from.
    pub hub: Arc<Hub>,
    /// How many sessions there are.
    pub connections: Arc<ConnectionLimits>,
    /// The ways into its shards.
    pub mailboxes: Mailboxes,
    /// Limits and times of a session.
    pub session: SessionConfig,
    /// Listener settings.
    pub server: ServerConfig,
    /// The gateway's name.
    pub node: String,
    /// The feeds.
    pub feeds: Vec<FeedView>,
    /// Those that take ticks over HTTP.
    pub push: Vec<PushView>,
    /// What it has from the others of its cluster, if it belongs to one.
    pub member: Option<Member>,
    /// What `/readyz` says.
    pub readiness: ReadinessCell,
    /// Cancelled when sessions are to say goodbye.
    pub drain: CancellationToken,
    /// Cancelled before, when the goodbyes have [`FAULT_DRAIN`](crate::limits::FAULT_DRAIN) at most.
    pub hurry: CancellationToken,
    /// Where the task of each shard goes, so that its end is seen; without a receiver shards run unsupervised.
    pub shards: mpsc::Sender<JoinHandle<()>>,
}

impl Gateway {
    /// How each feed is doing: the gateway's own, or those of the one that leads.
    #[must_use]
    pub fn feeds_now(&self) -> Arc<[FeedNow]> {
        if let Some(member) = &self.member {
            return member.feeds.get();
        }
        let feeds = self.feeds.iter().map(|feed| FeedNow {
            name: feed.name,
            kind: feed.kind.to_owned(),
            quotes_from: feed.quotes_from.map(ToOwned::to_owned),
            state: feed.health.state(),
            last_tick: feed.health.last_tick(),
            standby: self.hub.standby(feed.name),
            breaks: feed.health.breaks().map(|(count, last)| (count, last.to_owned())),
        });
        feeds.collect()
    }
}

/// One worker's shard.
pub(crate) type LocalShard = Rc<RefCell<Shard>>;

thread_local! {
    /// A worker thread serves one gateway, but each of its listeners builds its own application: they share this.
    static SHARD: OnceCell<LocalShard> = const { OnceCell::new() };
}

/// The shard of this worker thread; made, and its task started, when a listener first asks.
pub(crate) fn local_shard(gateway: &Gateway) -> Result<LocalShard, HubError> {
    SHARD.with(|cell| {
        if let Some(shard) = cell.get() {
            return Ok(Rc::clone(shard));
        }
        let shard = Shard::new(Arc::clone(&gateway.hub), &gateway.node, gateway.session.clone())?;
        gateway.mailboxes.register(shard.mailbox());
        let shard = Rc::new(RefCell::new(shard));
        let (drain, hurry) = (gateway.drain.clone(), gateway.hurry.clone());
        let task = actix_rt::spawn(run(Rc::clone(&shard), drain, hurry, gateway.server.drain));
        if let Err(TrySendError::Full(_)) = gateway.shards.try_send(task) {
            tracing::error!("a shard is without supervision: there are more than there are workers");
        }
        Ok(Rc::clone(cell.get_or_init(|| shard)))
    })
}
