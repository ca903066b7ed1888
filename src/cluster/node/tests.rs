//! Several nodes in one process over one log in memory: whichever leads, all say the same.

mod faults;
mod world;

use std::time::Duration;

use self::world::{World, symbol};
use crate::{cluster::PushError, market::Channel};

#[tokio::test(start_paused = true)]
async fn the_first_node_founds_and_others_take_its_image_and_all_say_the_same() {
    let mut world = World::new();
    world.start().await;
    world.trades(0, 30);
    world.agree().await;
    world.start().await;
    world.start().await;
    world.trades(0, 30);
    world.agree().await;
    assert_eq!(world.leaders(), [0]);
    let heads: Vec<_> = world.nodes.iter().map(|node| node.head("S0", Channel::Trades)).collect();
    assert_eq!(heads, [20; 3]);
}

#[tokio::test(start_paused = true)]
async fn after_the_death_of_the_leader_another_one_leads_and_numbers_go_on() {
    let mut world = World::of(3).await;
    world.trades(0, 30);
    world.agree().await;
    let (epoch, died) = (world.epoch(1), tokio::time::Instant::now());
    world.kill(0);
    let leader = world.leader().await;
    assert!(died.elapsed() <= Duration::from_secs(4), "{:?}", died.elapsed());
    world.trades(leader, 30);
    world.agree().await;
    assert_eq!(world.epoch(leader), epoch);
    assert_eq!(world.nodes[leader].head("S0", Channel::Trades), 20, "no number is missing");
    assert_eq!(world.losses(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_resigns_is_followed_at_once_and_loses_nothing() {
    let mut world = World::of(3).await;
    world.trades(0, 30);
    let started = tokio::time::Instant::now();
    world.nodes[0].node.resign().await;
    let leader = world.leader().await;
    assert_ne!(leader, 0);
    assert!(started.elapsed() <= Duration::from_millis(500), "{:?}", started.elapsed());
    world.trades(leader, 30);
    world.agree().await;
    assert_eq!(world.nodes[0].head("S0", Channel::Trades), 20, "it follows on");
    assert_eq!(world.losses(), 0);
}

#[tokio::test(start_paused = true)]
async fn ticks_of_producers_go_through_any_node_exactly_once_over_a_change_of_leaders() {
    let mut world = World::of(3).await;
    for node in [1, 2, 0] {
        assert_eq!(world.push(node, 10).await, Ok(()));
    }
    world.agree().await;
    assert_eq!(world.nodes[1].head("P", Channel::Trades), 30);
    world.kill(0);
    assert_eq!(world.push(1, 10).await, Err(PushError::Unconfirmed), "no node leads");
    let leader = world.leader().await;
    assert_eq!(world.push(leader, 10).await, Ok(()));
    world.agree().await;
    assert_eq!(world.nodes[leader].head("P", Channel::Trades), 50, "what waited was published once");
}

#[tokio::test(start_paused = true)]
async fn what_clients_of_any_node_want_is_wanted_of_the_leaders_feeds() {
    let mut world = World::of(2).await;
    world.trades(0, 30);
    world.agree().await;
    let origin = world.nodes[0].origin();
    let is_wanted = || origin.topic(symbol("S1")).unwrap().is_wanted();
    assert!(!is_wanted());
    let _head = world.nodes[1].hub.topic(symbol("S1")).unwrap().join(0, Channel::Trades);
    world.until("the leader's feeds are asked", |_| is_wanted()).await;
    world.nodes[1].hub.topic(symbol("S1")).unwrap().part(0, Channel::Trades);
    world.until("they are no longer", |_| !is_wanted()).await;
}
