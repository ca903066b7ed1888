//! Patterns and the venue's product list, end to end: what it has is found, what is new at the next look is there
//! then, and whatever goes wrong with the list harms nothing that is known already.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use tickcast::{
    cli::venue::{ListFault, Rules, Script},
    dialect::Venue,
    feed::{Publisher, supervise},
    market::{Source, State},
    server::ServerConfig,
    session::SessionConfig,
};
use tokio_util::sync::CancellationToken;

use super::{Checked, Setup, build, mock, tape};
use crate::util::{TestGateway, eventually, symbol};

const STEPS: u64 = 50;

/// A venue that lists those of `names` that are `offered`, and a feed of it with these keys.
pub(crate) async fn setup(
    venue: Venue,
    names: &[&str],
    offered: &[&str],
    faults: &[ListFault],
    keys: &str,
) -> Setup {
    let frames = tape::session(venue, names, STEPS);
    let script = Script {
        venue,
        frames,
        faults: vec![],
        speed: None,
        lose: 0,
        held: true,
        list_faults: faults.to_vec(),
        rules: Rules::default(),
    };
    let mock = mock(script).await;
    mock.offer(offered.iter().map(|ours| (venue.symbol(ours), true)));
    let session = SessionConfig { stream_bytes: 1 << 28, ..SessionConfig::default() };
    let gateway = TestGateway::with(ServerConfig::default(), session);
    let address = mock.address();
    let list = format!("http://{address}{}", mock.list_path());
    let keys = format!(
        "url = \"ws://{address}/\"\nproducts_url = \"{list}\"\nretry_ms = 20\nretry_max_ms = 40\n{keys}"
    );
    let keys = keys.replace("{address}", &address.to_string());
    let stop = CancellationToken::new();
    let hub = Arc::clone(&gateway.gateway.hub);
    let publisher = Publisher::new(Source::new("feed").unwrap(), hub, stop.clone());
    let feed = Some(tokio::spawn(supervise(build(venue, &keys), publisher)));
    Setup { gateway, mock, stop, feed }
}

/// What `/v1/symbols` tells, by symbol.
fn symbols(setup: &Setup) -> BTreeMap<String, Value> {
    let (status, body) = setup.gateway.get("/v1/symbols");
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&body).unwrap();
    let known = answer["symbols"].as_array().unwrap();
    known.iter().map(|known| (known["S"].as_str().unwrap().to_owned(), known.clone())).collect()
}

async fn known(setup: &Setup, names: &[&str]) {
    eventually("the products are found", || symbols(setup).keys().eq(names)).await;
}

async fn is(setup: &Setup, name: &str, state: State) {
    let hub = &setup.gateway.gateway.hub;
    let found = || hub.topic(symbol(name)).is_some_and(|topic| topic.state() == state);
    eventually(&format!("{name} is {state:?}"), found).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_find_products_and_their_prices_flow() {
    let names = ["BTC-USD", "DOGE-USD", "ETH-BTC", "ETH-USD"];
    for venue in Venue::ALL {
        let setup = setup(venue, &names, &names, &[], "symbols = [\"*-USD\", \"!DOGE-*\"]").await;
        known(&setup, &["BTC-USD", "ETH-USD"]).await;
        eventually("its steps are told", || symbols(&setup)["BTC-USD"]["tick_size"].is_string()).await;
        let btc = symbols(&setup)["BTC-USD"].clone();
        assert_eq!((&btc["state"], &btc["feed"]), (&json!("pending"), &json!("feed")), "{venue:?}");
        let is_cent = |step: &Value| step.as_str().unwrap().trim_end_matches('0') == "0.01";
        assert!(is_cent(&btc["tick_size"]) && is_cent(&btc["lot_size"]), "{venue:?} {btc}");
        assert_eq!(setup.mock.counts().connections, 0, "{venue:?}: no client has asked for anything");
        let found = ["BTC-USD", "ETH-USD"];
        let mut client = setup.streaming(&found).await;
        setup.play(2).await;
        let mut checked = Checked::default();
        checked.follow(&mut client, &found, tape::FIRST + STEPS - 1).await;
        assert_eq!((checked.trades, checked.quotes, checked.gaps), (2 * STEPS, 2 * STEPS, 0), "{venue:?}");
        assert!((setup.gateway.metric("tickcast_upstream_products{feed=\"feed\"}") - 2.0).abs() < 0.1);
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokenized_stocks_of_kraken_are_found_and_their_prices_flow() {
    // The venue's names: AAPLx/USD and TSLAx/USD.
    let theirs = ["AAPLx-USD", "TSLAx-USD"];
    let setup = setup(Venue::Kraken, &theirs, &theirs, &[], "symbols = [\"*X-USD\"]").await;
    let ours = ["AAPLX-USD", "TSLAX-USD"];
    known(&setup, &ours).await;
    let mut client = setup.streaming(&ours).await;
    setup.play(2).await;
    let mut checked = Checked::default();
    checked.follow(&mut client, &ours, tape::FIRST + STEPS - 1).await;
    assert_eq!((checked.trades, checked.quotes, checked.gaps), (2 * STEPS, 2 * STEPS, 0));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_the_list_the_feed_goes_on() {
    let names = ["BTC-USD", "ETH-USD"];
    let faults = [ListFault::Unavailable, ListFault::Garbage, ListFault::Huge, ListFault::Slow];
    let venue = Venue::Coinbase;
    let keys = "symbols = [\"BTC-USD\", \"ETH-*\"]\nproducts_timeout_ms = 2000";
    let setup = setup(venue, &names, &names, &faults, keys).await;
    known(&setup, &["BTC-USD"]).await;
    // What the definition names works without any list; the pattern of a client grows when there is one.
    let mut client = setup.gateway.connect().await;
    for channel in ["trades", "quotes"] {
        client.send(json!({"op": "subscribe", "channel": channel, "symbols": ["*"], "mode": "stream"})).await;
        let first = client.expect("subscribed").await;
        assert_eq!(first["ok"][0]["S"], "BTC-USD", "{first}");
    }
    setup.subscribed(1).await;
    for channel in ["trades", "quotes"] {
        let grown = client.expect("subscribed").await;
        assert_eq!(
            (&grown["channel"], &grown["ok"][0]["S"]),
            (&json!(channel), &json!("ETH-USD")),
            "{grown}"
        );
    }
    for outcome in ["status", "unreadable", "oversize", "timeout", "ok"] {
        let line = format!("tickcast_upstream_product_lists_total{{feed=\"feed\",outcome=\"{outcome}\"}}");
        assert!((setup.gateway.metric(&line) - 1.0).abs() < 0.1, "{outcome}");
    }
    setup.play(2).await;
    let mut checked = Checked::default();
    checked.follow(&mut client, &names, tape::FIRST + STEPS - 1).await;
    assert_eq!((checked.gaps, setup.mock.counts().connections, setup.mock.counts().lists), (0, 1, 5));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_new_gone_or_halted_is_there_at_the_next_look() {
    let names = ["BTC-USD", "ETH-USD"];
    for (venue, demand) in [(Venue::Binance, "on"), (Venue::Kraken, "always")] {
        let keys = format!("symbols = [\"*\"]\nproducts_refresh_ms = 1000\ndemand = \"{demand}\"");
        let setup = setup(venue, &names, &["BTC-USD"], &[], &keys).await;
        known(&setup, &["BTC-USD"]).await;
        let mut client = setup.gateway.connect().await;
        client
            .send(json!({"op": "subscribe", "channel": "trades", "symbols": ["*"], "mode": "stream"}))
            .await;
        client.expect("subscribed").await;
        let offer = |listed: &[(&str, bool)]| {
            setup.mock.offer(listed.iter().map(|(ours, trades)| (venue.symbol(ours), *trades)));
        };
        offer(&[("BTC-USD", true), ("ETH-USD", true)]);
        let grown = client.expect("subscribed").await;
        assert_eq!(grown["ok"][0]["S"], "ETH-USD", "{grown}");
        setup.subscribed(2).await;
        setup.mock.release(true);
        is(&setup, "ETH-USD", State::Live).await;
        // One pauses, the other is gone.
        offer(&[("BTC-USD", false)]);
        is(&setup, "BTC-USD", State::Halted).await;
        is(&setup, "ETH-USD", State::Closed).await;
        setup.gateway.metric_is("tickcast_upstream_subscriptions{feed=\"feed\"}", |on| on < 1.1).await;
        offer(&[("BTC-USD", true), ("ETH-USD", true)]);
        is(&setup, "BTC-USD", State::Live).await;
        is(&setup, "ETH-USD", State::Pending).await;
        eventually("it is subscribed anew", || {
            let each = if venue == Venue::Kraken { 2 } else { 1 };
            setup.mock.counts().subscribed.get(&venue.symbol("ETH-USD")) == Some(&(2 * each))
        })
        .await;
        assert_eq!(setup.mock.counts().connections, 1, "{venue:?}");
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_carries_so_many_symbols_and_the_others_wait() {
    let names = ["A-USD", "B-USD", "C-USD"];
    let venue = Venue::Binance;
    let keys = "symbols = [\"*\"]\nsymbols_per_connection = 2";
    let setup = setup(venue, &names, &names, &[], keys).await;
    known(&setup, &names).await;
    let mut first = setup.gateway.connect().await;
    let mut second = setup.gateway.connect().await;
    first.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A-USD", "B-USD"]})).await;
    setup.subscribed(2).await;
    second.send(json!({"op": "subscribe", "channel": "status", "symbols": ["C-USD"]})).await;
    second.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["C-USD"]})).await;
    let told = loop {
        let status = second.expect("status").await;
        if status["why"] != "nothing received yet" {
            break status;
        }
    };
    assert!(told["why"].as_str().unwrap().starts_with("it waits for a place"), "{told}");
    assert_eq!(told["state"], "pending", "nothing was ever received: {told}");
    let waiting = "tickcast_upstream_waiting{feed=\"feed\"}";
    setup.gateway.metric_is(waiting, |count| (count - 1.0).abs() < 0.1).await;
    // Long before its linger is over, one without listeners makes room.
    first.send(json!({"op": "unsubscribe", "channel": "trades", "symbols": ["A-USD"]})).await;
    eventually("the one that waited is subscribed", || setup.mock.counts().active == ["BUSD", "CUSD"]).await;
    setup.gateway.metric_is(waiting, |count| count < 0.1).await;
    setup.end().await;
}
