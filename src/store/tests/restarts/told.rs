//! What clients are told after a restart, case by case.

use super::*;

#[test]
fn a_clean_restart_recovers_what_was_missed() {
    let folder = TempDir::new().unwrap();
    let mut world = World::new(&folder, true);
    let mut follower = [Follower::new(0)];
    world.trade(0, 0);
    follower[0].come(&mut world);
    follower[0].take(&mut world, true);
    // What is published while it is away, before the restart and after it, and what the venue said in between.
    follower[0].leave(&mut world);
    world.trade(0, 0);
    world.restart(&mut follower, true, Between::Nothing);
    world.trade(0, 0);
    follower[0].come(&mut world);
    follower[0].take(&mut world, true);
    let log = &follower[0].client.as_ref().unwrap().log;
    let trades: Vec<_> = log
        .iter()
        .filter(|it| it["S"] == "S0" && (it["T"] == "t" || it["T"] == "gap" && it["channel"] == "trades"))
        .map(|it| it["id"].as_str().or(it["why"].as_str()).unwrap())
        .collect();
    assert_eq!(trades, ["2", "upstream_reconnect", "3"]);
}

#[test]
fn after_a_crash_a_client_is_told_one_gap_and_starts_anew() {
    let folder = TempDir::new().unwrap();
    let mut world = World::new(&folder, true);
    let mut follower = [Follower::new(0)];
    world.trade(0, 0);
    assert!(world.saver.as_mut().unwrap().save());
    follower[0].come(&mut world);
    world.trade(0, 0);
    follower[0].take(&mut world, true);
    world.restart(&mut follower, false, Between::Nothing);
    world.trade(0, 0);
    follower[0].come(&mut world);
    follower[0].take(&mut world, true);
    let log = &follower[0].client.as_ref().unwrap().log;
    let trades: Vec<_> = log
        .iter()
        .filter(|it| it["S"] == "S0" && (it["T"] == "t" || it["T"] == "gap" && it["channel"] == "trades"))
        .map(|it| (it["from"].as_u64(), it["to"].as_u64(), it["id"].as_str()))
        .collect();
    // The first trade, the loss of the restart, and the third trade, which is the snapshot.
    assert_eq!(trades, [(Some(1), Some(3), None), (None, None, Some("3"))]);
    // The history of trades has the loss, too.
    let known = world.bench.hub.topic(symbol(0)).unwrap().since(Channel::Trades, 0).events;
    assert_eq!(known.iter().map(|it| it.is_loss()).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn after_a_crash_the_newest_price_is_not_inside_the_gap() {
    let folder = TempDir::new().unwrap();
    let mut world = World::new(&folder, true);
    let mut followers = [Follower::new(0), Follower::new(1)];
    (0..3).for_each(|_| world.trade(0, 0));
    assert!(world.saver.as_mut().unwrap().save());
    for follower in &mut followers {
        follower.come(&mut world);
        follower.take(&mut world, true);
    }
    world.restart(&mut followers, false, Between::Nothing);
    let mut told = Vec::new();
    for follower in &mut followers {
        follower.come(&mut world);
        follower.take(&mut world, true);
        let log = &follower.client.as_ref().unwrap().log;
        let of = |it: &&Value| it["S"] == "S0" && (it["T"] == "t" || it["channel"] == "trades");
        let show = |it: &Value| match it["T"].as_str().unwrap() {
            "t" => format!("t {}", it["n"]),
            _ => format!("gap {}..{} {}", it["from"], it["to"], it["why"].as_str().unwrap()),
        };
        told.push(log.iter().filter(of).map(show).collect::<Vec<_>>());
    }
    let streams = ["gap 1..3 not_recoverable", "t 3", "gap 4..4 upstream_reconnect"];
    assert_eq!(told, [&streams[..], &streams[..2]]);
}
