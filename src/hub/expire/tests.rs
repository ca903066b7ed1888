//! Symbols that a producer mistyped, and symbols that are named or heard.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    clock::Clock,
    hub::{FeedTerms, HubConfig, Lane},
    market::{Channel, Interval, Print, Source, Tick, Trade, UnixMicros},
    metrics::Metrics,
};

const AFTER: i64 = 60_000_000;

fn feed() -> Source {
    Source::new("desk").unwrap()
}

fn hub() -> Hub {
    let hub =
        Hub::new(HubConfig::default(), "e".into(), Clock::manual(UnixMicros(1)), Arc::new(Metrics::new()));
    let expires = Some(Duration::from_micros(AFTER.unsigned_abs()));
    hub.enlist(feed(), FeedTerms { expires, ..FeedTerms::default() });
    hub
}

fn trade(symbol: &str) -> Tick {
    Tick::Trade(Trade {
        symbol: symbol.parse().unwrap(),
        price: "1.5".parse().unwrap(),
        size: "1".parse().unwrap(),
        side: None,
        id: None,
        source: feed(),
        te: None,
        tr: UnixMicros(1),
        print: Print::default(),
    })
}

fn names(hub: &Hub) -> String {
    hub.all_topics().iter().map(|topic| topic.symbol().to_string()).collect::<Vec<_>>().join(" ")
}

fn removed(lane: &Lane) -> Vec<u32> {
    lane.drain(&mut std::collections::VecDeque::new()).removed.iter().map(|id| id.number()).collect()
}

#[test]
fn what_a_producer_mistyped_is_removed_and_what_is_named_or_heard_stays() {
    let hub = hub();
    hub.declare("NAMED".parse().unwrap(), feed()).unwrap();
    hub.publish(feed(), ["NAMED", "NAEMD", "HEARD"].map(trade));
    hub.publish(Source::new("other").unwrap(), [trade("OTHER")]);
    let lane = hub.open_lane().unwrap();
    for topic in hub.all_topics() {
        let _newest = topic.join(lane.index(), Channel::Trades);
        let _newest = topic.join(lane.index(), Channel::Status);
    }
    hub.clock().pass(AFTER - 1);
    assert!(!hub.expire());
    assert_eq!(names(&hub), "NAMED NAEMD HEARD OTHER");
    hub.publish(feed(), [trade("HEARD")]);
    assert!(removed(&lane).is_empty());
    hub.clock().pass(1);
    assert!(!hub.expire());
    assert_eq!(names(&hub), "NAMED HEARD OTHER");
    assert!(hub.topic("NAEMD".parse().unwrap()).is_none() && hub.topic_at(1).is_none());
    assert!(hub.topics_named("NAE", None, 9).is_empty());
    assert_eq!(
        (hub.topic_count(), hub.metrics().topics.get(), hub.metrics().topics_removed.get()),
        (3, 3, 1)
    );
    let mut events = std::collections::VecDeque::new();
    let drained = lane.drain(&mut events);
    assert_eq!(events.back().unwrap().status().unwrap().state, State::Closed, "told first");
    assert_eq!(drained.removed.iter().map(|id| id.number()).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_symbol_that_comes_back_is_another_topic_whose_numbers_are_higher() {
    let hub = hub();
    hub.publish(feed(), std::iter::repeat_n(trade("A"), 40));
    let (old, held) =
        (hub.topic("A".parse().unwrap()).unwrap().id(), hub.topic("A".parse().unwrap()).unwrap());
    hub.expire();
    hub.clock().pass(AFTER);
    hub.expire();
    hub.publish(feed(), ["B", "A"].map(trade));
    let new = hub.topic("A".parse().unwrap()).unwrap();
    assert_eq!((old.number(), new.id().number()), (0, 2));
    assert_ne!(old.slot(), new.id().slot(), "the old one is still held");
    assert!(new.base() >= 40 && new.last(Channel::Trades).unwrap().n == new.base() + 1);
    assert_eq!(new.since(Channel::Trades, 40).events.len(), 1);
    assert!(new.since(Channel::Trades, 12).forgotten >= 40, "old numbers are not recovered");
    assert!(held.is_removed() && !new.is_removed());
    drop(held);
    hub.publish(feed(), [trade("C")]);
    assert_eq!(hub.topic("C".parse().unwrap()).unwrap().id().slot(), old.slot(), "its slot is used again");
}

#[test]
fn slips_without_end_take_no_more_room_than_those_of_one_time() {
    let hub = hub();
    let bars = || hub.metrics().derived.bars(Channel::Bars(Interval::Second)).get();
    for round in 0..20 {
        hub.publish(feed(), (0..EXPIRE_BURST + 5).map(|i| trade(&format!("R{round}.{i}"))));
        hub.clock().pass(2_000_000);
        while hub.tick_clock(hub.clock().now()) {}
        assert!(bars() > 0);
        hub.clock().pass(AFTER);
        assert!(hub.expire(), "in bursts");
        assert!(!hub.expire());
        assert_eq!((hub.topic_count(), bars(), hub.metrics().derived.bar_bytes.get()), (0, 0, 0));
    }
    hub.publish(feed(), [trade("LAST")]);
    let last = hub.topic("LAST".parse().unwrap()).unwrap();
    assert_eq!(last.id().number(), 20 * (u32::try_from(EXPIRE_BURST).unwrap() + 5));
    assert!(last.id().slot() < EXPIRE_BURST + 5);
}

#[test]
fn time_for_which_the_gateway_was_held_up_does_not_count() {
    let hub = hub();
    hub.publish(feed(), [trade("A")]);
    hub.clock().pass(10 * AFTER);
    hub.excuse(Duration::from_micros((10 * AFTER).unsigned_abs()));
    hub.expire();
    assert_eq!(names(&hub), "A");
    hub.clock().pass(AFTER);
    hub.expire();
    assert_eq!(names(&hub), "");
}
