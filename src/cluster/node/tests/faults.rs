//! What the log, or the way to it, may do to nodes.

use std::time::Duration;

use super::world::World;
use crate::market::Channel;

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_cut_off_is_fenced_and_follows() {
    let mut world = World::of(3).await;
    world.trades(0, 30);
    world.agree().await;
    let epoch = world.epoch(0);
    world.nodes[0].line.stall(true);
    let leader = world.leader_but(0).await;
    // No client will ever see these.
    world.nodes[0].trades("S0", 5, &mut 1_000_000);
    world.trades(leader, 30);
    world.nodes[0].line.stall(false);
    world.until("it follows", |world| !world.nodes[0].node.leads()).await;
    world.agree().await;
    assert_eq!(world.epoch(0), epoch);
    assert_eq!(world.nodes[0].head("S0", Channel::Trades), 20);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_starts_again_with_its_log_whole_costs_nothing() {
    let mut world = World::of(3).await;
    world.trades(0, 30);
    world.agree().await;
    let epoch = world.epoch(0);
    world.server.set_stopped(true);
    world.trades(0, 30);
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.server.set_stopped(false);
    world.server.restart(0);
    world.trades(0, 30);
    world.agree().await;
    assert_eq!((world.epoch(0), world.leaders()), (epoch, vec![0]));
    assert_eq!(world.nodes[2].head("S0", Channel::Trades), 30);
    assert_eq!(world.losses(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_gone_or_set_back_begins_a_new_numbering_once_and_values_go_on() {
    for fault in ["wipe", "delete", "empty", "set back"] {
        let mut world = World::of(3).await;
        world.trades(0, 30);
        world.agree().await;
        let (epoch, serial) = (world.epoch(0), world.nodes[1].hub.epoch_serial());
        match fault {
            "wipe" => world.server.wipe(),
            "delete" => world.server.delete_log(),
            "empty" => world.server.restart_empty(),
            _ => world.server.restart(3),
        }
        let is_new =
            |world: &World| (0..3).all(|i| world.epoch(i) != epoch && world.epoch(i) == world.epoch(0));
        world.until(fault, is_new).await;
        let leader = world.leader().await;
        world.trades(leader, 30);
        world.agree().await;
        assert_eq!(world.nodes[1].hub.epoch_serial(), serial + 1, "{fault}: told once");
        assert_eq!(world.nodes[2].head("S0", Channel::Trades), 21, "{fault}: numbers go on behind one loss");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_the_log_no_longer_reaches_loads_an_image() {
    let mut world = World::of(3).await;
    world.trades(0, 30);
    world.agree().await;
    let epoch = world.epoch(0);
    world.nodes[2].line.stall(true);
    for _ in 0..5 {
        world.trades(0, 30);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    world.server.trim_log(1);
    world.nodes[2].line.stall(false);
    world.trades(0, 30);
    world.agree().await;
    assert_eq!(world.epoch(2), epoch);
    assert_eq!(world.nodes[2].head("S0", Channel::Trades), 70);
}

#[tokio::test(start_paused = true)]
async fn garbage_in_the_log_is_refused_by_all_and_the_numbering_begins_anew() {
    let mut world = World::of(2).await;
    world.trades(0, 30);
    world.agree().await;
    let epoch = world.epoch(0);
    world.nodes[0].line.spoil_batches(1);
    world.trades(0, 30);
    world.until("all have begun anew", |world| (0..2).all(|i| world.epoch(i) != epoch)).await;
    let leader = world.leader().await;
    world.trades(leader, 30);
    world.agree().await;
}
