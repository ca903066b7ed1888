//! Several feeds carry one symbol: one of them is its source at a time, another takes over when it is lost, and the
//! preferred one takes back.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::Value;
use tickcast::{
    cli::venue::{MockVenue, Planned, Rules, Script},
    dialect::Venue,
    feed::{Feed, Publisher, simulator, supervise},
    hub::{FailoverTimes, FeedTerms, HubConfig},
    market::{Channel, Source, State},
    server::ServerConfig,
    session::SessionConfig,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{build, mock, tape};
use crate::util::{Client, TestGateway, eventually, symbol};

const TIMES: FailoverTimes =
    FailoverTimes { grace: Duration::from_millis(300), hold: Duration::from_millis(600) };

/// A gateway that looks at its feeds, and its feeds.
struct TwoFeeds {
    gateway: TestGateway,
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl TwoFeeds {
    fn new() -> Self {
        let hub = HubConfig { failover: TIMES, ..HubConfig::default() };
        let session = SessionConfig { stream_bytes: 1 << 28, ..SessionConfig::default() };
        let gateway = TestGateway::with_hub(hub, ServerConfig::default(), session);
        let (hub, stop) = (Arc::clone(&gateway.gateway.hub), CancellationToken::new());
        let watching = stop.clone();
        let looks = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            while watching.run_until_cancelled(ticks.tick()).await.is_some() {
                hub.check_feeds();
            }
        });
        Self { gateway, stop, running: vec![looks] }
    }

    /// Runs a feed; the lowest preference is preferred. Returns what ends it.
    fn add(&mut self, name: &str, preference: u32, feed: impl Feed) -> CancellationToken {
        let (name, hub) = (Source::new(name).unwrap(), Arc::clone(&self.gateway.gateway.hub));
        hub.enlist(name, FeedTerms { preference, ..FeedTerms::default() });
        let stop = self.stop.child_token();
        let publisher = Publisher::new(name, hub, stop.clone());
        self.running.push(tokio::spawn(supervise(feed, publisher)));
        stop
    }

    fn source(&self, name: &str) -> String {
        self.gateway.gateway.hub.topic(symbol(name)).unwrap().feed().to_string()
    }

    async fn until_source(&self, name: &str, feed: &str) {
        eventually("the symbol's source is the other feed", || self.source(name) == feed).await;
    }

    async fn end(self) {
        self.stop.cancel();
        for task in self.running {
            task.await.unwrap();
        }
    }
}

async fn venue(venue: Venue, symbols: &[&str], steps: u64, faults: &[&str]) -> MockVenue {
    let faults = faults.iter().map(|fault| Planned::parse(fault).unwrap()).collect();
    let frames = tape::texts(venue, symbols, steps);
    let timed = |(i, text): (i64, String)| {
        let at = tickcast::market::UnixMicros(i * 5_000);
        tickcast::cli::venue::Recorded::new(venue, Some(at), text).unwrap()
    };
    let frames = (0..).zip(frames).map(timed).collect();
    let script = Script {
        venue,
        frames,
        faults,
        speed: Some(1.0),
        lose: 0,
        held: false,
        list_faults: Vec::new(),
        rules: Rules::default(),
    };
    mock(script).await
}

fn keys(mock: &MockVenue, symbols: &[&str], more: &str) -> String {
    format!(
        "url = \"ws://{}/\"\nsymbols = {}\nretry_ms = 20\nretry_max_ms = 40\nsilence_timeout_ms = 60000\n\
         linger_ms = 0\nanswer_timeout_ms = 2000\nconnect_timeout_ms = 2000\n{more}",
        mock.address(),
        serde_json::json!(symbols)
    )
}

/// What a client sees of one symbol: every tick is of the source that the last state named.
#[derive(Default)]
struct Seen {
    source: String,
    /// The sources of the ticks, each run of one once.
    runs: Vec<String>,
    gaps: usize,
    numbers: std::collections::BTreeMap<String, u64>,
}

impl Seen {
    fn see(&mut self, message: &Value) {
        let channel = match message["T"].as_str().unwrap() {
            "t" => "trades",
            "q" => "quotes",
            "gap" => {
                self.gaps += 1;
                let channel = message["channel"].as_str().unwrap().to_owned();
                self.numbers.insert(channel, message["to"].as_u64().unwrap());
                return;
            }
            "status" => {
                self.source = message["x"].as_str().unwrap().to_owned();
                return;
            }
            _ => return,
        };
        let n = message["n"].as_u64().unwrap();
        if let Some(before) = self.numbers.insert(channel.to_owned(), n) {
            assert_eq!(n, before + 1, "numbers go on over the change: {message}");
        }
        let from = message["x"].as_str().unwrap().to_owned();
        if self.runs.last() != Some(&from) {
            self.runs.push(from);
        }
    }

    async fn until(&mut self, client: &mut Client, runs: &[&str]) {
        let deadline = tokio::time::Instant::now() + crate::util::PATIENCE;
        while self.runs != runs {
            assert!(tokio::time::Instant::now() < deadline, "{:?} is not {runs:?}", self.runs);
            let message = client.next().await.unwrap();
            self.see(&message);
        }
    }
}

async fn streaming(house: &TwoFeeds, name: &str) -> Client {
    let mut client = house.gateway.connect().await;
    for channel in ["status", "trades", "quotes"] {
        let op =
            serde_json::json!({"op": "subscribe", "channel": channel, "symbols": [name], "mode": "stream"});
        client.send(op).await;
        client.expect("subscribed").await;
    }
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_venue_is_replaced_and_takes_back_and_the_standby_lets_go() {
    for standby in ["demand = \"on\"", "demand = \"always\""] {
        // The first one stalls; its feed finds it silent and connects again.
        let first = venue(Venue::Kraken, &["BTC-USD"], 4_000, &["stall@100"]).await;
        let second = venue(Venue::Coinbase, &["BTC-USD"], 4_000, &[]).await;
        let mut house = TwoFeeds::new();
        let more = "source = \"one\"";
        let one = keys(&first, &["BTC-USD"], more)
            .replace("silence_timeout_ms = 60000", "silence_timeout_ms = 1500")
            .replace("retry_ms = 20\nretry_max_ms = 40", "retry_ms = 2000\nretry_max_ms = 2000");
        house.add("one", 1, build(Venue::Kraken, &one));
        house.add(
            "two",
            2,
            build(Venue::Coinbase, &keys(&second, &["BTC-USD"], &format!("source = \"two\"\n{standby}"))),
        );
        eventually("both carry it", || {
            house.gateway.gateway.hub.topic(symbol("BTC-USD")).is_some_and(|topic| topic.feeds().len() == 2)
        })
        .await;
        let mut client = streaming(&house, "BTC-USD").await;
        let mut seen = Seen::default();
        seen.until(&mut client, &["one"]).await;
        if standby.contains("on\"") {
            assert_eq!(second.counts().connections, 0, "it is not needed yet");
        }
        seen.until(&mut client, &["one", "two"]).await;
        assert!(seen.gaps >= 2, "streams are told that they missed something");
        seen.until(&mut client, &["one", "two", "one"]).await;
        assert_eq!(house.source("BTC-USD"), "one");
        for line in [
            "tickcast_feed_switches_total{from=\"one\",reason=\"stale\",to=\"two\"}",
            "tickcast_feed_switches_total{from=\"two\",reason=\"preferred\",to=\"one\"}",
        ] {
            house.gateway.metric_reaches(line, 1.0).await;
        }
        let let_go = standby.contains("on\"");
        eventually("the standby is as before", || second.counts().active.is_empty() == let_go).await;
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_that_the_preferred_venue_refuses_comes_from_the_next() {
    let first = venue(Venue::Kraken, &["ETH-USD"], 4_000, &[]).await;
    let second = venue(Venue::Coinbase, &["BTC-USD", "ETH-USD"], 4_000, &[]).await;
    let mut house = TwoFeeds::new();
    let both = ["BTC-USD", "ETH-USD"];
    house.add("one", 1, build(Venue::Kraken, &keys(&first, &both, "source = \"one\"")));
    house.add("two", 2, build(Venue::Coinbase, &keys(&second, &both, "source = \"two\"")));
    eventually("both carry it", || {
        house.gateway.gateway.hub.topic(symbol("BTC-USD")).is_some_and(|topic| topic.feeds().len() == 2)
    })
    .await;
    let mut client = streaming(&house, "BTC-USD").await;
    let mut seen = Seen::default();
    seen.until(&mut client, &["two"]).await;
    let topic = house.gateway.gateway.hub.topic(symbol("BTC-USD")).unwrap();
    assert_eq!(topic.state_of(Source::new("one").unwrap()), Some(State::Closed));
    house.until_source("ETH-USD", "one").await;
    let (_, body) = house.gateway.get("/v1/symbols");
    let body: Value = serde_json::from_str(&body).unwrap();
    let btc = body["symbols"].as_array().unwrap().iter().find(|known| known["S"] == "BTC-USD").unwrap();
    assert_eq!((&btc["feed"], &btc["feeds"][0]["name"]), (&"two".into(), &"one".into()), "{btc}");
    assert_eq!(btc["feeds"][0]["state"], "closed", "{btc}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_simulators_one_is_heard_and_nothing_is_counted_twice() {
    let mut house = TwoFeeds::new();
    let simulator = |source: &str| {
        let text = format!(
            "rate = 400\nsource = \"{source}\"\n[[symbol]]\nsymbol = \"A\"\nprice = \"100\"\ntick = \"0.01\"\n"
        );
        toml::from_str::<simulator::Definition>(&text).unwrap().build(Path::new("/")).unwrap()
    };
    house.add("one", 1, simulator("one"));
    house.add("two", 2, simulator("two"));
    house.gateway.metric_reaches("tickcast_feed_standby_ticks_total{feed=\"two\"}", 20.0).await;
    house.until_source("A", "one").await;
    let topic = house.gateway.gateway.hub.topic(symbol("A")).unwrap();
    let mut client = streaming(&house, "A").await;
    let mut seen = Seen::default();
    seen.until(&mut client, &["one"]).await;
    for _ in 0..200 {
        seen.see(&client.next().await.unwrap());
    }
    assert_eq!(seen.runs, ["one"]);
    let Some(last) = topic.last(Channel::Ticker) else { panic!("there were ticks") };
    drop(last);
    // The source ends for good: the other takes over.
    house.gateway.gateway.hub.set_feed_state(Source::new("one").unwrap(), State::Closed, "over");
    house.end().await;
}
