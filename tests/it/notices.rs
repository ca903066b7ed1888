//! What an operator sees in the log at `info`, on the real program.

use serde_json::{Value, json};

use crate::{program::Program, util::Client};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_and_evictions_were_invisible_in_the_log() {
    let variables = [
        ("TICKCAST_LIMITS__CONNECTIONS", "1"),
        ("TICKCAST_SESSION__PING_MS", "300"),
        ("TICKCAST_SESSION__PONG_TIMEOUT_MS", "300"),
        ("TICKCAST_SESSION__HEARTBEAT_MS", "300"),
        ("TICKCAST_SERVER__GRACE_MS", "0"),
        ("TICKCAST_SERVER__DRAIN_MS", "0"),
    ];
    let mut program = Program::start(&["--feed", "demo"], &variables);
    let url = format!("ws://{}/v1/ws", program.address);
    let mut dead = Client::connect(&url, None).await.unwrap();
    let session = dead.expect("welcome").await["session"].clone();
    dead.send(serde_json::json!({"op": "subscribe", "channel": "status", "symbols": ["*"]})).await;
    let subscribed = dead.expect("subscribed").await["ok"].as_array().unwrap().len();
    for _ in 0..3 {
        let mut refused = Client::connect(&url, None).await.unwrap();
        assert_eq!(refused.ended().await, Some(4005));
    }
    // It reads nothing, and so answers no ping.
    let closed = program.line("sessions closed by the gateway");
    assert_eq!(closed["reason"], "no_pong");
    assert_eq!((&closed["count"], &closed["session"]), (&1.into(), &session));
    assert_eq!(closed["subscriptions"], subscribed);
    assert_eq!(closed["address"], "127.0.0.1");
    program.stop();
    let refused = program.lines("sessions refused");
    let counts: Vec<_> = refused.iter().filter_map(|line| line["count"].as_u64()).collect();
    assert_eq!(counts, [1, 2], "the first at once, the others in one line: {refused:#?}");
    let is_whole = |line: &Value| line["reason"] == "connections" && line["address"] == "127.0.0.1";
    assert!(refused.iter().all(is_whole), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_prices_ran_as_live_without_a_word() {
    for (arguments, warned, simulated) in [
        (&[][..], 1, json!(["demo"])),
        (&["--feed", "demo"], 0, json!(["demo"])),
        (&["--feed", concat!(env!("CARGO_MANIFEST_DIR"), "/feeds/replay-native.toml")], 0, Value::Null),
    ] {
        let program = Program::start(arguments, &[]);
        let ready = program.line("ready");
        assert_eq!(ready["simulated"] == "demo", simulated.is_array(), "{ready}");
        let warning = "no feed is configured: the demonstration runs, and all its prices are made up";
        let warnings = program.lines(warning);
        assert_eq!(warnings.len(), warned, "{arguments:?}");
        assert!(warnings.iter().all(|line| line["level"] == "WARN"), "{warnings:?}");
        let mut client = Client::connect(&format!("ws://{}/v1/ws", program.address), None).await.unwrap();
        assert_eq!(client.expect("welcome").await["simulated"], simulated, "{arguments:?}");
        let url = format!("http://{}/feedz", program.address);
        let feeds: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(feeds["feeds"][0]["simulated"] == true, simulated.is_array(), "{feeds}");
    }
}
