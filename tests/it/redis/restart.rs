//! The real program with a store: after a stop and after a kill a stream is read on, and nothing is missed or doubled.

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::feeds;
use crate::{
    process::{Program, tickcast},
    util::{PATIENCE, redis_server::RedisServer},
};

fn configure(folder: &Path, redis: &RedisServer) {
    let text = format!(
        r#"
[server]
bind = "127.0.0.1:0"
grace_ms = 0
drain_ms = 0

[history]
trades_per_symbol = 2000

[store]
path = "kept.redb"
interval_ms = 100

[[feed]]
name = "desk"
kind = "redis"
url = "{}"
mode = "stream"
streams = ["ticks"]
from = "oldest"
"#,
        redis.url()
    );
    fs::write(folder.join("tickcast.toml"), text).unwrap();
}

fn start(folder: &Path) -> Program {
    Program::serving(tickcast(folder, &[]).stderr(Stdio::null()))
}

fn add(redis: &RedisServer, ids: impl IntoIterator<Item = u64>) {
    let mut connection = redis.connection().unwrap();
    for id in ids {
        let entry = [("tick", feeds::json("A", id))];
        let _id: String =
            redis::cmd("XADD").arg("ticks").arg("*").arg(&entry).query(&mut connection).unwrap();
    }
}

/// The remembered trades as number and id, once the newest has that id.
async fn trades(program: &Program, newest: u64) -> Vec<(u64, String)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, text) = program.get("/v1/trades/A?limit=1000").await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let events = answer["trades"].as_array().or_else(|| answer["events"].as_array());
        let one = |event: &Value| {
            assert_eq!(event["T"], "t", "{event}");
            (event["n"].as_u64().unwrap(), event["id"].as_str().unwrap().to_owned())
        };
        let trades: Vec<_> = events.into_iter().flatten().map(one).collect();
        if trades.last().is_some_and(|(_, id)| *id == newest.to_string()) {
            return trades;
        }
        assert!(Instant::now() < deadline, "{text:.2000}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn after_a_stop_the_stream_goes_on_in_the_same_numbers() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    configure(folder.path(), &redis);
    let program = start(folder.path());
    add(&redis, 1..=5);
    let before = trades(&program, 5).await;
    let epoch = program.epoch().await;
    program.signal("-TERM");
    assert!(program.ended().await.success());
    add(&redis, 6..=8);
    let program = start(folder.path());
    let after = trades(&program, 8).await;
    assert_eq!(program.epoch().await, epoch);
    let expected: Vec<_> = (1..=8).map(|n| (n, n.to_string())).collect();
    assert_eq!((before.as_slice(), after.as_slice()), (&expected[..5], expected.as_slice()));
    // A client that comes back sees what it missed, and no gap.
    let mut client = program.connect().await;
    let since = json!({"epoch": epoch, "n": {"A": 5}});
    client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"], "since": since})).await;
    for n in 6..=8 {
        loop {
            let message = client.next().await.unwrap();
            assert_ne!(message["T"], "gap", "{message}");
            if message["T"] == "t" {
                assert_eq!(message["n"], n);
                break;
            }
        }
    }
}

#[tokio::test]
async fn after_a_kill_nothing_is_missed_and_nothing_is_there_twice() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    configure(folder.path(), &redis);
    let mut next = 1;
    // Four kills at four moments between two saves.
    for _round in 0..4 {
        let program = start(folder.path());
        add(&redis, next..next + 50);
        program.metric_reaches("tickcast_store_saves_total", 1).await;
        for _burst in 0..10 {
            next += 10;
            add(&redis, next + 40..next + 50);
        }
        next += 50;
        program.signal("-KILL");
        let _killed = program.ended().await;
    }
    let program = start(folder.path());
    add(&redis, [next]);
    let ids: Vec<_> = trades(&program, next).await.into_iter().map(|(_, id)| id).collect();
    let expected: Vec<_> = (1..=next).map(|id| id.to_string()).collect();
    assert_eq!(ids, expected);
}
