//! Composition root: builds hub, feeds and server, and owns the order in which they start and stop.

mod kept;

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use rand::RngExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{AnyFeed, Config, FeedConfig},
    feed::{Publisher, Watch, supervise},
    hub::{FeedTerms, Hub},
    limits::{CLOCK_TICK, CLOSE_TIMEOUT, STOP_TIMEOUT},
    metrics::Metrics,
    server::{FeedView, Gateway, PushView, ServerConfig, listen},
    session::{Census, SessionConfig},
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

/// Runs a gateway until `shutdown` completes, then drains it: readiness off, a grace period, goodbyes spread over
/// the drain window, feeds stopped, server stopped. Calls `on_ready` once connections are taken.
///
/// Must be called on a multi-threaded tokio runtime; feeds run there, sessions on the server's own workers.
///
/// # Errors
/// When the store cannot be opened, the address cannot be bound or a worker cannot be started.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()>,
    on_ready: impl FnOnce(&Started),
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let metrics = Arc::new(Metrics::new());
    let (node, fresh) = names(&clock);
    let mut opened = kept::open(&config, fresh.clone(), &clock).await?;
    let epoch = opened.as_ref().map_or(fresh, |opened| opened.epoch().to_owned());
    let hub = Arc::new(Hub::new(config.hub, epoch, clock, metrics));
    let stop_feeds = CancellationToken::new();

    let bind = config.server.bind;
    let symbols = config.feeds.iter().map(|feed| feed.symbols).sum();
    let mut watches = Vec::new();
    let mut gateway = gateway(&hub, node, config.server, config.session);
    let feeds = build(&hub, config.feeds, &stop_feeds, &mut gateway, &mut watches);
    if let Some(opened) = &mut opened {
        opened.restore(&hub)?;
    }
    let gateway = Arc::new(gateway);
    let listening = listen(Arc::clone(&gateway)).with_context(|| format!("cannot listen on {bind}"))?;
    let running: Vec<JoinHandle<()>> =
        feeds.into_iter().map(|(feed, publisher)| start(feed, publisher)).collect();
    let timekeeper = tokio::spawn(keep_time(Arc::clone(&hub), watches, stop_feeds.clone()));
    let keeper = opened.map(|opened| opened.keep(Arc::clone(&hub)));
    gateway.ready.store(true, Ordering::Relaxed);
    on_ready(&Started {
        address: listening.address,
        feeds: gateway.feeds.iter().map(|feed| feed.name.to_string()).collect(),
        simulated: gateway.session.simulated.iter().map(ToString::to_string).collect(),
        symbols,
    });
    let mut server = tokio::spawn(listening.server);

    tokio::select! {
        () = shutdown => {}
        ended = &mut server => {
            ended.context("the server panicked")?.context("the server ended by itself")?;
            anyhow::bail!("the server ended by itself");
        }
    }
    drain(&gateway).await;
    stop_feeds.cancel();
    for feed in running {
        feed.await.context("a feed panicked")?;
    }
    timekeeper.await.context("the timekeeper panicked")?;
    listening.handle.stop(true).await;
    server.await.context("the server panicked")?.context("while stopping")?;
    if let Some(keeper) = keeper {
        // Nothing is published any more.
        keeper.finish().await?;
    }
    hub.metrics().notices.finish();
    tracing::info!("stopped");
    Ok(())
}

fn gateway(hub: &Arc<Hub>, node: String, server: ServerConfig, session: SessionConfig) -> Gateway {
    Gateway {
        hub: Arc::clone(hub),
        census: Arc::new(Census::new(server.connections, server.connections_per_ip)),
        session,
        server,
        node,
        feeds: Vec::new(),
        push: Vec::new(),
        ready: AtomicBool::new(false),
        drain: CancellationToken::new(),
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
            hub.enlist(name, FeedTerms { fresh, preference });
            watches.extend(fresh.silence.map(|silence| Watch::new(name, publisher.health(), silence)));
            gateway.feeds.push(FeedView { name, kind: feed.kind(), health: publisher.health() });
            if let AnyFeed::Push(push) = &feed {
                let (publisher, allow_remote) = (publisher.clone(), push.allows_remote());
                gateway.push.push(PushView { publisher, allow_remote });
            }
            (feed, publisher)
        })
        .collect()
}

fn start(feed: AnyFeed, publisher: Publisher) -> JoinHandle<()> {
    match feed {
        AnyFeed::Simulator(feed) => tokio::spawn(supervise(*feed, publisher)),
        AnyFeed::Replay(feed) => tokio::spawn(supervise(*feed, publisher)),
        AnyFeed::Push(feed) => tokio::spawn(supervise(feed, publisher)),
        AnyFeed::Upstream(feed) => tokio::spawn(supervise(*feed, publisher)),
    }
}

/// Tells the hub the time until it is to stop.
async fn keep_time(hub: Arc<Hub>, watches: Vec<Watch>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(CLOCK_TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = hub.clock().now();
        watches.iter().for_each(|watch| watch.look(&hub, now));
        // In bursts; where a lane is congested the rest has time until the next look.
        while hub.sweep() && !hub.is_congested() {
            tokio::task::yield_now().await;
        }
        while hub.check_freshness(now) && !hub.is_congested() {
            tokio::task::yield_now().await;
        }
        hub.check_feeds();
        while hub.tick_clock(hub.clock().now()) {
            tokio::task::yield_now().await;
        }
    }
}

/// Lets every session go in peace, for as long as that may take.
async fn drain(gateway: &Gateway) {
    gateway.ready.store(false, Ordering::Relaxed);
    let sessions = gateway.census.total();
    tracing::info!(sessions, "draining");
    if sessions > 0 {
        tokio::time::sleep(gateway.server.grace).await;
    }
    gateway.drain.cancel();
    // The last goodbye goes at the end of the window; then a client has its time to answer.
    let patience = gateway.server.drain + CLOSE_TIMEOUT + STOP_TIMEOUT + Duration::from_secs(1);
    if tokio::time::timeout(patience, gateway.census.emptied()).await.is_err() {
        tracing::warn!(sessions = gateway.census.total(), "sessions did not leave in time");
    }
}
