//! The line between a node and Redis is cut, stalls, and drops everything.

use std::time::Duration;

use crate::{
    proxy::Line,
    stage::{LEASE, Options, Stage},
};

fn lines() -> Options {
    Options { lines: true, ..Options::default() }
}

/// How long the line is down: longer than every deadline of a connection, shorter than the log reaches back.
const DOWN: Duration = Duration::from_secs(4);

async fn an_edge_is_cut_off(line: Line) {
    let stage = Stage::begin(lines()).await;
    let edge = stage.follower().await;
    let begun = stage.mark();
    stage.lines[edge].set(line);
    stage.told(begun, Some(edge), "stale", Duration::from_millis(3_500)).await;
    tokio::time::sleep(DOWN.saturating_sub(begun.elapsed())).await;
    stage.lines[edge].set(Line::Open);
    stage.told(begun, Some(edge), "live", DOWN + Duration::from_secs(3)).await;
    stage.every_client_hears().await;
    stage.only_clients_of(begun, None);
    stage.no_gap(begun);
    assert!(stage.nodes[edge].metric("tickcast_cluster_reconnects_total").await >= 1.0);
    assert_eq!(stage.total("tickcast_cluster_takeovers_total").await, 1, "the leader stays");
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_whose_line_is_cut_reads_on() {
    an_edge_is_cut_off(Line::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_whose_line_drops_everything_reads_on() {
    an_edge_is_cut_off(Line::Drops).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_cannot_ask_reads_on() {
    an_edge_is_cut_off(Line::StallsUp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_hears_no_answer_reads_on() {
    an_edge_is_cut_off(Line::StallsDown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_was_away_for_longer_than_the_log_reaches_loads_an_image() {
    let keys = "window_ms = 5000\n".to_owned();
    let stage = Stage::begin(Options { keys, ticks_per_second: 600, ..lines() }).await;
    let edge = stage.follower().await;
    let begun = stage.mark();
    let images = stage.nodes[edge].metric("tickcast_cluster_images_total{outcome=\"loaded\"}").await;
    stage.lines[edge].set(Line::Drops);
    tokio::time::sleep(Duration::from_secs(16)).await;
    stage.lines[edge].set(Line::Open);
    stage.told(begun, Some(edge), "live", Duration::from_secs(24)).await;
    stage.every_client_hears().await;
    let holes = stage.nodes[edge].metric("tickcast_cluster_holes_total").await;
    assert!(holes >= 1.0, "it has noticed");
    let loaded = stage.nodes[edge].metric("tickcast_cluster_images_total{outcome=\"loaded\"}").await;
    assert!(loaded > images, "it has loaded an image");
    // The rings of trades reach back, and no client is disconnected.
    stage.only_clients_of(begun, None);
    stage.one_gap_each(begun);
    stage.same_epoch();
    stage.end().await;
}

async fn the_leader_is_cut_off(line: Line) {
    let stage = Stage::begin(lines()).await;
    let leader = stage.leader().await;
    let begun = stage.mark();
    stage.lines[leader].set(line);
    stage
        .until("another node leads", Duration::from_millis(LEASE + 1_500), async |stage| {
            for node in stage.nodes.iter().filter(|node| node.index != leader) {
                if node.leads().await {
                    return true;
                }
            }
            false
        })
        .await;
    stage.told(begun, Some(leader), "stale", Duration::from_millis(LEASE + 2_500)).await;
    stage.lines[leader].set(Line::Open);
    stage.every_client_hears().await;
    stage
        .until("one leads", Duration::from_secs(5), async |stage| {
            stage.metric("tickcast_cluster_role{role=\"leader\"}").await < 1.5
        })
        .await;
    stage.only_clients_of(begun, None);
    stage.one_gap_each(begun);
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_line_is_cut_is_replaced() {
    the_leader_is_cut_off(Line::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_line_drops_everything_is_replaced() {
    the_leader_is_cut_off(Line::Drops).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_hears_no_answer_is_replaced() {
    the_leader_is_cut_off(Line::StallsDown).await;
}
