//! The planned change of connection under load: no event is lost, none comes twice.

use tickcast::{cli::venue::Recorded, dialect::Venue, market::UnixMicros};

use super::{Checked, Setup, tape};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_connection_takes_over_without_a_hole() {
    for venue in [Venue::Binance, Venue::Coinbase, Venue::Kraken] {
        let symbols = ["BTC-USD", "ETH-USD", "SOL-USD"];
        let steps = 4_000;
        let frames = tape::texts(venue, &symbols, steps);
        let timed = |(i, text): (i64, String)| Recorded::new(venue, Some(UnixMicros(i * 125)), text).unwrap();
        let frames = (0..).zip(frames).map(timed).collect();
        let keys = "rotate_after_ms = 1000\noverlap_ms = 200";
        let setup = Setup::at_speed(venue, &symbols, frames, &[], (Some(1.0), keys)).await;
        let mut client = setup.streaming(&symbols).await;
        setup.play(3).await;
        let mut checked = Checked::default();
        checked.follow(&mut client, &symbols, tape::FIRST + steps - 1).await;
        setup
            .gateway
            .metric_reaches("tickcast_upstream_rotations_total{feed=\"feed\",outcome=\"done\"}", 1.0)
            .await;
        let gateway = &setup.gateway;
        assert_eq!((checked.trades, checked.quotes), (3 * steps, 3 * steps), "{venue:?}");
        assert_eq!((checked.gaps, checked.missing.len()), (0, 0), "{venue:?}");
        assert!(
            gateway.metric("tickcast_upstream_duplicates_total{feed=\"feed\",kind=\"overlap\"}") > 0.0,
            "{venue:?}"
        );
        assert!(!checked.states.iter().any(|(_, state)| state == "stale"), "{venue:?}");
        assert!(setup.mock.counts().connections >= 2, "{venue:?}");
        setup.end().await;
    }
}
