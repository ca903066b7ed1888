//! Another numbering while the gateway runs: sessions that asked for it are told and go on, all others come back.

use serde_json::{Value, json};
use tickcast::server::Driver;

use crate::util::{Client, TestGateway, quote, trade};

on_both_drivers! {
    a_session_that_asked_for_it_is_told_and_goes_on,
    other_sessions_are_asked_to_come_back,
    a_poll_with_an_old_position_is_told_too,
}

async fn connect(gateway: &TestGateway, query: &str) -> Client {
    Client::connect(&format!("ws://{}/v1/ws{query}", gateway.address), None).await.unwrap()
}

async fn follow(client: &mut Client) {
    for (channel, mode) in [
        ("trades", "stream"),
        ("quotes", "merge"),
        ("ticker", "merge"),
        ("bars.1m", "stream"),
        ("status", "stream"),
    ] {
        let command = json!({"op": "subscribe", "channel": channel, "symbols": ["A"], "mode": mode});
        client.send(command).await;
        client.expect("subscribed").await;
    }
}

async fn a_session_that_asked_for_it_is_told_and_goes_on(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.publish([quote("A", "1.10"), trade("A", 1, "1.20"), trade("A", 2, "1.30")]);
    let mut client = connect(&gateway, "?resync=1").await;
    follow(&mut client).await;
    gateway.gateway.hub.renumber("other".into());
    let resync = client.expect("resync").await;
    assert_eq!((&resync["epoch"], &resync["why"]), (&json!("other"), &json!("renumbered")));
    let mut newest: Vec<Value> = Vec::new();
    while newest.len() < 5 {
        newest.push(client.next().await.unwrap());
    }
    let mut kinds: Vec<_> = newest.iter().map(|event| event["T"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["b", "k", "q", "status", "t"], "the newest of each: {newest:?}");
    let trade_before = newest.iter().find(|event| event["T"] == "t").unwrap();
    assert_eq!(trade_before["p"], "1.30");
    // It goes on, and positions are those of the other numbering.
    gateway.publish([trade("A", 3, "1.40")]);
    let next = client.expect("t").await;
    assert_eq!(next["n"].as_u64(), trade_before["n"].as_u64().map(|n| n + 1));
    let since = json!({"epoch": "other", "n": {"A": trade_before["n"]}});
    client.send(json!({"op": "unsubscribe", "channel": "trades", "symbols": ["A"]})).await;
    client.expect("unsubscribed").await;
    client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"], "since": since})).await;
    let again = client.expect("subscribed").await;
    assert_eq!((&again["epoch"], &again["ok"][0]["recovered"]), (&json!("other"), &json!(true)));
    assert_eq!(client.expect("t").await["n"], next["n"]);
    assert_eq!(gateway.count("tickcast_sessions_closed_total{reason=\"renumbered\"}"), 0);
}

async fn other_sessions_are_asked_to_come_back(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.publish([trade("A", 1, "1.20")]);
    let mut clients = [connect(&gateway, "").await, connect(&gateway, "?resync=0").await];
    for client in &mut clients {
        follow(client).await;
    }
    gateway.gateway.hub.renumber("other".into());
    for client in &mut clients {
        let bye = client.expect("bye").await;
        assert_eq!((&bye["code"], &bye["reconnect"]), (&json!(4202), &json!(true)), "{bye}");
        assert!(bye["after_ms"].as_u64().unwrap() <= 10_000, "{bye}");
        assert_eq!(client.ended().await, Some(4202));
    }
    gateway.metric_reaches("tickcast_sessions_closed_total{reason=\"renumbered\"}", 2.0).await;
    let mut back = connect(&gateway, "").await;
    back.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"],
        "since": {"epoch": "e1", "n": {"A": 1}}}))
        .await;
    let answer = back.expect("subscribed").await;
    assert_eq!((&answer["epoch"], &answer["ok"][0]["recovered"]), (&json!("other"), &json!(false)));
    assert_eq!(back.expect("gap").await["why"], "not_recoverable");
    assert_eq!(back.expect("t").await["p"], "1.20");
}

async fn a_poll_with_an_old_position_is_told_too(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.publish([trade("A", 1, "1.20")]);
    let (_, body) = gateway.get("/v1/poll?symbols=A&channels=trades");
    let first: Value = serde_json::from_str(&body).unwrap();
    gateway.gateway.hub.renumber("other".into());
    let after = first["position"].as_str().unwrap();
    let (_, body) = gateway.get(&format!("/v1/poll?symbols=A&channels=trades&after={after}"));
    let next: Value = serde_json::from_str(&body).unwrap();
    let messages = next["messages"].as_array().unwrap();
    assert_eq!((&messages[0]["T"], &messages[0]["why"]), (&json!("resync"), &json!("other_epoch")), "{body}");
    assert_eq!(messages[1]["T"], "t");
}
