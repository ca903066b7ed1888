//! Answers in which something was lost after the newest value, as after a crash: numbers never fall in them, and the newest
//! value is never told inside what a client was told is lost.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::session::test_client::{Bench, Fake, loss, quote, source, trade};
use crate::{
    clock::Instant,
    dialect::{Encoding, Op, native::parse_command},
    hub::HubConfig,
    market::Channel,
    session::{Framing, Outgoing, SessionConfig},
};

/// Where a client comes from: nothing, a numbering that is gone, or this one.
const SINCE: [Option<(&str, u64)>; 8] = [
    None,
    Some(("gone", 2)),
    Some(("gone", 400)),
    Some(("e1", 0)),
    Some(("e1", 2)),
    Some(("e1", 3)),
    Some(("e1", 4)),
    Some(("e1", 9)),
];

/// Three values of each channel, and then losses.
fn bench(losses: usize, remembered: usize) -> Bench {
    let hub = HubConfig { trades_per_symbol: remembered, ..HubConfig::default() };
    let bench = Bench::new(hub, SessionConfig::default());
    bench.hub.publish(source(), [trade(0, 1), trade(0, 2), trade(0, 3), quote(0), quote(0), quote(0)]);
    for channel in [Channel::Trades, Channel::Quotes] {
        bench.hub.publish(source(), (0..losses).map(|_| loss(0, channel)));
    }
    bench
}

fn command(channel: &str, mode: &str, snapshot: bool, since: Option<(&str, u64)>) -> Value {
    let mut command =
        json!({"op": "subscribe", "channel": channel, "symbols": ["S0"], "mode": mode, "snapshot": snapshot});
    if let Some((epoch, n)) = since {
        command["since"] = json!({"epoch": epoch, "n": {"S0": n}});
    }
    command
}

/// Looks at one answer as a strict client does. Returns the number of the value that it ends with, and where it stands.
fn check(answer: &[Value], case: &str) -> (Option<u64>, u64) {
    let (mut stands, mut value) = (0, None);
    for message in answer {
        match message["T"].as_str().unwrap() {
            "subscribed" if message["ok"][0]["recovered"] != true => {
                stands = message["ok"][0]["n"].as_u64().unwrap();
            }
            "gap" => {
                let (from, to) = (message["from"].as_u64().unwrap(), message["to"].as_u64().unwrap());
                assert!(from <= to && to >= stands, "{case}: {message} at {stands} in {answer:?}");
                assert!(value.is_none_or(|value| value < from), "{case}: lost what it has: {answer:?}");
                stands = to;
            }
            "t" | "q" => {
                let n = message["n"].as_u64().unwrap();
                assert!(n >= stands, "{case}: {message} at {stands} in {answer:?}");
                (stands, value) = (n, Some(n));
            }
            _ => {}
        }
    }
    (value, stands)
}

#[test]
fn numbers_never_fall_in_an_answer_and_the_newest_value_is_in_none_of_its_gaps() {
    for (losses, remembered) in [(0, 9), (1, 9), (1, 1), (2, 9), (3, 2), (7, 3)] {
        for (channel, mode) in
            [("trades", "stream"), ("trades", "merge"), ("quotes", "stream"), ("quotes", "merge")]
        {
            for (since, snapshot) in SINCE.iter().flat_map(|since| [(*since, true), (*since, false)]) {
                let case = format!("{losses} of {remembered} {channel} {mode} {since:?} {snapshot}");
                let mut bench = bench(losses, remembered);
                let mut client = bench.connect();
                client.take_all(&mut bench);
                let told = client.log.len();
                client.send(&mut bench, &command(channel, mode, snapshot, since).to_string());
                client.take_all(&mut bench);
                let (value, stands) = check(&client.log[told..], &case);
                // A client with number 3 of this numbering has the newest value; the others get it.
                let has_it = since.is_some_and(|(epoch, n)| epoch == "e1" && (3..=9).contains(&n));
                let recovers = since.is_some_and(|(epoch, n)| epoch == "e1" && n < 3 && mode == "merge");
                if snapshot && !has_it || recovers {
                    assert_eq!(value, Some(3), "{case}: {:?}", &client.log[told..]);
                }
                if mode == "stream" {
                    let head = 3 + losses as u64;
                    let from = since.filter(|(epoch, n)| *epoch == "e1" && *n <= head).map_or(0, |(_, n)| n);
                    let nothing = from == head;
                    assert!(nothing || stands == head, "{case}: at {stands} of {:?}", &client.log[told..]);
                }
                // And what comes next is higher than all.
                bench.hub.publish(source(), [trade(0, 4), quote(0)]);
                bench.settle();
                let told = client.log.len();
                client.take_all(&mut bench);
                let next = client.log[told..].iter().find(|it| it["T"] == "t" || it["T"] == "q").unwrap();
                assert!(next["n"].as_u64().unwrap() > stands, "{case}: {next} after {stands}");
            }
        }
    }
}

#[test]
fn event_streams_and_polls_say_the_same() {
    for framing in [Framing::Sse, Framing::Poll] {
        for (channel, after) in [("trades", None), ("quotes", None), ("trades", Some("bm8="))] {
            let mut bench = bench(1, 9);
            let admission = bench.connections.admit([127, 0, 0, 1].into()).unwrap();
            let key =
                bench.shard.open_positioned(framing, Rc::new(Fake::default()), admission, Instant::now());
            let text = command(channel, "stream", true, None).to_string();
            let parsed = parse_command(text.as_bytes(), Encoding::Json).unwrap();
            let Op::Subscribe(wanted) = parsed.op else { panic!("a subscribe") };
            bench.shard.join(key, vec![wanted], after, usize::MAX);
            let Outgoing::Frames(bytes) = bench.shard.outgoing(key, Instant::now()) else { panic!() };
            let text = std::str::from_utf8(&bytes).unwrap();
            let answer: Vec<Value> = match framing {
                Framing::Poll => serde_json::from_str(&format!("[{text}]")).unwrap(),
                Framing::Sse | Framing::WebSocket(_) => {
                    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                    serde_json::from_str(data).unwrap()
                }
            };
            let case = format!("{framing:?} {channel} {after:?}");
            assert_eq!(check(&answer, &case), (Some(3), 4), "{case}: {answer:?}");
            // Its position has the loss: it is not told again.
            let position = bench.shard.position_of(key);
            let admission = bench.connections.admit([127, 0, 0, 1].into()).unwrap();
            let key = bench.shard.open_positioned(
                Framing::Poll,
                Rc::new(Fake::default()),
                admission,
                Instant::now(),
            );
            let Op::Subscribe(wanted) =
                parse_command(command(channel, "stream", true, None).to_string().as_bytes(), Encoding::Json)
                    .unwrap()
                    .op
            else {
                panic!("a subscribe")
            };
            bench.shard.join(key, vec![wanted], Some(&position), usize::MAX);
            assert!(matches!(bench.shard.outgoing(key, Instant::now()), Outgoing::Nothing), "{case}");
        }
    }
}
