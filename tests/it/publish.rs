//! `/v1/publish`: producers feed a gateway over HTTP.

use serde_json::{Value, json};
use tickcast::{
    limits::{PUBLISH_BYTES, PUBLISH_ERRORS},
    server::Driver,
};

use crate::util::{PATIENCE, TestGateway};

on_both_drivers! {
    lines_arrays_and_message_pack_reach_a_client,
    bad_ticks_are_named_and_the_others_published,
    requests_that_cannot_be_are_refused,
    a_congested_gateway_asks_to_come_back,
}

async fn post(gateway: &TestGateway, query: &str, kind: Option<&str>, body: Vec<u8>) -> reqwest::Response {
    let url = format!("http://{}/v1/publish?{query}", gateway.address);
    let mut request = reqwest::Client::new().post(url).timeout(PATIENCE).body(body);
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    request.send().await.unwrap()
}

async fn lines_arrays_and_message_pack_reach_a_client(driver: Driver) {
    let gateway = TestGateway::with_push(driver, &[("desk", false)]);
    let mut client = gateway.connect().await;
    client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["*"]})).await;
    client.expect("subscribed").await;
    let first = json!({"S": "A", "p": "67210.10", "s": "0.0150", "side": "buy", "id": "7", "te": 1_700_000_000_000_000_i64});
    let second = json!({"T": "t", "S": "A", "n": 99, "p": "1e-7", "s": "1", "x": "otc", "tr": 1});
    let lines = format!("{first}\n\n{second}\r\n");
    let both = json!([first, second]);
    let packed = rmp_serde::to_vec_named(&both).unwrap();
    let mut n = 0;
    for (kind, body) in [
        (Some("application/x-ndjson"), lines.clone().into_bytes()),
        (None, lines.clone().into_bytes()),
        // What curl calls any body.
        (Some("application/x-www-form-urlencoded"), lines.into_bytes()),
        (Some("application/json; charset=utf-8"), both.to_string().into_bytes()),
        (Some("application/msgpack"), packed),
    ] {
        let response = post(&gateway, "feed=desk", kind, body).await;
        assert_eq!(response.status(), 200, "{kind:?}");
        assert_eq!(
            response.json::<Value>().await.unwrap(),
            json!({"accepted": 2, "rejected": 0, "errors": []})
        );
        if n == 0 {
            // The symbol is new: it may be announced with the newest event instead.
            while n < 2 {
                n = client.expect("t").await["n"].as_u64().unwrap();
            }
            continue;
        }
        let (one, two) = (client.expect("t").await, client.expect("t").await);
        assert_eq!((&one["n"], &two["n"]), (&json!(n + 1), &json!(n + 2)));
        assert_eq!((&one["p"], &one["s"], &one["x"]), (&json!("67210.10"), &json!("0.0150"), &json!("desk")));
        assert_eq!((&two["p"], &two["x"]), (&json!("0.0000001"), &json!("otc")));
        assert!(two["tr"].as_i64().unwrap() > 1, "the gateway's own time");
        n += 2;
    }
    assert!(gateway.metric("tickcast_feed_ticks_total{channel=\"trades\",feed=\"desk\"}") >= 8.0);
}

async fn bad_ticks_are_named_and_the_others_published(driver: Driver) {
    let gateway = TestGateway::with_push(driver, &[("desk", false)]);
    let lines = "{\"S\":\"A\",\"p\":\"1\",\"s\":\"1\"}\nnonsense\n{\"S\":\"A\",\"p\":1,\"s\":\"1\"}\n{\"S\":\"A\",\"bp\":\"1.0\"}\n";
    let body: Value = post(&gateway, "feed=desk", None, lines.into()).await.json().await.unwrap();
    assert_eq!((&body["accepted"], &body["rejected"]), (&json!(2), &json!(2)));
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.iter().map(|it| &it["line"]).collect::<Vec<_>>(), [&json!(2), &json!(3)]);
    let array = json!([{"S": "A", "p": "1"}, {"S": "a", "p": "1", "s": "1"}]).to_string();
    let body: Value = post(&gateway, "feed=desk", None, array.into()).await.json().await.unwrap();
    let errors = body["errors"].as_array().unwrap();
    assert_eq!((&errors[0]["index"], &errors[1]["index"]), (&json!(0), &json!(1)));
    assert!(errors[0]["error"].as_str().unwrap().contains("s is missing"), "{body}");
    assert!(errors[1]["error"].as_str().unwrap().contains("symbol"), "{body}");
    let many = "x\n".repeat(1_000);
    let body: Value = post(&gateway, "feed=desk", None, many.into()).await.json().await.unwrap();
    assert_eq!(
        (&body["rejected"], body["errors"].as_array().unwrap().len()),
        (&json!(1_000), PUBLISH_ERRORS)
    );
    gateway.metric_reaches("tickcast_feed_parse_errors_total{feed=\"desk\",kind=\"shape\"}", 1_003.0).await;
}

async fn requests_that_cannot_be_are_refused(driver: Driver) {
    let gateway = TestGateway::with_push(driver, &[("desk", false), ("open", true)]);
    let tick = || br#"{"S":"A","p":"1","s":"1"}"#.to_vec();
    for (query, kind, body, status, part) in [
        ("", None, tick(), 400, "feed"),
        ("feed=desk&x=1", None, tick(), 400, "x"),
        ("feed=test", None, tick(), 404, "feed"),
        ("feed=desk", Some("application/xml"), tick(), 415, "Content-Type"),
        ("feed=desk", None, b"[{]".to_vec(), 400, "JSON array"),
        ("feed=desk", Some("application/msgpack"), tick(), 400, "MessagePack"),
        ("feed=desk", None, vec![b' '; PUBLISH_BYTES + 1], 413, "bytes"),
    ] {
        let response = post(&gateway, query, kind, body).await;
        assert_eq!(response.status(), status, "{query}");
        let body: Value = response.json().await.unwrap();
        assert!(body["msg"].as_str().unwrap().contains(part), "{query}: {body}");
    }
    let http = reqwest::Client::new();
    for (feed, header, status) in [
        // Through a proxy it comes from another machine, and from a foreign page it comes without its user's consent.
        ("desk", ("x-forwarded-for", "192.0.2.1"), 403),
        ("open", ("x-forwarded-for", "192.0.2.1"), 200),
        ("open", ("origin", "http://evil.example.com"), 403),
    ] {
        let url = format!("http://{}/v1/publish?feed={feed}", gateway.address);
        let request = http.post(url).header(header.0, header.1).body(tick());
        assert_eq!(request.send().await.unwrap().status(), status, "{feed} {header:?}");
    }
    assert_eq!(gateway.get("/v1/publish?feed=desk").0, 405);
    for reason in ["origin", "remote", "body_type", "body_size"] {
        gateway.metric_reaches(&format!("tickcast_requests_refused_total{{reason=\"{reason}\"}}"), 1.0).await;
    }
}

async fn a_congested_gateway_asks_to_come_back(driver: Driver) {
    let gateway = TestGateway::with_push(driver, &[("desk", false)]);
    gateway.declare(&["A"]);
    // A lane that is never drained.
    let lane = gateway.gateway.hub.open_lane().unwrap();
    let topic = gateway.gateway.hub.topic(crate::util::symbol("A")).unwrap();
    let _newest = topic.join(lane.index(), tickcast::market::Channel::Trades);
    gateway.publish((0..9_000).map(|id| crate::util::trade("A", id, "1.5")));
    let response = post(&gateway, "feed=desk", None, br#"{"S":"A","p":"1","s":"1"}"#.to_vec()).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    gateway.gateway.hub.close_lane(&lane);
    let response = post(&gateway, "feed=desk", None, br#"{"S":"A","p":"1","s":"1"}"#.to_vec()).await;
    assert_eq!(response.status(), 200);
}
