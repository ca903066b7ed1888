//! Each fault in turn, at each venue: what the client sees is a gap, a state, or nothing; never a wrong or repeated
//! price, and afterwards everything is subscribed as before.

use clap::{ValueEnum, builder::PossibleValue};
use tickcast::{
    cli::venue::{Fault, ListFault, ValueFault},
    dialect::Venue,
};

use super::{Checked, Setup, tape};
use crate::util::is_zero;

const SYMBOLS: [&str; 2] = ["BTC-USD", "ETH-USD"];
const STEPS: u64 = 120;

/// Short times, so that what waits for them does not wait long.
const KEYS: &str = "silence_timeout_ms = 600\nconnect_timeout_ms = 300\nanswer_timeout_ms = 600";

/// Runs a session with that fault; returns what the client saw and the metrics.
async fn session(venue: Venue, fault: &str) -> (Checked, String) {
    let frames = tape::session(venue, &SYMBOLS, STEPS);
    // Frame 201 is the first symbol's trade of step 50; three frames go: its trade and quote, and the other's trade.
    let setup = Setup::new(venue, &SYMBOLS, frames, &[&format!("{fault}@201")], KEYS).await;
    let mut client = setup.streaming(&SYMBOLS).await;
    setup.play(2).await;
    let mut checked = Checked::default();
    checked.follow(&mut client, &SYMBOLS, tape::FIRST + STEPS - 1).await;
    let counts = setup.mock.counts();
    assert_eq!((counts.active.len(), counts.present), (2, 1), "{venue:?} {fault}: the whole set is back");
    let text = String::from_utf8(setup.gateway.gateway.hub.metrics().render().unwrap()).unwrap();
    setup.end().await;
    (checked, text)
}

/// A fault that ends the connection.
async fn ends(fault: &str, reasons: &[&str]) {
    for venue in Venue::ALL {
        let (checked, text) = session(venue, fault).await;
        let lost = [("BTC-USD".to_owned(), tape::FIRST + 50), ("ETH-USD".to_owned(), tape::FIRST + 50)];
        assert_eq!(checked.missing, lost, "{venue:?} {fault}");
        assert_eq!(checked.missing_quotes, 1, "{venue:?} {fault}");
        assert!(
            checked.whys.iter().all(|why| why == "upstream_reconnect"),
            "{venue:?} {fault}: {:?}",
            checked.whys
        );
        for symbol in SYMBOLS {
            let of = |wanted: &str| {
                checked.states.iter().position(|(name, state)| name == symbol && state == wanted)
            };
            let stale = of("stale").unwrap_or_else(|| panic!("{venue:?} {fault}: {:?}", checked.states));
            let after = checked.states[stale..].iter().any(|(name, state)| name == symbol && state == "live");
            assert!(after, "{venue:?} {fault}: {symbol} is live again: {:?}", checked.states);
        }
        let reason = match reasons {
            [] => continue,
            [one] => one,
            [alpaca, others] => {
                if venue == Venue::Alpaca {
                    alpaca
                } else {
                    others
                }
            }
            _ => panic!("one reason, or one for Alpaca and one for the others"),
        };
        let line = format!("tickcast_feed_restarts_total{{feed=\"feed\",reason=\"{reason}\"}}");
        assert!(text.contains(&line), "{venue:?} {fault}: no {line} in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_connection() {
    ends("drop", &["dropped"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_open_and_mute() {
    ends("stall", &["silent"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_frame() {
    ends("half-frame", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_without_a_close_frame() {
    ends("close-1006", &["dropped"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_venue() {
    ends("close-1012", &["closed"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_that_takes_connections_and_does_not_answer() {
    ends("slow-accept", &["connect_timeout"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_are_refused_once() {
    ends("auth-failure", &["auth", "blocked"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests() {
    ends("rate-limit", &["rate_limited"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_cannot_be_read_is_a_gap_and_no_reconnect() {
    for venue in Venue::ALL {
        let (checked, text) = session(venue, "garbage").await;
        assert_eq!(checked.missing, [("BTC-USD".to_owned(), tape::FIRST + 50)], "{venue:?}");
        assert_eq!(checked.missing_quotes, 0, "{venue:?}");
        assert!(checked.whys.iter().all(|why| why == "upstream_loss"), "{venue:?}: {:?}", checked.whys);
        assert!(!checked.states.iter().any(|(_, state)| state == "stale"), "{venue:?}: {:?}", checked.states);
        assert!(text.contains("tickcast_feed_parse_errors_total{feed=\"feed\",kind=\"shape\"} 1"), "{text}");
        assert!(is_zero(&text, "tickcast_feed_restarts_total{"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_comes_twice_is_nothing() {
    for venue in Venue::ALL {
        for at in [201, 202] {
            let frames = tape::session(venue, &SYMBOLS, STEPS);
            let setup = Setup::new(venue, &SYMBOLS, frames, &[&format!("duplicate@{at}")], KEYS).await;
            let mut client = setup.streaming(&SYMBOLS).await;
            setup.play(2).await;
            let mut checked = Checked::default();
            checked.follow(&mut client, &SYMBOLS, tape::FIRST + STEPS - 1).await;
            assert_eq!(
                (checked.trades, checked.quotes, checked.gaps),
                (2 * STEPS, 2 * STEPS, 0),
                "{venue:?}"
            );
            let line = "tickcast_upstream_duplicates_total{feed=\"feed\",kind=\"repeated\"}";
            setup.gateway.metric_reaches(line, 1.0).await;
            setup.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_comes_late_is_a_gap_and_not_an_old_price() {
    for venue in [Venue::Binance, Venue::Coinbase, Venue::Kraken] {
        // Trades first, quotes behind them: neighbours are of one symbol and channel.
        let both = [tape::trade as fn(Venue, &str, u64) -> String, tape::quote];
        let ids = tape::FIRST..tape::FIRST + STEPS;
        let texts = both.iter().flat_map(|make| ids.clone().map(move |id| make(venue, "BTC-USD", id)));
        let frames =
            texts.map(|text| tickcast::cli::venue::Recorded::new(venue, None, text).unwrap()).collect();
        let setup = Setup::new(venue, &["BTC-USD"], frames, &["out-of-order@50"], KEYS).await;
        let mut client = setup.streaming(&["BTC-USD"]).await;
        setup.play(1).await;
        let mut checked = Checked::default();
        checked.follow(&mut client, &["BTC-USD"], tape::FIRST + STEPS - 1).await;
        assert_eq!(checked.missing, [("BTC-USD".to_owned(), tape::FIRST + 49)], "{venue:?}");
        assert_eq!((checked.gaps, &checked.whys[0][..]), (1, "upstream_loss"), "{venue:?}");
        let line = "tickcast_upstream_duplicates_total{feed=\"feed\",kind=\"late\"}";
        setup.gateway.metric_reaches(line, 1.0).await;
        setup.end().await;
    }
}

/// A fault that no test plays is a promise that no test keeps.
#[test]
fn every_fault_that_a_mock_venue_can_play_is_played_by_a_test_of_a_feed() {
    let texts = [include_str!("faults.rs"), include_str!("discovery.rs"), include_str!("values.rs")].concat();
    let names =
        |values: &[PossibleValue]| values.iter().map(|value| value.get_name().to_owned()).collect::<Vec<_>>();
    let faults: Vec<_> = Fault::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
    for name in names(&faults) {
        assert!(texts.contains(&format!("\"{name}")), "{name}");
    }
    for variant in ListFault::value_variants() {
        assert!(texts.contains(&format!("ListFault::{variant:?}")), "{variant:?}");
    }
    for variant in ValueFault::value_variants() {
        assert!(texts.contains(&format!("ValueFault::{variant:?}")), "{variant:?}");
    }
    assert_eq!(faults.len() + ListFault::value_variants().len(), 15);
}
