//! How the ticker and the bars are delivered.

use crate::session::test_client::{Bench, quote, source, symbol, trade_at};
use crate::{
    hub::{BarSpan, HubConfig},
    market::{Interval, UnixMicros},
    session::SessionConfig,
};

const SECOND: i64 = 1_000_000;

fn bench(session: SessionConfig) -> Bench {
    let bench = Bench::new(HubConfig::default(), session);
    bench.hub.declare(symbol(0), source()).unwrap();
    bench
}

fn command(op: &str, channel: &str, more: &str) -> String {
    format!("{{\"op\":\"{op}\",\"channel\":\"{channel}\",\"symbols\":[\"S0\"]{more}}}")
}

/// One trade at each of these tenths of seconds.
fn trades(bench: &mut Bench, tenths: impl IntoIterator<Item = i64>) {
    bench.hub.publish(source(), tenths.into_iter().map(|at| trade_at(0, 1, at * SECOND / 10)));
    bench.settle();
}

/// `12f` for the final bar of second 12, `13` for a forming one, `gap2-9` for a gap.
fn shown(log: &[serde_json::Value]) -> String {
    let bars = log.iter().filter_map(|message| match message["T"].as_str()? {
        "b" => {
            let mark = if message["final"] == true { "f" } else { "" };
            Some(format!("{}{mark}", message["t"].as_i64()? / SECOND))
        }
        "gap" => Some(format!("gap{}-{}", message["from"], message["to"])),
        _ => None,
    });
    bars.collect::<Vec<_>>().join(" ")
}

#[test]
fn forming_bars_merge_and_final_ones_all_come_in_order() {
    let mut bench = bench(SessionConfig::default());
    let mut client = bench.connect();
    client.send(&mut bench, &command("subscribe", "bars.1s", ""));
    client.take_all(&mut bench);
    assert_eq!(client.last("subscribed")["ok"][0]["mode"], "merge");
    trades(&mut bench, 0..35);
    client.take_all(&mut bench);
    assert_eq!(shown(&client.log), "0f 1f 2f 3");
    // A forming bar that becomes final before it was taken goes once, as final.
    trades(&mut bench, [36, 37]);
    bench.hub.tick_clock(UnixMicros(10 * SECOND));
    bench.settle();
    client.take_all(&mut bench);
    assert_eq!(shown(&client.log), "0f 1f 2f 3 3f");
    let made: u64 = bench.metric("tickcast_events_published_total{channel=\"bars.1s\"}").parse().unwrap();
    bench.shard.sweep();
    let merged: u64 = bench.metric("tickcast_events_merged_total{channel=\"bars.1s\"}").parse().unwrap();
    assert_eq!((made, client.events + merged), (41, 41), "each event was delivered or merged");
}

#[test]
fn a_rate_holds_back_forming_bars_only() {
    let mut bench = bench(SessionConfig::default());
    let mut client = bench.connect();
    client.send(&mut bench, &command("subscribe", "bars.1s", ",\"max_rate\":0.001"));
    for tenth in 0..35 {
        trades(&mut bench, [tenth]);
        client.take_all(&mut bench);
    }
    assert_eq!(shown(&client.log), "0 0f 1f 2f");
}

#[test]
fn a_full_queue_loses_the_oldest_final_bars_and_says_so() {
    let mut bench = bench(SessionConfig { stream_bytes: 1_000, ..SessionConfig::default() });
    let mut client = bench.connect();
    client.send(&mut bench, &command("subscribe", "bars.1s", ""));
    client.take_all(&mut bench);
    trades(&mut bench, (0..20).map(|second| second * 10));
    client.take_all(&mut bench);
    let shown = shown(&client.log);
    assert!(shown.starts_with("gap2-") && shown.ends_with(" 17f 18f 19"), "{shown}");
}

#[test]
fn since_recovers_final_bars_and_the_forming_one() {
    let mut bench = Bench::new(HubConfig { bars: 4, ..HubConfig::default() }, SessionConfig::default());
    bench.hub.declare(symbol(0), source()).unwrap();
    trades(&mut bench, (0..8).map(|second| second * 10));
    let topic = bench.hub.topic(symbol(0)).unwrap();
    let bars = topic.bars(Interval::Second, &BarSpan::ALL, 100).events;
    assert_eq!(bars.iter().map(|bar| bar.n).collect::<Vec<_>>(), [8, 10, 12, 14, 15]);
    for (position, recovered, expected) in
        [(10, true, "5f 6f 7"), (6, true, "3f 4f 5f 6f 7"), (5, false, "gap6-15 7"), (15, true, "")]
    {
        let mut client = bench.connect();
        let since = format!(",\"since\":{{\"epoch\":\"e1\",\"n\":{{\"S0\":{position}}}}}");
        client.send(&mut bench, &command("subscribe", "bars.1s", &since));
        client.take_all(&mut bench);
        let ack = client.last("subscribed");
        assert_eq!(ack["ok"][0]["recovered"], recovered, "{position}");
        assert_eq!(shown(&client.log), expected, "{position}");
    }
}

#[test]
fn changing_the_mode_loses_no_final_bar() {
    let mut bench = bench(SessionConfig::default());
    let mut client = bench.connect();
    client.send(&mut bench, &command("subscribe", "bars.1s", ",\"mode\":\"stream\""));
    client.take_all(&mut bench);
    trades(&mut bench, [0, 1, 10, 11, 20]);
    client.send(&mut bench, &command("update", "bars.1s", ",\"mode\":\"merge\""));
    client.take_all(&mut bench);
    assert_eq!(shown(&client.log), "0f 1f 2", "the stream's forming bars are merged");
    trades(&mut bench, [21, 30, 31, 40]);
    client.send(&mut bench, &command("update", "bars.1s", ",\"mode\":\"stream\""));
    trades(&mut bench, [41, 42]);
    client.take_all(&mut bench);
    assert_eq!(shown(&client.log), "0f 1f 2 2f 3f 4 4 4");
}

#[test]
fn the_ticker_merges_and_comes_with_the_subscription() {
    let mut bench = bench(SessionConfig::default());
    trades(&mut bench, [0, 1]);
    let mut client = bench.connect();
    client.send(&mut bench, &command("subscribe", "ticker", ""));
    client.take_all(&mut bench);
    assert_eq!(client.last("subscribed")["ok"][0]["n"], 2);
    assert_eq!(client.last("k")["trades"], 2);
    bench.hub.publish(source(), [quote(0), quote(0)]);
    trades(&mut bench, [2, 3]);
    client.take_all(&mut bench);
    let ticker = client.last("k");
    assert_eq!(
        (ticker["trades"].as_u64(), ticker["bid"].as_str(), ticker["n"].as_u64()),
        (Some(4), Some("1.50"), Some(5))
    );
    assert_eq!(client.log.iter().filter(|message| message["T"] == "k").count(), 2);
}

#[test]
fn bars_that_are_not_computed_are_an_unknown_channel() {
    let intervals = [Interval::Day].into_iter().collect();
    let mut bench = Bench::new(HubConfig { intervals, ..HubConfig::default() }, SessionConfig::default());
    bench.hub.declare(symbol(0), source()).unwrap();
    let mut client = bench.connect();
    client.send(&mut bench, &command("subscribe", "bars.1m", ""));
    client.take_all(&mut bench);
    assert_eq!(client.last("error")["code"], 415);
    client.send(&mut bench, &command("subscribe", "bars.1d", ""));
    client.take_all(&mut bench);
    assert_eq!(client.last("subscribed")["channel"], "bars.1d");
}
