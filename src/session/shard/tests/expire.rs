//! Symbols that are removed while clients are subscribed to them.

use std::time::Duration;

use crate::{
    clock::Clock,
    hub::{FeedTerms, Hub, HubConfig},
    market::UnixMicros,
    metrics::Metrics,
    session::{
        SessionConfig,
        test_client::{Bench, Client, quote, source, symbol, trade},
    },
};

const AFTER: i64 = 1_000_000;

fn bench() -> Bench {
    let clock = Clock::manual(UnixMicros(1));
    let hub = Hub::new(HubConfig::default(), "e1".into(), clock, Metrics::new().into());
    let expires = Some(Duration::from_micros(AFTER.unsigned_abs()));
    hub.enlist(source(), FeedTerms { expires, ..FeedTerms::default() });
    hub.declare(symbol(0), source()).unwrap();
    Bench::over(hub.into(), SessionConfig::default())
}

fn expire(bench: &mut Bench) {
    bench.hub.expire();
    bench.hub.clock().pass(AFTER);
    bench.hub.expire();
    bench.settle();
}

fn follower(bench: &mut Bench, symbols: &str) -> Client {
    let mut client = bench.connect();
    for channel in ["trades", "quotes", "status", "ticker", "bars.1m"] {
        client.send(bench, &format!(r#"{{"op":"subscribe","channel":"{channel}","symbols":["{symbols}"]}}"#));
    }
    client.take_all(bench);
    client
}

#[test]
fn subscribers_are_told_closed_and_unsubscribed_and_others_notice_nothing() {
    let mut bench = bench();
    bench.hub.publish(source(), [trade(0, 1), trade(1, 1), quote(1)]);
    let mut clients = [follower(&mut bench, "*"), follower(&mut bench, "S1")];
    bench.hub.publish(source(), [trade(1, 2)]);
    expire(&mut bench);
    for client in &mut clients {
        client.take_all(&mut bench);
        let closed = client.log.iter().position(|it| it["T"] == "status" && it["state"] == "closed").unwrap();
        let ended: Vec<_> = client.log[closed..].iter().filter(|it| it["T"] == "unsubscribed").collect();
        assert_eq!(ended.len(), 5, "each channel, behind the status: {ended:?}");
        assert!(ended.iter().all(|it| it["ok"][0] == "S1" && it.get("id").is_none()));
        assert_eq!(client.last("t")["id"], "2", "what came before is there");
        assert!(client.at.keys().all(|(symbol, _)| symbol != "S1"));
        client.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["S1"]}"#);
        client.take_all(&mut bench);
        assert_eq!(client.last("subscribed")["err"][0]["code"], 414);
    }
    assert_eq!(bench.hub.topic_count(), 1);
    assert_eq!(bench.metric("tickcast_subscriptions{channel=\"trades\"}"), "1", "of the pattern's S0");
    // The others' symbols go on, and a pattern finds the symbol again when it comes back, behind a higher number.
    bench.hub.publish(source(), [trade(0, 2), trade(1, 3)]);
    bench.settle();
    clients[0].take_all(&mut bench);
    assert_eq!(clients[0].at[&("S0".to_owned(), "trades")].n, 2);
    let back = clients[0].log.iter().rfind(|it| it["T"] == "t" && it["S"] == "S1").unwrap().clone();
    assert_eq!(back["id"], "3");
    // Who asks for what it missed of the old one is told of a gap.
    let since =
        r#"{"op":"subscribe","channel":"trades","symbols":["S1"],"since":{"epoch":"e1","n":{"S1":2}}}"#;
    clients[1].send(&mut bench, since);
    clients[1].take_all(&mut bench);
    assert_eq!(clients[1].last("subscribed")["ok"][0]["recovered"], false);
    let gap = clients[1].last("gap");
    assert_eq!(
        (&gap["from"], &gap["to"], gap["why"].as_str()),
        (&3.into(), &back["n"], Some("not_recoverable"))
    );
}

#[test]
fn a_lapped_shard_tells_it_too() {
    let clock = Clock::manual(UnixMicros(1));
    let config = HubConfig { lane_events: 3, ..HubConfig::default() };
    let hub = Hub::new(config, "e1".into(), clock, Metrics::new().into());
    let expires = Some(Duration::from_micros(AFTER.unsigned_abs()));
    hub.enlist(source(), FeedTerms { expires, ..FeedTerms::default() });
    let mut bench = Bench::over(hub.into(), SessionConfig::default());
    bench.hub.publish(source(), [trade(1, 1)]);
    let mut client = follower(&mut bench, "*");
    bench.hub.publish(source(), (2..20).map(|id| trade(1, id)));
    expire(&mut bench);
    client.take_all(&mut bench);
    assert_eq!(client.last("status")["state"], "closed");
    assert_eq!(client.last("t")["id"], "19");
    assert!(client.at.is_empty(), "{:?}", client.at);
}
