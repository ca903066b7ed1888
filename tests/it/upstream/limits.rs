//! Each venue's documented limits, kept to by a mock venue that closes or refuses a client that breaks one, and the readings
//! where sources disagree. Whatever it plays, nothing becomes live or closed that should not.

use std::time::Duration;

use tickcast::{
    cli::venue::{Reading, Rules},
    dialect::Venue,
    market::State,
};

use super::Setup;
use crate::util::{eventually, symbol};

/// Symbols of ours.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("S{i:03}-USD")).collect()
}

fn states(setup: &Setup, names: &[&str]) -> Vec<State> {
    let hub = &setup.gateway.gateway.hub;
    names.iter().map(|name| hub.topic(symbol(name)).unwrap().state()).collect()
}

/// Waits until the good ones are subscribed, and checks that only the bad ones are closed.
async fn settles(setup: &Setup, good: &[&str], bad: &[&str]) {
    setup.subscribed(good.len()).await;
    let hub = &setup.gateway.gateway.hub;
    eventually("the bad ones are closed", || {
        bad.iter().all(|name| hub.topic(symbol(name)).unwrap().state() == State::Closed)
    })
    .await;
    assert!(!states(setup, good).contains(&State::Closed));
    let confirmed = format!("tickcast_upstream_subscriptions{{feed=\"feed\"}} {}\n", good.len());
    eventually("all of them are confirmed, and no other one", || {
        String::from_utf8(hub.metrics().render().unwrap()).unwrap().contains(&confirmed)
    })
    .await;
    let counts = setup.mock.counts();
    assert_eq!((counts.connections, counts.present), (1, 1), "{counts:?}");
    setup.mock.release(true);
    are_live(setup, good).await;
    let others = states(setup, bad);
    assert!(others.iter().all(|state| *state == State::Closed), "{others:?}");
}

/// Waits until all of them have had a tick, and checks that they are live for it.
async fn are_live(setup: &Setup, names: &[&str]) {
    eventually("they are live", || states(setup, names).iter().all(|state| *state == State::Live)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_venue_is_sent_more_frames_than_it_allows_pings_and_pongs_included() {
    let all = names(400);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let setups = Venue::ALL.map(|venue| {
        let rules = Rules { ping_every: Some(Duration::from_millis(700)), ..Rules::default() };
        let all = &all;
        // Its own pings come often, too.
        async move {
            Setup::with_rules(venue, all, all, rules, "demand = \"always\"\nsilence_timeout_ms = 1600").await
        }
    });
    for (setup, venue) in setups.into_iter().zip(Venue::ALL) {
        let setup = setup.await;
        settles(&setup, &all, &[]).await;
        assert_eq!(setup.mock.counts().breaches, 0, "{venue:?}");
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_products_at_coinbase_are_told_from_good_ones_however_it_answers() {
    let good = ["A-USD", "B-USD", "C-USD"];
    let bad = ["A-XYZ", "NO-USD"];
    let all = ["A-USD", "A-XYZ", "B-USD", "C-USD", "NO-USD"];
    for reading in [
        Reading::CoinbaseErrorAndList,
        Reading::CoinbaseErrorPerChannel,
        Reading::CoinbaseErrorAlone,
        Reading::CoinbaseSilent,
    ] {
        let rules = Rules { readings: vec![reading], ..Rules::default() };
        let setup = Setup::with_rules(Venue::Coinbase, &all, &good, rules, "demand = \"always\"").await;
        settles(&setup, &good, &bad).await;
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pace_that_kraken_refuses_is_slowed_down_and_the_same_is_asked_again() {
    let all = names(260);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    for readings in [
        vec![Reading::KrakenNumbered],
        vec![Reading::KrakenBare, Reading::KrakenSubscribesOnce],
        vec![Reading::KrakenNumbered, Reading::KrakenSubscribesOnce],
    ] {
        let rules = Rules { rate: Some(2), readings: readings.clone(), ..Rules::default() };
        let setup = Setup::with_rules(Venue::Kraken, &all, &all, rules, "demand = \"always\"").await;
        settles(&setup, &all, &[]).await;
        assert!(setup.mock.counts().breaches > 0, "{readings:?}: it was never too much");
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn symbols_for_which_a_plan_has_no_place_wait_and_stay_open() {
    let all = names(12);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    for (venue, readings, fits) in [
        (Venue::Alpaca, vec![Reading::AlpacaCountsSymbols], 8),
        (Venue::Alpaca, vec![Reading::AlpacaCountsChannels, Reading::AlpacaWithoutStates], 4),
        (Venue::Binance, vec![], 4),
    ] {
        let rules = Rules { places: Some(8), readings, ..Rules::default() };
        let setup = Setup::with_rules(venue, &all, &all, rules, "demand = \"always\"").await;
        let waiting = format!("tickcast_upstream_waiting{{feed=\"feed\"}} {}\n", all.len() - fits);
        let hub = &setup.gateway.gateway.hub;
        eventually("as many as fit are subscribed, and the others wait", || {
            let text = String::from_utf8(hub.metrics().render().unwrap()).unwrap();
            text.contains(&waiting) && setup.mock.counts().active.len() == fits
        })
        .await;
        let active = setup.mock.counts().active;
        let (taken, left): (Vec<_>, Vec<_>) =
            all.iter().partition(|name| active.contains(&venue.symbol(name)));
        setup.mock.release(true);
        are_live(&setup, &taken).await;
        assert_eq!(states(&setup, &left), vec![State::Pending; all.len() - fits], "{venue:?}");
        assert_eq!(setup.mock.counts().connections, 1, "{venue:?}");
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_venue_blames_no_symbol() {
    let all = names(5);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    for venue in Venue::ALL {
        let rules = Rules { faulty: 1, ..Rules::default() };
        let setup = Setup::with_rules(venue, &all, &all, rules, "demand = \"always\"").await;
        settles(&setup, &all, &[]).await;
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_connection_to_binance_has_every_stream_that_it_may() {
    let all = names(512);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let setup = Setup::with_rules(Venue::Binance, &all, &all, Rules::default(), "demand = \"always\"").await;
    settles(&setup, &all, &[]).await;
    assert_eq!(setup.mock.counts().breaches, 0);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_one_connection_keeps_it_when_a_second_is_refused() {
    let all = ["A-USD", "B-USD"];
    let rules = Rules { connections: Some(1), ..Rules::default() };
    let keys = "demand = \"always\"\nrotate_after_ms = 1000";
    let setup = Setup::with_rules(Venue::Alpaca, &all, &all, rules, keys).await;
    setup.subscribed(2).await;
    setup.mock.release(true);
    are_live(&setup, &all).await;
    let failed = "tickcast_upstream_rotations_total{feed=\"feed\",outcome=\"failed\"}";
    setup.gateway.metric_reaches(failed, 1.0).await;
    assert_eq!((states(&setup, &all), setup.mock.counts().active.len()), (vec![State::Live; 2], 2));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_without_a_connection_left_blames_no_symbol() {
    let all = ["A-USD", "B-USD"];
    let rules = Rules { connections: Some(0), ..Rules::default() };
    let setup = Setup::with_rules(Venue::Alpaca, &all, &all, rules, "demand = \"always\"").await;
    let again = "tickcast_feed_restarts_total{feed=\"feed\",reason=\"rate_limited\"}";
    setup.gateway.metric_reaches(again, 2.0).await;
    assert_eq!(states(&setup, &all), vec![State::Pending; 2]);
    setup.end().await;
}
