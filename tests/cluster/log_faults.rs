//! What is in Redis is removed, trimmed, refused, forged, or lost in a failover.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    proxy::{Line, Proxy},
    redis_server::Redis,
    stage::{Options, Stage},
};

/// The stream of the cluster's log.
pub(crate) const LOG: &str = "{tc:proof}:log";

/// How long nodes may take to see that the log is gone.
const SEEN: Duration = Duration::from_secs(2);

async fn is_renumbered(stage: &Stage, begun: Instant, reason: &str) {
    stage.counts(&format!("tickcast_cluster_epochs_total{{reason=\"{reason}\"}}"), 0.0, 1.0, SEEN).await;
    stage.renumbered(begun, Duration::from_secs(5)).await;
    stage.every_client_hears().await;
    assert_eq!(stage.journal.epochs(), 2, "a new numbering, once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_redis_begins_a_new_numbering() {
    let stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    stage.redis.text(&["FLUSHALL"]);
    is_renumbered(&stage, begun, "gone").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_log_begins_a_new_numbering() {
    let stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    stage.redis.text(&["DEL", LOG]);
    is_renumbered(&stage, begun, "gone").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trimmed_log_leaves_no_silent_hole() {
    let stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    for _ in 0..20 {
        stage.redis.text(&["XTRIM", LOG, "MAXLEN", "0"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.every_client_hears().await;
    stage.only_clients_of(begun, None);
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_is_told_and_costs_no_numbering() {
    let stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    stage.redis.text(&["CONFIG", "SET", "maxmemory", "1"]);
    stage.told(begun, None, "stale", Duration::from_secs(4)).await;
    stage.redis.text(&["CONFIG", "SET", "maxmemory", "0"]);
    stage.told(begun, None, "live", Duration::from_secs(10)).await;
    stage.every_client_hears().await;
    assert!(stage.metric("tickcast_cluster_reconnects_total{reason=\"refused\"}").await >= 1.0);
    stage.only_clients_of(begun, None);
    stage.no_gap_of_producers(begun);
    stage.same_epoch();
    stage.end().await;
}

/// The newest position of the log.
pub(crate) fn newest(redis: &Redis) -> (u64, u64) {
    let last = redis.command(&["XREVRANGE", LOG, "+", "-", "COUNT", "1"]);
    let entries: redis::streams::StreamRangeReply = redis::from_redis_value(last).unwrap();
    let (term, seq) = entries.ids[0].id.split_once('-').unwrap();
    (term.parse().unwrap(), seq.parse().unwrap())
}

async fn is_survived(stage: Stage, begun: Instant) {
    stage
        .until("the forgery is counted", Duration::from_secs(5), async |stage| {
            stage.metric("tickcast_cluster_holes_total").await >= 1.0
                || stage.metric("tickcast_cluster_fenced_total").await >= 1.0
        })
        .await;
    stage.every_client_hears().await;
    for node in stage.nodes.iter() {
        assert!(node.is_ready().await, "node {} lives and is ready", node.index);
    }
    eprintln!("{:?}", stage.since(begun).iter().map(|it| &it.3).collect::<Vec<_>>());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_the_log_ends_no_node() {
    let stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    let (term, seq) = newest(&stage.redis);
    let id = format!("{term}-{}", seq + 500);
    stage.redis.text(&["XADD", LOG, &id, "b", "\u{1}garbage that no node has written"]);
    is_survived(stage, begun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_another_version_ends_no_node() {
    let stage = Stage::begin(Options::default()).await;
    let begun = stage.mark();
    let (term, _) = newest(&stage.redis);
    let id = format!("{}-0", term + (1 << 20));
    stage.redis.text(&["XADD", LOG, &id, "b", "\u{7f}\u{0}a batch of a later version"]);
    is_survived(stage, begun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_a_replica_that_lacks_writes_begins_a_new_numbering() {
    let mut stage = Stage::begin(Options { lines: true, ..Options::default() }).await;
    let replica = Redis::start(&["--appendonly", "no"]);
    // Its own line to the master: what is on it when the master dies is lost.
    let line = Proxy::start(stage.redis.address()).await;
    replica.text(&["REPLICAOF", "127.0.0.1", &line.address.port().to_string()]);
    stage
        .until("the replica follows", Duration::from_secs(10), async |_| {
            replica.info("master_link_status") == "up"
        })
        .await;
    // It hears nothing while the master goes on, and then there is no master any more.
    line.set(Line::Drops);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = stage.mark();
    stage.redis.kill();
    for line in &stage.lines {
        line.set(Line::Cut);
        line.lead_to(replica.address());
    }
    line.set(Line::Cut);
    replica.text(&["REPLICAOF", "NO", "ONE"]);
    stage.lines.iter().for_each(|line| line.set(Line::Open));
    stage.renumbered(begun, Duration::from_secs(8)).await;
    stage.every_client_hears().await;
    assert_eq!(stage.journal.epochs(), 2, "a new numbering, once");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_paused_over_a_takeover_and_a_flush_writes_nothing_more() {
    let stage = Stage::begin(Options::default()).await;
    let leader = stage.leader().await;
    let begun = stage.mark();
    stage.nodes[leader].pause();
    stage
        .until("another node leads", Duration::from_secs(4), async |stage| {
            for node in stage.nodes.iter().filter(|node| node.index != leader) {
                if node.leads().await {
                    return true;
                }
            }
            false
        })
        .await;
    stage.redis.text(&["FLUSHALL"]);
    stage.counts("tickcast_cluster_epochs_total{reason=\"gone\"}", 0.0, 1.0, SEEN).await;
    stage.nodes[leader].resume();
    stage.renumbered(begun, Duration::from_secs(15)).await;
    stage.every_client_hears().await;
    stage
        .until("one leads", Duration::from_secs(5), async |stage| {
            (stage.metric("tickcast_cluster_role{role=\"leader\"}").await - 1.0).abs() < 0.1
        })
        .await;
    assert_eq!(stage.journal.epochs(), 2, "a new numbering, once");
    stage.end().await;
}
