//! Another numbering while clients stream.

use serde_json::Value;

use crate::session::test_client::{Bench, quote, source, trade};
use crate::{hub::HubConfig, limits::SHARD_TURN_EVENTS, session::SessionConfig};

fn texts(log: &[Value]) -> Vec<&str> {
    log.iter().map(|message| message["T"].as_str().unwrap()).collect()
}

#[test]
fn what_waited_under_the_old_numbering_is_dropped_and_the_newest_of_all_follows() {
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    let mut client = bench.connect();
    bench.shard.tell_resyncs(client.key);
    bench.hub.publish(source(), [trade(0, 0), quote(0)]);
    client.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["*"],"mode":"stream"}"#);
    client.send(&mut bench, r#"{"op":"subscribe","channel":"quotes","symbols":["*"],"max_rate":0.1}"#);
    client.send(&mut bench, r#"{"op":"subscribe","channel":"status","symbols":["*"]}"#);
    client.take_all(&mut bench);
    // The client takes nothing meanwhile, and the last trades are still in the lane.
    bench.hub.publish(source(), (1..50).map(|id| trade(0, id)));
    bench.settle();
    bench.hub.publish(source(), (50..60).map(|id| trade(0, id)));
    bench.hub.renumber("e2".into());
    bench.settle();
    let before = client.log.len();
    client.take_all(&mut bench);
    let told = texts(&client.log[before..]);
    assert_eq!(told[0], "resync", "{told:?}");
    assert_eq!(told.iter().filter(|kind| **kind == "t").count(), 1, "the newest: {told:?}");
    let newest = client.last("t");
    assert_eq!((newest["n"].as_u64(), newest["id"].as_str()), (Some(60), Some("59")));
    bench.hub.publish(source(), [trade(0, 60)]);
    bench.settle();
    client.take_all(&mut bench);
    assert_eq!(client.last("t")["n"], 61);
    assert_eq!(client.gaps, 0);
}

#[test]
fn a_new_numbering_is_told_in_turns() {
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    let symbols = SHARD_TURN_EVENTS + 10;
    for i in 0..symbols {
        bench.hub.publish(source(), [trade(i, 1)]);
    }
    let mut client = bench.connect();
    bench.shard.tell_resyncs(client.key);
    client.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["S1*"]}"#);
    client.send(&mut bench, r#"{"op":"subscribe","channel":"quotes","symbols":["S1*"]}"#);
    client.take_all(&mut bench);
    bench.hub.renumber("e2".into());
    // A second one during the first begins anew.
    bench.shard.drain_lane();
    bench.shard.fan_out();
    bench.hub.renumber("e3".into());
    bench.settle();
    client.take_all(&mut bench);
    assert_eq!(client.last("resync")["epoch"], "e3");
    bench.hub.publish(source(), [trade(1, 2)]);
    bench.settle();
    client.take_all(&mut bench);
    assert_eq!(client.last("t")["n"], 2);
}

/// It would look like two changes: campaigns saw a `resync` that named the numbering of the welcome.
#[test]
fn a_session_that_is_welcomed_to_the_new_numbering_is_not_told_of_it_again() {
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    bench.hub.publish(source(), [trade(0, 1)]);
    let mut old = bench.connect();
    bench.shard.tell_resyncs(old.key);
    bench.hub.renumber("e2".into());
    let [mut new, mut closes] = [bench.connect(), bench.connect()];
    bench.shard.tell_resyncs(new.key);
    bench.settle();
    for client in [&mut old, &mut new, &mut closes] {
        client.take_all(&mut bench);
    }
    assert_eq!((texts(&old.log), &old.last("resync")["epoch"]), (vec!["welcome", "resync"], &"e2".into()));
    for client in [&new, &closes] {
        assert_eq!((texts(&client.log), &client.last("welcome")["epoch"]), (vec!["welcome"], &"e2".into()));
    }
}
