//! What happens in a gateway whose ticks the test makes.

use std::{rc::Rc, sync::Arc, time::Duration};

use serde_json::json;
use tickcast::{
    clock::{Clock, Instant},
    dialect::Encoding,
    feed::{End, Feed, FeedError, Publisher, supervise},
    hub::{FailoverTimes, FeedTerms, Hub, HubConfig},
    market::{Channel, Loss, LossWhy, Source, State, Status, Tick, Trade, UnixMicros},
    metrics::Metrics,
    server::{Driver, ServerConfig},
    session::{ConnectionLimits, SessionConfig, Shard, Transport},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::samples::{Samples, Scrapes, Three};
use crate::util::{PATIENCE, TestGateway, eventually, quote, symbol, trade};

/// A trade at that second of its source.
fn at(id: u64, second: i64) -> Tick {
    let Tick::Trade(trade) = trade("A", id, "1.00") else { panic!("a trade") };
    Tick::Trade(Trade { te: Some(UnixMicros(second * 1_000_000)), ..trade })
}

pub(super) async fn client() -> Three {
    let gateway = TestGateway::start();
    gateway.declare(&["A"]);
    let mut scrapes = Scrapes::begin(&gateway).await;
    gateway.declare(&["B"]);
    gateway.publish([at(1, 100), quote("A", "1.0")]);
    let mut client = gateway.connect().await;
    let since = json!({"epoch": "another", "n": {"A": 1}});
    client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"], "since": since})).await;
    client.expect("gap").await;
    client.send(json!({"op": "subscribe", "channel": "quotes", "symbols": ["A"], "max_rate": 0.01})).await;
    for channel in ["ticker", "bars.1s", "status"] {
        client.send(json!({"op": "subscribe", "channel": channel, "symbols": ["A"]})).await;
        client.expect("subscribed").await;
    }
    // The first bar becomes final, and a trade of it is late. The third quote replaces the second, which waits.
    let loss = Loss { symbol: symbol("A"), channel: Channel::Trades, why: LossWhy::Venue, events: None };
    gateway.publish([at(2, 200), at(3, 100), Tick::Loss(loss)]);
    gateway.publish(["1.1", "1.2", "1.3"].map(|bid| quote("A", bid)));
    client.expect("gap").await;
    gateway.metric_reaches("tickcast_events_merged_total{channel=\"quotes\"}", 1.0).await;
    gateway.metric_reaches("tickcast_gaps_total{channel=\"trades\"}", 2.0).await;
    gateway
        .metric_reaches("tickcast_events_delivered_total{channel=\"trades\",encoding=\"json\"}", 1.0)
        .await;
    scrapes.take();
    client.send(json!({"op": "unsubscribe", "channel": "trades", "symbols": ["A"]})).await;
    client.expect("unsubscribed").await;
    client.close().await;
    gateway
        .metric_is(
            "tickcast_sessions{encoding=\"json\",road=\"websocket\",transport=\"websocket\"}",
            |count| count < 0.1,
        )
        .await;
    scrapes.end()
}

pub(super) async fn refused() -> Three {
    let server = ServerConfig { connections_per_ip: 1, ..ServerConfig::default() };
    let gateway = TestGateway::with(server, SessionConfig::default());
    let mut scrapes = Scrapes::begin(&gateway).await;
    let mut first = gateway.connect().await;
    let mut second = gateway.connect().await;
    assert_eq!(second.ended().await, Some(4005));
    first.send(json!("no command")).await;
    first.expect("error").await;
    // Each request on a connection of its own: an idle one gives way to the next, whatever is on its way there.
    let (http, address) =
        (reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap(), gateway.address);
    let foreign = |request: reqwest::RequestBuilder| {
        request.header("origin", "http://elsewhere.example.com").timeout(PATIENCE).send()
    };
    let stream = foreign(http.get(format!("http://{address}/v1/sse?symbols=*"))).await.unwrap();
    let publish = foreign(http.post(format!("http://{address}/v1/publish?feed=desk"))).await.unwrap();
    assert_eq!((stream.status().as_u16(), publish.status().as_u16()), (403, 403));
    scrapes.take();
    first.close().await;
    scrapes.end()
}

pub(super) async fn slow() -> Three {
    let session = SessionConfig { stream_bytes: 1 << 16, ..SessionConfig::default() };
    let gateway = TestGateway::with(ServerConfig::default(), session);
    gateway.declare(&["A"]);
    let mut scrapes = Scrapes::begin(&gateway).await;
    let mut client = gateway.connect_msgpack().await;
    client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"]})).await;
    client.expect("subscribed").await;
    let gapped = "tickcast_events_gapped_total{channel=\"trades\",reason=\"slow_client\"}";
    let waiting = "tickcast_outbox_bytes";
    let deadline = Instant::now() + PATIENCE;
    while gateway.metric(gapped) < 1.0 || gateway.metric(waiting) < 1.0 {
        assert!(Instant::now() < deadline, "the socket takes everything");
        gateway.publish((0..1_000).map(|id| trade("A", id, "1.00")));
        tokio::task::yield_now().await;
    }
    scrapes.take();
    drop(client);
    gateway.metric_is(waiting, |bytes| bytes < 1.0).await;
    gateway
        .metric_is(
            "tickcast_sessions{encoding=\"msgpack\",road=\"websocket\",transport=\"websocket\"}",
            |count| count < 0.1,
        )
        .await;
    scrapes.end()
}

/// A transport that takes what is fetched from it, and wakes no task.
struct Silent;

impl Transport for Silent {
    fn wake(&self) {}

    fn resume(&self) {}

    fn blocked_since(&self) -> Option<Instant> {
        None
    }

    fn cut(&self) {}
}

pub(super) async fn lapped() -> Three {
    let hub = HubConfig { lane_events: 64, trades_per_symbol: 8, ..HubConfig::default() };
    let gateway = TestGateway::with_hub(hub, ServerConfig::default(), SessionConfig::default());
    gateway.declare(&["A"]);
    let mut scrapes = Scrapes::begin(&gateway).await;
    let hub = Arc::clone(&gateway.gateway.hub);
    let mut shard = Shard::new(hub, "test", SessionConfig::default()).unwrap();
    let admission = Arc::new(ConnectionLimits::new(1, 1)).admit([127, 0, 0, 1].into()).unwrap();
    let now = Instant::now();
    let key = shard.open(Encoding::Json, Rc::new(Silent), Ok(admission), now);
    shard.command(key, br#"{"op":"subscribe","channel":"trades","symbols":["A"]}"#, now);
    gateway.publish((0..1_000).map(|id| trade("A", id, "1.00")));
    shard.drain_lane();
    while shard.fan_out() {}
    scrapes.take();
    shard.leave(key, now);
    drop(shard);
    scrapes.end()
}

pub(super) async fn full() -> Three {
    let gateway = TestGateway::start();
    let feed = |i: usize| Source::new(&format!("f{i}")).unwrap();
    for i in 0..tickcast::limits::MAX_FEEDS_PER_SYMBOL {
        gateway.gateway.hub.declare(symbol("A"), feed(i)).unwrap();
    }
    let mut scrapes = Scrapes::begin(&gateway).await;
    gateway.gateway.hub.publish(feed(99), [trade("A", 1, "1.00")]);
    let terms = FeedTerms { expires: Some(Duration::ZERO), ..FeedTerms::default() };
    gateway.gateway.hub.enlist(feed(98), terms);
    gateway.gateway.hub.publish(feed(98), [trade("SLIP", 1, "1.00")]);
    gateway.gateway.hub.expire();
    scrapes.take();
    scrapes.end()
}

/// A feed that breaks when it is told to, and proves alive again when it is told to.
struct Flaky {
    turn: Arc<Notify>,
    has_broken: bool,
}

impl Feed for Flaky {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        out.metrics().ignored_rules(["empty"]);
        if std::mem::replace(&mut self.has_broken, true) {
            self.turn.notified().await;
            out.alive();
            out.cancelled().await;
            return Ok(End::Cancelled);
        }
        out.alive();
        self.turn.notified().await;
        out.count_ignored("empty");
        Err(FeedError::Broken(std::io::ErrorKind::ConnectionReset.into()))
    }
}

pub(super) async fn producer() -> Three {
    let gateway = TestGateway::with_push(Driver::Socket, &[("desk", false)]);
    let (turn, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let (hub, name) = (Arc::clone(&gateway.gateway.hub), Source::new("flaky").unwrap());
    let feed = Flaky { turn: Arc::clone(&turn), has_broken: false };
    let running = tokio::spawn(supervise(feed, Publisher::new(name, hub, stop.clone())));
    let up = "tickcast_feed_up{feed=\"flaky\"}";
    gateway.metric_reaches(up, 1.0).await;
    gateway.gateway.hub.declare(symbol("A"), Source::new("desk").unwrap()).unwrap();
    let mut scrapes = Scrapes::begin(&gateway).await;
    let lines = "{\"S\":\"A\",\"p\":\"1\",\"s\":\"1\"}\nnonsense\n{\"S\":\"A\",\"p\":\"1\",\"s\":\"2\",\"nc\":\"last\"}\n";
    let url = format!("http://{}/v1/publish?feed=desk", gateway.address);
    let published = reqwest::Client::new().post(url).body(lines).timeout(PATIENCE).send().await.unwrap();
    assert_eq!(published.status(), 200);
    turn.notify_one();
    gateway.metric_is(up, |up| up < 0.1).await;
    gateway.metric_reaches("tickcast_feed_restarts_total{feed=\"flaky\",reason=\"broken\"}", 1.0).await;
    scrapes.take();
    turn.notify_one();
    gateway.metric_reaches(up, 1.0).await;
    let three = scrapes.end();
    stop.cancel();
    running.await.unwrap();
    three
}

pub(super) async fn failover() -> Three {
    let failover = FailoverTimes { grace: Duration::ZERO, hold: Duration::ZERO };
    let hub = HubConfig { failover, ..HubConfig::default() };
    let gateway = TestGateway::with_hub(hub, ServerConfig::default(), SessionConfig::default());
    let (hub, [one, two]) = (&gateway.gateway.hub, ["one", "two"].map(|name| Source::new(name).unwrap()));
    for (feed, preference) in [(one, 1), (two, 2)] {
        let _publisher = Publisher::new(feed, Arc::clone(hub), CancellationToken::new());
        hub.enlist(feed, FeedTerms { preference, ..FeedTerms::default() });
        hub.declare(symbol("A"), feed).unwrap();
    }
    hub.publish(one, [trade("A", 1, "1.00")]);
    let mut scrapes = Scrapes::begin(&gateway).await;
    hub.publish(two, [trade("A", 1, "1.00")]);
    hub.set_feed_state(one, State::Closed, "the source has ended");
    let is_source = |feed: Source| {
        hub.check_feeds();
        hub.topic(symbol("A")).unwrap().feed() == feed
    };
    eventually("the other feed takes over", || is_source(two)).await;
    scrapes.take();
    let back = Status {
        symbol: symbol("A"),
        state: State::Live,
        source: one,
        since: UnixMicros(1),
        why: "it is back".into(),
    };
    hub.publish(one, [Tick::Status(back), trade("A", 2, "1.00")]);
    eventually("the preferred feed takes back", || is_source(one)).await;
    scrapes.end()
}

/// The machine's clock is set back, and the gateway's waits for it.
pub(super) async fn clock() -> Three {
    let clock = Clock::manual(UnixMicros(1_700_000_000_000_000));
    let hub = Hub::new(HubConfig::default(), "epoch".into(), clock.clone(), Arc::new(Metrics::new()));
    let scrape = || {
        hub.follow_clock();
        Samples::read(&String::from_utf8(hub.metrics().render().unwrap()).unwrap())
    };
    let before = scrape();
    clock.step(-10_000_000);
    let after = scrape();
    clock.pass(300_000_000);
    Three([before, after, scrape()])
}
