//! The leader is killed, paused, asked to stop, and cut off.

use std::time::Duration;

use crate::{
    client::Seen,
    node::FAKETIME,
    stage::{LEASE, Options, Stage},
};

/// How long after a leader is gone another one must be heard.
const REPLACED: Duration = Duration::from_millis(LEASE + 1_000);

/// What a busy machine may add to a time that clients measure.
const SLACK: Duration = Duration::from_millis(500);

async fn another_leads(stage: &Stage, not: usize, within: Duration) -> Duration {
    stage
        .until("another node leads", within, async |stage| {
            for node in stage.nodes.iter().filter(|node| node.index != not) {
                if node.leads().await {
                    return true;
                }
            }
            false
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_in_peace_pass_every_check() {
    let stage = Stage::begin(Options { wanderers: 10, ..Options::default() }).await;
    let begun = stage.mark();
    assert_eq!(stage.total("tickcast_cluster_role{role=\"leader\"}").await, 1);
    assert_eq!(stage.total("tickcast_cluster_attached").await, 3);
    stage
        .until("every node sees the others", REPLACED, async |stage| {
            stage.metric("tickcast_cluster_nodes").await >= 9.0
        })
        .await;
    assert_eq!(stage.venue.most_connections(), 1, "one node runs the feeds");
    // Wanderers move between nodes with their positions all the time.
    stage
        .until("clients have moved", Duration::from_secs(10), async |stage| {
            stage.journal.count("recoveries") > 100
        })
        .await;
    stage.no_gap(begun);
    assert_eq!(stage.journal.count("not recovered"), 0);
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_is_replaced_and_numbers_go_on() {
    let stage = Stage::begin(Options::default()).await;
    let leader = stage.leader().await;
    let begun = stage.mark();
    stage.nodes[leader].kill();
    another_leads(&stage, leader, REPLACED).await;
    stage.every_client_hears().await;
    stage.only_clients_of(begun, Some(leader));
    stage.one_gap_each(begun);
    // It comes back as a follower.
    stage.nodes[leader].start();
    stage.all_ready().await;
    assert!(!stage.nodes[leader].leads().await);
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_hear_again_in_time_after_a_leader_is_killed() {
    let stage = Stage::begin(Options { producers: 4, ..Options::default() }).await;
    let leader = stage.leader().await;
    stage.mark();
    stage.nodes[leader].kill();
    stage
        .until("clients hear again", REPLACED + SLACK, async |stage| {
            stage.records.iter().all(|record| record.lock().unwrap().heard())
        })
        .await;
    let silence = stage.longest_silence();
    assert!(silence <= REPLACED + SLACK, "{silence:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_paused_is_deposed_and_writes_nothing_more() {
    let stage = Stage::begin(Options::default()).await;
    let leader = stage.leader().await;
    let begun = stage.mark();
    stage.nodes[leader].pause();
    another_leads(&stage, leader, REPLACED).await;
    // What the new one writes goes on for a while.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.nodes[leader].resume();
    let deposed = stage
        .until("it is deposed and follows", Duration::from_secs(3), async |stage| {
            let node = &stage.nodes[leader];
            node.metric("tickcast_cluster_role{role=\"follower\"}").await > 0.5
                && node.metric("tickcast_cluster_attached").await > 0.5
        })
        .await;
    eprintln!("follows {deposed:?} after it goes on");
    assert!(stage.nodes[leader].metric("tickcast_cluster_fenced_total").await >= 1.0);
    assert_eq!(stage.total("tickcast_cluster_role{role=\"leader\"}").await, 1);
    stage.every_client_hears().await;
    stage.only_clients_of(begun, Some(leader));
    stage.one_gap_each(begun);
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_asked_to_stop_hands_over_without_a_gap() {
    let stage = Stage::begin(Options::default()).await;
    // The venue is quiet: nothing can be missed there.
    stage.venue.quiet(true);
    let leader = stage.leader().await;
    let begun = stage.mark();
    let (status, took) = tokio::join!(
        stage.nodes[leader].stop(),
        another_leads(&stage, leader, Duration::from_millis(500) + SLACK)
    );
    assert!(status.success(), "{status}");
    eprintln!("another leads after {took:?}");
    stage.venue.quiet(false);
    stage.every_client_hears().await;
    stage.only_clients_of(begun, Some(leader));
    stage.no_gap(begun);
    let reasons = stage.metric("tickcast_cluster_takeovers_total{reason=\"resigned\"}").await;
    assert!(reasons >= 1.0, "the lead was handed over");
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_is_restarted_in_turn_and_each_client_moves() {
    let stage = Stage::begin(Options::default()).await;
    let leader = stage.leader().await;
    let begun = stage.mark();
    let others = (0..stage.nodes.len()).filter(|i| *i != leader);
    let order: Vec<usize> = others.chain([leader]).collect();
    for index in order {
        let status = stage.nodes[index].stop().await;
        assert!(status.success(), "{status}");
        stage.nodes[index].start();
        stage.all_ready().await;
    }
    stage.every_client_hears().await;
    stage.no_gap_of_producers(begun);
    let takeovers = stage.total("tickcast_cluster_takeovers_total").await;
    assert_eq!(takeovers, 1, "the lead changes once");
    for (client, _, _, seen) in stage.since(begun) {
        assert!(!matches!(seen, Seen::Lost(_)), "client {client} was cut: {seen:?}");
    }
    stage.same_epoch();
    stage.end().await;
}

/// The lead passes through all nodes, whose clocks are an hour apart: times and bars are equal on all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_are_wrong_by_an_hour_make_no_difference_between_nodes() {
    if !std::path::Path::new(FAKETIME).exists() {
        eprintln!("skipped: {FAKETIME} is not there; `make deps` installs it");
        return;
    }
    let stage = Stage::begin(Options { clocks: vec![3_600, 0, -3_600], ..Options::default() }).await;
    let begun = stage.mark();
    for _ in 0..3 {
        let leader = stage.leader().await;
        stage.nodes[leader].kill();
        another_leads(&stage, leader, REPLACED).await;
        stage.every_client_hears().await;
        stage.nodes[leader].start();
        stage.all_ready().await;
        stage.quiet().await;
        stage.resume();
    }
    stage.only_killed(begun);
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edges_never_lead_and_tell_the_leader_what_their_clients_want() {
    let roles = vec!["feed", "feed", "edge", "edge"];
    let stage = Stage::begin(Options { roles, ..Options::default() }).await;
    let leader = stage.leader().await;
    assert!(leader < 2, "an edge never leads");
    // The venue is subscribed because clients of edges listen; producers publish to any node.
    let most = std::cell::Cell::new(0);
    stage
        .until("the venue is connected", Duration::from_secs(5), async |stage| {
            most.set(stage.venue.most_connections());
            most.get() > 0
        })
        .await;
    assert_eq!(most.get(), 1);
    let begun = stage.mark();
    stage.nodes[leader].kill();
    let next = another_leads(&stage, leader, REPLACED).await;
    eprintln!("the other feed node leads after {next:?}");
    stage.every_client_hears().await;
    stage.only_clients_of(begun, None);
    stage.nodes[leader].start();
    stage.all_ready().await;
    stage.same_epoch();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_late_holds_what_the_others_hold() {
    let stage = Stage::begin(Options { late: 1, ..Options::default() }).await;
    let begun = stage.mark();
    stage.nodes[2].start();
    stage.all_ready().await;
    assert!(stage.nodes[2].metric("tickcast_cluster_images_total{outcome=\"loaded\"}").await >= 1.0);
    stage.quiet().await;
    stage.resume();
    stage.every_client_hears().await;
    stage.no_gap(begun);
    stage.same_epoch();
    stage.end().await;
}
