//! `/v1/poll`: a loop of requests sees what a WebSocket client sees.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tickcast::{
    server::{Driver, ServerConfig},
    session::SessionConfig,
};
use tokio::time::Instant;

use crate::util::{Client, PATIENCE, TestGateway, eventually, quote, trade};

on_both_drivers! {
    a_loop_sees_what_a_socket_sees,
    it_waits_for_news_and_no_longer,
    a_rate_spaces_the_answers_and_merges,
    what_is_not_remembered_is_a_gap,
    refusals_name_what_is_wrong,
    a_loop_without_a_place_is_told,
    a_drain_ends_the_wait,
    a_drain_ends_the_pause_of_a_rate,
}

async fn poll(client: &reqwest::Client, gateway: &TestGateway, query: &str) -> (u16, Value) {
    let url = format!("http://{}/v1/poll?{query}", gateway.address);
    let response = client.get(url).timeout(PATIENCE).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Symbol and number of every trade, and whatever else is no event.
fn events(messages: &[Value]) -> Vec<(String, u64)> {
    messages
        .iter()
        .map(|message| {
            assert_eq!(message["T"], "t", "{message}");
            (message["S"].as_str().unwrap().to_owned(), message["n"].as_u64().unwrap())
        })
        .collect()
}

async fn socket(gateway: &TestGateway) -> Client {
    let mut client = gateway.connect().await;
    client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A", "B"]})).await;
    client.expect("subscribed").await;
    client
}

async fn a_loop_sees_what_a_socket_sees(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A", "B"]);
    let mut socket = socket(&gateway).await;
    let http = reqwest::Client::new();
    let (_, first) = poll(&http, &gateway, "symbols=A,B&channels=trades").await;
    assert_eq!(first["messages"], json!([]), "a beginning: nothing was traded yet");
    let mut position = first["position"].as_str().unwrap().to_owned();
    let (mut polled, mut pushed) = (Vec::new(), Vec::new());
    let hub = std::sync::Arc::clone(&gateway.gateway.hub);
    // At most some sixty trades ahead of the polls, which is less than the gateway remembers.
    let (ahead, behind) = std::sync::mpsc::sync_channel(16);
    let publisher = std::thread::spawn(move || {
        for id in 0..400_u64 {
            hub.publish(crate::util::source(), [trade(if id % 3 == 0 { "B" } else { "A" }, id, "1.5")]);
            if id % 4 == 0 {
                ahead.send(()).unwrap();
            }
        }
    });
    let mut taken = 0;
    while polled.len() < 400 {
        // Each on a connection of its own: the workers take turns.
        let http = reqwest::Client::new();
        let query = format!("symbols=A,B&channels=trades&wait=10&after={position}");
        let (status, answer) = poll(&http, &gateway, &query).await;
        assert_eq!(status, 200, "{answer}");
        polled.extend(events(answer["messages"].as_array().unwrap()));
        while taken < polled.len() / 4 {
            behind.recv().unwrap();
            taken += 1;
        }
        position = answer["position"].as_str().unwrap().to_owned();
    }
    publisher.join().unwrap();
    while pushed.len() < 400 {
        pushed.extend(events(&[socket.next().await.unwrap()]));
    }
    // Between two symbols there is no order; of each there is.
    for name in ["A", "B"] {
        let of = |all: &[(String, u64)]| {
            all.iter().filter(|(symbol, _)| symbol == name).map(|(_, n)| *n).collect::<Vec<_>>()
        };
        assert_eq!(of(&polled), of(&pushed), "{name}");
    }
    gateway
        .metric_is("tickcast_sessions{encoding=\"json\",road=\"poll\",transport=\"poll\"}", |open| open < 1.0)
        .await;
}

async fn it_waits_for_news_and_no_longer(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A"]);
    gateway.publish([quote("A", "1.10")]);
    let http = reqwest::Client::new();
    let (_, first) = poll(&http, &gateway, "symbols=A,ZZ&channels=quotes,trades").await;
    assert_eq!((&first["messages"][0]["bp"], &first["unknown"]), (&json!("1.10"), &json!(["ZZ"])));
    let position = first["position"].as_str().unwrap();
    let query = format!("symbols=A&channels=quotes,trades&after={position}");
    let started = Instant::now();
    let (_, empty) = poll(&http, &gateway, &format!("{query}&wait=1")).await;
    assert_eq!((&empty["messages"], &empty["position"]), (&json!([]), &json!(position)));
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    let (_, empty) = poll(&http, &gateway, &format!("{query}&wait=0")).await;
    assert_eq!(empty["messages"], json!([]));
    let waiting = poll(&http, &gateway, &query);
    let news = async {
        gateway
            .metric_is("tickcast_sessions{encoding=\"json\",road=\"poll\",transport=\"poll\"}", |open| {
                open > 0.0
            })
            .await;
        gateway.publish([quote("A", "1.20")]);
    };
    let ((_, answer), ()) = tokio::join!(waiting, news);
    assert_eq!(answer["messages"][0]["bp"], "1.20");
    // A client that goes away leaves nothing behind.
    let query = format!("symbols=A&channels=quotes,trades&after={}", answer["position"].as_str().unwrap());
    let gone = poll(&http, &gateway, &query);
    assert!(tokio::time::timeout(Duration::from_millis(50), gone).await.is_err());
    drop(http);
    eventually("the session has left", || gateway.gateway.connections.total() == 0).await;
}

async fn a_rate_spaces_the_answers_and_merges(driver: Driver) {
    const TRADES: u64 = 400;
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A", "B"]);
    let http = reqwest::Client::new();
    let query = "symbols=A,B&channels=trades&wait=10&max_rate=20";
    let (_, first) = poll(&http, &gateway, query).await;
    let mut position = first["position"].as_str().unwrap().to_owned();
    let hub = std::sync::Arc::clone(&gateway.gateway.hub);
    let (answered, next) = std::sync::mpsc::channel();
    let publisher = std::thread::spawn(move || {
        for id in 0..TRADES {
            hub.publish(crate::util::source(), ["A", "B"].map(|name| trade(name, id, "1.5")));
            if id % 50 == 49 {
                // The poll that waits is over, or this was the last.
                let _last = next.recv();
            }
        }
    });
    let (mut last, mut answers) = ((0, 0), 0);
    let started = Instant::now();
    while last != (TRADES, TRADES) {
        let (status, answer) = poll(&http, &gateway, &format!("{query}&after={position}")).await;
        assert_eq!(status, 200, "{answer}");
        answers += 1;
        answered.send(()).ok();
        // Each symbol at most once an answer, and newer each time.
        let mut found = BTreeMap::new();
        for (name, n) in events(answer["messages"].as_array().unwrap()) {
            assert_eq!(found.insert(name, n), None, "{answer}");
        }
        for (name, last) in [("A", &mut last.0), ("B", &mut last.1)] {
            let n = found.get(name).copied().unwrap_or(*last);
            assert!(n > *last || !found.contains_key(name), "{answer}");
            *last = n;
        }
        position = answer["position"].as_str().unwrap().to_owned();
    }
    assert!(answers >= 8, "an answer for each part");
    drop(answered);
    assert!(started.elapsed() >= Duration::from_millis(50) * answers, "{answers} in {:?}", started.elapsed());
    publisher.join().unwrap();
}

async fn what_is_not_remembered_is_a_gap(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A"]);
    gateway.publish([trade("A", 0, "1.5")]);
    let http = reqwest::Client::new();
    let (_, first) = poll(&http, &gateway, "symbols=A&channels=trades").await;
    gateway.publish((1..600).map(|id| trade("A", id, "1.5")));
    let position = first["position"].as_str().unwrap();
    let (_, answer) = poll(&http, &gateway, &format!("symbols=A&channels=trades&after={position}")).await;
    let messages = answer["messages"].as_array().unwrap();
    assert_eq!(
        (&messages[0]["T"], &messages[0]["from"], &messages[0]["to"]),
        (&json!("gap"), &json!(2), &json!(600))
    );
    assert_eq!((messages.len(), &messages[1]["n"]), (2, &json!(600)));
    let (_, answer) = poll(&http, &gateway, "symbols=A&channels=trades&after=nonsense").await;
    let kinds: Vec<_> = answer["messages"].as_array().unwrap().iter().map(|it| &it["T"]).collect();
    assert_eq!(kinds, ["resync", "t"]);
}

async fn refusals_name_what_is_wrong(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let many: Vec<_> = (0..251).map(|i| format!("S{i}")).collect();
    gateway.declare(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let http = reqwest::Client::new();
    for (query, status, code, part) in [
        ("", 400, 416, "symbols"),
        ("symbols=s", 400, 414, "symbols"),
        ("symbols=ZZZ", 404, 414, "symbols"),
        ("symbols=S1&wait=61", 400, 416, "wait"),
        ("symbols=S1&wait=-1", 400, 416, "wait"),
        ("symbols=S1&max_rate=0", 400, 416, "max_rate"),
        ("symbols=S1&max_rate=0.03", 400, 416, "max_rate: one event in"),
        ("symbols=S1&max_rate=2&wait=0", 400, 416, "max_rate: one event in 0.5 s is rarer than an answer"),
        ("symbols=S1&rate=1", 400, 416, "rate"),
        ("symbols=*&channels=trades,quotes", 400, 405, "symbols"),
    ] {
        let (got, body) = poll(&http, &gateway, query).await;
        assert_eq!((got, &body["code"]), (status, &json!(code)), "{query}: {body}");
        assert!(body["msg"].as_str().unwrap().contains(part), "{query}: {body}");
    }
}

async fn a_loop_without_a_place_is_told(driver: Driver) {
    let server = ServerConfig { driver, connections_per_ip: 1, ..ServerConfig::default() };
    let gateway = TestGateway::with(server, SessionConfig::default());
    gateway.declare(&["S1"]);
    let mut place = gateway.connect().await;
    // The handshake is answered before the session has its place.
    place.expect("welcome").await;
    // One request by a client of its own: an HTTP client may open a second connection for the next one, which makes
    // the gateway close the first, idle one, whatever is on its way there.
    let (status, body) = poll(&reqwest::Client::new(), &gateway, "symbols=S1").await;
    assert_eq!((status, &body["code"]), (503, &json!(406)));
}

async fn a_drain_ends_the_wait(driver: Driver) {
    a_drain_ends(driver, "symbols=A&wait=60").await;
}

async fn a_drain_ends_the_pause_of_a_rate(driver: Driver) {
    a_drain_ends(driver, "symbols=A&wait=60&max_rate=0.02").await;
}

async fn a_drain_ends(driver: Driver, query: &str) {
    let gateway = TestGateway::with(
        ServerConfig { driver, drain: Duration::from_millis(50), ..ServerConfig::default() },
        SessionConfig::default(),
    );
    gateway.declare(&["A"]);
    let http = reqwest::Client::new();
    let (_, first) = poll(&http, &gateway, query).await;
    let query = format!("{query}&after={}", first["position"].as_str().unwrap());
    let waiting = poll(&http, &gateway, &query);
    let drain = async {
        gateway
            .metric_is("tickcast_sessions{encoding=\"json\",road=\"poll\",transport=\"poll\"}", |open| {
                open > 0.0
            })
            .await;
        gateway.gateway.drain.cancel();
    };
    let ((status, body), ()) = tokio::join!(waiting, drain);
    assert_eq!((status, &body["code"]), (503, &json!(503)));
}
