//! The feeds of a node: each is started when the node leads, stopped when it does not, and started again against another hub.

use std::sync::Arc;

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    app::timekeeper,
    cluster::{FeedWord, Sources},
    config::{AnyFeed, FeedConfig},
    feed::{Feed, Health, Publisher, SymbolRoom, Watch, supervise_lent},
    hub::{FailoverTimes, FeedTerms, Hub},
    limits::{FEED_STOP_TIMEOUT, MAX_BURST_TICKS},
    market::{Source, Tick},
    server::{FeedView, Gateway, PushView},
};

/// A feed between two times at which it runs, and what outlives them.
struct OwnFeed {
    name: Source,
    kind: &'static str,
    quotes_from: Option<&'static str>,
    terms: FeedTerms,
    health: Arc<Health>,
    /// Away while it runs.
    feed: Option<AnyFeed>,
    /// Where producers' ticks go while it runs.
    push: Option<(Publisher, SymbolRoom)>,
}

/// All of them.
pub(super) struct OwnFeeds {
    feeds: Vec<OwnFeed>,
    failover: FailoverTimes,
    running: JoinSet<Ended>,
    stop: CancellationToken,
}

/// What came back.
enum Ended {
    Feed(usize, AnyFeed),
    Timekeeper,
}

impl OwnFeeds {
    pub(super) fn new(feeds: Vec<FeedConfig>, failover: FailoverTimes) -> Self {
        let feeds = feeds.into_iter().map(|FeedConfig { name, feed, fresh, preference, .. }| {
            let expires = feed.expires();
            OwnFeed {
                name,
                kind: feed.kind(),
                quotes_from: feed.quotes_from(),
                terms: FeedTerms { fresh, preference, expires },
                health: Arc::default(),
                feed: Some(feed),
                push: None,
            }
        });
        let (running, stop) = (JoinSet::new(), CancellationToken::new());
        Self { feeds: feeds.collect(), failover, running, stop }
    }

    /// Shows them to the clients' side: how they are doing, and which take ticks of producers.
    pub(super) fn show(&self, hub: &Arc<Hub>, gateway: &mut Gateway) {
        for own in &self.feeds {
            let OwnFeed { name, kind, quotes_from, health, .. } = own;
            let health = Arc::clone(health);
            gateway.feeds.push(FeedView { name: *name, kind, quotes_from: *quotes_from, health });
            if let Some(AnyFeed::Push(push)) = &own.feed {
                // It counts what producers send here, and publishes nothing: that goes through the log.
                let publisher = Publisher::new(*name, Arc::clone(hub), self.stop.clone());
                gateway.push.push(PushView {
                    publisher,
                    allow_remote: push.allows_remote(),
                    room: push.room(),
                });
            }
        }
    }

    /// A task has ended: what is wrong with that, if something is.
    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) -> Option<String> {
        match ended {
            // A recording may end.
            Ok(Ended::Feed(place, feed)) => {
                self.feeds[place].feed = Some(feed);
                None
            }
            Ok(Ended::Timekeeper) if self.stop.is_cancelled() => None,
            Ok(Ended::Timekeeper) => Some("the timekeeper ended by itself".into()),
            Err(why) => Some(format!("a feed of the leader failed: {why}")),
        }
    }
}

impl Sources for OwnFeeds {
    fn failover(&self) -> FailoverTimes {
        self.failover
    }

    fn enlist(&self, origin: &Hub) {
        self.feeds.iter().for_each(|feed| origin.enlist(feed.name, feed.terms));
    }

    fn interrupted(&self, is_lost: bool) -> Vec<Source> {
        let interrupted =
            self.feeds.iter().filter(|own| is_lost || own.feed.as_ref().is_some_and(AnyFeed::goes_on_alone));
        interrupted.map(|own| own.name).collect()
    }

    fn start(&mut self, origin: &Arc<Hub>) {
        self.stop = CancellationToken::new();
        let mut watches = Vec::new();
        let goes_on = origin.topic_count() > 0;
        for (place, own) in self.feeds.iter_mut().enumerate() {
            let Some(feed) = own.feed.take() else { continue };
            let (name, health) = (own.name, Arc::clone(&own.health));
            let out = Publisher::going_on(name, Arc::clone(origin), self.stop.clone(), (health, goes_on));
            if let AnyFeed::Push(push) = &feed {
                own.push = Some((out.clone(), push.room()));
            }
            let silence = own.terms.fresh.silence;
            watches.extend(silence.map(|silence| Watch::new(name, out.health(), silence)));
            self.running.spawn(async move { Ended::Feed(place, run(feed, out).await) });
        }
        let keeping = timekeeper::keep_time(Arc::clone(origin), watches, self.stop.clone());
        self.running.spawn(async move {
            keeping.await;
            Ended::Timekeeper
        });
    }

    async fn failed(&mut self) -> String {
        while let Some(ended) = self.running.join_next().await {
            if let Some(why) = self.ended(ended) {
                return why;
            }
        }
        std::future::pending().await
    }

    async fn stop(&mut self) -> Result<(), String> {
        self.stop.cancel();
        self.feeds.iter_mut().for_each(|own| own.push = None);
        let mut failed = None;
        let all = async {
            while let Some(ended) = self.running.join_next().await {
                failed = self.ended(ended).or(failed.take());
            }
        };
        if timeout(FEED_STOP_TIMEOUT, all).await.is_err() {
            self.running.shutdown().await;
            return Err("a feed did not stop in time".into());
        }
        failed.map_or(Ok(()), Err)
    }

    fn words(&self, origin: &Hub) -> Vec<FeedWord> {
        let words = self.feeds.iter().map(|own| FeedWord {
            name: own.name,
            kind: own.kind.into(),
            quotes_from: own.quotes_from.map(Into::into),
            state: own.health.state(),
            last_tick: own.health.last_tick(),
            standby: origin.standby(own.name) as u64,
            breaks: own.health.breaks().map(|(count, last)| (count, last.into())),
        });
        words.collect()
    }

    fn push(&mut self, feed: Source, mut ticks: Vec<Tick>) {
        let own = self.feeds.iter().find(|own| own.name == feed);
        let Some((out, room)) = own.and_then(|own| own.push.as_ref()) else {
            tracing::warn!(%feed, "this node leads and has no such feed: pushed ticks of it go nowhere");
            return;
        };
        ticks.retain(|tick| {
            let has_room = room.declare(out, tick.symbol());
            has_room.inspect_err(|_full| out.refuse_tick()).is_ok()
        });
        while !ticks.is_empty() {
            let burst = ticks.len().min(MAX_BURST_TICKS);
            out.publish(&mut ticks.drain(..burst).collect());
        }
    }
}

/// Runs a feed of any kind until it must stop, and gives it back. Where others have brought its symbols until now, it begins
/// anew.
async fn run(feed: AnyFeed, out: Publisher) -> AnyFeed {
    match feed {
        AnyFeed::Simulator(feed) => AnyFeed::Simulator(Box::new(lent(*feed, out).await)),
        AnyFeed::Replay(feed) => AnyFeed::Replay(Box::new(lent(*feed, out).await)),
        AnyFeed::Push(feed) => AnyFeed::Push(lent(feed, out).await),
        AnyFeed::Upstream(feed) => AnyFeed::Upstream(Box::new(lent(*feed, out).await)),
        AnyFeed::Redis(feed) => AnyFeed::Redis(Box::new(lent(*feed, out).await)),
    }
}

async fn lent<F: Feed>(mut feed: F, out: Publisher) -> F {
    if out.goes_on() {
        feed.begin_anew();
    }
    supervise_lent(feed, out).await
}
