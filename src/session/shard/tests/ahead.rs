//! Clients that have seen more elsewhere than their shard has handed out.

use std::time::Duration;

use serde_json::json;

use crate::session::test_client::{Bench, source, trade};
use crate::{
    clock::Instant,
    hub::HubConfig,
    limits::{AHEAD_LOOK, AHEAD_WAIT},
    session::SessionConfig,
};

fn bench() -> Bench {
    let bench = Bench::new(HubConfig::default(), SessionConfig::default());
    bench.hub.publish(source(), [trade(0, 1)]);
    bench
}

fn subscribe(since: &serde_json::Value) -> String {
    let since = json!({"epoch": "e1", "n": since});
    json!({"op": "subscribe", "channel": "trades", "symbols": ["S0"], "since": since}).to_string()
}

/// The next look at those that wait.
async fn look(bench: &mut Bench) {
    tokio::time::advance(AHEAD_LOOK).await;
    bench.settle();
    bench.shard.fire_timers();
    bench.settle();
}

#[tokio::test(start_paused = true)]
async fn it_is_answered_as_soon_as_the_shard_has_caught_up() {
    for is_joined in [false, true] {
        let mut bench = bench();
        bench.hub.follow();
        let other = bench.connect();
        if is_joined {
            other.send(&mut bench, &subscribe(&json!({})));
        }
        let mut client = bench.connect();
        client.send(&mut bench, &subscribe(&json!({"S0": 3})));
        assert!(bench.shard.must_pause(client.key), "its commands are read no further");
        assert_eq!(bench.shard.next_timer(), Some(Instant::now() + AHEAD_LOOK));
        bench.hub.publish(source(), [trade(0, 2)]);
        look(&mut bench).await;
        client.take_all(&mut bench);
        assert_eq!(client.last("welcome")["T"], client.log.last().unwrap()["T"], "not yet");
        bench.hub.publish(source(), [trade(0, 3), trade(0, 4)]);
        look(&mut bench).await;
        client.take_all(&mut bench);
        assert_eq!(client.last("subscribed")["ok"][0]["recovered"], true);
        assert_eq!((client.last("t")["n"].as_u64(), client.events), (Some(4), 1));
        assert!(!bench.shard.must_pause(client.key));
        assert_eq!(bench.shard.next_timer(), None, "nothing is looked at any more");
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_symbol_that_is_not_known_yet() {
    let mut bench = bench();
    bench.hub.follow();
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe(&json!({"S0": 1, "S1": 1})));
    look(&mut bench).await;
    client.take_all(&mut bench);
    assert!(client.log.iter().all(|message| message["T"] == "welcome"));
    bench.hub.publish(source(), [trade(1, 1)]);
    look(&mut bench).await;
    client.take_all(&mut bench);
    assert_eq!(client.last("subscribed")["ok"][0]["recovered"], true);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_in_time_is_answered_as_ever() {
    let mut bench = bench();
    bench.hub.follow();
    let mut client = bench.connect();
    let began = Instant::now();
    client.send(&mut bench, &subscribe(&json!({"S0": 3})));
    let gone = bench.connect();
    gone.send(&mut bench, &subscribe(&json!({"S0": 3})));
    bench.shard.leave(gone.key, Instant::now());
    while bench.shard.must_pause(client.key) {
        assert!(began.elapsed() <= AHEAD_WAIT + AHEAD_LOOK);
        look(&mut bench).await;
    }
    assert!(began.elapsed() >= AHEAD_WAIT);
    client.take_all(&mut bench);
    assert_eq!(client.last("subscribed")["ok"][0]["recovered"], false);
    assert_eq!(client.last("gap")["why"], "not_recoverable");
    // Waiting costs no command: the rate is that of commands.
    client.send(&mut bench, r#"{"op":"ping"}"#);
    client.take_all(&mut bench);
    client.last("pong");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_numbers_by_itself_lets_no_client_wait() {
    let mut bench = bench();
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe(&json!({"S0": 3})));
    tokio::time::advance(Duration::ZERO).await;
    client.take_all(&mut bench);
    assert_eq!(client.last("subscribed")["ok"][0]["recovered"], false);
    assert_eq!(bench.shard.next_timer(), None);
}
