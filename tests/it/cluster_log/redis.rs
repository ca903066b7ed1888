//! The log in a real Redis, and what becomes of it when Redis forgets, refuses or stands still.

use std::time::Duration;

use tickcast::{
    cluster::{
        InboxId, Position,
        log::{Appended, Complaint, Log, LogError, NodeWord, Note, RedisLog},
    },
    limits::LOG_ANSWER,
    market::UnixMicros,
    redis::{Server, ServerDefinition},
};
use tokio::time::{Instant, timeout};

use super::{log_on, named};
use crate::util::redis_server::RedisServer;

const SOON: Duration = Duration::from_secs(5);
const TTL: Duration = Duration::from_secs(30);

fn at(term: u64, seq: u64) -> Position {
    Position { term, seq }
}

/// A log with an `open` in term 5 and batches up to `last`.
async fn written(server: &RedisServer, last: u64) -> Log {
    let mut log = log_on(server);
    assert_eq!(log.found(at(5, 0), b"open").await.unwrap(), Appended::Written);
    for seq in 1..=last {
        let written = log.append(at(5, seq), format!("b{seq}").as_bytes(), Position::START).await;
        assert_eq!(written.unwrap(), Appended::Written);
    }
    log
}

/// Writes a batch as a leader would: again after each error, with the same place.
async fn persist(log: &mut Log, at: Position, bytes: &[u8]) -> (Appended, Vec<&'static str>) {
    let mut kinds = Vec::new();
    let attempts = timeout(SOON * 4, async {
        loop {
            match log.append(at, bytes, Position::START).await {
                Ok(outcome) => return outcome,
                Err(why) => kinds.push(why.kind()),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let outcome = attempts.await.expect("it comes back");
    (outcome, kinds)
}

/// All batches of the log, by a reader that begins at the start.
async fn everything(log: &Log) -> Vec<(Position, Vec<u8>)> {
    let (mut reader, mut after, mut all) = (log.clone(), Position::START, Vec::new());
    while let read = reader.read(after, Position::START, Duration::from_millis(20)).await.unwrap()
        && let Some((last, _)) = read.batches.last()
    {
        after = *last;
        all.extend(read.batches);
    }
    all
}

#[tokio::test]
async fn a_killed_redis_that_comes_back_empty_has_no_log() {
    let mut server = RedisServer::start();
    let mut log = written(&server, 3).await;
    let before = log.state().await.unwrap();
    server.kill();
    let down = log.append(at(5, 4), b"x", Position::START).await.unwrap_err();
    assert!(["closed", "connect"].contains(&down.kind()), "{down}");
    assert_eq!(log.append(at(5, 4), b"x", Position::START).await.unwrap_err().kind(), "connect");
    server.start_again();
    assert_eq!(log.append(at(5, 4), b"x", Position::START).await.unwrap(), Appended::Gone);
    let after = log.state().await.unwrap();
    assert_eq!((after.newest, after.batches), (None, 0));
    assert!(after.server.run_id != before.server.run_id && after.server.replid != before.server.replid);
    // Its counter is gone as well; the terms that are handed out rise all the same.
    let known = 77 << 20;
    assert!(log.take("a", known, TTL).await.unwrap().unwrap() > known);
}

#[tokio::test]
async fn a_redis_that_comes_back_with_its_file_has_the_whole_log() {
    let mut server = RedisServer::durable();
    let mut log = written(&server, 3).await;
    let before = log.state().await.unwrap();
    server.kill();
    server.start_again();
    let (outcome, kinds) = persist(&mut log, at(5, 4), b"b4").await;
    assert_eq!(outcome, Appended::Written, "{kinds:?}");
    let after = log.state().await.unwrap();
    assert_eq!((after.newest, after.batches), (Some(at(5, 4)), 5));
    assert_ne!(after.server.run_id, before.server.run_id);
    assert_eq!(everything(&log).await.len(), 5);
}

#[tokio::test]
async fn a_redis_that_comes_back_older_than_the_writer_takes_no_further_batch() {
    let mut server = RedisServer::start();
    let mut log = written(&server, 3).await;
    let _saved: String = server.ask(&["SAVE"]);
    for seq in 4..=6 {
        log.append(at(5, seq), b"lost", Position::START).await.unwrap();
    }
    server.kill();
    server.start_again();
    let (outcome, _) = persist(&mut log, at(5, 7), b"x").await;
    assert_eq!(outcome, Appended::Behind(at(5, 3)));
    // A reader that stands ahead hears nothing, and is told why.
    let read = log.read(at(5, 6), Position::START, Duration::from_millis(20)).await.unwrap();
    assert_eq!(read.silent.unwrap().newest, Some(at(5, 3)));
}

#[tokio::test]
async fn a_replica_that_lacks_batches_takes_no_further_one_when_it_is_promoted() {
    let master = RedisServer::with(&["--repl-diskless-sync-delay", "0"]);
    let mut log = written(&master, 3).await;
    let before = log.state().await.unwrap();
    let replica = RedisServer::with(&["--replicaof", &format!("127.0.0.1 {}", master.port())]);
    let caught_up = timeout(SOON, async {
        while replica.ask::<u64>(&["XLEN", "{tc:test}:log"]) < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    caught_up.await.unwrap();
    let mut there = log_on(&replica);
    let refused = there.append(at(5, 4), b"x", Position::START).await.unwrap_err();
    assert!(matches!(&refused, LogError::Refused { code, .. } if code == "READONLY"), "{refused}");
    let complaints = there.check_server(UnixMicros(0)).await.unwrap();
    assert!(complaints.contains(&Complaint::Role("slave".into())), "{complaints:?}");
    let _ok: String = replica.ask(&["REPLICAOF", "NO", "ONE"]);
    // These the replica never gets.
    for seq in 4..=6 {
        log.append(at(5, seq), b"lost", Position::START).await.unwrap();
    }
    let mut moved = log_on(&replica);
    assert_eq!(moved.append(at(5, 7), b"x", Position::START).await.unwrap(), Appended::Behind(at(5, 3)));
    let after = moved.state().await.unwrap();
    assert!(after.server.run_id != before.server.run_id && after.server.replid != before.server.replid);
}

#[tokio::test]
async fn a_log_that_is_removed_is_missed_at_the_next_batch() {
    for remove in [vec!["FLUSHALL"], vec!["DEL", "{tc:test}:log"]] {
        let server = RedisServer::start();
        let mut log = written(&server, 3).await;
        let _done: redis::Value = server.ask(&remove);
        assert_eq!(log.append(at(5, 4), b"x", Position::START).await.unwrap(), Appended::Gone, "{remove:?}");
        assert_eq!(server.ask::<u64>(&["EXISTS", "{tc:test}:log"]), 0, "and is not made by it");
        let silent = log.read(at(5, 3), Position::START, Duration::from_millis(20)).await.unwrap();
        assert_eq!(silent.silent.unwrap().newest, None);
    }
}

#[tokio::test]
async fn a_log_that_is_emptied_remembers_its_newest_id() {
    let server = RedisServer::start();
    let mut log = written(&server, 3).await;
    assert_eq!(server.ask::<u64>(&["XTRIM", "{tc:test}:log", "MAXLEN", "0"]), 4);
    assert_eq!(log.append(at(5, 3), b"again", Position::START).await.unwrap(), Appended::Written);
    assert_eq!(log.append(at(4, 9), b"older", Position::START).await.unwrap(), Appended::Fenced(at(5, 3)));
    assert_eq!(log.append(at(5, 4), b"b4", Position::START).await.unwrap(), Appended::Written);
    let state = log.state().await.unwrap();
    assert_eq!((state.newest, state.oldest, state.batches), (Some(at(5, 4)), Some(at(5, 4)), 1));
    // A reader at 5-1 gets 5-4, and can tell what it has missed.
    let read = log.read(at(5, 1), Position::START, SOON).await.unwrap();
    assert_eq!(read.batches, [(at(5, 4), b"b4".to_vec())]);
}

#[tokio::test]
async fn without_memory_a_batch_is_refused_and_the_lead_is_kept() {
    let server = RedisServer::start();
    let mut log = written(&server, 3).await;
    let term = log.take("a", 0, TTL).await.unwrap().unwrap();
    let _ok: String = server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = log.append(at(5, 4), b"b4", Position::START).await.unwrap_err();
    assert_eq!(refused.kind(), "full", "{refused}");
    assert_eq!(log.note(&Note::Demand { node: "a".into() }).await.unwrap_err().kind(), "full");
    assert_eq!(log.push_inbox(b"x", None).await.unwrap(), tickcast::cluster::log::Pushed::Closed);
    assert!(log.renew("a", term, TTL).await.unwrap());
    let _ok: String = server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(log.append(at(5, 4), b"b4", Position::START).await.unwrap(), Appended::Written);
}

#[tokio::test]
async fn killed_connections_cost_one_error_and_write_nothing_twice() {
    let server = RedisServer::start();
    let mut log = written(&server, 0).await;
    let mut killed = 0;
    for seq in 1..=60 {
        if seq % 3 == 0 {
            let _count: u64 = server.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        }
        let (outcome, kinds) = persist(&mut log, at(5, seq), format!("b{seq}").as_bytes()).await;
        assert_eq!(outcome, Appended::Written);
        assert!(kinds.len() <= 1 && kinds.iter().all(|kind| *kind == "closed"), "{kinds:?}");
        killed += kinds.len();
    }
    assert_eq!(killed, 20);
    let all = everything(&log).await;
    for (seq, (position, bytes)) in (0..).zip(&all).skip(1) {
        assert_eq!((*position, bytes.as_slice()), (at(5, seq), format!("b{seq}").as_bytes()));
    }
    assert_eq!(all.len(), 61);
}

#[tokio::test]
async fn a_redis_that_stands_still_costs_a_deadline_and_what_it_was_told_is_written_once() {
    let server = RedisServer::start();
    let mut log = written(&server, 0).await;
    let mut reader = log.clone();
    assert_eq!(reader.read(Position::START, Position::START, SOON).await.unwrap().batches.len(), 1);
    server.pause();
    let start = Instant::now();
    let late = log.append(at(5, 1), b"b1", Position::START).await.unwrap_err();
    assert_eq!(late, LogError::Timeout { call: "append" });
    let took = start.elapsed();
    assert!(took >= LOG_ANSWER && took < LOG_ANSWER * 3, "{took:?}");
    let start = Instant::now();
    let block = Duration::from_millis(200);
    assert_eq!(reader.read(at(5, 0), at(0, 0), block).await.unwrap_err(), LogError::Timeout { call: "read" });
    assert!(start.elapsed() < block + LOG_ANSWER * 2);
    server.resume();
    let (outcome, _) = persist(&mut log, at(5, 1), b"b1").await;
    assert_eq!(outcome, Appended::Written);
    assert_eq!(everything(&log).await, [(at(5, 0), b"open".to_vec()), (at(5, 1), b"b1".to_vec())]);
}

#[tokio::test]
async fn what_others_write_under_our_keys_is_an_error_or_an_empty_batch_and_no_panic() {
    let server = RedisServer::start();
    let mut log = written(&server, 0).await;
    let _id: String = server.ask(&["XADD", "{tc:test}:log", "5-1", "price", "1"]);
    let _id: String = server.ask(&["XADD", "{tc:test}:notes", "*", "b", "{"]);
    let read = log.read(at(5, 0), Position::START, SOON).await.unwrap();
    assert_eq!(read.batches, [(at(5, 1), Vec::new())]);
    assert_eq!(read.notes.iter().map(|(_, note)| note).collect::<Vec<_>>(), [&Note::Unknown]);
    for key in ["log", "notes", "in", "meta", "nodes:until", "wants:until", "term", "image:i"] {
        let key = format!("{{tc:test}}:{key}");
        let _gone: u64 = server.ask(&["DEL", &key]);
        let _one: u64 = server.ask(&["SADD", &key, "x"]);
    }
    let mut errors = vec![
        log.append(at(5, 2), b"x", Position::START).await.unwrap_err(),
        log.state().await.unwrap_err(),
        log.read(at(5, 0), Position::START, SOON).await.unwrap_err(),
        log.note(&Note::RollCall { node: "a".into() }).await.unwrap_err(),
        log.meta().await.unwrap_err(),
        log.nodes().await.unwrap_err(),
        log.wants().await.unwrap_err(),
        log.take("a", 0, TTL).await.unwrap_err(),
        log.put_piece("i", b"x").await.unwrap_err(),
        log.take_piece("i", SOON).await.unwrap_err(),
        log.read_inbox(InboxId(0, 0), SOON).await.unwrap_err(),
    ];
    let _ok: String = server.ask(&["SET", "{tc:test}:lease", "not a lease"]);
    assert_eq!(log.holder().await.unwrap(), None);
    let _ok: String = server.ask(&["SET", "{tc:test}:meta", "{}"]);
    errors.push(log.meta().await.unwrap_err());
    for why in errors {
        assert!(["refused", "unreadable"].contains(&why.kind()), "{why}");
    }
    let _ok: String = server.ask(&["FLUSHALL"]);
    let _ok: String = server.ask(&["SET", "{tc:test}:lease", "no end"]);
    assert!(log.take("a", 0, TTL).await.unwrap().is_some(), "a lease without an end is none");
}

#[tokio::test]
async fn two_clusters_on_one_redis_do_not_touch_each_other() {
    let server = RedisServer::start();
    let mut ours = written(&server, 2).await;
    let mut theirs = named(&server, "other");
    assert_eq!(theirs.state().await.unwrap().newest, None);
    assert!(
        ours.take("a", 0, TTL).await.unwrap().is_some() && theirs.take("b", 0, TTL).await.unwrap().is_some()
    );
    assert_eq!(theirs.found(at(1, 0), b"open").await.unwrap(), Appended::Written);
    assert_eq!(ours.append(at(5, 3), b"x", Position::START).await.unwrap(), Appended::Written);
    assert_eq!(theirs.state().await.unwrap().newest, Some(at(1, 0)));
}

/// The user that operators are given.
const ACL: &str = include_str!("../../../packaging/redis.acl");

#[tokio::test]
async fn the_user_of_a_cluster_may_do_all_that_it_does_and_nothing_else() {
    let server = RedisServer::start();
    let line = ACL.lines().find_map(|line| line.strip_prefix("user tickcast ")).unwrap();
    let line = line.replace("{tc:prod}", "{tc:test}").replace(">change-this", ">hush");
    let words: Vec<_> = ["ACL", "SETUSER", "tickcast"].into_iter().chain(line.split_whitespace()).collect();
    let _ok: String = server.ask(&words);
    let password = server.file("password");
    std::fs::write(&password, "hush\n").unwrap();
    let definition = ServerDefinition {
        url: Some(server.url()),
        username: Some("tickcast".into()),
        password_file: Some(password),
        ..ServerDefinition::default()
    };
    let connect =
        |cluster: &str| Log::Redis(RedisLog::new(Server::new(&definition, ".".as_ref()).unwrap(), cluster));
    let mut log = connect("test");
    assert_eq!(log.check_server(now()).await.unwrap(), []);
    let term = log.take("a", 0, TTL).await.unwrap().unwrap();
    log.found(at(term, 0), b"open").await.unwrap();
    log.append(at(term, 1), b"x", at(term, 0)).await.unwrap();
    log.state().await.unwrap();
    let from = log.notes_now().await.unwrap();
    log.note(&Note::RollCall { node: "a".into() }).await.unwrap();
    assert_eq!(log.read(at(term, 0), from, SOON).await.unwrap().batches.len(), 1);
    log.renew("a", term, TTL).await.unwrap();
    log.holder().await.unwrap();
    let word = NodeWord {
        id: "a".into(),
        role: "auto".into(),
        leads: true,
        version: String::new(),
        wire: 1,
        epoch: String::new(),
        position: at(term, 1),
        address: String::new(),
    };
    log.beat(&word, TTL).await.unwrap();
    assert_eq!(log.nodes().await.unwrap(), [word]);
    log.want("a", b"x", TTL).await.unwrap();
    assert_eq!(log.wants().await.unwrap().len(), 1);
    log.leave("a").await.unwrap();
    log.open_inbox(InboxId(0, 0)).await.unwrap();
    log.push_inbox(b"x", Some("key")).await.unwrap();
    let entries = log.read_inbox(InboxId(0, 0), SOON).await.unwrap();
    log.open_inbox(entries[0].0).await.unwrap();
    log.trim_inbox(entries[0].0).await.unwrap();
    log.claim("i", "a").await.unwrap();
    log.put_piece("i", b"x").await.unwrap();
    log.pieces("i").await.unwrap();
    assert!(log.take_piece("i", SOON).await.unwrap().is_some());
    log.resign("a", term).await.unwrap();
    log.meta().await.unwrap();
    let refused = connect("other").found(at(1, 0), b"open").await.unwrap_err();
    assert!(matches!(&refused, LogError::Refused { code, .. } if code == "NOPERM"), "{refused}");
    std::fs::write(server.file("password"), "wrong\n").unwrap();
    assert_eq!(connect("test").state().await.unwrap_err().kind(), "connect", "the file is read again");
}

#[tokio::test]
async fn a_server_that_may_lose_the_log_is_complained_of() {
    let server = RedisServer::start();
    let mut log = log_on(&server);
    assert_eq!(log.check_server(now()).await.unwrap(), []);
    let _ok: String = server.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert_eq!(log.check_server(now()).await.unwrap(), [Complaint::Policy("allkeys-lru".into())]);
    let _ok: String = server.ask(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    let off = log.check_server(UnixMicros(now().0 + 5_000_000)).await.unwrap();
    assert!(matches!(off[..], [Complaint::Clock(by)] if by > SOON - Duration::from_secs(1)), "{off:?}");
}

fn now() -> UnixMicros {
    tickcast::clock::Clock::system().now()
}

#[tokio::test]
async fn a_log_is_read_and_written_over_tls_and_a_unix_socket() {
    let server = RedisServer::with_tls(false);
    let definition = ServerDefinition {
        url: Some(server.url()),
        ca_file: Some(server.file("ca.pem")),
        ..ServerDefinition::default()
    };
    let mut log = Log::Redis(RedisLog::new(Server::new(&definition, ".".as_ref()).unwrap(), "test"));
    log.found(at(5, 0), b"open").await.unwrap();
    log.append(at(5, 1), &vec![7; 200_000], Position::START).await.unwrap();
    let definition = ServerDefinition { url: Some(server.socket_url()), ..ServerDefinition::default() };
    let mut reader = Log::Redis(RedisLog::new(Server::new(&definition, ".".as_ref()).unwrap(), "test"));
    let read = reader.read(at(5, 0), Position::START, SOON).await.unwrap();
    assert_eq!(read.batches, [(at(5, 1), vec![7; 200_000])]);
}

/// How often a server has answered that command.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats: String = server.ask(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_log_is_read_from_a_replica_as_long_as_that_keeps_up() {
    let master = RedisServer::with(&["--repl-diskless-sync-delay", "0"]);
    let mut log = written(&master, 0).await;
    let replica = RedisServer::with(&["--replicaof", &format!("127.0.0.1 {}", master.port())]);
    let follows = timeout(SOON, async {
        while replica.ask::<u64>(&["EXISTS", "{tc:test}:log"]) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    follows.await.unwrap();
    let definition = ServerDefinition { url: Some(master.url()), ..ServerDefinition::default() };
    let server = Server::new(&definition, ".".as_ref()).unwrap();
    let mut reader = Log::Redis(RedisLog::new(server, "test").reading_replicas());
    let (before, mut after) = (calls(&master, "xread"), at(5, 0));
    let from = reader.notes_now().await.unwrap();
    for seq in 1..=20 {
        log.append(at(5, seq), b"x", Position::START).await.unwrap();
        // It keeps up.
        assert_eq!(master.ask::<u64>(&["WAIT", "1", "5000"]), 1);
        let read = reader.read(after, from, SOON).await.unwrap();
        after = read.batches.last().unwrap().0;
        assert_eq!(after, at(5, seq));
    }
    assert!(calls(&replica, "xread") >= 20);
    assert_eq!(calls(&master, "xread"), before, "the master is not read from");
    // One that follows no more is silent, and the master is not.
    let _ok: String = replica.ask(&["REPLICAOF", "NO", "ONE"]);
    for seq in 21..=23 {
        log.append(at(5, seq), b"x", Position::START).await.unwrap();
        let read = reader.read(after, from, Duration::from_millis(100)).await.unwrap();
        after = read.batches.last().unwrap().0;
        assert_eq!(after, at(5, seq));
    }
    let silent = reader.read(after, from, Duration::from_millis(20)).await.unwrap().silent.unwrap();
    assert_eq!((silent.newest, silent.server), (Some(after), log.state().await.unwrap().server));
}
