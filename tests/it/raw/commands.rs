//! Well-framed commands that cannot be carried out: each is answered, and the session lives.

use serde_json::{Value, json};
use tickcast::server::Driver;

use super::{Raw, Witness, beside, frame, text};
use crate::util::TestGateway;

on_both_drivers! {
    bad_commands_get_errors_and_the_session_lives,
    ten_thousand_symbols_are_all_or_nothing,
    a_thousand_commands_at_once_are_each_answered,
}

async fn bad_commands_get_errors_and_the_session_lives(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    for (command, code) in [
        (&b"garbage"[..], 400),
        (b"", 400),
        (b"[]", 400),
        (b"{\"op\":1}", 400),
        (b"{\"op\":\"subscribe\",\"channel\":\"trades\",\"symbols\":[1]}", 416),
        (b"{\"op\":\"subscribe\",\"channel\":\"trades\",\"symbols\":\"A\"}", 416),
        (b"{\"op\":\"subscribe\",\"channel\":\"books\",\"symbols\":[\"A\"]}", 415),
        (b"{\"op\":\"auth\",\"key\":\"k\",\"secret\":\"s\"}", 403),
    ] {
        raw.send(&frame(0x81, command));
        let error = raw.message("error");
        assert_eq!(error["code"], code, "{}", String::from_utf8_lossy(command));
        assert!(
            error["msg"].as_str().is_some_and(|msg| !msg.is_empty()) && error["retry"].is_boolean(),
            "{error}"
        );
    }
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    raw.send(&frame(0x81, nested.as_bytes()));
    assert_eq!(raw.message("error")["code"], 400, "deep nesting is no command either");
    witness.is_well(&gateway).await;
}

async fn ten_thousand_symbols_are_all_or_nothing(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let names: Vec<_> = (0..10_000).map(|i| format!("S{i}")).collect();
    gateway.declare(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut raw = Raw::upgraded(&gateway);
    raw.send(&text(&json!({"op": "subscribe", "id": 1, "channel": "quotes", "symbols": names})));
    let error = raw.message("error");
    assert_eq!((&error["code"], &error["id"]), (&json!(405), &json!(1)));
    raw.send(&text(&json!({"op": "list"})));
    assert_eq!(raw.message("list")["subscriptions"], json!([]));
    witness.is_well(&gateway).await;
}

async fn a_thousand_commands_at_once_are_each_answered(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    let all: Vec<u8> = (0..1_000).flat_map(|id| text(&json!({"op": "ping", "id": id}))).collect();
    raw.send(&all);
    let (mut pongs, mut refused) = (0, 0);
    let mut raw = beside(move || {
        let mut next = 0;
        while next < 1_000 {
            let frame = raw.next().unwrap();
            let messages: Vec<Value> = serde_json::from_slice(&frame.payload).unwrap();
            for message in messages {
                match message["T"].as_str() {
                    Some("pong") => pongs += 1,
                    Some("error") if message["code"] == 429 => refused += 1,
                    _ => continue,
                }
                assert_eq!(message["id"], next, "answers come in order");
                next += 1;
            }
        }
        assert!(pongs >= 200 && pongs + refused == 1_000, "{pongs} {refused}");
        raw
    })
    .await;
    witness.is_well(&gateway).await;
    raw.send(&text(&json!({"op": "nothing", "id": "after"})));
    assert_eq!(raw.message("error")["id"], "after", "the session lives");
}
