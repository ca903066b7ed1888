//! Every venue end to end: subscribed on demand, digit for digit, and what it refuses is told.

use std::path::Path;

use serde_json::json;
use tickcast::{
    cli::{
        record::record,
        venue::{Fault, Planned, Recorded, Rules, Script},
    },
    config::{AnyFeed, FeedConfig},
    dialect::Venue,
    feed::{Publisher, record::Output, replay, supervise},
    market::{Source, State},
};
use tokio_util::sync::CancellationToken;

use super::{Checked, Setup, build, mock, tape};
use crate::{
    seeds::promises::escape::escaped,
    util::{TestGateway, eventually, is_zero, symbol},
};

const SYMBOLS: [&str; 2] = ["BTC-USD", "ETH-USD"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_venue_reaches_a_client_whole_and_in_order() {
    for venue in Venue::ALL {
        let steps = 200;
        let setup = Setup::new(venue, &SYMBOLS, tape::session(venue, &SYMBOLS, steps), &[], "").await;
        let mut client = setup.streaming(&SYMBOLS).await;
        setup.play(2).await;
        let mut checked = Checked::default();
        checked.follow(&mut client, &SYMBOLS, tape::FIRST + steps - 1).await;
        assert_eq!((checked.trades, checked.quotes, checked.gaps), (2 * steps, 2 * steps, 0), "{venue:?}");
        let counts = setup.mock.counts();
        assert_eq!((counts.connections, counts.present), (1, 1), "{venue:?}");
        let each = if venue == Venue::Kraken { 2 } else { 1 };
        assert!(counts.subscribed.values().all(|times| *times == each), "{venue:?}: {counts:?}");
        setup
            .gateway
            .metric_is("tickcast_upstream_subscriptions{feed=\"feed\"}", |on| (on - 2.0).abs() < 0.1)
            .await;
        let text = String::from_utf8(setup.gateway.gateway.hub.metrics().render().unwrap()).unwrap();
        assert!(is_zero(&text, "tickcast_feed_parse_errors_total{"), "{text}");
        if venue != Venue::Binance {
            setup.gateway.metric_reaches("tickcast_upstream_latency_seconds_count{feed=\"feed\"}", 1.0).await;
        }
        setup.end().await;
    }
}

/// As it is listed at Binance.
const FOREIGN: &str = "币安人生USDT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_in_any_letters_reaches_a_client_under_its_name_however_it_is_written() {
    let ours = ["BTC-USD", "LIFE-USDT"];
    for venue in Venue::ALL {
        let names = format!("{{ BTC-USD = {:?}, LIFE-USDT = {FOREIGN:?} }}", venue.symbol("BTC-USD"));
        let steps = 40;
        let mut choice = 0_u32;
        let recorded = |text: String| {
            let text = escaped(text.as_bytes(), || {
                choice += 1;
                choice
            });
            Recorded::new(venue, None, String::from_utf8(text.unwrap()).unwrap()).unwrap()
        };
        let frames = tape::texts(venue, &["BTC-USD", FOREIGN], steps).into_iter().map(recorded).collect();
        let setup = Setup::with(venue, (&names, &ours), frames, &[], (None, "")).await;
        let mut client = setup.streaming(&ours).await;
        setup.play(2).await;
        let mut checked = Checked::default();
        checked.follow(&mut client, &ours, tape::FIRST + steps - 1).await;
        assert_eq!((checked.trades, checked.quotes, checked.gaps), (2 * steps, 2 * steps, 0), "{venue:?}");
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_that_the_venue_does_not_know_costs_the_others_nothing() {
    for venue in [Venue::Coinbase, Venue::Kraken] {
        let frames = tape::session(venue, &SYMBOLS, 50);
        let symbols = ["BTC-USD", "NONE-USD", "ETH-USD"];
        let setup = Setup::new(venue, &symbols, frames, &[], "").await;
        let mut client = setup.streaming(&symbols).await;
        setup.play(2).await;
        let mut checked = Checked::default();
        checked.follow(&mut client, &SYMBOLS, tape::FIRST + 49).await;
        assert_eq!(checked.gaps, 0);
        let hub = &setup.gateway.gateway.hub;
        eventually("the unknown one is closed", || {
            hub.topic(symbol("NONE-USD")).unwrap().state() == State::Closed
        })
        .await;
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_can_be_replayed() {
    for venue in Venue::ALL {
        // Forty steps, then a goodbye: once the feed is back, everything before it has been written.
        let frames = tape::session(venue, &SYMBOLS, 41);
        let faults = vec![Planned { fault: Fault::Close1012, at: 161 }];
        let mock = mock(Script {
            venue,
            frames,
            faults,
            speed: None,
            lose: 4,
            held: true,
            list_faults: Vec::new(),
            rules: Rules::default(),
        })
        .await;
        let feed = build(
            venue,
            &format!("url = \"ws://{}/\"\nsymbols = [\"BTC-USD\", \"ETH-USD\"]", mock.address()),
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.ns.zst");
        let stop = CancellationToken::new();
        let config = FeedConfig {
            fresh: tickcast::hub::FreshnessLimits::default(),
            preference: 1,
            name: Source::new("live").unwrap(),
            feed: AnyFeed::Upstream(Box::new(feed)),
            symbols: 2,
        };
        let recording = tokio::spawn({
            let (path, stop) = (path.clone(), stop.clone());
            async move { record(config, Output::create(&path, false).unwrap(), stop).await.unwrap() }
        });
        eventually("it is subscribed", || mock.counts().active.len() == 2).await;
        mock.release(true);
        eventually("the feed is back", || mock.counts().connections == 2).await;
        stop.cancel();
        let frames = recording.await.unwrap();
        assert!(frames >= 160, "{venue:?}: {frames}");
        replayed(venue, &path).await;
    }
}

async fn replayed(venue: Venue, path: &Path) {
    let gateway = TestGateway::start();
    let theirs = SYMBOLS.map(|ours| (venue.symbol(ours), json!(ours)));
    let symbols: Vec<_> = theirs.iter().map(|(theirs, ours)| format!("\"{theirs}\" = {ours}")).collect();
    let keys = format!(
        "path = \"{}\"\nformat = \"{}\"\nspeed = \"max\"\nprogress = false\nsymbols = {{ {} }}",
        path.display(),
        venue.as_str(),
        symbols.join(", ")
    );
    let replay = toml::from_str::<replay::Definition>(&keys).unwrap().build(Path::new("/")).unwrap();
    gateway.declare(&SYMBOLS);
    let mut client = gateway.connect().await;
    for channel in ["trades", "quotes"] {
        client
            .send(json!({"op": "subscribe", "channel": channel, "symbols": SYMBOLS, "mode": "stream"}))
            .await;
        client.expect("subscribed").await;
    }
    let hub = gateway.gateway.hub.clone();
    let publisher = Publisher::new(Source::new("test").unwrap(), hub, CancellationToken::new());
    tokio::spawn(supervise(replay, publisher));
    let mut checked = Checked::default();
    checked.follow(&mut client, &SYMBOLS, tape::FIRST + 39).await;
    assert_eq!((checked.trades, checked.quotes), (80, 80), "{venue:?}");
}
