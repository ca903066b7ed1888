//! What feeds of venues need of sessions: losses that are told in their place, and demand that is known.

use crate::session::test_client::{Bench, loss, quote, source, symbol, trade};
use crate::{hub::HubConfig, market::Channel, session::SessionConfig};

fn bench() -> Bench {
    let bench = Bench::new(HubConfig::default(), SessionConfig::default());
    bench.hub.declare(symbol(0), source()).unwrap();
    bench
}

#[test]
fn a_loss_is_a_gap_in_its_place_for_streams_and_nothing_for_merges() {
    let mut bench = bench();
    let (mut streams, mut merges) = (bench.connect(), bench.connect());
    streams.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["S0"]}"#);
    merges.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["S0"],"mode":"merge"}"#);
    bench.hub.publish(source(), [trade(0, 1), loss(0, Channel::Trades), trade(0, 2)]);
    bench.settle();
    streams.take_all(&mut bench);
    merges.take_all(&mut bench);
    let kinds: Vec<_> = streams.log.iter().filter_map(|message| message["T"].as_str()).collect();
    assert_eq!(kinds, ["welcome", "subscribed", "t", "gap", "t"]);
    let gap = streams.last("gap");
    assert_eq!((&gap["from"], &gap["to"], &gap["why"]), (&2.into(), &2.into(), &"upstream_reconnect".into()));
    assert!(merges.log.iter().all(|message| message["T"] != "gap"));
    assert_eq!(merges.last("t")["n"], 3);
    // A client that comes back from before it is told as well, in its place.
    let mut back = bench.connect();
    let since =
        r#"{"op":"subscribe","channel":"trades","symbols":["S0"],"since":{"epoch":"e1","n":{"S0":1}}}"#;
    back.send(&mut bench, since);
    back.take_all(&mut bench);
    let kinds: Vec<_> = back.log.iter().filter_map(|message| message["T"].as_str()).collect();
    assert_eq!(kinds, ["welcome", "subscribed", "gap", "t"]);
    assert_eq!(back.last("subscribed")["ok"][0]["recovered"], true);
    // A loss is no value: the snapshot is still the newest trade.
    bench.hub.publish(source(), [loss(0, Channel::Trades)]);
    bench.settle();
    assert_eq!(bench.hub.topic(symbol(0)).unwrap().last(Channel::Trades).unwrap().n, 3);
}

#[test]
fn a_feed_learns_when_somebody_listens_and_when_nobody_does() {
    let mut bench = bench();
    let demand = std::sync::Arc::default();
    bench.hub.watch(symbol(0), source(), &demand);
    let wanted = |bench: &Bench| bench.hub.topic(symbol(0)).unwrap().is_wanted();
    assert_eq!((demand.take(), wanted(&bench)), (vec![symbol(0)], false), "told once how it is");
    let client = bench.connect();
    client.send(&mut bench, r#"{"op":"subscribe","channel":"status","symbols":["S0"]}"#);
    assert!(demand.take().is_empty(), "states alone ask for nothing");
    client.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["S0"]}"#);
    assert_eq!((demand.take(), wanted(&bench)), (vec![symbol(0)], true));
    client.send(&mut bench, r#"{"op":"subscribe","channel":"quotes","symbols":["S0"]}"#);
    bench.hub.publish(source(), [trade(0, 1), quote(0)]);
    assert!(demand.take().is_empty(), "nothing changed");
    client.send(&mut bench, r#"{"op":"unsubscribe","channel":"trades","symbols":["S0"]}"#);
    assert!(demand.take().is_empty() && wanted(&bench));
    bench.shard.leave(client.key, bench.hub.instant());
    assert_eq!((demand.take(), wanted(&bench)), (vec![symbol(0)], false));
}

#[test]
fn an_answer_behind_a_waiting_status_tells_a_position_that_has_it() {
    let mut bench = bench();
    let mut client = bench.connect();
    let subscribe = r#"{"op":"subscribe","channel":"status","symbols":["S0"]}"#;
    client.send(&mut bench, subscribe);
    client.take_all(&mut bench);
    bench.hub.publish(source(), [trade(0, 1)]);
    bench.settle();
    client.send(&mut bench, subscribe);
    client.take_all(&mut bench);
    assert_eq!(
        (&client.last("status")["n"], &client.last("subscribed")["ok"][0]["n"]),
        (&2.into(), &2.into())
    );
}
