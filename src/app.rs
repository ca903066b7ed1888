//! Composition root: builds hub, feeds and server, and owns the order in which they start and stop.

mod cluster;
mod end;
mod persist;
mod tasks;
mod timekeeper;

use std::{future::Future, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use futures_util::FutureExt as _;
use rand::RngExt as _;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use cluster::Membership;
use end::Ending;
use tasks::Tasks;
pub use tasks::{Fault, Task, Unasked};

use crate::{
    clock::Clock,
    cluster::log::Log,
    config::{AnyFeed, Config, FeedConfig},
    drill,
    feed::{Publisher, Watch, supervise},
    hub::{FeedTerms, Hub},
    limits::MAX_SHARDS,
    metrics::Metrics,
    server::{FeedView, Gateway, PushView, Readiness, ReadinessCell, ServerConfig, listen},
    session::{ConnectionLimits, Mailboxes, SessionConfig},
};

/// What a gateway tells about itself when it takes connections.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// Names of its feeds.
    pub feeds: Vec<String>,
    /// Names of those whose prices are made up.
    pub simulated: Vec<String>,
    /// Symbols that the feeds' definitions name; others may come with the ticks.
    pub symbols: usize,
}

/// Runs a gateway until `shutdown` completes or a part of it has failed, then [ends](end) it in order. Calls `on_ready`
/// once connections are taken.
///
/// Must be called on a multi-threaded tokio runtime; feeds run there, sessions on the server's own workers.
///
/// # Errors
/// When the store cannot be opened, the address cannot be bound or a worker cannot be started. Later the [`Fault`] for
/// which the gateway has ended, in order as far as that went.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()>,
    on_ready: impl FnOnce(&Started),
) -> anyhow::Result<()> {
    let log = config.cluster.as_ref().map(cluster::log).transpose()?;
    run_over(config, log, shutdown, on_ready).await
}

/// Likewise, as a node of the cluster whose log that is, if there is one.
///
/// # Errors
/// As [`run`].
pub async fn run_over(
    mut config: Config,
    log: Option<Log>,
    shutdown: impl Future<Output = ()>,
    on_ready: impl FnOnce(&Started),
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let metrics = Arc::new(Metrics::new());
    let cluster = config.cluster.take().zip(log);
    if let Some((_, log)) = &cluster {
        cluster::adopt(log, &mut config.hub).await;
    }
    let (node, fresh) = names(&clock);
    let node = cluster.as_ref().map_or(node, |(config, _)| cluster::name(config));
    let mut opened = persist::open(&config, fresh.clone(), &clock).await?;
    let epoch = opened.as_ref().map_or(fresh, |opened| opened.epoch().to_owned());
    let hub = Arc::new(Hub::new(config.hub, epoch, clock, metrics));
    let stop_feeds = CancellationToken::new();

    let bind = config.server.bind;
    let symbols = config.feeds.iter().map(|feed| feed.symbols).sum();
    let mut watches = Vec::new();
    let (shards, started_shards) = mpsc::channel(MAX_SHARDS);
    let mut gateway = gateway(&hub, node, (config.server, config.session), shards);
    let (feeds, member) = match cluster {
        None => (build(&hub, config.feeds, &stop_feeds, &mut gateway, &mut watches), None),
        Some(cluster) => {
            (Vec::new(), Some(Membership::new(cluster, config.feeds, (&hub, config.hub), &mut gateway)))
        }
    };
    if let Some(opened) = &mut opened {
        opened.restore(&hub)?;
    }
    let gateway = Arc::new(gateway);
    let listening = listen(Arc::clone(&gateway)).with_context(|| format!("cannot listen on {bind}"))?;
    let mut tasks = Tasks::new(started_shards, Arc::clone(hub.metrics()));
    let leaving = member.map(|member| member.run(&gateway, &mut tasks));
    if leaving.is_none() {
        feeds.into_iter().for_each(|(feed, publisher)| start(&mut tasks, feed, publisher));
        let timekeeper = timekeeper::keep_time(Arc::clone(&hub), watches, stop_feeds.clone());
        tasks.spawn(Task::Timekeeper, timekeeper.map(Ok));
        gateway.readiness.set(Readiness::Ready);
    }
    let save_task = opened.map(|opened| opened.keep(Arc::clone(&hub)));
    if let Some(save_task) = &save_task {
        tasks.spawn(Task::Saver, save_task.saves());
    }
    let server = listening.server;
    tasks.spawn(Task::Server, async {
        tokio::select! {
            ended = server => ended.map_err(|why| why.to_string()),
            () = drill::ordered("server") => Ok(()),
        }
    });
    on_ready(&started(&gateway, listening.address, symbols));
    let fault = tokio::select! {
        () = shutdown => None,
        fault = tasks.fault() => Some(fault),
    };
    Ending { gateway, tasks, stop_feeds, server: listening.handle, save_task, leaving }.end(fault).await
}

fn started(gateway: &Gateway, address: SocketAddr, symbols: usize) -> Started {
    Started {
        address,
        feeds: gateway.feeds.iter().map(|feed| feed.name.to_string()).collect(),
        simulated: gateway.session.simulated.get().iter().map(ToString::to_string).collect(),
        symbols,
    }
}

fn gateway(
    hub: &Arc<Hub>,
    node: String,
    (server, session): (ServerConfig, SessionConfig),
    shards: mpsc::Sender<JoinHandle<()>>,
) -> Gateway {
    Gateway {
        hub: Arc::clone(hub),
        connections: Arc::new(ConnectionLimits::new(server.connections, server.connections_per_ip)),
        mailboxes: Mailboxes::default(),
        session,
        server,
        node,
        feeds: Vec::new(),
        push: Vec::new(),
        member: None,
        readiness: ReadinessCell::default(),
        drain: CancellationToken::new(),
        hurry: CancellationToken::new(),
        shards,
    }
}

/// The node's name, and the epoch: a start time and a random part, so that no two incarnations share one.
fn names(clock: &Clock) -> (String, String) {
    let mut random = rand::rng();
    let node = format!("tc-{:04x}", random.random::<u16>());
    let epoch = format!("{:x}-{:04x}", clock.now().0, random.random::<u16>());
    (node, epoch)
}

fn build(
    hub: &Arc<Hub>,
    feeds: Vec<FeedConfig>,
    stop: &CancellationToken,
    gateway: &mut Gateway,
    watches: &mut Vec<Watch>,
) -> Vec<(AnyFeed, Publisher)> {
    feeds
        .into_iter()
        .map(|FeedConfig { name, feed, fresh, preference, .. }| {
            let publisher = Publisher::new(name, Arc::clone(hub), stop.clone());
            let expires = feed.expires();
            hub.enlist(name, FeedTerms { fresh, preference, expires });
            watches.extend(fresh.silence.map(|silence| Watch::new(name, publisher.health(), silence)));
            let (kind, quotes_from) = (feed.kind(), feed.quotes_from());
            gateway.feeds.push(FeedView { name, kind, quotes_from, health: publisher.health() });
            if let AnyFeed::Push(push) = &feed {
                let (publisher, allow_remote) = (publisher.clone(), push.allows_remote());
                gateway.push.push(PushView { publisher, allow_remote, room: push.room() });
            }
            (feed, publisher)
        })
        .collect()
}

fn start(tasks: &mut Tasks, feed: AnyFeed, publisher: Publisher) {
    let task = Task::Feed(publisher.name());
    match feed {
        AnyFeed::Simulator(feed) => tasks.spawn(task, supervise(*feed, publisher).map(Ok)),
        AnyFeed::Replay(feed) => tasks.spawn(task, supervise(*feed, publisher).map(Ok)),
        AnyFeed::Push(feed) => tasks.spawn(task, supervise(feed, publisher).map(Ok)),
        AnyFeed::Upstream(feed) => tasks.spawn(task, supervise(*feed, publisher).map(Ok)),
        AnyFeed::Redis(feed) => tasks.spawn(task, supervise(*feed, publisher).map(Ok)),
    }
}
