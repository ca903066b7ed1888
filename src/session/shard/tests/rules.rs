//! One rule of the protocol each.

use std::time::Duration;

use crate::session::test_client::{Bench, quote, source, symbol, trade};
use crate::{
    clock::Instant,
    hub::HubConfig,
    limits::{CONTROL_PAUSE, EVICT_TIMEOUT, MAX_REFUSED_COMMANDS},
    session::{CloseReason, Flood, Outgoing, Refusal, SessionConfig},
};

pub(super) fn bench(symbols: usize, session: SessionConfig) -> Bench {
    let bench = Bench::new(HubConfig::default(), session);
    for i in 0..symbols {
        bench.hub.declare(symbol(i), source()).unwrap();
    }
    bench
}

fn subscribe(channel: &str, symbols: &str, more: &str) -> String {
    format!("{{\"op\":\"subscribe\",\"id\":7,\"channel\":\"{channel}\",\"symbols\":[{symbols}]{more}}}")
}

#[test]
fn the_welcome_is_first_and_tells_the_limits() {
    let mut bench = bench(0, SessionConfig::default());
    let mut client = bench.connect();
    client.take_all(&mut bench);
    let welcome = &client.log[0];
    assert_eq!((welcome["T"].as_str(), welcome["proto"].as_u64()), (Some("welcome"), Some(1)));
    assert_eq!(welcome["epoch"], "e1");
    assert_eq!(welcome["limits"]["symbols"], 2_000);
}

#[test]
fn a_late_joiner_gets_the_last_value_at_once() {
    let mut bench = bench(2, SessionConfig::default());
    bench.hub.publish(source(), [quote(0), quote(0), quote(0)]);
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("quotes", "\"S0\",\"S1\",\"ZZZ\",\"bad one\"", ""));
    client.take_all(&mut bench);
    let ack = client.last("subscribed");
    assert_eq!(ack["id"], 7);
    assert_eq!(ack["ok"][0]["n"], 3);
    assert_eq!(ack["ok"][1]["n"], 0);
    assert_eq!(ack["err"][0]["code"], 414);
    assert!(ack["err"][1]["msg"].as_str().unwrap().contains("not a symbol"), "{ack}");
    assert_eq!(client.last("q")["n"], 3);
}

#[test]
fn a_repeated_subscribe_keeps_the_parameters_and_sends_no_second_snapshot() {
    let mut bench = bench(1, SessionConfig::default());
    bench.hub.publish(source(), [quote(0)]);
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("quotes", "\"S0\"", ",\"max_rate\":4"));
    client.send(&mut bench, &subscribe("quotes", "\"S0\"", ",\"mode\":\"stream\""));
    client.take_all(&mut bench);
    let ack = client.last("subscribed");
    assert_eq!(
        (ack["ok"][0]["mode"].as_str(), ack["ok"][0]["max_rate"].as_f64()),
        (Some("merge"), Some(4.0))
    );
    assert_eq!(client.log.iter().filter(|message| message["T"] == "q").count(), 1);
}

#[test]
fn over_the_symbol_limit_nothing_is_done() {
    let session = SessionConfig { symbols_per_session: 3, ..SessionConfig::default() };
    let mut bench = bench(10, session);
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("quotes", "\"S0\",\"S1\"", ""));
    client.send(&mut bench, &subscribe("trades", "\"S2\",\"S3\"", ""));
    client.take_all(&mut bench);
    assert_eq!(client.last("error")["code"], 405);
    assert_eq!(client.at.len(), 2);
    client.send(&mut bench, &subscribe("trades", "\"*\"", ""));
    client.send(&mut bench, r#"{"op":"list"}"#);
    client.take_all(&mut bench);
    let list = client.last("list");
    assert_eq!(list["subscriptions"].as_array().unwrap().len(), 2);
    assert_eq!(list["patterns"].as_array().unwrap().len(), 0);
}

#[test]
fn merge_keeps_the_newest_and_counts_the_rest() {
    let mut bench = bench(1, SessionConfig::default());
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("quotes", "\"S0\"", ""));
    client.take_all(&mut bench);
    bench.hub.publish(source(), (0..10).map(|_| quote(0)));
    bench.settle();
    client.take_all(&mut bench);
    assert_eq!((client.events, client.last("q")["n"].as_u64()), (1, Some(10)));
    bench.settle();
    assert_eq!(bench.metric("tickcast_events_merged_total{channel=\"quotes\"}"), "9");
}

#[test]
fn a_busy_symbol_does_not_starve_a_quiet_one() {
    let mut bench = bench(300, SessionConfig::default());
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("quotes", "\"*\"", ""));
    client.take_all(&mut bench);
    // More than one frame's worth is pending, and symbol 0 becomes pending again before every write.
    bench.hub.publish(source(), (0..300).map(quote));
    for _ in 0..6 {
        bench.hub.publish(source(), [quote(0)]);
        bench.settle();
        client.take(&mut bench);
    }
    assert!(client.at.values().all(|at| at.n >= 1), "everyone was served");
}

#[test]
fn max_rate_holds_back_but_never_loses_the_last() {
    let mut bench = bench(1, SessionConfig::default());
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("quotes", "\"S0\"", ",\"max_rate\":20"));
    client.take_all(&mut bench);
    let started = Instant::now();
    let mut published = 0;
    while started.elapsed() < Duration::from_millis(220) {
        bench.hub.publish(source(), [quote(0)]);
        published += 1;
        bench.settle();
        bench.shard.fire_timers();
        client.take_all(&mut bench);
        std::thread::yield_now();
    }
    let during = client.events;
    assert!(during <= 6, "{during} events in a fifth of a second at 20 a second");
    while bench.shard.sessions.next_timer().is_some() {
        bench.shard.fire_timers();
        client.take_all(&mut bench);
        std::thread::yield_now();
    }
    assert_eq!(client.last("q")["n"].as_u64(), Some(published));
}

#[test]
fn unsubscribe_is_a_fence_and_frees_everything() {
    let mut bench = bench(3, SessionConfig::default());
    let mut client = bench.connect();
    for channel in ["trades", "quotes", "status"] {
        client.send(&mut bench, &subscribe(channel, "\"*\"", ""));
    }
    client.take_all(&mut bench);
    bench.hub.publish(source(), (0..3).flat_map(|i| [trade(i, 1), quote(i)]));
    bench.settle();
    for channel in ["trades", "quotes", "status"] {
        client.send(
            &mut bench,
            &format!("{{\"op\":\"unsubscribe\",\"channel\":\"{channel}\",\"symbols\":[\"*\"]}}"),
        );
    }
    bench.hub.publish(source(), (0..3).flat_map(|i| [trade(i, 2), quote(i)]));
    bench.settle();
    let before = client.events;
    client.take_all(&mut bench);
    assert_eq!(client.events, before, "what waited went with the subscription");
    assert_eq!(bench.metric("tickcast_subscriptions{channel=\"trades\"}"), "0");
    assert!(bench.shard.topics.behind(0).is_none(), "no local is left");
    assert!(bench.shard.followers.is_empty());
}

#[test]
fn leaving_frees_everything() {
    let mut bench = bench(3, SessionConfig::default());
    let client = bench.connect();
    client.send(&mut bench, &subscribe("trades", "\"*\"", ""));
    bench.shard.leave(client.key, Instant::now());
    assert!(bench.shard.topics.behind(0).is_none());
    assert_eq!((bench.shard.len(), bench.connections.total()), (0, 0));
    assert_eq!(
        bench.metric("tickcast_sessions{encoding=\"json\",road=\"websocket\",transport=\"websocket\"}"),
        "0"
    );
    assert_eq!(bench.metric("tickcast_sessions_closed_total{reason=\"disconnected\"}"), "1");
}

#[test]
fn patterns_take_in_symbols_that_come_later() {
    let mut bench = bench(1, SessionConfig { symbols_per_session: 3, ..SessionConfig::default() });
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("trades", "\"S*\"", ""));
    bench.hub.publish(source(), [trade(1, 1)]);
    bench.settle();
    bench.hub.publish(source(), [trade(1, 2)]);
    bench.settle();
    client.take_all(&mut bench);
    assert_eq!(client.last("t")["id"], "2");
    bench.hub.publish(source(), [trade(2, 1), trade(3, 1), trade(4, 1)]);
    bench.settle();
    client.take_all(&mut bench);
    assert_eq!(client.at.len(), 3, "the pattern stopped at the limit");
    assert_eq!(client.log.iter().filter(|message| message["code"] == 405).count(), 1, "and said so once");
}

#[test]
fn since_recovers_from_the_ring_or_says_that_it_cannot() {
    let hub = HubConfig { trades_per_symbol: 4, ..HubConfig::default() };
    let mut bench = Bench::new(hub, SessionConfig::default());
    bench.hub.publish(source(), (1..=10).map(|id| trade(0, id)));
    let since = |n: u64, epoch: &str| {
        subscribe("trades", "\"S0\"", &format!(",\"since\":{{\"epoch\":\"{epoch}\",\"n\":{{\"S0\":{n}}}}}"))
    };
    for (position, epoch, recovered, ids) in [
        (6, "e1", true, vec!["7", "8", "9", "10"]),
        (10, "e1", true, vec![]),
        (5, "e1", false, vec!["10"]),
        (11, "e1", false, vec!["10"]),
        (8, "e0", false, vec!["10"]),
    ] {
        let mut client = bench.connect();
        client.send(&mut bench, &since(position, epoch));
        client.take_all(&mut bench);
        let ack = client.last("subscribed");
        assert_eq!(ack["ok"][0]["recovered"].as_bool(), Some(recovered), "{position} {epoch}");
        assert_eq!(ack["ok"][0]["n"], 10);
        let got: Vec<_> =
            client.log.iter().filter(|m| m["T"] == "t").map(|m| m["id"].as_str().unwrap()).collect();
        assert_eq!(got, ids, "{position} {epoch}");
        let gaps = client.log.iter().filter(|m| m["T"] == "gap" && m["why"] == "not_recoverable").count();
        assert_eq!(gaps, usize::from(!recovered));
    }
}

#[test]
fn a_stalled_session_is_slow_and_cut_when_it_does_not_take_its_goodbye() {
    let config = SessionConfig { stall_timeout: Duration::from_millis(1), ..SessionConfig::default() };
    let mut bench = bench(1, config);
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("quotes", "\"S0\"", ""));
    client.fake.blocked.set(Some(Instant::now() - Duration::from_millis(2)));
    // A thread that was held up meanwhile judges at the next sweep.
    while bench.shard.closing(client.key).is_none() {
        bench.shard.sweep();
    }
    assert_eq!(bench.shard.closing(client.key), Some(CloseReason::Slow));
    assert_eq!(bench.metric("tickcast_subscriptions{channel=\"quotes\"}"), "0", "it costs nothing any more");
    client.take_all(&mut bench);
    assert_eq!(client.last("bye")["code"], 4103);
    assert!(!client.fake.cut.get());
    let deadline = Instant::now() + EVICT_TIMEOUT * 2;
    while !client.fake.cut.get() {
        bench.shard.sweep();
        assert!(Instant::now() < deadline, "it is cut after its time");
        std::thread::yield_now();
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_commands_are_refused_and_then_closed() {
    let config = SessionConfig { commands_per_second: 1, ..SessionConfig::default() };
    let mut bench = bench(0, config);
    let mut client = bench.connect();
    for _ in 0..1_000 {
        client.send(&mut bench, r#"{"op":"ping","id":"a"}"#);
        client.take_all(&mut bench);
    }
    assert_eq!(client.last("error")["code"], 429);
    assert_eq!(client.last("error")["id"], "a");
    assert_eq!(bench.shard.closing(client.key), None);
    for _ in 0..=MAX_REFUSED_COMMANDS {
        client.send(&mut bench, "{}");
        client.take_all(&mut bench);
    }
    assert_eq!(bench.shard.closing(client.key), Some(CloseReason::RateLimited(Flood::Commands)));
    assert_eq!(client.last("bye")["code"], 4102);
}

#[test]
fn replies_that_are_not_taken_pause_the_reader() {
    let mut bench = bench(0, SessionConfig::default());
    let mut client = bench.connect();
    client.take_all(&mut bench);
    for _ in 0..CONTROL_PAUSE {
        assert!(!bench.shard.must_pause(client.key));
        client.send(&mut bench, r#"{"op":"ping"}"#);
    }
    assert!(bench.shard.must_pause(client.key));
    client.take_all(&mut bench);
    assert!(!bench.shard.must_pause(client.key));
}

#[test]
fn an_overflowing_control_lane_closes() {
    let config = SessionConfig { control_messages: 10, ..SessionConfig::default() };
    let mut bench = bench(1, config);
    let mut client = bench.connect();
    for _ in 0..11 {
        client.send(&mut bench, r#"{"op":"ping"}"#);
    }
    bench.shard.sweep();
    assert_eq!(bench.shard.closing(client.key), Some(CloseReason::Overloaded));
    client.take_all(&mut bench);
    assert_eq!(client.last("bye")["code"], 4105);
}

#[test]
fn a_drain_spreads_goodbyes_over_its_window() {
    let mut bench = bench(0, SessionConfig::default());
    let mut clients: Vec<_> = (0..10).map(|_| bench.connect()).collect();
    let window = Duration::from_millis(100);
    let started = Instant::now();
    bench.shard.start_drain(window);
    let mut left = Vec::new();
    while left.len() < clients.len() {
        bench.shard.sweep();
        for client in &clients {
            if bench.shard.closing(client.key).is_some() && !left.iter().any(|(key, _)| *key == client.key) {
                left.push((client.key, started.elapsed()));
            }
        }
        assert!(started.elapsed() < window * 20, "{left:?}");
        std::thread::yield_now();
    }
    assert!(left[0].1 < window / 2 && left[9].1 >= window / 2, "{left:?}");
    for client in &mut clients {
        client.take_all(&mut bench);
        let bye = client.last("bye");
        assert_eq!((bye["code"].as_u64(), bye["reconnect"].as_bool()), (Some(4201), Some(true)));
        assert!(bye["after_ms"].as_u64().is_some());
        bench.shard.close(client.key, CloseReason::client(Some(4201)), Instant::now());
        assert!(matches!(bench.shard.outgoing(client.key, Instant::now()), Outgoing::Over));
    }
}

#[test]
fn without_an_admission_a_client_is_told_and_closed() {
    let mut bench = bench(0, SessionConfig::default());
    let fake = std::rc::Rc::new(crate::session::test_client::Fake::default());
    let key = bench.shard.open(crate::dialect::Encoding::Json, fake, Err(Refusal::Address), Instant::now());
    let Outgoing::Frames(bytes) = bench.shard.outgoing(key, Instant::now()) else { panic!("frames") };
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.contains("\"code\":406") && text.contains("from this address") && text.contains("\"code\":4005"),
        "{text}"
    );
}

/// With a fixed time between writes the first event after a pause goes at once, while events keep coming they share
/// writes, and an answer waits for nothing. Paused time: no test waits.
#[tokio::test(start_paused = true)]
async fn events_within_the_flush_time_share_a_write() {
    let mut bench = bench(1, SessionConfig::default());
    let mut client = bench.connect();
    bench.shard.set_flush(client.key, Duration::from_millis(10));
    client.send(&mut bench, &subscribe("trades", "\"S0\"", ""));
    client.take_all(&mut bench);
    tokio::time::advance(Duration::from_millis(21)).await;
    let fake = std::rc::Rc::clone(&client.fake);
    let publish = |bench: &mut Bench| {
        fake.woken.set(false);
        bench.hub.publish(source(), [trade(0, 1)]);
        bench.settle();
        fake.woken.get()
    };
    assert!(publish(&mut bench), "the first after a pause goes at once");
    assert!(!publish(&mut bench) && !publish(&mut bench), "the next ones wait");
    let due = bench.shard.sessions.next_timer().unwrap();
    assert_eq!(due - Instant::now(), Duration::from_millis(10));
    bench.shard.fire_timers();
    assert!(!client.fake.woken.get(), "nothing is due yet");
    tokio::time::advance(Duration::from_millis(10)).await;
    bench.shard.fire_timers();
    assert!(client.fake.woken.get(), "now it is");
    assert_eq!(bench.shard.sessions.next_timer(), None);
    client.take_all(&mut bench);
    assert_eq!(client.events, 3);
    tokio::time::advance(Duration::from_millis(15)).await;
    assert!(!publish(&mut bench), "events keep coming: it waits for others");
    let due = bench.shard.sessions.next_timer().unwrap();
    assert_eq!(due - Instant::now(), Duration::from_millis(10));
    client.send(&mut bench, "{\"op\":\"ping\",\"id\":1}");
    assert!(client.fake.woken.get(), "an answer waits for nothing");
    client.take_all(&mut bench);
    assert_eq!(client.events, 4);
    tokio::time::advance(Duration::from_millis(20)).await;
    assert!(publish(&mut bench), "an interval without events is a pause");
}

/// By default no session waits: a shard with time to spare writes each event as it comes.
#[tokio::test(start_paused = true)]
async fn an_idle_shard_holds_nothing_back() {
    let mut bench = bench(1, SessionConfig::default());
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe("trades", "\"S0\"", ""));
    client.take_all(&mut bench);
    for id in 0..5 {
        client.fake.woken.set(false);
        bench.hub.publish(source(), [trade(0, id)]);
        bench.settle();
        assert!(client.fake.woken.get(), "event {id}");
        client.take_all(&mut bench);
    }
}

#[test]
fn a_position_of_another_epoch_is_no_gap_of_numbers_that_are_still_to_come() {
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    bench.hub.declare(symbol(0), source()).unwrap();
    let mut client = bench.connect();
    let since =
        r#"{"op":"subscribe","channel":"trades","symbols":["S0"],"since":{"epoch":"e0","n":{"S0":7}}}"#;
    client.send(&mut bench, since);
    bench.hub.publish(source(), [trade(0, 1)]);
    bench.settle();
    client.take_all(&mut bench);
    assert!(client.log.iter().all(|message| message["T"] != "gap"), "{:?}", client.log);
    assert_eq!(client.last("subscribed")["ok"][0]["recovered"], false);
    assert_eq!(client.last("t")["n"], 1, "a client that was told of a gap up to 1 would pass it over");
}
