//! Prints that do not count and trades that are taken back, as clients of every transport see them.

use serde_json::{Value, json};
use tickcast::{limits::PUBLISH_CORRECTIONS, server::Driver};

use crate::util::{PATIENCE, TestGateway};

on_both_drivers! {
    a_trade_that_is_taken_back_is_told_to_clients_of_every_transport,
    what_a_print_does_not_count_for_is_told_and_kept_out_of_ticker_and_bars,
    more_corrections_in_one_body_than_are_taken_are_refused_by_their_line,
}

async fn publish(gateway: &TestGateway, lines: &[Value]) -> Value {
    let url = format!("http://{}/v1/publish?feed=desk", gateway.address);
    let body = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let request = reqwest::Client::new().post(url).timeout(PATIENCE).body(body);
    let request = request.header("content-type", "application/x-ndjson");
    request.send().await.unwrap().json().await.unwrap()
}

async fn get(gateway: &TestGateway, path: &str) -> Value {
    let url = format!("http://{}{path}", gateway.address);
    reqwest::Client::new().get(url).timeout(PATIENCE).send().await.unwrap().json().await.unwrap()
}

fn trade(id: u64, price: &str) -> Value {
    json!({"S": "A", "p": price, "s": "1", "id": id.to_string()})
}

fn bust(id: u64) -> Value {
    json!({"T": "c", "S": "A", "id": id.to_string(), "why": "busted"})
}

async fn a_trade_that_is_taken_back_is_told_to_clients_of_every_transport(driver: Driver) {
    let gateway = TestGateway::with_push(driver, &[("desk", false)]);
    publish(&gateway, &[trade(1, "100.0"), trade(2, "9900.0"), trade(3, "0.1"), trade(4, "101.0")]).await;
    let mut clients = [gateway.connect().await, gateway.connect_msgpack().await];
    for client in &mut clients {
        // Whatever mode is asked for: a correction is never merged away.
        let how = json!({"op": "subscribe", "channel": "corrections", "symbols": ["A"], "max_rate": 0.001});
        client.send(how).await;
        assert_eq!(client.expect("subscribed").await["ok"][0]["mode"], "stream");
    }
    let first = get(&gateway, "/v1/poll?symbols=A&channels=corrections").await;
    let told = publish(&gateway, &[bust(2), bust(3), bust(2)]).await;
    assert_eq!(told, json!({"accepted": 3, "rejected": 0, "errors": []}));
    let (one, two) = (
        json!({"T": "c", "S": "A", "n": 1, "of": 2, "id": "2", "why": "busted", "p": "9900.0", "s": "1", "x": "desk"}),
        json!({"T": "c", "S": "A", "n": 2, "of": 3, "id": "3", "why": "busted", "p": "0.1", "s": "1", "x": "desk"}),
    );
    let timeless = |message: &Value| {
        let mut message = message.clone();
        assert!(message.as_object_mut().unwrap().remove("tr").is_some_and(|tr| tr.is_i64()), "{message}");
        message
    };
    for client in &mut clients {
        assert_eq!(
            [timeless(&client.expect("c").await), timeless(&client.expect("c").await)],
            [one.clone(), two.clone()]
        );
    }
    let position = first["position"].as_str().unwrap();
    let next = get(&gateway, &format!("/v1/poll?symbols=A&channels=corrections&after={position}")).await;
    assert_eq!(
        next["messages"].as_array().unwrap().iter().map(timeless).collect::<Vec<_>>(),
        [one, two.clone()]
    );
    let newest = get(&gateway, "/v1/snapshot?symbols=A&channels=corrections,ticker").await;
    assert_eq!(timeless(&newest["events"][0]), two);
    assert_eq!(
        (&newest["events"][1]["high"], &newest["events"][1]["low"]),
        (&json!("101.0"), &json!("100.0"))
    );
    let page = get(&gateway, "/v1/trades/A").await;
    let busted: Vec<_> =
        page["trades"].as_array().unwrap().iter().map(|trade| trade["busted"] == true).collect();
    assert_eq!(busted, [false, true, true, false]);
    assert_eq!(gateway.count("tickcast_events_published_total{channel=\"corrections\"}"), 2);
    assert_eq!(gateway.count("tickcast_feed_ticks_total{channel=\"corrections\",feed=\"desk\"}"), 3);
}

async fn what_a_print_does_not_count_for_is_told_and_kept_out_of_ticker_and_bars(driver: Driver) {
    let gateway = TestGateway::with_push(driver, &[("desk", false)]);
    let mut odd = trade(2, "9900.0");
    odd["nc"] = json!("last,hilo");
    publish(&gateway, &[trade(1, "100.0"), odd]).await;
    let newest = get(&gateway, "/v1/snapshot?symbols=A&channels=trades,ticker,bars.1d").await;
    let events = newest["events"].as_array().unwrap();
    let of = |kind: &str| events.iter().find(|event| event["T"] == kind).unwrap();
    assert_eq!((&of("t")["p"], &of("t")["nc"]), (&json!("9900.0"), &json!("last,hilo")));
    assert_eq!(
        (&of("k")["last"], &of("k")["high"], &of("k")["vol"]),
        (&json!("100.0"), &json!("100.0"), &json!("2"))
    );
    assert_eq!(
        (&of("b")["c"], &of("b")["h"], &of("b")["v"]),
        (&json!("100.0"), &json!("100.0"), &json!("2"))
    );
    assert_eq!(gateway.count("tickcast_feed_partial_trades_total{feed=\"desk\",rule=\"declared\"}"), 1);
    assert_eq!(
        gateway.count("tickcast_feed_partial_trades_total{feed=\"desk\",rule=\"odd_lot\"}"),
        0,
        "told from the start"
    );
}

async fn more_corrections_in_one_body_than_are_taken_are_refused_by_their_line(driver: Driver) {
    let gateway = TestGateway::with_push(driver, &[("desk", false)]);
    publish(&gateway, &[trade(1, "100.0")]).await;
    let lines: Vec<_> =
        (0..PUBLISH_CORRECTIONS as u64 + 2).map(|id| bust(1_000 + id)).chain([trade(2, "1")]).collect();
    let told = publish(&gateway, &lines).await;
    assert_eq!((&told["accepted"], &told["rejected"]), (&json!(PUBLISH_CORRECTIONS + 1), &json!(2)));
    assert_eq!(told["errors"][0]["line"], PUBLISH_CORRECTIONS + 1);
    assert!(told["errors"][0]["error"].as_str().unwrap().contains("corrections in one body"), "{told}");
}
