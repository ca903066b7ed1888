//! Scripts with a stand-in for a venue.

use serde_json::json;
use tickcast::{cli::venue::Recorded, dialect::Venue, market::UnixMicros};

use super::samples::{Scrapes, Three};
use crate::upstream::{Checked, Setup, discovery, tape};

const SYMBOLS: [&str; 2] = ["BTC-USD", "ETH-USD"];
const STEPS: u64 = 60;

/// Two symbols are subscribed on demand, the connection is cut and loses frames, and both are let go one after the other.
pub(super) async fn venue() -> Three {
    // Frame 81 is a trade in the middle; three frames go.
    let frames = tape::session(Venue::Binance, &SYMBOLS, STEPS);
    let setup = Setup::new(Venue::Binance, &SYMBOLS, frames, &["drop@81"], "linger_ms = 0").await;
    let gateway = &setup.gateway;
    let connected = "tickcast_upstream_connections{feed=\"feed\"}";
    gateway.metric_is("tickcast_feed_restarts_total{feed=\"feed\",reason=\"dropped\"}", |_| true).await;
    // The handles of a connection are there once one was made.
    let mut scrapes = Scrapes::begin(gateway).await;
    let mut client = setup.streaming(&SYMBOLS).await;
    setup.play(2).await;
    let mut checked = Checked::default();
    checked.follow(&mut client, &SYMBOLS, tape::FIRST + STEPS - 1).await;
    gateway.metric_is("tickcast_upstream_subscriptions{feed=\"feed\"}", |on| on > 1.9).await;
    scrapes.take();
    for channel in ["trades", "quotes"] {
        client.send(json!({"op": "unsubscribe", "channel": channel, "symbols": ["BTC-USD"]})).await;
        client.expect("unsubscribed").await;
    }
    gateway.metric_is("tickcast_upstream_subscriptions{feed=\"feed\"}", |on| on < 1.1).await;
    client.close().await;
    gateway.metric_is(connected, |count| count < 0.1).await;
    let three = scrapes.end();
    setup.end().await;
    three
}

/// A list of three products, of which a connection carries two.
pub(super) async fn products() -> Three {
    let names = ["A-USD", "B-USD", "C-USD"];
    let keys = "symbols = [\"*\"]\nsymbols_per_connection = 2\nproducts_refresh_ms = 1000\nfirst_values_url = \"http://{address}/api/v3/ticker/bookTicker\"";
    let setup = discovery::setup(Venue::Binance, &names, &[], &[], keys).await;
    let gateway = &setup.gateway;
    gateway.metric_is("tickcast_upstream_waiting{feed=\"feed\"}", |_| true).await;
    gateway.metric_is("tickcast_upstream_product_lists_total{feed=\"feed\",outcome=\"ok\"}", |_| true).await;
    let mut scrapes = Scrapes::begin(gateway).await;
    let offered = || names.map(|ours| (Venue::Binance.symbol(ours), true));
    // The fourth has no name here.
    setup.mock.offer(offered().into_iter().chain([("币USD".to_owned(), true)]));
    gateway.metric_is("tickcast_upstream_products{feed=\"feed\"}", |count| count > 2.9).await;
    let mut client = gateway.connect().await;
    client.send(json!({"op": "subscribe", "channel": "trades", "symbols": names})).await;
    client.expect("subscribed").await;
    gateway.metric_is("tickcast_upstream_waiting{feed=\"feed\"}", |count| count > 0.9).await;
    gateway
        .metric_is("tickcast_upstream_first_values_total{feed=\"feed\",outcome=\"ok\"}", |n| n > 0.9)
        .await;
    scrapes.take();
    client.send(json!({"op": "unsubscribe", "channel": "trades", "symbols": ["A-USD", "B-USD"]})).await;
    gateway.metric_is("tickcast_upstream_waiting{feed=\"feed\"}", |count| count < 0.1).await;
    setup.mock.offer(offered());
    gateway
        .metric_is("tickcast_upstream_products_left_out{feed=\"feed\",reason=\"unnamed\"}", |out| out < 0.1)
        .await;
    let three = scrapes.end();
    setup.end().await;
    three
}

/// Connections are changed as planned, while ticks come.
pub(super) async fn rotation() -> Three {
    let steps = 4_000;
    let frames = (0..).zip(tape::texts(Venue::Binance, &SYMBOLS, steps)).map(|(i, text): (i64, String)| {
        Recorded::new(Venue::Binance, Some(UnixMicros(i * 125)), text).unwrap()
    });
    let keys = "rotate_after_ms = 1000\noverlap_ms = 200\nlinger_ms = 0";
    let setup = Setup::at_speed(Venue::Binance, &SYMBOLS, frames.collect(), &[], (Some(1.0), keys)).await;
    let gateway = &setup.gateway;
    gateway.metric_is("tickcast_feed_restarts_total{feed=\"feed\",reason=\"dropped\"}", |_| true).await;
    let mut scrapes = Scrapes::begin(gateway).await;
    let mut client = setup.streaming(&SYMBOLS).await;
    setup.play(2).await;
    let mut checked = Checked::default();
    checked.follow(&mut client, &SYMBOLS, tape::FIRST + steps - 1).await;
    gateway.metric_reaches("tickcast_upstream_rotations_total{feed=\"feed\",outcome=\"done\"}", 1.0).await;
    scrapes.take();
    client.close().await;
    gateway.metric_is("tickcast_upstream_connections{feed=\"feed\"}", |count| count < 0.1).await;
    let three = scrapes.end();
    setup.end().await;
    three
}
