//! `/v1/sse`: the messages of a WebSocket session as an event stream, with positions that lose nothing.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Response;
use serde_json::{Value, json};
use tickcast::{
    server::{Driver, ServerConfig},
    session::SessionConfig,
};
use tokio::time::timeout;

use crate::util::{PATIENCE, TestGateway, eventually, quote, symbol, trade};

on_both_drivers! {
    a_stream_says_what_a_socket_says,
    a_client_that_comes_back_misses_nothing,
    a_position_that_cannot_be_served_resynchronises,
    patterns_cover_what_came_meanwhile,
    refusals_name_what_is_wrong,
    a_client_that_takes_nothing_is_evicted,
    a_drain_says_when_to_come_back,
}

/// One block of an event stream.
#[derive(Debug, Default)]
struct Block {
    id: Option<String>,
    retry: Option<u64>,
    messages: Vec<Value>,
}

/// An event stream, read block by block.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(gateway: &TestGateway, query: &str, last: Option<&str>) -> Self {
        let response = ask(gateway, query, last).await;
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        Self { response, text: String::new() }
    }

    /// The next block, or nothing at the end of the body.
    async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let mut read = Block::default();
                for line in block.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => read.id = Some(id.to_owned()),
                        Some(("retry", ms)) => read.retry = Some(ms.parse().unwrap()),
                        Some(("data", data)) => read.messages = serde_json::from_str(data).unwrap(),
                        _ => assert_eq!(line, ":", "nothing else is sent"),
                    }
                }
                self.text = rest.to_owned();
                return Some(read);
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("a block comes").ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Blocks until one has a message of that type; that message, and the position behind its block.
    async fn until(&mut self, kind: &str) -> (Value, Option<String>) {
        loop {
            let block = self.block().await.unwrap_or_else(|| panic!("the body ended before {kind}"));
            if let Some(found) = block.messages.iter().find(|message| message["T"] == kind) {
                return (found.clone(), block.id);
            }
        }
    }
}

async fn ask(gateway: &TestGateway, query: &str, last: Option<&str>) -> Response {
    let mut request =
        reqwest::Client::new().get(format!("http://{}/v1/sse?{query}", gateway.address)).timeout(PATIENCE);
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last);
    }
    request.send().await.unwrap()
}

async fn a_stream_says_what_a_socket_says(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A", "B"]);
    gateway.publish([quote("A", "1.10"), trade("A", 1, "1.20")]);
    let mut stream = Stream::open(&gateway, "symbols=A,B,C&channels=trades,quotes", None).await;
    let headers = stream.response.headers().clone();
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert!(!headers.contains_key("content-encoding"), "{headers:?}");
    let retry = stream.block().await.unwrap().retry.expect("first of all, when to come back");
    assert!((1_000..=3_000).contains(&retry), "{retry}");
    let first = stream.block().await.unwrap();
    let kinds: Vec<_> = first.messages.iter().map(|message| message["T"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["welcome", "subscribed", "t", "subscribed", "q"]);
    assert_eq!(first.messages[1]["err"][0]["code"], 414);
    gateway.publish([trade("A", 2, "1.30"), quote("B", "2.10")]);
    let (event, _) = stream.until("t").await;
    assert_eq!((&event["n"], &event["p"]), (&json!(2), &json!("1.30")));
    gateway
        .metric_is("tickcast_sessions{encoding=\"json\",road=\"sse\",transport=\"sse\"}", |open| open > 0.0)
        .await;
    drop(stream);
    gateway
        .metric_is("tickcast_sessions{encoding=\"json\",road=\"sse\",transport=\"sse\"}", |open| open < 1.0)
        .await;
}

async fn a_client_that_comes_back_misses_nothing(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let names = ["A", "B", "C"];
    gateway.declare(&names);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut last: Option<String> = None;
    for round in 0..12_u64 {
        // Some without listeners, some with; the connection lands on either worker.
        gateway.publish((0..20).map(|i| trade(names[i % 3], round * 100 + i as u64, "1.5")));
        let mut stream = Stream::open(&gateway, "symbols=A,B,C&channels=trades", last.as_deref()).await;
        gateway.publish((20..40).map(|i| trade(names[i % 3], round * 100 + i as u64, "1.5")));
        let target = gateway.gateway.hub.topic(symbol("A")).unwrap();
        let head = target.last(tickcast::market::Channel::Trades).unwrap().n;
        while seen.get("A").copied().unwrap_or(0) < head {
            let block = stream.block().await.expect("the stream goes on");
            for message in &block.messages {
                assert_ne!(message["T"], "gap", "{message}");
                assert_ne!(message["T"], "resync", "{message}");
                if message["T"] == "t" {
                    let n = message["n"].as_u64().unwrap();
                    let before = seen.insert(message["S"].as_str().unwrap().to_owned(), n);
                    // The very first is a snapshot.
                    assert!(before.is_none_or(|before| n == before + 1), "{message} after {before:?}");
                }
            }
            last = block.id.or(last);
        }
    }
    assert_eq!(seen.len(), 3);
}

async fn a_position_that_cannot_be_served_resynchronises(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let other = TestGateway::named(driver, "another-epoch");
    for gateway in [&gateway, &other] {
        gateway.declare(&["A"]);
        gateway.publish([trade("A", 1, "1.5"), trade("A", 2, "1.5")]);
    }
    let (_, foreign) = Stream::open(&other, "symbols=A&channels=trades", None).await.until("t").await;
    for (last, why) in [(foreign.unwrap(), "other_epoch"), ("nonsense".to_owned(), "unreadable")] {
        let mut stream = Stream::open(&gateway, "symbols=A&channels=trades", Some(&last)).await;
        stream.block().await.unwrap();
        let block = stream.block().await.unwrap();
        let kinds: Vec<_> = block.messages.iter().map(|message| message["T"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["welcome", "resync", "subscribed", "t"]);
        assert_eq!(
            (&block.messages[1]["why"], &block.messages[1]["epoch"]),
            (&json!(why), &json!("test-epoch"))
        );
    }
    // A ring that does not reach back tells a gap, as it does a WebSocket client. The query works like the header.
    let (_, id) = Stream::open(&gateway, "symbols=A&channels=trades", None).await.until("t").await;
    gateway.publish((0..500).map(|i| trade("A", 10 + i, "1.5")));
    let query = format!("symbols=A&channels=trades&lastEventId={}", id.unwrap());
    let (gap, _) = Stream::open(&gateway, &query, None).await.until("gap").await;
    assert_eq!((&gap["from"], &gap["why"]), (&json!(3), &json!("not_recoverable")));
}

async fn patterns_cover_what_came_meanwhile(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A1", "B1"]);
    gateway.publish([trade("A1", 1, "1.5")]);
    let (_, id) = Stream::open(&gateway, "symbols=A*&channels=trades", None).await.until("t").await;
    gateway.publish([trade("A2", 1, "1.5"), trade("A2", 2, "1.5"), trade("B2", 1, "1.5")]);
    let mut stream = Stream::open(&gateway, "symbols=A*&channels=trades", id.as_deref()).await;
    stream.block().await.unwrap();
    let block = stream.block().await.unwrap();
    let trades: Vec<_> = block.messages.iter().filter(|message| message["T"] == "t").collect();
    assert_eq!(
        trades.iter().map(|t| (&t["S"], &t["n"])).collect::<Vec<_>>(),
        [(&json!("A2"), &json!(1)), (&json!("A2"), &json!(2))]
    );
}

async fn refusals_name_what_is_wrong(driver: Driver) {
    let session = SessionConfig { symbols_per_session: 1, ..SessionConfig::default() };
    let server = ServerConfig { driver, connections: 1, ..ServerConfig::default() };
    let gateway = TestGateway::with(server, session);
    gateway.declare(&["A", "B"]);
    for (query, code, part) in [
        ("", 416, "symbols"),
        ("symbols=a", 414, "symbols"),
        ("symbols=A&channels=books", 415, "channels"),
        ("symbols=A&mode=fast", 416, "mode"),
        ("symbols=A&max_rate=0", 416, "max_rate"),
        ("symbols=A&rate=1", 416, "rate"),
        ("symbols=A,B&channels=trades", 405, "symbols"),
    ] {
        let response = ask(&gateway, query, None).await;
        assert_eq!(response.status(), 400, "{query}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["code"], code, "{query}: {body}");
        assert!(body["msg"].as_str().unwrap().contains(part), "{query}: {body}");
    }
    let stream = Stream::open(&gateway, "symbols=A&channels=trades", None).await;
    let response = ask(&gateway, "symbols=A&channels=trades", None).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert_eq!(response.json::<Value>().await.unwrap()["code"], 406);
    drop(stream);
    eventually("the place is free again", || gateway.gateway.connections.total() == 0).await;
    gateway.metric_reaches("tickcast_sessions_refused_total{reason=\"connections\"}", 1.0).await;
}

async fn a_client_that_takes_nothing_is_evicted(driver: Driver) {
    let session = SessionConfig { stall_timeout: Duration::from_millis(200), ..SessionConfig::default() };
    let gateway = TestGateway::with(ServerConfig { driver, ..ServerConfig::default() }, session);
    gateway.declare(&["A"]);
    let stream = Stream::open(&gateway, "symbols=A&channels=trades", None).await;
    let slow = "tickcast_sessions_closed_total{reason=\"slow\"}";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut id = 0;
    while gateway.metric(slow) < 1.0 {
        assert!(tokio::time::Instant::now() < deadline, "it is never found to be slow");
        // More than the queue holds, so that a slow machine has a gap to tell, too.
        gateway.publish((0..3_000).map(|i| trade("A", id + i, "1.5")));
        id += 3_000;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    gateway
        .metric_is("tickcast_sessions{encoding=\"json\",road=\"sse\",transport=\"sse\"}", |open| open < 1.0)
        .await;
    assert!(gateway.metric("tickcast_events_gapped_total{channel=\"trades\",reason=\"slow_client\"}") > 0.0);
    drop(stream);
}

async fn a_drain_says_when_to_come_back(driver: Driver) {
    let gateway = TestGateway::with(
        ServerConfig { driver, drain: Duration::from_millis(50), ..ServerConfig::default() },
        SessionConfig::default(),
    );
    gateway.declare(&["A"]);
    gateway.publish([trade("A", 1, "1.5")]);
    let mut stream = Stream::open(&gateway, "symbols=A&channels=trades", None).await;
    stream.until("t").await;
    gateway.gateway.drain.cancel();
    let (bye, id) = stream.until("bye").await;
    assert_eq!((&bye["code"], &bye["reconnect"]), (&json!(4201), &json!(true)));
    assert_eq!(id, None, "the position stays that of the last event");
    assert_eq!(stream.block().await.unwrap().retry, bye["after_ms"].as_u64());
    assert!(stream.block().await.is_none(), "the body ends");
}
