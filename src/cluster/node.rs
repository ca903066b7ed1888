//! One node of a cluster: the tasks that follow the log, stand for the lead, serve images and show signs of life, and what the rest
//! of the gateway may ask of them.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    select,
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    ClusterConfig, FeedWord, Follower, InboxId, MadeOf, PushError, Sources, beat,
    context::{NodeContext, Seen, random_name},
    demand, images,
    inbox::{self, Outgoing},
    leader,
    log::{Log, Window},
    reader,
    roles::Standing,
};
use crate::{
    hub::Hub,
    limits::{IMAGES_WAITING, INBOX_WAITING},
    market::{Source, Tick},
};

/// A node of a cluster. Clones are the same node.
#[derive(Clone)]
pub struct Node {
    shared: Arc<NodeContext>,
    /// It leads no more, and stands no more.
    resign: CancellationToken,
    resigned: CancellationToken,
    outgoing: mpsc::Sender<Outgoing>,
    /// Taken when it runs.
    carried: Arc<Mutex<Option<mpsc::Receiver<Outgoing>>>>,
}

/// What a node is made of.
pub struct NodeParts {
    /// Its part of the configuration.
    pub config: ClusterConfig,
    /// Its name.
    pub id: String,
    /// Where its clients connect.
    pub address: String,
    /// What its feeds and sizes are.
    pub made_of: MadeOf,
    /// The hub that its clients see, in which there is nothing yet.
    pub hub: Arc<Hub>,
    /// The log.
    pub log: Log,
}

/// The name of a node that was given none: with 48 random bits no two ever share one.
#[must_use]
pub fn random_node_name() -> String {
    format!("tc-{}", random_name(&mut rand::rng()))
}

impl Node {
    /// A node that does nothing yet.
    #[must_use]
    pub fn new(parts: NodeParts) -> Self {
        let NodeParts { config, id, address, made_of, hub, log } = parts;
        let metrics = hub.metrics().cluster.clone();
        metrics.role(None);
        let window = Window::new(config.window, usize::try_from(config.window_bytes).unwrap_or(usize::MAX));
        let shared = NodeContext {
            follower: Mutex::new(Follower::new(Arc::clone(&hub))),
            seen: watch::Sender::new(Seen::default()),
            inbox: watch::Sender::new(InboxId::default()),
            window: Mutex::new(window),
            feeds: watch::Sender::new(Vec::new()),
            chance: Notify::new(),
            demand: Notify::new(),
            beat: Notify::new(),
            config,
            id,
            address,
            made_of,
            hub,
            log,
            metrics,
        };
        let (outgoing, carried) = mpsc::channel(INBOX_WAITING);
        Self {
            shared: Arc::new(shared),
            resign: CancellationToken::new(),
            resigned: CancellationToken::new(),
            outgoing,
            carried: Arc::new(Mutex::new(Some(carried))),
        }
    }

    /// Runs the node until `stop`.
    ///
    /// # Errors
    /// When a part of it has failed, or a feed ended in a way that it should not.
    pub async fn run(&self, sources: impl Sources + 'static, stop: CancellationToken) -> Result<(), String> {
        let (wanted, images) = mpsc::channel(IMAGES_WAITING);
        let mut tasks = JoinSet::new();
        let node = self.clone();
        tasks.spawn(async move { node.run_candidate(sources).await });
        let shared = Arc::clone(&self.shared);
        tasks.spawn(async move { match reader::follow(&shared, wanted).await {} });
        let shared = Arc::clone(&self.shared);
        tasks.spawn(async move { match images::serve(&shared, images).await {} });
        let shared = Arc::clone(&self.shared);
        tasks.spawn(async move { match beat::beat(&shared).await {} });
        let shared = Arc::clone(&self.shared);
        tasks.spawn(async move { match beat::watch_silence(&shared).await {} });
        let shared = Arc::clone(&self.shared);
        tasks.spawn(async move { match demand::tell(&shared).await {} });
        if let Some(carried) = self.carried.lock().take() {
            let shared = Arc::clone(&self.shared);
            tasks.spawn(async move { match inbox::carry(&shared, carried).await {} });
        }
        let ended = select! {
            () = stop.cancelled() => Ok(()),
            Some(ended) = tasks.join_next() => match ended {
                Ok(why) => Err(why),
                Err(panicked) => Err(panicked.to_string()),
            },
        };
        // All of them, so that nothing is applied any more when this returns.
        tasks.shutdown().await;
        self.shared.metrics.role(None);
        self.shared.metrics.attached(false);
        let _expires_anyway = self.shared.log.clone().leave(&self.shared.id).await;
        ended
    }

    /// Stands for the lead until it resigns. Returns why a feed has failed; else never, since the node follows on.
    async fn run_candidate(&self, sources: impl Sources) -> String {
        let stood = leader::run_candidate(&self.shared, sources, self.resign.clone()).await;
        self.resigned.cancel();
        match stood {
            Ok(()) => std::future::pending().await,
            Err(why) => why,
        }
    }

    /// Completes when the node has all that clients may ask for.
    pub async fn ready(&self) {
        let mut seen = self.shared.seen.subscribe();
        // The sender lives as long as this node.
        let _seen = seen.wait_for(|seen| seen.standing == Standing::InStep).await;
    }

    /// Gives up the lead, if it has it, in favour of another node: so that its clients lose nothing while they are sent away.
    /// Completes when that is done. The node follows on.
    pub async fn resign(&self) {
        self.resign.cancel();
        self.resigned.cancelled().await;
    }

    /// Whether it leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.shared.seen.borrow().leads
    }

    /// How the leader's feeds are doing, now and whenever it tells.
    #[must_use]
    pub fn feeds(&self) -> watch::Receiver<Vec<FeedWord>> {
        self.shared.feeds.subscribe()
    }

    /// Publishes ticks of a producer to that feed, whichever node leads; completes when this node's clients can see them.
    ///
    /// # Errors
    /// When they are not published, or it cannot be said whether they are.
    pub async fn push(&self, feed: Source, ticks: Vec<Tick>, key: Option<&str>) -> Result<(), PushError> {
        inbox::push(&self.shared, &self.outgoing, (feed, ticks), key).await
    }
}

#[cfg(test)]
mod tests;
