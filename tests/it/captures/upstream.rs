//! Real sessions as a live venue would send them: the stand-in plays the captured frames to a feed, and a client of the
//! gateway has them digit for digit.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tickcast::{
    cli::venue::{Recorded, read},
    dialect::Venue,
    market::Symbol,
};

use super::{folder, json, literal, live::received, live::sorted, text};
use crate::{upstream::Setup, util::Client};

/// Ticks of a frame's text, by a separate reading.
type Reading = fn(&str) -> Vec<String>;

fn binance(frame: &str) -> Vec<String> {
    json::binance(&serde_json::from_str(frame).unwrap())
}

fn coinbase(frame: &str) -> Vec<String> {
    json::coinbase(&serde_json::from_str(frame).unwrap())
}

async fn plays(venue: Venue, file: &str, most: usize, reading: Reading) {
    let Some(folder) = folder() else { return };
    let path = folder.join(format!("{}/{file}", venue.as_str()));
    let mut frames: Vec<Recorded> = read(venue, &path).unwrap();
    frames.truncate(most);
    let raw = text(&path);
    let expected =
        raw.lines().filter_map(literal::frame).filter(|frame| !reading(frame).is_empty()).take(most);
    let expected: Vec<String> = expected.flat_map(|frame| reading(&frame)).collect();
    assert!(!expected.is_empty());
    let symbols: BTreeSet<&str> = expected.iter().map(|tick| tick.split(' ').nth(1).unwrap()).collect();
    let symbols: Vec<&str> = symbols.into_iter().filter(|symbol| Symbol::new(symbol).is_ok()).collect();
    let setup = Setup::named(venue, &symbols, frames).await;
    let mut client = setup.streaming(&symbols).await;
    setup.play(symbols.len()).await;
    let got = receive(&mut client, expected.len()).await;
    for (key, expected) in sorted(expected) {
        let got = &got[&key];
        assert_eq!(got.len(), expected.len(), "{file}: {key}");
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got, expected, "{file}");
        }
    }
    assert_eq!(setup.mock.counts().connections, 1, "{file}");
    setup.end().await;
}

/// The number of ticks by kind and symbol; there must be no gap.
async fn receive(client: &mut Client, count: usize) -> BTreeMap<String, Vec<String>> {
    let mut got = Vec::with_capacity(count);
    while got.len() < count {
        let message: Value = client.next().await.unwrap();
        assert_ne!(message["T"], "gap", "{message}");
        got.extend(received(&message));
    }
    sorted(got)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binance_live() {
    plays(Venue::Binance, "spot-btcusdt-20260707.ndjson.gz", 2_000, binance).await;
    plays(Venue::Binance, "spot-4sym-20211012.ws.cf1.gz", 2_000, binance).await;
    plays(Venue::Binance, "spot-btcusdt-20240808.ns.gz", 4_000, binance).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coinbase_live() {
    plays(Venue::Coinbase, "exchange-10prod-20210417.ws.cf1.gz", 2_000, coinbase).await;
    plays(Venue::Coinbase, "exchange-btcusd-20260707.ndjson.gz", 2_000, coinbase).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kraken_live() {
    plays(Venue::Kraken, "v2-btcusd-20260707.ndjson.gz", 2_000, literal::kraken).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alpaca_live() {
    plays(Venue::Alpaca, "iex-sip-frames.ndjson", 2_000, literal::alpaca).await;
}
