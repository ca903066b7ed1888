//! What clients cost, by counts: never by time.

use serde_json::Value;

use crate::session::test_client::{Bench, Client, quote, source, symbol, trade};
use crate::{
    clock::Instant,
    hub::HubConfig,
    limits::{
        ANSWER_SYMBOLS, COMMAND_SYMBOLS, CONTROL_PAUSE_BYTES, MAX_BURST_TICKS, RECOVERY_BYTES,
        SESSION_PATTERNS, SHARD_TURN_EVENTS,
    },
    market::Channel,
    session::{Outgoing, SessionConfig},
};

fn bench(symbols: usize, session: SessionConfig) -> Bench {
    let bench = Bench::new(HubConfig::default(), session);
    for i in 0..symbols {
        bench.hub.declare(symbol(i), source()).unwrap();
    }
    bench
}

#[test]
fn timers_of_slow_rates_go_with_their_subscriptions() {
    let mut bench = bench(100, SessionConfig::default());
    bench.hub.publish(source(), (0..100).map(quote));
    let mut clients: Vec<_> = (0..3).map(|_| bench.connect()).collect();
    for client in &mut clients {
        client.send(&mut bench, r#"{"op":"subscribe","channel":"quotes","symbols":["*"],"max_rate":0.001}"#);
        client.take_all(&mut bench);
    }
    bench.hub.publish(source(), (0..100).map(quote));
    bench.settle();
    assert_eq!(bench.shard.sessions.timer_count(), 300, "one event of each waits for its time");
    clients[0].send(&mut bench, r#"{"op":"unsubscribe","channel":"quotes","symbols":["S1*"]}"#);
    assert_eq!(bench.shard.sessions.timer_count(), 289);
    clients[1].send(&mut bench, r#"{"op":"update","channel":"quotes","symbols":["*"],"mode":"stream"}"#);
    assert_eq!(bench.shard.sessions.timer_count(), 189);
    clients[0].send(&mut bench, r#"{"op":"update","channel":"quotes","symbols":["*"],"max_rate":0.002}"#);
    clients[0].take_all(&mut bench);
    bench.hub.publish(source(), (0..100).map(quote));
    bench.settle();
    assert_eq!(bench.shard.sessions.timer_count(), 189, "one for each subscription");
    for client in &clients {
        bench.shard.leave(client.key, Instant::now());
    }
    assert_eq!((bench.shard.sessions.timer_count(), bench.shard.sessions.next_timer()), (0, None));
}

fn large() -> SessionConfig {
    SessionConfig { symbols_per_session: 1_000_000, ..SessionConfig::default() }
}

/// Hands a command to the shard and does not let it work on it.
fn command(bench: &mut Bench, client: &Client, command: &str) {
    bench.shard.command(client.key, command.as_bytes(), Instant::now());
}

fn turns(bench: &mut Bench) -> usize {
    let mut turns = 1;
    while bench.shard.work() {
        turns += 1;
    }
    turns
}

/// The client takes everything, and the shard does everything.
fn finish(bench: &mut Bench, client: &mut Client) {
    loop {
        client.take_all(bench);
        bench.shard.work();
        if !client.take(bench) && !bench.shard.must_pause(client.key) {
            return;
        }
    }
}

fn subscribe(symbols: &str) -> String {
    format!(r#"{{"op":"subscribe","id":1,"channel":"quotes","symbols":[{symbols}]}}"#)
}

fn answers<'a>(client: &'a Client, kind: &str) -> Vec<&'a Value> {
    client.log.iter().filter(|message| message["T"] == kind).collect()
}

fn stars(count: usize) -> String {
    vec![r#""*""#; count].join(",")
}

#[test]
fn a_star_named_thirty_thousand_times_costs_no_more_than_once() {
    let mut bench = bench(3_000, large());
    let mut client = bench.connect();
    command(&mut bench, &client, &subscribe(&stars(32_000)));
    client.take_all(&mut bench);
    assert_eq!(client.last("error")["code"], 400, "it is not even read to its end");
    turns(&mut bench);
    command(&mut bench, &client, &subscribe(&stars(12_000)));
    client.take_all(&mut bench);
    assert_eq!(client.last("error")["code"], 416, "refused before anything was looked for");
    turns(&mut bench);
    command(&mut bench, &client, &subscribe(&stars(COMMAND_SYMBOLS)));
    let many = turns(&mut bench);
    client.take_all(&mut bench);
    assert_eq!(client.at.len(), 3_000);
    let mut other = bench.connect();
    command(&mut bench, &other, &subscribe(&stars(1)));
    assert_eq!(turns(&mut bench), many);
    other.take_all(&mut bench);
    assert_eq!(other.at.len(), 3_000);
}

#[test]
fn overlapping_patterns_and_names_find_each_symbol_once() {
    let mut bench = bench(1_200, large());
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe(r#""S1*","S11*","S1*","S12","S7","S7","NONE","NONE","S1*""#));
    client.take_all(&mut bench);
    // S1, S10 to S19, S100 to S199, S1000 to S1199, and S7.
    assert_eq!(client.at.len(), 312);
    assert_eq!(answers(&client, "subscribed")[0]["err"].as_array().unwrap().len(), 1);
    client.send(&mut bench, r#"{"op":"unsubscribe","channel":"quotes","symbols":["S1*","S11*","S7","S8"]}"#);
    client.take_all(&mut bench);
    assert_eq!(client.at.len(), 0);
    assert_eq!(client.last("unsubscribed")["err"][0]["msg"], "not subscribed");
}

#[test]
fn a_search_ends_where_the_limit_is_passed() {
    let mut bench = bench(20_000, SessionConfig { symbols_per_session: 100, ..SessionConfig::default() });
    let mut client = bench.connect();
    command(&mut bench, &client, &subscribe(r#""*""#));
    assert_eq!(turns(&mut bench), 1, "20,000 symbols are five turns");
    client.take_all(&mut bench);
    assert_eq!((client.last("error")["code"].as_u64(), client.at.len()), (Some(405), 0));
    let patterns: Vec<_> = (0..=SESSION_PATTERNS).map(|i| format!("\"Z{i}*\"")).collect();
    client.send(&mut bench, &subscribe(&patterns.join(",")));
    client.take_all(&mut bench);
    assert!(
        client.last("error")["msg"].as_str().unwrap().contains("200 patterns"),
        "{:?}",
        client.last("error")
    );
}

#[test]
fn a_long_answer_comes_in_parts_and_others_are_answered_in_between() {
    let mut bench = bench(5_500, large());
    bench.hub.publish(source(), (0..5_500).map(quote));
    let (mut client, mut other) = (bench.connect(), bench.connect());
    command(&mut bench, &client, &subscribe(r#""*""#));
    assert!(bench.shard.must_pause(client.key), "its next command waits");
    let mut pongs = 0;
    while bench.shard.work() {
        client.take_all(&mut bench);
        bench.hub.publish(source(), (0..50).map(quote));
        bench.shard.drain_lane();
        while bench.shard.fan_out() {}
        command(&mut bench, &other, r#"{"op":"ping"}"#);
        other.take_all(&mut bench);
        pongs += 1;
        assert_eq!(answers(&other, "pong").len(), pongs, "at once");
    }
    client.take_all(&mut bench);
    assert!(!bench.shard.must_pause(client.key));
    let parts = answers(&client, "subscribed");
    let sizes: Vec<_> = parts.iter().map(|part| part["ok"].as_array().unwrap().len()).collect();
    assert!(sizes.iter().all(|size| *size <= ANSWER_SYMBOLS), "{sizes:?}");
    assert_eq!((sizes.iter().sum::<usize>(), client.at.len()), (5_500, 5_500));
    let more: Vec<_> = parts.iter().map(|part| part.get("more").is_some()).collect();
    assert_eq!(more.iter().filter(|more| **more).count(), parts.len() - 1);
    assert!(!more[more.len() - 1], "all but the last");
    command(&mut bench, &client, r#"{"op":"list"}"#);
    finish(&mut bench, &mut client);
    command(&mut bench, &client, r#"{"op":"unsubscribe","channel":"quotes","symbols":["*"]}"#);
    finish(&mut bench, &mut client);
    let listed = |list: &&Value| list["subscriptions"].as_array().unwrap().len();
    assert_eq!(answers(&client, "list").iter().map(listed).sum::<usize>(), 5_500);
    assert_eq!(client.at.len(), 0);
}

#[test]
fn a_drain_before_the_last_one_is_handed_out_mixes_nothing() {
    let mut bench = bench(1, large());
    let mut client = bench.connect();
    client.send(&mut bench, r#"{"op":"subscribe","channel":"quotes","symbols":["*"],"mode":"stream"}"#);
    let burst = 2 * SHARD_TURN_EVENTS;
    bench.hub.publish(source(), (0..burst).map(|_| quote(0)));
    // As a command does that must not be behind another shard, and then waits for its next turn.
    bench.shard.drain_lane();
    assert!(bench.shard.fan_out(), "some of it is left");
    bench.hub.publish(source(), [quote(0)]);
    bench.shard.drain_lane();
    while bench.shard.fan_out() {}
    bench.settle();
    client.take_all(&mut bench);
    let last = client.log.iter().rev().find(|message| message["T"] == "q").unwrap();
    assert_eq!(last["n"], burst as u64 + 1);
    assert_eq!(client.gaps, 0);
}

#[test]
fn answers_that_nobody_takes_hold_the_command_up() {
    let mut bench = bench(20_000, large());
    bench.hub.publish(source(), (0..20_000).map(quote));
    let mut client = bench.connect();
    command(&mut bench, &client, &subscribe(r#""*""#));
    while bench.shard.work() {}
    let waits = |bench: &mut Bench| bench.shard.sessions[client.key.index].outbox.control_bytes();
    assert!(waits(&mut bench) < 2 * CONTROL_PAUSE_BYTES, "{}", waits(&mut bench));
    assert!(bench.shard.must_pause(client.key));
    finish(&mut bench, &mut client);
    assert_eq!(client.at.len(), 20_000, "it goes on when they were taken");
}

#[test]
fn commands_that_cost_much_use_up_the_rate() {
    let mut bench = bench(5_000, SessionConfig { commands_per_second: 1, ..large() });
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe(r#""*""#));
    client.take_all(&mut bench);
    let mut answered = 0;
    while !client.log.iter().any(|message| message["T"] == "error") {
        client.send(&mut bench, r#"{"op":"list"}"#);
        client.take_all(&mut bench);
        answered += 1;
    }
    assert_eq!(client.last("error")["code"], 429);
    assert!(
        (50..150).contains(&answered),
        "200 commands at once, or half as many of double weight: {answered}"
    );
}

#[test]
fn many_sessions_that_follow_a_pattern_look_at_new_symbols_in_turns() {
    let mut bench = bench(1, large());
    let mut clients: Vec<_> = (0..20).map(|_| bench.connect()).collect();
    for client in &mut clients {
        client.send(&mut bench, &subscribe(r#""S*","S1*""#));
        client.take_all(&mut bench);
    }
    for i in 1..1_000 {
        bench.hub.declare(symbol(i), source()).unwrap();
    }
    bench.shard.drain_lane();
    while bench.shard.fan_out() {}
    let subscribed = |bench: &Bench| bench.shard.sessions.iter().map(|it| it.subs.len()).sum::<usize>();
    let mut before = subscribed(&bench);
    while bench.shard.work() {
        let now = subscribed(&bench);
        assert!(now - before <= ANSWER_SYMBOLS + 256, "{} in one turn", now - before);
        before = now;
    }
    for client in &mut clients {
        client.take_all(&mut bench);
        assert_eq!(client.at.len(), 1_000);
    }
}

#[test]
fn a_client_with_many_subscriptions_leaves_in_turns_and_is_gone_at_once() {
    let mut bench = bench(5_000, large());
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe(r#""*""#));
    client.take_all(&mut bench);
    bench.shard.leave(client.key, Instant::now());
    assert_eq!(bench.connections.total(), 0, "its place is free");
    assert!(matches!(bench.shard.outgoing(client.key, Instant::now()), Outgoing::Over));
    bench.hub.publish(source(), (0..5_000).map(quote));
    assert!(turns(&mut bench) > 1);
    bench.settle();
    assert!(bench.shard.is_empty());
    let listens = |i| bench.hub.topic(symbol(i)).unwrap().is_wanted();
    assert!(!(0..5_000).any(listens), "nothing is listened to");
    assert_eq!(bench.metric("tickcast_subscriptions{channel=\"quotes\"}"), "0");
}

#[test]
fn what_does_not_fit_into_a_recovery_is_not_encoded() {
    let hub = HubConfig { trades_per_symbol: 200, ..HubConfig::default() };
    let mut bench = Bench::new(hub, large());
    for i in 0..300 {
        bench.hub.publish(source(), (0..200).map(|id| trade(i, id)));
    }
    let mut client = bench.connect();
    let numbers: Vec<_> = (0..300).map(|i| format!("\"S{i}\":0")).collect();
    let since = format!(r#","since":{{"epoch":"e1","n":{{{}}}}}}}"#, numbers.join(","));
    let mut command = subscribe(r#""*""#).replace("quotes", "trades");
    command.pop();
    client.send(&mut bench, &(command + &since));
    client.take_all(&mut bench);
    let recovered =
        |part: &&Value| part["ok"].as_array().unwrap().iter().filter(|ok| ok["recovered"] == true).count();
    let recovered: usize = answers(&client, "subscribed").iter().map(recovered).sum();
    assert!((10..300).contains(&recovered), "{recovered}");
    let encoded: usize = (0..300)
        .flat_map(|i| bench.hub.topic(symbol(i)).unwrap().since(Channel::Trades, 0).events)
        .filter(|event| event.is_encoded())
        .count();
    assert!(encoded < RECOVERY_BYTES / 50 + 300, "{encoded} of 60,000 events");
}

#[test]
fn a_lapped_shard_catches_up_in_turns() {
    let hub = HubConfig { lane_events: MAX_BURST_TICKS + 1, ..HubConfig::default() };
    let mut bench = Bench::new(hub, large());
    for i in 0..5_000 {
        bench.hub.declare(symbol(i), source()).unwrap();
    }
    let mut client = bench.connect();
    client.send(&mut bench, &subscribe(r#""*""#));
    finish(&mut bench, &mut client);
    bench.hub.publish(source(), (0..5_000).map(quote));
    bench.hub.publish(source(), (0..5_000).map(quote));
    bench.shard.drain_lane();
    let caught_up = |bench: &Bench| {
        let seen = |i| bench.shard.topics.get(bench.hub.topic(symbol(i)).unwrap().id()).unwrap().seen;
        (0..5_000).filter(|i| seen(*i)[Channel::Quotes.index()] == 2).count()
    };
    let mut before = 0;
    while bench.shard.fan_out() {
        let now = caught_up(&bench);
        assert!(now - before <= SHARD_TURN_EVENTS, "{} in one turn", now - before);
        before = now;
        // What comes meanwhile waits.
        bench.shard.drain_lane();
    }
    assert_eq!(caught_up(&bench), 5_000);
    bench.hub.publish(source(), [quote(7)]);
    bench.settle();
    client.take_all(&mut bench);
    assert!(client.at.values().all(|at| at.n >= 2), "each got its newest");
    assert_eq!(bench.metric("tickcast_lane_laps_total"), "1");
}
