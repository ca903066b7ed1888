use tokio::time::timeout;

use super::*;
use crate::limits::{CLUSTER_NOTES, LOG_ANSWER};

const SECOND: Duration = Duration::from_secs(1);

fn at(term: u64, seq: u64) -> Position {
    Position { term, seq }
}

/// A log whose first term has written batches up to `last`.
async fn written(server: &MemoryServer, last: u64) -> MemoryLog {
    let mut log = Log::Memory(server.handle());
    assert_eq!(log.found(at(1, 0), b"open").await, Ok(Appended::Written));
    for seq in 1..=last {
        assert_eq!(log.append(at(1, seq), b"batch", Position::START).await, Ok(Appended::Written));
    }
    let Log::Memory(log) = log else { panic!("it is in memory") };
    log
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_does_not_write_twice() {
    let server = MemoryServer::new();
    let log = written(&server, 1).await;
    log.line().lose_answers(1);
    let mut log = Log::Memory(log);
    let lost = log.append(at(1, 2), b"once", Position::START).await;
    assert_eq!(lost, Err(LogError::Timeout { call: "append" }));
    assert_eq!(log.append(at(1, 2), b"once", Position::START).await, Ok(Appended::Written));
    let read = log.read(at(1, 1), Position::START, SECOND).await.unwrap();
    assert_eq!(read.batches, [(at(1, 2), b"once".to_vec())]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_set_back_does_not_take_the_next_batch() {
    let server = MemoryServer::new();
    let mut log = Log::Memory(written(&server, 5).await);
    let before = log.state().await.unwrap();
    server.restart(2);
    let closed = log.append(at(1, 6), b"", Position::START).await.unwrap_err();
    assert_eq!(closed.kind(), "closed");
    assert_eq!(log.append(at(1, 6), b"", Position::START).await, Ok(Appended::Behind(at(1, 3))));
    let after = log.state().await.unwrap();
    assert!(after.server.run_id != before.server.run_id && after.server.replid != before.server.replid);
    server.restart(0);
    assert!(log.state().await.is_err());
    let whole = log.state().await.unwrap();
    assert!(whole.server.run_id != after.server.run_id && whole.server.replid == after.server.replid);
    server.delete_log();
    assert_eq!(log.append(at(1, 6), b"", Position::START).await, Ok(Appended::Gone));
    server.restart_empty();
    assert!(log.state().await.is_err());
    assert_eq!(log.state().await.unwrap().newest, None);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_cut_fails_at_once_and_one_that_stalls_at_the_deadline() {
    let server = MemoryServer::new();
    let log = written(&server, 1).await;
    let line = std::sync::Arc::clone(log.line());
    let mut log = Log::Memory(log);
    line.cut(true);
    assert_eq!(log.state().await.unwrap_err().kind(), "connect");
    line.cut(false);
    line.stall(true);
    let start = crate::clock::Instant::now();
    assert_eq!(log.state().await, Err(LogError::Timeout { call: "state" }));
    assert_eq!(start.elapsed(), LOG_ANSWER);
    line.stall(false);
    server.set_full(true);
    let full = log.append(at(1, 2), b"", Position::START).await.unwrap_err();
    assert_eq!(full.kind(), "full");
    server.set_full(false);
    line.spoil_batches(1);
    assert_eq!(log.append(at(1, 2), b"x", Position::START).await, Ok(Appended::Written));
    line.repeat(1);
    line.skip_batches(0);
    let read = log.read(at(1, 1), Position::START, SECOND).await.unwrap();
    assert_eq!(read.batches, [(at(1, 1), b"batch".to_vec()), (at(1, 2), vec![!b'x'])]);
    line.skip_batches(1);
    let read = log.read(at(1, 0), Position::START, SECOND).await.unwrap();
    assert_eq!(read.batches, [(at(1, 2), vec![!b'x'])]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_ends_a_read_that_waits_and_a_stopped_server_answers_when_it_goes_on() {
    let server = MemoryServer::new();
    let log = written(&server, 0).await;
    let line = std::sync::Arc::clone(log.line());
    let mut log = Log::Memory(log);
    let mut reader = log.clone();
    let cut = tokio::spawn(async move { reader.read(at(1, 0), Position::START, SECOND * 60).await });
    tokio::task::yield_now().await;
    line.cut(true);
    server.wake();
    let ended = timeout(SECOND, cut).await.unwrap().unwrap();
    assert_eq!(ended.unwrap_err().kind(), "connect");
    line.cut(false);
    server.set_stopped(true);
    let asked = tokio::spawn(async move { log.state().await });
    tokio::task::yield_now().await;
    server.set_stopped(false);
    assert_eq!(asked.await.unwrap().unwrap().newest, Some(at(1, 0)));
}

#[tokio::test(start_paused = true)]
async fn notes_are_kept_in_a_bounded_number() {
    let mut log = MemoryServer::new().log();
    for _ in 0..CLUSTER_NOTES + 10 {
        log.note(&Note::Demand { node: "a".into() }).await.unwrap();
    }
    let read = log.read(Position::START, Position::START, SECOND).await.unwrap();
    assert_eq!(read.notes.len(), CLUSTER_NOTES);
}

#[tokio::test]
async fn what_no_reader_takes_is_not_written() {
    let mut log = MemoryServer::new().log();
    let large = vec![0; MAX_BATCH_BYTES + 1];
    assert_eq!(log.found(at(1, 0), &large).await.unwrap_err().kind(), "too_large");
    let key = "k".repeat(INBOX_KEY_BYTES + 1);
    assert_eq!(log.push_inbox(b"", Some(&key)).await.unwrap_err().kind(), "too_large");
}
