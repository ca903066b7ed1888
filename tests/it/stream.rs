//! `/v1/ws` with a real client: welcome, ack with snapshot, live events, both encodings, and the transports beside it.

use serde_json::json;
use tickcast::server::{Driver, ServerConfig};

use crate::util::{TestGateway, quote, trade};

on_both_drivers! {
    a_client_gets_a_welcome_an_ack_with_snapshot_and_live_events,
    the_roads_beside_the_stream,
    connection_limits_are_told,
}

async fn a_client_gets_a_welcome_an_ack_with_snapshot_and_live_events(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["BTC-USD"]);
    gateway.publish([quote("BTC-USD", "67210.10")]);
    for msgpack in [false, true] {
        let mut client = if msgpack { gateway.connect_msgpack().await } else { gateway.connect().await };
        let welcome = client.next().await.unwrap();
        assert_eq!((&welcome["T"], &welcome["epoch"]), (&json!("welcome"), &json!("test-epoch")));
        client
            .send(json!({"op": "subscribe", "id": "q", "channel": "quotes", "symbols": ["BTC-USD", "NONE"]}))
            .await;
        let ack = client.next().await.unwrap();
        assert_eq!((&ack["T"], &ack["id"]), (&json!("subscribed"), &json!("q")));
        assert_eq!(ack["err"][0]["code"], 414);
        let snapshot = client.next().await.unwrap();
        assert_eq!((&snapshot["n"], &snapshot["bp"]), (&ack["ok"][0]["n"], &json!("67210.10")));
        client
            .send(json!({"op": "subscribe", "channel": "trades", "symbols": ["BTC-USD"], "snapshot": false}))
            .await;
        client.expect("subscribed").await;
        gateway.publish([trade("BTC-USD", 7, "67210.20"), trade("BTC-USD", 8, "67210.30")]);
        let first = client.expect("t").await;
        assert_eq!(
            (&first["id"], &first["p"], &first["s"]),
            (&json!("7"), &json!("67210.20"), &json!("0.05990000"))
        );
        let second = client.expect("t").await;
        assert_eq!(second["n"].as_u64(), first["n"].as_u64().map(|n| n + 1));
        client.close().await;
    }
    gateway.metric_reaches("tickcast_sessions_closed_total{reason=\"client\"}", 2.0).await;
    gateway
        .metric_is(
            "tickcast_sessions{encoding=\"json\",road=\"websocket\",transport=\"websocket\"}",
            |open| open < 1.0,
        )
        .await;
}

async fn the_roads_beside_the_stream(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["B", "A"]);
    gateway.publish([quote("A", "1.10"), trade("A", 1, "1.20")]);
    assert_eq!(gateway.get("/healthz").0, 200);
    assert_eq!(gateway.get("/readyz").0, 200);
    assert_eq!(gateway.get("/feedz").0, 200);
    let (status, symbols) = gateway.get("/v1/symbols");
    assert_eq!(status, 200);
    let symbols: serde_json::Value = serde_json::from_str(&symbols).unwrap();
    assert_eq!((&symbols["symbols"][0]["S"], &symbols["symbols"][0]["state"]), (&json!("A"), &json!("live")));
    assert_eq!(symbols["symbols"][1]["state"], "pending");
    let (status, newest) = gateway.get("/v1/snapshot?symbols=A,B,C&channels=quotes,trades,status");
    assert_eq!(status, 200);
    let newest: serde_json::Value = serde_json::from_str(&newest).unwrap();
    let kinds: Vec<_> =
        newest["events"].as_array().unwrap().iter().map(|event| event["T"].as_str().unwrap()).collect();
    assert_eq!((kinds, &newest["unknown"]), (vec!["q", "t", "status", "status"], &json!(["C"])));
    for (path, status) in
        [("/v1/snapshot?channels=books", 400), ("/v1/snapshot?symbol=A", 400), ("/nothing", 404)]
    {
        let (got, body) = gateway.get(path);
        assert_eq!(got, status, "{path}: {body}");
        assert!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["msg"].is_string(), "{body}");
    }
    let (status, page) = gateway.get("/");
    assert!(status == 200 && page.starts_with("<!doctype html>"), "{page}");
    let (status, metrics) = gateway.get("/metrics");
    assert!(status == 200 && metrics.contains("tickcast_topics 2"), "{metrics}");
}

async fn connection_limits_are_told(driver: Driver) {
    let server = ServerConfig { driver, connections: 2, ..ServerConfig::default() };
    let gateway = TestGateway::with(server, tickcast::session::SessionConfig::default());
    let mut first = gateway.connect().await;
    let mut second = gateway.connect().await;
    first.expect("welcome").await;
    second.expect("welcome").await;
    let mut third = gateway.connect().await;
    assert_eq!(third.expect("error").await["code"], 406);
    let bye = third.expect("bye").await;
    assert_eq!((&bye["code"], &bye["reconnect"]), (&json!(4005), &json!(false)));
    assert_eq!(third.ended().await, Some(4005));
    first.close().await;
    gateway.metric_reaches("tickcast_sessions_closed_total{reason=\"client\"}", 1.0).await;
    gateway.connect().await.expect("welcome").await;
}
