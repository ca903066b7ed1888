//! Ticker and bars as a client gets them: in both encodings, over plain HTTP, and final by the gateway's own clock.

use std::time::Duration;

use serde_json::{Value, json};
use tickcast::{
    app,
    clock::Clock,
    config::{Config, Flags},
    market::UnixMicros,
    server::Driver,
};

use crate::util::{Client, TestGateway, quote, trade};

on_both_drivers! {
    ticker_and_bars_come_like_everything_else,
}

async fn ticker_and_bars_come_like_everything_else(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.publish([quote("A", "1.10"), trade("A", 1, "1.20"), trade("A", 2, "1.50")]);
    let (status, body) = gateway.get("/v1/snapshot?symbols=A&channels=ticker,bars.1m");
    let newest: Value = serde_json::from_str(&body).unwrap();
    let [ticker, bar] = newest["events"].as_array().unwrap().as_slice() else { panic!("{body}") };
    assert_eq!((status, &ticker["T"], &ticker["chg_pct"]), (200, &json!("k"), &json!("25.0000")));
    assert_eq!((&bar["T"], &bar["i"], &bar["final"]), (&json!("b"), &json!("1m"), &json!(false)));
    let mut clients = [gateway.connect().await, gateway.connect_msgpack().await];
    for client in &mut clients {
        client.send(json!({"op": "subscribe", "channel": "bars.1m", "symbols": ["A"]})).await;
        let ack = client.expect("subscribed").await;
        assert_eq!((&ack["channel"], &ack["ok"][0]["mode"]), (&json!("bars.1m"), &json!("merge")));
        assert_eq!(&client.expect("b").await, bar);
        client.send(json!({"op": "subscribe", "channel": "ticker", "symbols": ["A"]})).await;
        assert_eq!(&client.expect("k").await, ticker);
    }
    let now = Clock::system().now().0;
    assert!(!gateway.gateway.hub.tick_clock(UnixMicros(now + 61_000_000)));
    gateway.publish([trade("A", 3, "1.00")]);
    for client in &mut clients {
        let bar = client.expect("b").await;
        assert_eq!(
            (&bar["final"], &bar["n"], &bar["vw"]),
            (&json!(true), &json!(3), &json!("1.350000")),
            "{bar}"
        );
        let ticker = client.expect("k").await;
        assert_eq!(
            (&ticker["last"], &ticker["low"], &ticker["trades"]),
            (&json!("1.00"), &json!("1.00"), &json!(3))
        );
    }
}

/// One trade and then silence: only the gateway's own clock can end the bar.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_bar_ends_in_a_running_gateway() {
    let place = tempfile::tempdir().unwrap();
    let tick = r#"{"T":"t","S":"A","n":1,"p":"1.50","s":"2","x":"rec","tr":1700000000000000}"#;
    std::fs::write(place.path().join("one.ndjson"), format!("{tick}\n")).unwrap();
    let config = "[server]\nbind = \"127.0.0.1:0\"\nworkers = 1\ngrace_ms = 0\ndrain_ms = 0\n[history]\nintervals = [\"1s\"]\n\
                  [[feed]]\nname = \"one\"\nkind = \"replay\"\npath = \"one.ndjson\"\nformat = \"native\"\n";
    std::fs::write(place.path().join("tickcast.toml"), config).unwrap();
    let config = Config::load(&Flags::default(), [], place.path()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (ready, started) = tokio::sync::oneshot::channel();
    let gateway = tokio::spawn(app::run(config, async { drop(stopped.await) }, move |started| {
        ready.send(started.address).unwrap()
    }));
    let address = started.await.unwrap();
    let mut client = Client::connect(&format!("ws://{address}/v1/ws"), None).await.unwrap();
    client.send(json!({"op": "subscribe", "channel": "bars.1d", "symbols": ["*"]})).await;
    assert_eq!(client.expect("error").await["code"], 415);
    client.send(json!({"op": "subscribe", "channel": "bars.1s", "symbols": ["*"]})).await;
    let bar = loop {
        let bar = tokio::time::timeout(Duration::from_secs(20), client.expect("b")).await.unwrap();
        if bar["final"] == true {
            break bar;
        }
    };
    assert_eq!((&bar["c"], &bar["tc"], &bar["vw"]), (&json!("1.50"), &json!(1), &json!("1.500000")));
    drop(stop);
    client.expect("bye").await;
    drop(client);
    gateway.await.unwrap().unwrap();
}
