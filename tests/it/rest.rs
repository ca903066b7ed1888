//! Plain answers: tags on snapshots, pages of trades, compression.

use std::io::Read as _;

use serde_json::{Value, json};
use tickcast::server::Driver;

use crate::util::{PATIENCE, TestGateway, quote, trade};

on_both_drivers! {
    a_snapshot_that_is_known_is_not_sent_again,
    pages_of_trades_and_a_subscription_have_no_seam,
    plain_answers_are_compressed_on_request,
}

async fn get(gateway: &TestGateway, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request =
        reqwest::Client::new().get(format!("http://{}{path}", gateway.address)).timeout(PATIENCE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn a_snapshot_that_is_known_is_not_sent_again(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["A", "B"]);
    gateway.publish([quote("A", "1.10")]);
    let path = "/v1/snapshot?symbols=A&channels=quotes";
    let first = get(&gateway, path, &[]).await;
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = get(&gateway, path, &[("if-none-match", &tag)]).await;
    assert_eq!((again.status().as_u16(), again.headers()["etag"].to_str().unwrap()), (304, tag.as_str()));
    assert_eq!(again.text().await.unwrap(), "");
    for known in [format!("\"x\", {tag}"), "*".to_owned()] {
        assert_eq!(get(&gateway, path, &[("if-none-match", &known)]).await.status(), 304, "{known}");
    }
    // Another symbol's event is none of its business; its own is.
    gateway.publish([quote("B", "1.10")]);
    assert_eq!(get(&gateway, path, &[("if-none-match", &tag)]).await.status(), 304);
    gateway.publish([quote("A", "1.10")]);
    let changed = get(&gateway, path, &[("if-none-match", &tag)]).await;
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.headers()["etag"].to_str().unwrap(), tag);
}

async fn pages_of_trades_and_a_subscription_have_no_seam(driver: Driver) {
    let gateway = TestGateway::on(driver);
    gateway.declare(&["EUR/USD", "B"]);
    gateway.publish((1..=120).map(|id| trade("EUR/USD", id, "1.5")));
    let mut numbers = Vec::new();
    let mut path = "/v1/trades/EUR%2FUSD?limit=50".to_owned();
    let mut position = Value::Null;
    loop {
        let answer: Value = get(&gateway, &path, &[]).await.json().await.unwrap();
        if let Some(first) = answer.get("position") {
            assert!(position.is_null(), "only the first page tells a position");
            position = first.clone();
        }
        let page = answer["trades"].as_array().unwrap();
        numbers.splice(..0, page.iter().map(|trade| trade["n"].as_u64().unwrap()));
        let Some(before) = answer.get("before") else { break };
        path = format!("/v1/trades/EUR/USD?limit=50&before={before}");
    }
    assert_eq!(position, json!({"epoch": "test-epoch", "n": {"EUR/USD": 120}}));
    gateway.publish((121..=130).map(|id| trade("EUR/USD", id, "1.5")));
    let mut client = gateway.connect().await;
    client
        .send(json!({"op": "subscribe", "channel": "trades", "symbols": ["EUR/USD"], "since": position}))
        .await;
    assert_eq!(client.expect("subscribed").await["ok"][0]["recovered"], true);
    for _ in 0..10 {
        numbers.push(client.expect("t").await["n"].as_u64().unwrap());
    }
    assert_eq!(numbers, (1..=130).collect::<Vec<_>>());
    let answer: Value = get(&gateway, "/v1/trades/B", &[]).await.json().await.unwrap();
    assert_eq!((&answer["trades"], &answer["position"]["n"]["B"]), (&json!([]), &json!(0)));
    for (path, status) in [
        ("/v1/trades/C", 404),
        ("/v1/trades/eur", 404),
        ("/v1/trades/B?limit=0", 400),
        ("/v1/trades/B?limit=1001", 400),
        ("/v1/trades/B?before=x", 400),
        ("/v1/trades/B?from=1", 400),
        ("/v1/trades/B?limit=&before=", 200),
    ] {
        assert_eq!(get(&gateway, path, &[]).await.status(), status, "{path}");
    }
}

async fn plain_answers_are_compressed_on_request(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let names: Vec<_> = (0..200).map(|i| format!("SYM{i}")).collect();
    gateway.declare(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let plain = get(&gateway, "/v1/symbols", &[]).await;
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain = plain.bytes().await.unwrap();
    for encoding in ["gzip", "br", "zstd"] {
        let response = get(&gateway, "/v1/symbols", &[("accept-encoding", encoding)]).await;
        assert_eq!(response.headers()["content-encoding"], encoding);
        let bytes = response.bytes().await.unwrap();
        assert!(bytes.len() < plain.len() / 3, "{encoding}: {} of {}", bytes.len(), plain.len());
        let mut text = Vec::new();
        match encoding {
            "gzip" => assert!(flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).is_ok()),
            "zstd" => text = zstd::decode_all(&bytes[..]).unwrap(),
            _ => continue,
        }
        assert_eq!(text, plain, "{encoding}");
    }
    let stream = get(&gateway, "/v1/sse?symbols=SYM1", &[("accept-encoding", "gzip, br, zstd")]).await;
    assert!(!stream.headers().contains_key("content-encoding"), "an event stream goes out as it is made");
}
