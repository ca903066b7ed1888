//! Whole gateways as nodes of one cluster, in one process over a log in memory: what clients and producers of any of them see,
//! and what becomes of that when the one that leads is stopped.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tickcast::{
    app,
    cluster::log::MemoryServer,
    config::{Config, Flags},
};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::util::{Client, PATIENCE};

const CONFIG: &str = r#"
[server]
bind = "127.0.0.1:0"
workers = 1
grace_ms = 0
drain_ms = 0

[cluster]
name = "test"
url = "redis://127.0.0.1:1"
found_ms = 0

[[feed]]
name = "desk"
kind = "push"
symbols = ["BTC-USD"]
"#;

/// A gateway in this process.
struct Node {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Node {
    /// Starts one of that name and role, and waits until it takes clients.
    async fn start(server: &MemoryServer, name: &str, role: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let text = CONFIG.replace("found_ms", &format!("node = \"{name}\"\nrole = \"{role}\"\nfound_ms"));
        std::fs::write(place.path().join("tickcast.toml"), text).unwrap();
        let config = Config::load(&Flags::default(), [], place.path()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, started) = oneshot::channel();
        let log = Some(server.log());
        let running = app::run_over(config, log, async { drop(stopped.await) }, move |started| {
            ready.send(started.address).unwrap();
        });
        let running = tokio::spawn(running);
        let node = Self { address: started.await.unwrap(), stop, running };
        let until = Instant::now() + PATIENCE;
        while node.get("/readyz").await.0 != 200 {
            assert!(Instant::now() < until, "{name} is never ready");
            sleep(Duration::from_millis(10)).await;
        }
        node
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await.1).unwrap()
    }

    /// The newest values of the symbol, and of which numbering: all of a snapshot but its time.
    async fn values(&self) -> (Value, Value) {
        let snapshot = self.json("/v1/snapshot?symbols=BTC-USD&channels=trades,ticker,bars.1d").await;
        (snapshot["epoch"].clone(), snapshot["events"].clone())
    }

    /// A producer publishes a trade of that price through this node, and waits until it is taken.
    async fn publish(&self, price: &str) {
        let until = Instant::now() + PATIENCE;
        let url = format!("http://{}/v1/publish?feed=desk", self.address);
        let body = format!(r#"{{"T":"t","S":"BTC-USD","p":"{price}","s":"1"}}"#);
        loop {
            let request =
                reqwest::Client::new().post(&url).header("idempotency-key", price).body(body.clone());
            let answer = request.send().await.unwrap();
            let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
            if status == 200 {
                assert!(text.contains("\"accepted\":1"), "{text}");
                return;
            }
            assert!(status == 503 && Instant::now() < until, "{status} {text}");
        }
    }

    async fn client(&self) -> Client {
        let mut client =
            Client::connect(&format!("ws://{}/v1/ws?resync=1", self.address), None).await.unwrap();
        client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["BTC-USD"]})).await;
        client.expect("subscribed").await;
        client
    }

    async fn stop(self) {
        drop(self.stop);
        self.running.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_and_producers_of_any_node_see_one_gateway_also_when_the_leader_stops() {
    let server = MemoryServer::new();
    let first = Node::start(&server, "first", "auto").await;
    let second = Node::start(&server, "second", "auto").await;
    let edge = Node::start(&server, "edge", "edge").await;
    let mut clients = [first.client().await, second.client().await, edge.client().await];
    for (node, price) in [(&edge, "1.10"), (&second, "1.20"), (&first, "1.30")] {
        node.publish(price).await;
    }
    for client in &mut clients {
        for (n, price) in [(1, "1.10"), (2, "1.20"), (3, "1.30")] {
            let trade = client.expect("t").await;
            assert_eq!((&trade["n"], &trade["p"]), (&json!(n), &json!(price)), "{trade}");
        }
    }
    // The leader tells every second.
    let until = Instant::now() + PATIENCE;
    while edge.json("/feedz").await["feeds"].as_array().unwrap().is_empty() {
        assert!(Instant::now() < until, "the edge never hears of the leader's feeds");
        sleep(Duration::from_millis(10)).await;
    }
    let feeds = edge.json("/feedz").await;
    assert_eq!((&feeds["feeds"][0]["name"], &feeds["feeds"][0]["kind"]), (&json!("desk"), &json!("push")));
    let before = edge.values().await;
    assert_eq!(before, second.values().await);
    // Its clients are told to go; those of the others notice nothing.
    let [gone, mut of_second, mut of_edge] = clients;
    let stopping = tokio::spawn(first.stop());
    let mut gone = gone;
    gone.expect("bye").await;
    drop(gone);
    stopping.await.unwrap();
    edge.publish("1.40").await;
    for client in [&mut of_second, &mut of_edge] {
        let trade = client.expect("t").await;
        assert_eq!((&trade["n"], &trade["p"]), (&json!(4), &json!("1.40")), "{trade}");
    }
    let after = edge.values().await;
    assert_eq!(after.0, before.0);
    assert_eq!(after, second.values().await);
    drop((of_second, of_edge));
    edge.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_role_feed_leads_and_takes_no_clients() {
    let server = MemoryServer::new();
    let edge = tokio::spawn({
        let server = server.clone();
        async move { Node::start(&server, "edge", "edge").await }
    });
    let feeding = tokio::spawn({
        let server = server.clone();
        async move { Node::start(&server, "feeding", "feed").await }
    });
    let edge = edge.await.unwrap();
    edge.publish("1.10").await;
    assert_eq!(edge.json("/v1/snapshot?symbols=BTC-USD&channels=trades").await["events"][0]["p"], "1.10");
    assert!(!feeding.is_finished(), "it is never ready");
    feeding.abort();
}
