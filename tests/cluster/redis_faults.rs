//! Redis is killed, comes back empty, old or whole, is paused, closes connections, and lets in one user only.

use std::{path::Path, time::Duration};

use tokio::time::Instant;

use crate::stage::{Options, Stage};

/// How long clients may wait for the word that the data is stale.
const STALE: Duration = Duration::from_secs(2);

/// How long nodes may take to hear the log again once Redis is back.
const ATTACHED: Duration = Duration::from_secs(3);

/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(1_000);

fn durable() -> Options {
    Options { redis: vec!["--appendonly", "yes", "--appendfsync", "always"], ..Options::default() }
}

async fn all_attached(stage: &Stage, within: Duration) {
    let took = stage
        .until("all nodes hear the log", within, async |stage| {
            stage.metric("tickcast_cluster_attached").await >= stage.nodes.len() as f64
        })
        .await;
    eprintln!("attached after {took:?}");
}

async fn is_away(stage: &Stage, begun: Instant, time: Duration) {
    stage.told(begun, None, "stale", STALE + SLACK).await;
    tokio::time::sleep(time.saturating_sub(begun.elapsed())).await;
}

async fn is_renumbered(stage: &Stage, begun: Instant) {
    all_attached(stage, ATTACHED + SLACK).await;
    stage.renumbered(begun, Duration::from_secs(5)).await;
    stage.every_client_hears().await;
    assert_eq!(stage.journal.epochs(), 2, "a new numbering, once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_begins_a_new_numbering() {
    let mut stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    stage.redis.kill();
    is_away(&stage, begun, Duration::from_secs(4)).await;
    stage.redis.again();
    is_renumbered(&stage, begun).await;
    stage.one_gap_each(begun);
    stage.end().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_with_an_old_log_begins_a_new_numbering() {
    let mut stage = Stage::begin(durable()).await;
    let old = tempfile::tempdir().unwrap();
    copy(&stage.redis.folder().join("appendonlydir"), old.path());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = stage.mark();
    stage.redis.kill();
    std::fs::remove_dir_all(stage.redis.folder().join("appendonlydir")).unwrap();
    copy(old.path(), &stage.redis.folder().join("appendonlydir"));
    is_away(&stage, begun, Duration::from_secs(3)).await;
    stage.redis.again();
    is_renumbered(&stage, begun).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_restarts_with_its_log_loses_nothing() {
    let mut stage = Stage::begin(durable()).await;
    let begun = stage.mark();
    stage.redis.stop();
    is_away(&stage, begun, Duration::from_secs(3)).await;
    stage.redis.again();
    all_attached(&stage, ATTACHED + SLACK).await;
    stage.told(begun, None, "live", Duration::from_secs(10)).await;
    stage.every_client_hears().await;
    stage.only_clients_of(begun, None);
    stage.no_gap_of_producers(begun);
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_paused_costs_no_gap() {
    let stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    stage.redis.pause();
    is_away(&stage, begun, Duration::from_secs(5)).await;
    stage.redis.resume();
    all_attached(&stage, ATTACHED + SLACK).await;
    stage.told(begun, None, "live", Duration::from_secs(10)).await;
    stage.every_client_hears().await;
    stage.only_clients_of(begun, None);
    stage.no_gap(begun);
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_closes_every_connection_again_and_again_costs_no_gap() {
    let stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    while begun.elapsed() < Duration::from_secs(6) {
        stage.redis.text(&["CLIENT", "KILL", "TYPE", "normal"]);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stage.every_client_hears().await;
    stage.only_clients_of(begun, None);
    stage.no_gap_of_producers(begun);
    assert!(stage.metric("tickcast_cluster_reconnects_total{reason=\"closed\"}").await >= 3.0);
    stage.same_epoch();
    stage.end().await;
}

/// `packaging/redis.acl` allows what a node does, and no more than it needs: a node that leads, joins and takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_user_may_do_all_that_a_cluster_does() {
    let stage = Stage::begin(Options { as_user: true, ..Options::default() }).await;
    let leader = stage.leader().await;
    stage.nodes[leader].kill();
    stage.every_client_hears().await;
    stage.nodes[leader].start();
    stage.all_ready().await;
    assert_eq!(stage.redis.command(&["ACL", "LOG"]), redis::Value::Array(Vec::new()), "nothing was denied");
    stage.same_epoch();
    stage.end().await;
}
