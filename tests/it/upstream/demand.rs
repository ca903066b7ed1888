//! One connection and one subscription a symbol, however many clients; and none when there are none.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tickcast::dialect::Venue;

use super::{Checked, Setup, tape};
use crate::util::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_are_one_connection_and_one_subscription_a_symbol() {
    let symbols: Vec<String> = (0..40).map(|i| format!("S{i:02}-USD")).collect();
    let names: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let venue = Venue::Binance;
    let setup = Setup::new(venue, &names, tape::session(venue, &names, 3), &[], "linger_ms = 0").await;
    let mut clients = Vec::new();
    for some in (0..1_000_usize).collect::<Vec<_>>().chunks(50) {
        let connecting = some.iter().map(|i| {
            let (setup, names) = (&setup, &names);
            async move {
                let mut client = setup.gateway.connect().await;
                let mine: Vec<_> = (0..5).map(|k| names[(i * 7 + k * 3) % names.len()]).collect();
                for channel in ["trades", "quotes"] {
                    client
                        .send(
                            json!({"op": "subscribe", "channel": channel, "symbols": mine, "mode": "stream"}),
                        )
                        .await;
                    client.expect("subscribed").await;
                }
                (client, mine)
            }
        });
        clients.extend(join_all(connecting).await);
    }
    setup.play(40).await;
    // Each has everything of its own symbols.
    for chunk in clients.chunks_mut(100) {
        join_all(chunk.iter_mut().map(|(client, mine)| async move {
            let mut checked = Checked::default();
            checked.follow(client, mine, tape::FIRST + 2).await;
            assert_eq!((checked.trades, checked.quotes, checked.gaps), (15, 15, 0));
        }))
        .await;
    }
    let counts = setup.mock.counts();
    assert_eq!(counts.connections, 1);
    assert_eq!(counts.subscribed.len(), 40);
    assert!(counts.subscribed.values().all(|times| *times == 1), "{:?}", counts.subscribed);
    assert!(counts.unsubscribed.is_empty(), "{:?}", counts.unsubscribed);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_listener_releases_a_symbol_after_the_linger() {
    for venue in Venue::ALL {
        let symbols = ["BTC-USD", "ETH-USD"];
        let setup =
            Setup::new(venue, &symbols, tape::session(venue, &symbols, 5), &[], "linger_ms = 150").await;
        assert_eq!(setup.mock.counts().connections, 0, "no client has asked yet");
        let mut first = setup.gateway.connect().await;
        let mut second = setup.gateway.connect().await;
        first.send(json!({"op": "subscribe", "channel": "quotes", "symbols": ["BTC-USD"]})).await;
        second.send(json!({"op": "subscribe", "channel": "trades", "symbols": symbols})).await;
        // States alone ask for nothing.
        first.send(json!({"op": "subscribe", "channel": "status", "symbols": symbols})).await;
        setup.subscribed(2).await;
        second.close().await;
        // ETH goes, BTC stays: it is another client's too.
        eventually("one is released", || setup.mock.counts().active == [venue.symbol("BTC-USD")]).await;
        assert_eq!(setup.mock.counts().connections, 1);
        let started = tokio::time::Instant::now();
        first.send(json!({"op": "unsubscribe", "channel": "quotes", "symbols": ["BTC-USD"]})).await;
        eventually("no demand: no connection", || setup.mock.counts().present == 0).await;
        assert!(started.elapsed() >= Duration::from_millis(150), "not before the linger");
        // Who comes back within the linger finds it as it was; here it is asked for anew.
        first.send(json!({"op": "subscribe", "channel": "quotes", "symbols": ["BTC-USD"]})).await;
        setup.subscribed(1).await;
        assert_eq!(setup.mock.counts().connections, 2);
        first.send(json!({"op": "unsubscribe", "channel": "quotes", "symbols": ["BTC-USD"]})).await;
        first.send(json!({"op": "subscribe", "channel": "quotes", "symbols": ["BTC-USD"]})).await;
        first.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["ETH-USD"]})).await;
        setup.subscribed(2).await;
        let counts = setup.mock.counts();
        let each = if venue == Venue::Kraken { 2 } else { 1 };
        assert_eq!(counts.subscribed[&venue.symbol("BTC-USD")], 2 * each, "{counts:?}");
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn always_is_subscribed_without_anybody() {
    let symbols = ["BTC-USD", "ETH-USD"];
    let venue = Venue::Coinbase;
    let setup =
        Setup::new(venue, &symbols, tape::session(venue, &symbols, 5), &[], "demand = \"always\"").await;
    setup.play(2).await;
    setup.gateway.metric_reaches("tickcast_feed_ticks_total{channel=\"trades\",feed=\"feed\"}", 10.0).await;
    setup.end().await;
}
