//! Feeds that read streams: nothing is missed that Redis still has, and what it has no more is counted and told.

use tickcast::market::State;

use super::feeds::{RunningFeed, Seen, has_state, ids, json, packed, seen, sees};
use crate::util::{TestGateway, eventually, redis_server::RedisServer};

const STREAM: &str = "mode = \"stream\"\nstreams = [\"ticks\"]\n";

/// Likewise, also what was there before the feed was.
const TICKS: &str = "mode = \"stream\"\nstreams = [\"ticks\"]\nfrom = \"oldest\"\n";

fn add(redis: &RedisServer, fields: &[&str]) -> String {
    redis.ask(&[&["XADD", "ticks", "*"], fields].concat())
}

fn add_trades(redis: &RedisServer, ids: impl IntoIterator<Item = u64>) {
    ids.into_iter().for_each(|id| drop(add(redis, &["tick", &json("A", id)])));
}

fn holes(gateway: &TestGateway, reason: &str) -> u64 {
    gateway.count(&format!("tickcast_redis_holes_total{{feed=\"desk\",reason=\"{reason}\"}}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_hold_a_payload_or_the_parts_of_a_tick() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    add_trades(&redis, [1]);
    let mut connection = redis.connection().unwrap();
    let add_packed = redis::cmd("XADD").arg(&["ticks", "*", "tick"]).arg(packed("A", &[2, 3])).clone();
    let _id: String = add_packed.query(&mut connection).unwrap();
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    sees(&gateway, "A", &ids(1..=3)).await;
    add(&redis, &["tick", &json("A", 99), "other", "1"]);
    add_trades(&redis, [4]);
    sees(&gateway, "A", &ids(1..=4)).await;
    assert_eq!(gateway.count("tickcast_feed_parse_errors_total{feed=\"desk\",kind=\"columns\"}"), 1);
    feed.stop().await;

    let gateway = TestGateway::start();
    let feed = RunningFeed::start(&gateway, &redis, &format!("{TICKS}field = \"tick\""));
    sees(&gateway, "A", &ids([1, 2, 3, 99, 4])).await;
    feed.stop().await;

    let (gateway, mapped) = (TestGateway::start(), RedisServer::start());
    let fields =
        "fields = { kind = \"trades\", symbol_field = \"sym\", price = \"p\", size = \"q\", id = \"i\" }";
    let feed = RunningFeed::start(&gateway, &mapped, &format!("{TICKS}{fields}"));
    for (id, size) in [("1", "2"), ("2", "x"), ("3", "2")] {
        add(&mapped, &["sym", "A", "p", "1.5", "q", size, "i", id]);
    }
    sees(&gateway, "A", &ids([1, 3])).await;
    assert_eq!(gateway.count("tickcast_feed_parse_errors_total{feed=\"desk\",kind=\"number\"}"), 1);
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_read_from_where_it_was_told_to() {
    let redis = RedisServer::start();
    let second: String = {
        add_trades(&redis, [1]);
        add(&redis, &["tick", &json("A", 2)])
    };
    add_trades(&redis, [3]);
    for (from, first) in [("new", 4), ("oldest", 1), (second.as_str(), 3)] {
        let gateway = TestGateway::start();
        let feed =
            RunningFeed::start(&gateway, &redis, &format!("{STREAM}from = \"{from}\"\nsymbols = [\"A\"]"));
        let waiting = || redis.ask::<String>(&["CLIENT", "LIST"]).contains("cmd=xread");
        eventually("it reads", waiting).await;
        add_trades(&redis, [4]);
        sees(&gateway, "A", &ids(first..=4)).await;
        assert_eq!(holes(&gateway, "trimmed") + holes(&gateway, "renewed"), 0, "{from}");
        feed.stop().await;
        eventually("its connection is gone", || !waiting()).await;
        let _three: i64 = redis.ask(&["XTRIM", "ticks", "MAXLEN", "4"]);
        let newest: Vec<(String, Vec<String>)> = redis.ask(&["XREVRANGE", "ticks", "+", "-", "COUNT", "1"]);
        let _gone: i64 = redis.ask(&["XDEL", "ticks", &newest[0].0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_again_and_again_and_a_restart_of_redis_lose_nothing() {
    let (mut redis, gateway) = (RedisServer::durable(), TestGateway::start());
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    for round in 0..10_u64 {
        add_trades(&redis, round * 20 + 1..=round * 20 + 20);
        let _some: i64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    sees(&gateway, "A", &ids(1..=200)).await;
    has_state(&gateway, "A", State::Live).await;
    redis.kill();
    has_state(&gateway, "A", State::Stale).await;
    redis.start_again();
    // Nothing was missed, so it is current again without another tick.
    has_state(&gateway, "A", State::Live).await;
    add_trades(&redis, 201..=210);
    sees(&gateway, "A", &ids(1..=210)).await;
    assert_eq!(holes(&gateway, "trimmed") + holes(&gateway, "renewed"), 0);
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_trimmed_unread_is_counted_and_told() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    add_trades(&redis, 1..=5);
    sees(&gateway, "A", &ids(1..=5)).await;
    feed.stop().await;
    // All that was read, and nothing else.
    let _five: i64 = redis.ask(&["XTRIM", "ticks", "MAXLEN", "0"]);
    add_trades(&redis, 6..=8);
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    sees(&gateway, "A", &ids(1..=8)).await;
    feed.stop().await;
    assert_eq!(holes(&gateway, "trimmed"), 0);
    add_trades(&redis, 9..=20);
    let _more: i64 = redis.ask(&["XTRIM", "ticks", "MAXLEN", "2"]);
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    let told: Vec<_> =
        ids(1..=8).into_iter().chain([Seen::Lost("upstream_loss")]).chain(ids([19, 20])).collect();
    sees(&gateway, "A", &told).await;
    assert_eq!(holes(&gateway, "trimmed"), 1);
    assert_eq!(gateway.count("tickcast_redis_lost_entries_total{feed=\"desk\"}"), 10);
    add_trades(&redis, [21]);
    eventually("it goes on", || seen(&gateway, "A").last() == Some(&Seen::Id(21))).await;
    assert_eq!(seen(&gateway, "A").len(), 12, "told once");
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_removed_or_began_anew_is_noticed_within_seconds() {
    let (mut redis, gateway) = (RedisServer::start(), TestGateway::start());
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    add_trades(&redis, 1..=3);
    sees(&gateway, "A", &ids(1..=3)).await;
    let mut told = ids(1..=3);
    for (round, end) in ["DEL", "FLUSHALL", "empty"].into_iter().enumerate() {
        match end {
            "DEL" => assert_eq!(redis.ask::<i64>(&["DEL", "ticks"]), 1),
            "FLUSHALL" => redis.ask::<()>(&["FLUSHALL"]),
            _ => {
                redis.kill();
                redis.start_again();
            }
        }
        let holes = "tickcast_redis_holes_total{feed=\"desk\",reason=\"renewed\"}";
        eventually(end, || gateway.count(holes) == round as u64 + 1).await;
        let id = 10 + round as u64;
        add_trades(&redis, [id]);
        told.extend([Seen::Lost("upstream_loss"), Seen::Id(id)]);
        sees(&gateway, "A", &told).await;
    }
    // Removed, and made anew before that was seen: its ids go on above the old ones.
    let mut connection = redis.connection().unwrap();
    let mut both = redis::pipe();
    both.atomic().del("ticks").xadd("ticks", "*", &[("tick", json("A", 20))]);
    let () = both.query(&mut connection).unwrap();
    eventually("it is seen", || seen(&gateway, "A").contains(&Seen::Id(20))).await;
    let told = || holes(&gateway, "renewed") + holes(&gateway, "trimmed");
    eventually("it is told", || told() == 4).await;
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_no_stream_is_a_reason_that_is_told() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let () = redis.ask(&["SET", "ticks", "1"]);
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    gateway.metric_reaches("tickcast_feed_restarts_total{feed=\"desk\",reason=\"wrongtype\"}", 1.0).await;
    feed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_leads_again_reads_nothing_twice() {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let feed = RunningFeed::start(&gateway, &redis, TICKS);
    add_trades(&redis, 1..=3);
    sees(&gateway, "A", &ids(1..=3)).await;
    let feed = feed.handed_back().await;
    let reads = || redis.ask::<String>(&["CLIENT", "LIST"]).contains("cmd=xread");
    eventually("its connection is gone", || !reads()).await;
    // Another one reads these meanwhile.
    add_trades(&redis, 4..=6);
    let next = TestGateway::start();
    let feed = RunningFeed::anew(&next, feed);
    eventually("it reads", reads).await;
    add_trades(&redis, [7]);
    sees(&next, "A", &ids([7])).await;
    feed.stop().await;
}
