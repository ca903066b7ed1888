//! A gateway as a node of a cluster: its hub hears the log, and its feeds run only while it leads.

mod feeds;

use std::{
    convert::Infallible,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
    sync::Arc,
};

use futures_util::FutureExt as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::feeds::OwnFeeds;
use super::{Task, Tasks};
use crate::{
    cluster::{
        ClusterConfig, FeedWord, MadeOf, Node, NodeParts, PushError, ReadFrom, Role,
        log::{Log, RedisLog},
        random_node_name,
    },
    config::FeedConfig,
    hub::{Hub, HubConfig},
    limits::{CLOCK_TICK, META_WAIT, RESIGN_TIMEOUT},
    market::Interval,
    redis::Server,
    server::{FeedNow, FollowedFeeds, Gateway, Inbox, Member, NotTaken, Pushed, Readiness},
};

/// A gateway's part in a cluster.
pub(super) struct Membership {
    node: Node,
    feeds: OwnFeeds,
    role: Role,
    followed: Arc<FollowedFeeds>,
}

/// What is left of it when it runs: the way to its end.
pub(super) struct Leaving {
    node: Node,
    stop: CancellationToken,
}

/// The cluster's log. Connects to nothing yet.
pub(super) fn log(config: &ClusterConfig) -> anyhow::Result<Log> {
    // Paths in it are as the configuration has resolved them.
    let server =
        Server::new(&config.server, Path::new("")).map_err(|why| anyhow::anyhow!("cluster.{why}"))?;
    let log = RedisLog::new(server, &config.name);
    Ok(Log::Redis(match config.read_from {
        ReadFrom::Master => log,
        ReadFrom::Replica => log.reading_replicas(),
    }))
}

/// The name of the node.
pub(super) fn name(config: &ClusterConfig) -> String {
    config.node.clone().unwrap_or_else(random_node_name)
}

/// Takes the cluster's intervals of bars, if it can be asked: all nodes compute the same. One that cannot ask now compares
/// when it joins.
pub(super) async fn adopt(log: &Log, hub: &mut HubConfig) {
    let mut log = log.clone();
    let meta = match timeout(META_WAIT, log.meta()).await {
        Ok(Ok(Some(meta))) => meta,
        Ok(Ok(None)) => return,
        Ok(Err(why)) => return tracing::warn!("the cluster cannot be asked for its intervals yet: {why}"),
        Err(_late) => return tracing::warn!("the cluster cannot be asked for its intervals yet"),
    };
    let known = |text: &String| Interval::ALL.into_iter().find(|interval| interval.as_str() == text);
    let Some(intervals) = meta.intervals.iter().map(known).collect::<Option<Vec<_>>>() else { return };
    let intervals = intervals.into_iter().collect();
    if hub.intervals != intervals {
        tracing::warn!("history.intervals are the cluster's: {}", meta.intervals.join(", "));
        hub.intervals = intervals;
    }
}

impl Membership {
    /// Of a gateway whose hub has nothing yet. Its clients' side is set in `gateway`.
    pub(super) fn new(
        (config, log): (ClusterConfig, Log),
        feeds: Vec<FeedConfig>,
        (hub, sizes): (&Arc<Hub>, HubConfig),
        gateway: &mut Gateway,
    ) -> Self {
        hub.follow();
        let role = config.role;
        let parts = NodeParts {
            id: gateway.node.clone(),
            address: gateway.server.bind.to_string(),
            made_of: made_of(&feeds, &sizes),
            hub: Arc::clone(hub),
            config,
            log,
        };
        let node = Node::new(parts);
        let followed = Arc::new(FollowedFeeds::new(gateway.session.simulated.clone()));
        let inbox = inbox(node.clone());
        gateway.member = Some(Member { feeds: Arc::clone(&followed), inbox });
        let feeds = OwnFeeds::new(feeds, sizes.failover);
        feeds.show(hub, gateway);
        Self { node, feeds, role, followed }
    }

    /// Runs the node. `gateway` takes clients once that is in step.
    pub(super) fn run(self, gateway: &Arc<Gateway>, tasks: &mut Tasks) -> Leaving {
        let Self { node, feeds, role, followed } = self;
        let leaving = Leaving { node: node.clone(), stop: CancellationToken::new() };
        let stop = leaving.stop.clone();
        let gateway = Arc::clone(gateway);
        tasks.spawn(Task::Cluster, async move {
            let told = tell(&gateway, &node, role, &followed);
            let clock = keep_clock(&gateway.hub, &node);
            tokio::select! {
                ended = node.run(feeds, stop) => ended,
                never = told => match never {},
                never = clock => match never {},
            }
        });
        leaving
    }
}

/// Lets clients in when the node has all that the cluster has, and keeps what they are told of the leader's feeds.
async fn tell(gateway: &Gateway, node: &Node, role: Role, followed: &FollowedFeeds) -> Infallible {
    node.ready().await;
    let readiness = if role == Role::Feed { Readiness::Feeding } else { Readiness::Ready };
    if gateway.readiness.get() == Readiness::Starting {
        gateway.readiness.set(readiness);
        tracing::info!("has all that the cluster has: {}", readiness.as_str());
    }
    let mut feeds = node.feeds();
    loop {
        let words = feeds.borrow_and_update().clone();
        followed.set(words.into_iter().map(feed_now).collect());
        // The sender lives as long as the node.
        let _told = feeds.changed().await;
    }
}

impl Leaving {
    /// Leaves the lead to another node, so that clients who are sent away miss nothing.
    pub(super) async fn resign(&self) {
        if timeout(RESIGN_TIMEOUT, self.node.resign()).await.is_err() {
            tracing::warn!("the lead was not given up in time");
        }
    }

    /// Follows the log no more.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

/// Follows the machine's clock while no leader's timekeeper does.
async fn keep_clock(hub: &Hub, node: &Node) -> Infallible {
    loop {
        tokio::time::sleep(CLOCK_TICK).await;
        if !node.leads() {
            let _not_for_topics = hub.clock().observe();
        }
    }
}

/// What nodes compare: the feeds by what makes them the same, and the sizes.
fn made_of(feeds: &[FeedConfig], sizes: &HubConfig) -> MadeOf {
    let mut digest = DefaultHasher::new();
    for feed in feeds {
        (feed.name.as_str(), feed.feed.kind(), feed.preference, feed.symbols).hash(&mut digest);
    }
    let intervals = Interval::ALL.into_iter().filter(|interval| sizes.intervals.contains(*interval));
    MadeOf {
        feeds: format!("{:016x}", digest.finish()),
        intervals: intervals.map(|interval| interval.as_str().to_owned()).collect(),
        trades_per_symbol: sizes.trades_per_symbol,
        bars: sizes.bars,
    }
}

fn inbox(node: Node) -> Inbox {
    Inbox::new(move |Pushed { feed, ticks, key }| {
        let node = node.clone();
        async move {
            node.push(feed, ticks, key.as_deref()).await.map_err(|why| match why {
                PushError::Full => NotTaken::Full,
                PushError::Closed => NotTaken::Unreachable,
                PushError::Unconfirmed => NotTaken::Unconfirmed,
            })
        }
        .boxed()
    })
}

fn feed_now(word: FeedWord) -> FeedNow {
    let FeedWord { name, kind, quotes_from, state, last_tick, standby, breaks } = word;
    let standby = usize::try_from(standby).unwrap_or(usize::MAX);
    FeedNow { name, kind, quotes_from, state, last_tick, standby, breaks }
}
