//! Questions and answers on one connection, and its ends.

use std::time::Duration;

use tickcast::redis::{LinkError, Script, Value, cmd, pipe};
use tokio::time::Instant;

use super::{ANSWER, at, server};
use crate::util::redis_server::RedisServer;

#[tokio::test]
async fn questions_are_answered_over_tcp_and_over_a_socket() {
    let redis = RedisServer::start();
    for url in [redis.url(), redis.socket_url(), format!("{}/3", redis.url())] {
        let server = server(&at(url.clone()));
        let mut link = server.connect().await.unwrap();
        let () = link.ask(cmd("SET").arg("a").arg(&url), ANSWER).await.unwrap();
        assert_eq!(link.ask::<String>(cmd("GET").arg("a"), ANSWER).await.unwrap(), url);
        let refused = link.ask::<i64>(cmd("INCR").arg("a"), ANSWER).await.unwrap_err();
        assert!(refused.is_refused("ERR"), "{refused}");
        let wrong = link.ask::<Value>(cmd("LPUSH").arg("a").arg(1), ANSWER).await.unwrap_err();
        assert_eq!(wrong.kind(), "wrongtype");
        let big = vec![b'x'; 3_000_000];
        let () = link.ask(cmd("SET").arg("big").arg(&big), ANSWER).await.unwrap();
        assert_eq!(link.ask::<Vec<u8>>(cmd("GET").arg("big"), ANSWER).await.unwrap(), big);
    }
    let other: Option<String> = redis.ask(&["GET", "a"]);
    assert!(other.unwrap().starts_with("unix://"), "the third wrote into another database");
}

#[tokio::test]
async fn several_questions_go_out_at_once_and_a_transaction_is_all_or_nothing() {
    let redis = RedisServer::start();
    let mut link = server(&at(redis.url())).connect().await.unwrap();
    let mut asked = pipe();
    asked.cmd("SET").arg("a").arg(1).cmd("INCR").arg("a");
    assert_eq!(link.pipeline(&asked, ANSWER).await.unwrap(), [Value::Okay, Value::Int(2)]);
    assert_eq!(link.pipeline(asked.clone().atomic(), ANSWER).await.unwrap(), [Value::Okay, Value::Int(2)]);
    assert_eq!(link.pipeline(&pipe(), ANSWER).await.unwrap(), []);
    let mut bad = pipe();
    bad.atomic().cmd("SET").arg("a").arg(9).cmd("NONSENSE");
    assert!(link.pipeline(&bad, ANSWER).await.is_err());
    assert_eq!(link.ask::<i64>(cmd("GET").arg("a"), ANSWER).await.unwrap(), 2, "and the link is in step");
}

#[tokio::test]
async fn a_script_is_loaded_where_the_server_does_not_know_it() {
    let redis = RedisServer::start();
    let mut link = server(&at(redis.url())).connect().await.unwrap();
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for expected in [5, 10] {
        assert_eq!(link.script::<i64>(&script, &["a"], 5, ANSWER).await.unwrap(), expected);
    }
    let () = redis.ask(&["SCRIPT", "FLUSH"]);
    assert_eq!(link.script::<i64>(&script, &["a"], 5, ANSWER).await.unwrap(), 15);
}

#[tokio::test]
async fn a_server_says_what_it_is() {
    let redis = RedisServer::with(&["--maxmemory", "50mb", "--maxmemory-policy", "volatile-lru"]);
    let mut link = server(&at(redis.url())).connect().await.unwrap();
    let info = link.info(ANSWER).await.unwrap();
    assert!(info.redis_version >= (6, 2, 0), "{info:?}");
    assert_eq!((info.role.as_str(), info.policy.as_str()), ("master", "volatile-lru"));
    assert_eq!((info.maxmemory, info.has_aof), (50 * 1024 * 1024, false));
    assert!(info.time > 1_700_000_000_000_000 && info.run_id.len() == 40 && info.replid.len() == 40);
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let redis = RedisServer::start();
    let server = server(&at(redis.url()));
    let mut link = server.connect().await.unwrap();
    redis.pause();
    let began = Instant::now();
    let late = link.ask::<Value>(&cmd("PING"), Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(late, LinkError::Timeout(Duration::from_millis(100)));
    // The system accepts connections for a process that is stopped.
    let late = server.connect().await.unwrap_err();
    assert_eq!(late.kind(), "connect_timeout");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    redis.resume();
    assert_eq!(link.ask::<Value>(&cmd("PING"), ANSWER).await.unwrap_err(), LinkError::Closed);
    assert!(server.connect().await.is_ok());
}

#[tokio::test]
async fn the_end_of_a_connection_is_seen_at_once() {
    let mut redis = RedisServer::start();
    let server = server(&at(redis.url()));
    for end in ["CLIENT KILL", "kill -9"] {
        let mut link = server.connect().await.unwrap();
        let read = tokio::spawn(async move { link.ask::<Value>(&blocking_read(), ANSWER).await });
        while !redis.ask::<String>(&["CLIENT", "LIST"]).contains("cmd=xread") {
            tokio::task::yield_now().await;
        }
        match end {
            "kill -9" => redis.kill(),
            _ => assert_eq!(redis.ask::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]), 1),
        }
        assert_eq!(read.await.unwrap().unwrap_err(), LinkError::Closed, "{end}");
    }
    assert_eq!(server.connect().await.unwrap_err().kind(), "connect");
    redis.start_again();
    assert!(server.connect().await.is_ok());
}

fn blocking_read() -> tickcast::redis::Cmd {
    let mut read = cmd("XREAD");
    read.arg("BLOCK").arg(60_000).arg("STREAMS").arg("s").arg("0");
    read
}

#[tokio::test]
async fn a_change_of_role_and_a_full_memory_have_kinds_of_their_own() {
    let redis = RedisServer::start();
    let mut link = server(&at(redis.url())).connect().await.unwrap();
    let read = tokio::spawn(async move { link.ask::<Value>(&blocking_read(), ANSWER).await });
    while !redis.ask::<String>(&["CLIENT", "LIST"]).contains("cmd=xread") {
        tokio::task::yield_now().await;
    }
    let () = redis.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    let unblocked = read.await.unwrap().unwrap_err();
    assert!(unblocked.is_refused("UNBLOCKED"), "{unblocked}");
    let mut link = server(&at(redis.url())).connect().await.unwrap();
    let refused = link.ask::<Value>(cmd("SET").arg("a").arg(1), ANSWER).await.unwrap_err();
    assert_eq!(refused.kind(), "readonly");
    assert_eq!(link.info(ANSWER).await.unwrap().role, "slave");
    let () = redis.ask(&["CONFIG", "SET", "replica-serve-stale-data", "no"]);
    let refused = link.ask::<Value>(cmd("GET").arg("a"), ANSWER).await.unwrap_err();
    assert_eq!(refused.kind(), "masterdown");
    let () = redis.ask(&["REPLICAOF", "NO", "ONE"]);
    let () = redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = link.ask::<Value>(cmd("SET").arg("a").arg(1), ANSWER).await.unwrap_err();
    assert_eq!(refused.kind(), "oom");
}
