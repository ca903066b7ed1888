//! A script with a real redis-server.

use super::samples::{Scrapes, Three};
use crate::{
    redis::feeds::{RunningFeed, ids, json, sees},
    util::{TestGateway, eventually, redis_server::RedisServer},
};

const KEYS: &str = "mode = \"stream\"\nstreams = [\"ticks\"]\nfrom = \"oldest\"\nnumbers = true\n";

/// Entries are trimmed while the feed is away; it is not allowed to read the others at first, and then reads one twice.
pub(super) async fn stream() -> Three {
    let (redis, gateway) = (RedisServer::start(), TestGateway::start());
    let add = |id: u64| {
        let tick = json("A", id).replace('}', &format!(r#","n":{id},"te":17000000000000{id:02}}}"#));
        let _id: String = redis.ask(&["XADD", "ticks", "*", "tick", &tick]);
    };
    let feed = RunningFeed::start(&gateway, &redis, KEYS);
    add(1);
    sees(&gateway, "A", &ids([1])).await;
    gateway.metric_is("tickcast_redis_behind_entries{feed=\"desk\"}", |behind| behind < 0.1).await;
    feed.stop().await;
    let mut scrapes = Scrapes::begin(&gateway).await;
    (2..=6).for_each(add);
    let _three: i64 = redis.ask(&["XTRIM", "ticks", "MAXLEN", "2"]);
    let () = redis.ask(&["ACL", "SETUSER", "default", "-xread"]);
    let feed = RunningFeed::start(&gateway, &redis, KEYS);
    gateway.metric_reaches("tickcast_redis_behind_entries{feed=\"desk\"}", 2.0).await;
    gateway.metric_reaches("tickcast_feed_restarts_total{feed=\"desk\",reason=\"noperm\"}", 1.0).await;
    scrapes.take();
    let () = redis.ask(&["ACL", "SETUSER", "default", "+xread"]);
    [6, 7].into_iter().for_each(add);
    let repeated = "tickcast_redis_repeated_ticks_total{feed=\"desk\"}";
    eventually("one came twice", || gateway.count(repeated) == 1).await;
    gateway.metric_is("tickcast_redis_behind_entries{feed=\"desk\"}", |behind| behind < 0.1).await;
    feed.stop().await;
    scrapes.end()
}
