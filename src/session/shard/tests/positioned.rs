//! Sessions of one direction: what is written and when, and that positions keep the promise of no hole and no repeat.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use proptest::prelude::*;
use serde_json::Value;

use crate::session::test_client::{Bench, Fake, quote, source, symbol, trade};
use crate::{
    clock::Instant,
    dialect::{Encoding, Op, Subscribe, native::parse_command},
    hub::HubConfig,
    limits::{OPENING_SUBSCRIPTION_BYTES, RECOVERY_BYTES, SSE_COMMENT},
    market::{Tick, Trade, TradeId},
    session::{CloseReason, Framing, Outgoing, SessionConfig, SessionKey},
};

fn wanted(channel: &str, symbols: &str) -> Subscribe {
    let command = format!("{{\"op\":\"subscribe\",\"channel\":\"{channel}\",\"symbols\":[{symbols}]}}");
    let parsed = parse_command(command.as_bytes(), Encoding::Json).unwrap();
    let Op::Subscribe(wanted) = parsed.op else { panic!("a subscribe") };
    wanted
}

fn open(bench: &mut Bench, framing: Framing, wanted: Vec<Subscribe>, after: Option<&str>) -> SessionKey {
    let admission = bench.connections.admit([127, 0, 0, 1].into()).unwrap();
    let key = bench.shard.open_positioned(framing, Rc::new(Fake::default()), admission, Instant::now());
    bench.shard.join(key, wanted, after, usize::MAX);
    while bench.shard.work() {}
    bench.shard.joined(key).unwrap().unwrap();
    key
}

/// One write's worth.
fn take(bench: &mut Bench, key: SessionKey) -> String {
    match bench.shard.outgoing(key, Instant::now()) {
        Outgoing::Frames(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Outgoing::Nothing | Outgoing::Over => String::new(),
    }
}

fn id(block: &str) -> Option<&str> {
    block.lines().find_map(|line| line.strip_prefix("id: "))
}

fn messages(block: &str) -> Vec<Value> {
    let data = block.lines().find_map(|line| line.strip_prefix("data: "));
    data.map_or_else(Vec::new, |data| serde_json::from_str(data).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_quiet_event_stream_gets_comments_and_is_never_taken_for_dead() {
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    bench.hub.declare(symbol(0), source()).unwrap();
    let key = open(&mut bench, Framing::Sse, vec![wanted("trades", "\"S0\"")], None);
    assert!(take(&mut bench, key).starts_with("data: [{\"T\":\"welcome\""));
    for _ in 0..5 {
        tokio::time::advance(SSE_COMMENT - Duration::from_millis(1)).await;
        bench.shard.sweep();
        assert_eq!(take(&mut bench, key), "");
        tokio::time::advance(Duration::from_millis(1)).await;
        bench.shard.sweep();
        assert_eq!(take(&mut bench, key), ":\n\n");
    }
}

#[test]
fn a_goodbye_keeps_the_position_and_ends_the_stream() {
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    bench.hub.publish(source(), [trade(0, 1)]);
    let key = open(&mut bench, Framing::Sse, vec![wanted("trades", "\"S0\"")], None);
    assert!(id(&take(&mut bench, key)).is_some());
    bench.shard.close(key, CloseReason::Slow, Instant::now());
    let block = take(&mut bench, key);
    assert_eq!((messages(&block)[0]["code"].as_u64(), id(&block)), (Some(4103), None));
    assert!(matches!(bench.shard.outgoing(key, Instant::now()), Outgoing::Over));
}

#[test]
fn all_answers_come_before_the_first_position_however_many() {
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    bench.hub.publish(source(), (0..500).flat_map(|i| [trade(i, 1), quote(i)]));
    let key =
        open(&mut bench, Framing::Sse, vec![wanted("trades", "\"*\""), wanted("quotes", "\"*\"")], None);
    let block = take(&mut bench, key);
    assert_eq!(messages(&block).len(), 1 + 2 * (1 + 500), "one block, far over a frame's budget");
    assert!(id(&block).is_some());
    assert_eq!(take(&mut bench, key), "");
}

#[test]
fn what_an_event_stream_opens_with_is_bounded() {
    let hub = HubConfig { trades_per_symbol: 1_000, ..HubConfig::default() };
    let mut bench = Bench::new(hub, SessionConfig::default());
    let all = || vec![wanted("trades", "\"*\""), wanted("quotes", "\"*\""), wanted("status", "\"*\"")];
    // Ids as long as they may be, and twice what is recovered.
    let long = |i, n| {
        let Tick::Trade(trade) = trade(i, n) else { panic!("a trade") };
        Tick::Trade(Trade { id: Some(TradeId::Text(format!("x{n:063}").into())), ..trade })
    };
    bench.hub.publish(source(), (0..200).flat_map(|i| [long(i, 1), quote(i)]));
    let key = open(&mut bench, Framing::Sse, all(), None);
    let first = take(&mut bench, key);
    for n in 0..60 {
        bench.hub.publish(source(), (0..200).map(|i| long(i, n)));
    }
    bench.shard.leave(key, Instant::now());
    while bench.shard.work() {}
    let key = open(&mut bench, Framing::Sse, all(), id(&first));
    let held = bench.shard.sessions[key.index].outbox.control_bytes();
    assert!(held > RECOVERY_BYTES / 2, "much is recovered: {held}");
    let bound =
        bench.shard.subscription_count(key) * OPENING_SUBSCRIPTION_BYTES + all().len() * RECOVERY_BYTES;
    assert!(held <= bound, "{held} of {bound}");
}

proptest! {
    /// A client that is cut off at any block, with any of them lost on the way, and comes back with the last position
    /// that it got, has every trade once.
    #[test]
    fn positions_leave_neither_hole_nor_repeat(
        steps in proptest::collection::vec((0..4_usize, 1..40_u64, any::<bool>(), any::<bool>()), 1..30),
    ) {
        let mut bench = Bench::new(HubConfig { trades_per_symbol: 4_000, ..HubConfig::default() }, SessionConfig::default());
        for i in 0..3 {
            bench.hub.declare(symbol(i), source()).unwrap();
        }
        let all = || vec![wanted("trades", "\"S*\"")];
        let mut key = open(&mut bench, Framing::Sse, all(), None);
        let first = take(&mut bench, key);
        let mut last = id(&first).unwrap().to_owned();
        let mut seen = BTreeMap::<String, u64>::new();
        let mut read = |block: &str, last: &mut String| {
            for message in messages(block).iter().filter(|message| message["T"] == "t") {
                let n = message["n"].as_u64().unwrap();
                let before = seen.insert(message["S"].as_str().unwrap().to_owned(), n).unwrap_or(0);
                assert_eq!(n, before + 1, "{message}");
            }
            if let Some(id) = id(block) {
                last.replace_range(.., id);
            }
        };
        for (which, count, taken, cut) in steps {
            // The fourth symbol is not known before its first trade.
            bench.hub.publish(source(), (0..count).map(|id| trade(which, id)));
            if taken && which != 3 {
                bench.settle();
                let block = take(&mut bench, key);
                read(&block, &mut last);
            }
            if cut || which == 3 {
                // Whatever was written meanwhile is lost.
                let _lost = take(&mut bench, key);
                bench.shard.leave(key, Instant::now());
                key = open(&mut bench, Framing::Sse, all(), Some(&last));
                let block = take(&mut bench, key);
                read(&block, &mut last);
            }
        }
        bench.settle();
        let block = take(&mut bench, key);
        read(&block, &mut last);
        for (name, n) in &seen {
            let head = bench.hub.topic(name.parse().unwrap()).unwrap().last(crate::market::Channel::Trades).unwrap().n;
            assert_eq!(*n, head, "{name}");
        }
    }
}
