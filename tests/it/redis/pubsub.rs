//! Feeds that listen to channels: what a message may be, and what is told of the time in between.

use tickcast::market::State;

use super::feeds::{RunningFeed, Seen, has_state, ids, json, packed, seen, sees};
use crate::util::{TestGateway, eventually, redis_server::RedisServer};

const TICKS: &str = "mode = \"pubsub\"\nchannels = [\"ticks\"]\n";

/// Waits until the feed listens, as Redis sees it; Redis answers in the order in which it was asked.
async fn listens(redis: &RedisServer) {
    let count = || redis.ask::<(String, i64)>(&["PUBSUB", "NUMSUB", "ticks"]).1;
    eventually("it listens", || count() == 1).await;
}

fn publish(redis: &RedisServer, channel: &str, message: &[u8]) {
    let mut connection = redis.connection().unwrap();
    let _listeners: i64 = redis::cmd("PUBLISH").arg(channel).arg(message).query(&mut connection).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_a_tick_or_many_as_json_or_messagepack() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let keys = format!("{TICKS}patterns = [\"more.*\"]\nsymbols = [\"A\"]\nsource = \"NYSE\"");
    let feed = RunningFeed::start(&gateway, &redis, &keys);
    has_state(&gateway, "A", State::Pending).await;
    listens(&redis).await;
    eventually("also to the pattern", || redis.ask::<i64>(&["PUBSUB", "NUMPAT"]) == 1).await;
    publish(&redis, "ticks", json("A", 1).as_bytes());
    publish(&redis, "ticks", format!(" [{},{}]", json("A", 2), json("A", 3)).as_bytes());
    publish(&redis, "ticks", format!("{}\n\n{}\n", json("A", 4), json("A", 5)).as_bytes());
    publish(&redis, "ticks", &packed("A", &[6]));
    publish(&redis, "ticks", &packed("A", &[7, 8]));
    publish(&redis, "elsewhere", json("A", 99).as_bytes());
    for bad in [
        b"".as_slice(),
        b"x",
        b"{",
        b"[1]",
        b"\xc1",
        br#"{"S":"A","p":"1"}"#,
        br#"{"S":"a b","p":"1","s":"1"}"#,
    ] {
        publish(&redis, "ticks", bad);
    }
    publish(&redis, "more.ticks", format!("[{},{{}},{}]", json("A", 9), json("B", 1)).as_bytes());
    sees(&gateway, "A", &ids(1..=9)).await;
    sees(&gateway, "B", &ids([1])).await;
    has_state(&gateway, "B", State::Live).await;
    let count = |start: &str| gateway.count(start);
    assert_eq!(count("tickcast_feed_messages_total{feed=\"desk\"}"), 13);
    assert_eq!(count("tickcast_feed_parse_errors_total{feed=\"desk\",kind=\"shape\"}"), 6);
    assert_eq!(count("tickcast_feed_parse_errors_total{feed=\"desk\",kind=\"symbol\"}"), 1);
    assert_eq!(count("tickcast_feed_ignored_total{feed=\"desk\",rule=\"empty\"}"), 1);
    assert_eq!(count("tickcast_redis_holes_total{feed=\"desk\",reason=\"reconnect\"}"), 0);
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnection_is_a_gap_before_the_next_tick_of_each_symbol() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    listens(&redis).await;
    for name in ["A", "B"] {
        publish(&redis, "ticks", json(name, 1).as_bytes());
        sees(&gateway, name, &ids([1])).await;
    }
    assert_eq!(redis.ask::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]), 1);
    has_state(&gateway, "A", State::Stale).await;
    gateway.metric_reaches("tickcast_feed_restarts_total{feed=\"desk\",reason=\"closed\"}", 1.0).await;
    listens(&redis).await;
    publish(&redis, "ticks", json("A", 2).as_bytes());
    let after = [Seen::Id(1), Seen::Lost("upstream_reconnect"), Seen::Id(2)];
    sees(&gateway, "A", &after).await;
    has_state(&gateway, "A", State::Live).await;
    // Of the other nothing was heard since: it is not known to be current, and nothing is told yet.
    has_state(&gateway, "B", State::Stale).await;
    assert_eq!(seen(&gateway, "B"), ids([1]));
    publish(&redis, "ticks", json("A", 3).as_bytes());
    publish(&redis, "ticks", json("B", 2).as_bytes());
    sees(&gateway, "B", &after).await;
    has_state(&gateway, "B", State::Live).await;
    assert_eq!(seen(&gateway, "A")[3..], ids([3]), "told once");
    assert_eq!(gateway.count("tickcast_redis_holes_total{feed=\"desk\",reason=\"reconnect\"}"), 1);
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_prove_that_nothing_was_missed() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let feed = RunningFeed::start(&gateway, &redis, &format!("{TICKS}numbers = true"));
    let numbered = |n: u64| {
        let te = 1_700_000_000_000_000 + n;
        json("A", n).replace('}', &format!(r#","n":{n},"te":{te}}}"#))
    };
    for (breaks, n) in (0_u64..).zip([1, 2, 2, 3, 6]) {
        listens(&redis).await;
        publish(&redis, "ticks", numbered(n).as_bytes());
        eventually("it came", || {
            let ticks = gateway.count("tickcast_feed_ticks_total{channel=\"trades\",feed=\"desk\"}");
            ticks + gateway.count("tickcast_redis_repeated_ticks_total{feed=\"desk\"}") > breaks
        })
        .await;
        let _killed: i64 = redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let broken = "tickcast_feed_restarts_total{feed=\"desk\",reason=\"closed\"}";
        eventually("it is back", || gateway.count(broken) == breaks + 1).await;
    }
    let lost = Seen::Lost("upstream_reconnect");
    assert_eq!(seen(&gateway, "A"), [Seen::Id(1), Seen::Id(2), Seen::Id(3), lost, Seen::Id(6)]);
    assert_eq!(gateway.count("tickcast_redis_repeated_ticks_total{feed=\"desk\"}"), 1);
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_a_venue_are_read_and_two_collectors_are_one_source() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let keys = format!("{TICKS}format = \"binance\"\nsymbols = {{ BTCUSDT = \"BTC-USDT\" }}");
    let feed = RunningFeed::start(&gateway, &redis, &keys);
    listens(&redis).await;
    let frame = |id: u64| {
        format!(
            r#"{{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":{id},"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}}"#
        )
    };
    for id in [10, 10, 11, 11, 10, 12] {
        publish(&redis, "ticks", frame(id).as_bytes());
    }
    publish(&redis, "ticks", br#"{"result":null,"id":1}"#);
    publish(&redis, "ticks", b"no frame");
    publish(&redis, "ticks", frame(13).as_bytes());
    sees(&gateway, "BTC-USDT", &ids(10..=13)).await;
    assert_eq!(gateway.count("tickcast_redis_repeated_ticks_total{feed=\"desk\"}"), 3);
    assert_eq!(gateway.count("tickcast_feed_ignored_total{feed=\"desk\",rule=\"ack\"}"), 1);
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_noticed_and_left() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    listens(&redis).await;
    publish(&redis, "ticks", json("A", 1).as_bytes());
    sees(&gateway, "A", &ids([1])).await;
    redis.pause();
    gateway.metric_reaches("tickcast_feed_restarts_total{feed=\"desk\",reason=\"timeout\"}", 1.0).await;
    has_state(&gateway, "A", State::Stale).await;
    gateway
        .metric_reaches("tickcast_feed_restarts_total{feed=\"desk\",reason=\"connect_timeout\"}", 1.0)
        .await;
    redis.resume();
    eventually("it listens again, and the old connection is gone", || {
        redis.ask::<(String, i64)>(&["PUBSUB", "NUMSUB", "ticks"]).1 == 1
            && gateway.count("tickcast_redis_holes_total{feed=\"desk\",reason=\"reconnect\"}") == 1
    })
    .await;
    publish(&redis, "ticks", json("A", 2).as_bytes());
    sees(&gateway, "A", &[Seen::Id(1), Seen::Lost("upstream_reconnect"), Seen::Id(2)]).await;
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_the_user_may_not_hear_is_a_reason_that_is_told() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let () = redis.ask(&["ACL", "SETUSER", "default", "resetchannels", "&other"]);
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    gateway.metric_reaches("tickcast_feed_restarts_total{feed=\"desk\",reason=\"noperm\"}", 1.0).await;
    feed.stop().await;
}
