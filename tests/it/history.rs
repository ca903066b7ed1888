//! `/v1/bars/{symbol}`: pages, the seam between them and a subscription, and refusals that name what is wrong.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tickcast::{
    market::{Interval, Tick, UnixMicros},
    server::Driver,
};

use crate::util::{Client, PATIENCE, TestGateway, quote, source, trade};

const SECOND: i64 = 1_000_000;

on_both_drivers! {
    a_chart_from_history_equals_one_from_the_beginning,
    pages_of_bars_are_walked_back,
    refusals_name_the_parameter,
    intervals_that_are_not_computed_are_named,
}

async fn get(gateway: &TestGateway, path: &str) -> (u16, Value) {
    let client = reqwest::Client::new();
    let url = format!("http://{}/v1/bars/{path}", gateway.address);
    let response = client.get(url).timeout(PATIENCE).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// A trade at that time, in milliseconds.
fn at(name: &str, id: u64, millis: i64) -> Tick {
    let price = format!("{}.50", 100 + id % 7);
    let Tick::Trade(trade) = trade(name, id, &price) else { panic!("a trade") };
    Tick::Trade(tickcast::market::Trade { te: None, tr: UnixMicros(millis * 1_000), ..trade })
}

/// Bars by their start. What comes for a start replaces what was there, unless that was final.
type Chart = BTreeMap<i64, Value>;

fn put(chart: &mut Chart, bar: &Value) {
    if let Some(before) = chart.insert(bar["t"].as_i64().unwrap(), bar.clone()) {
        assert!(before["final"] == false && before["n"].as_u64() < bar["n"].as_u64(), "{before} then {bar}");
    }
}

/// Reads bars until that one is final.
async fn read(client: &mut Client, chart: &mut Chart, last: i64) {
    loop {
        let message = client.next().await.unwrap();
        assert_ne!(message["T"], "gap", "{message}");
        if message["T"] == "b" {
            put(chart, &message);
            if message["t"] == last && message["final"] == true {
                return;
            }
        }
    }
}

async fn a_chart_from_history_equals_one_from_the_beginning(driver: Driver) {
    const TRADES: u64 = 3_000;
    const PART: u64 = 300;
    let gateway = TestGateway::on(driver);
    gateway.declare(&["EUR/USD"]);
    let mut witness = gateway.connect().await;
    let all = json!({"op": "subscribe", "channel": "bars.1s", "symbols": ["EUR/USD"]});
    witness.send(all).await;
    witness.expect("subscribed").await;
    let hub = std::sync::Arc::clone(&gateway.gateway.hub);
    let (coming, next) = std::sync::mpsc::channel();
    let publisher = std::thread::spawn(move || {
        for id in 0..TRADES {
            // Ten in a second, of which some overtake each other.
            let millis = i64::try_from(id * 100 + id % 3 * 150).unwrap();
            hub.publish(source(), [at("EUR/USD", id, millis)]);
            // A part while each client comes, and what is left at the end.
            if id % PART == PART - 1 {
                let _came = next.recv();
            }
        }
        hub.tick_clock(UnixMicros(1_000 * SECOND));
    });
    let last = i64::try_from(TRADES / 10 - 1).unwrap() * SECOND;
    let mut charts = Vec::new();
    for _ in 0..8 {
        let mut chart = Chart::new();
        coming.send(()).unwrap();
        let (status, page) = get(&gateway, "EUR/USD?interval=1s&limit=1000").await;
        assert_eq!((status, &page["interval"]), (200, &json!("1s")));
        page["bars"].as_array().unwrap().iter().for_each(|bar| put(&mut chart, bar));
        let mut client = gateway.connect().await;
        client
            .send(json!({"op": "subscribe", "channel": "bars.1s", "symbols": ["EUR/USD"],
                "since": page["position"]}))
            .await;
        assert_eq!(client.expect("subscribed").await["ok"][0]["recovered"], true);
        charts.push((client, chart));
    }
    drop(coming);
    let mut expected = Chart::new();
    read(&mut witness, &mut expected, last).await;
    for (client, chart) in &mut charts {
        if chart.get(&last).is_none_or(|bar| bar["final"] != true) {
            read(client, chart, last).await;
        }
        assert!(*chart == expected, "{chart:?} {expected:?}");
    }
    publisher.join().unwrap();
    assert_eq!(expected.len() as u64, TRADES / 10, "there was a trade in each second");
}

async fn pages_of_bars_are_walked_back(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A", "B"]);
    gateway.publish((0..25).map(|i| at("A", i, i64::try_from(i).unwrap() * 60_000)));
    let (_, first) = get(&gateway, "A?interval=1m&limit=10").await;
    let newest = first["bars"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&newest["final"], &newest["t"], &newest["i"]),
        (&json!(false), &json!(1_440 * SECOND), &json!("1m"))
    );
    assert_eq!(first["position"], json!({"epoch": "test-epoch", "n": {"A": newest["n"]}}));
    let mut starts = Vec::new();
    let mut page = first;
    loop {
        let bars = page["bars"].as_array().unwrap();
        starts.splice(..0, bars.iter().map(|bar| bar["t"].as_i64().unwrap() / SECOND / 60));
        let Some(before) = page.get("before") else { break };
        page = get(&gateway, &format!("A?interval=1m&limit=10&before={before}")).await.1;
        assert_eq!(page.get("position"), None, "only the first page tells a position");
    }
    assert_eq!(starts, (0..25).collect::<Vec<_>>());
    // A span of time: `from` is in it and `to` is not; its position is behind its last bar.
    let span = format!("A?interval=1m&from={}&to={}", 300 * SECOND, 480 * SECOND);
    let (_, page) = get(&gateway, &span).await;
    let bars = page["bars"].as_array().unwrap();
    let found: Vec<_> = bars.iter().map(|bar| bar["t"].as_i64().unwrap() / SECOND / 60).collect();
    assert_eq!((found, page.get("before")), (vec![5, 6, 7], None));
    assert_eq!(page["position"]["n"]["A"], bars[2]["n"]);
    let mut client = gateway.connect().await;
    let since = &page["position"];
    client.send(json!({"op": "subscribe", "channel": "bars.1m", "symbols": ["A"], "since": since})).await;
    for start in 8..25 {
        assert_eq!(client.expect("b").await["t"], start * 60 * SECOND);
    }
    let (status, page) = get(&gateway, "B?interval=1d").await;
    assert_eq!((status, &page["bars"], &page["position"]["n"]["B"]), (200, &json!([]), &json!(0)));
    // Quotes make no bars.
    gateway.publish([quote("B", "1.10")]);
    assert_eq!(get(&gateway, "B?interval=1d").await.1, page);
}

async fn refusals_name_the_parameter(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A"]);
    for (path, status, code, start) in [
        ("A", 400, 416, "interval: is missing, there are 1s, 1m, 5m, 15m, 1h, 1d"),
        ("A?interval=2m", 400, 415, "interval: \"2m\" is unknown"),
        ("A?interval=1m&from=x", 400, 416, "from: "),
        ("A?interval=1m&to=1.5", 400, 416, "to: "),
        ("A?interval=1m&from=2&to=1", 400, 416, "from: 2 is after to, 1"),
        ("A?interval=1m&limit=1001", 400, 416, "limit: "),
        ("A?interval=1m&before=x", 400, 416, "before: "),
        ("ZZZ?interval=1m", 404, 414, "symbol: \"ZZZ\" is unknown"),
        ("a%20b?interval=1m", 404, 414, "symbol: \"a b\" is unknown"),
    ] {
        let (got, body) = get(&gateway, path).await;
        assert_eq!((got, &body["code"]), (status, &json!(code)), "{path}: {body}");
        assert!(body["msg"].as_str().unwrap().starts_with(start), "{path}: {body}");
    }
    let (status, body) = get(&gateway, "A?interval=1m&page=1").await;
    assert!(status == 400 && body["msg"].as_str().unwrap().contains("page"), "{body}");
}

async fn intervals_that_are_not_computed_are_named(driver: Driver) {
    let gateway = TestGateway::with_intervals(driver, &[Interval::Minute]);
    gateway.publish([at("A", 1, 0)]);
    assert_eq!(get(&gateway, "A?interval=1m").await.1["bars"][0]["c"], "101.50");
    let (status, body) = get(&gateway, "A?interval=1h").await;
    assert_eq!((status, &body["code"]), (400, &json!(415)));
    assert_eq!(body["msg"], "interval: \"1h\" is not computed here (history.intervals), there are 1m");
}
