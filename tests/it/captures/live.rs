//! Real sessions end to end: recording, replay, hub, gateway, WebSocket client; digit for digit, at 1x and at 50x.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use tickcast::feed::{Publisher, replay::Definition, supervise};
use tokio_util::sync::CancellationToken;

use super::{bytes, csv, dbn, folder, json as frames, text};
use crate::util::{Client, TestGateway, source};

/// A tick as the client got it, in the form of [`super::shown`].
pub(super) fn received(message: &Value) -> Option<String> {
    let of = |key: &str| message[key].as_str().unwrap_or("-").to_owned();
    let te = message["te"].as_i64().map_or("-".into(), |te| te.to_string());
    let symbol = of("S");
    match message["T"].as_str()? {
        "t" => {
            Some(format!("t {symbol} {} {} {} {} {} {te}", of("p"), of("s"), of("side"), of("id"), of("x")))
        }
        "q" => {
            Some(format!("q {symbol} {} {} {} {} {} {te}", of("bp"), of("bs"), of("ap"), of("as"), of("x")))
        }
        _ => None,
    }
}

/// Ticks of each kind and symbol, in order.
pub(super) fn sorted(ticks: impl IntoIterator<Item = String>) -> BTreeMap<String, Vec<String>> {
    let mut sorted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tick in ticks {
        let key = tick.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
        sorted.entry(key).or_default().push(tick);
    }
    sorted
}

async fn subscribed(gateway: &TestGateway) -> Client {
    let mut client = gateway.connect().await;
    for channel in ["trades", "quotes"] {
        client.send(json!({"op": "subscribe", "channel": channel, "symbols": ["*"], "mode": "stream"})).await;
        client.expect("subscribed").await;
    }
    client
}

/// Plays a recording to a client and compares what it gets with what is expected.
async fn plays(keys: &str, speed: u32, folder: &Path, expected: Vec<String>) {
    let gateway = TestGateway::start();
    let symbols: std::collections::BTreeSet<_> =
        expected.iter().map(|tick| tick.split(' ').nth(1).unwrap()).collect();
    gateway.declare(&symbols.into_iter().collect::<Vec<_>>());
    let mut client = subscribed(&gateway).await;
    let keys = format!("speed = {speed}\nprogress = false\n{keys}");
    let replay = toml::from_str::<Definition>(&keys).unwrap().build(folder).unwrap();
    let publisher = Publisher::new(source(), gateway.gateway.hub.clone(), CancellationToken::new());
    let feed = tokio::spawn(supervise(replay, publisher));
    assert!(!expected.is_empty());
    let mut got = Vec::with_capacity(expected.len());
    while got.len() < expected.len() {
        got.extend(received(&client.next().await.unwrap()));
    }
    assert_eq!(sorted(got), sorted(expected), "{keys}");
    feed.await.unwrap();
}

/// The first lines of a recording in a file of their own, and their text.
fn head(path: &Path, lines: std::ops::Range<usize>, ending: &str) -> (tempfile::TempDir, String, String) {
    let text: String =
        text(path).lines().skip(lines.start).take(lines.len()).flat_map(|line| [line, "\n"]).collect();
    let folder = tempfile::tempdir().unwrap();
    let name = format!("head.{ending}");
    std::fs::write(folder.path().join(&name), &text).unwrap();
    (folder, format!("path = \"{name}\""), text)
}

fn read(text: &str, venue: fn(&Value) -> Vec<String>) -> Vec<String> {
    text.lines().filter_map(frames::frame).flat_map(|frame| venue(&frame)).collect()
}

#[tokio::test]
async fn a_binance_session_reaches_a_client() {
    let Some(folder) = folder() else { return };
    let file = "binance/spot-4sym-20211012.ws.cf1.gz";
    let keys = format!("path = \"{file}\"\nformat = \"binance\"");
    plays(&keys, 50, &folder, read(&text(&folder.join(file)), frames::binance)).await;
    let (part, path, text) = head(&folder.join("binance/spot-btcusdt-20240808.ns.gz"), 0..60, "ns");
    let expected = read(&text, frames::binance);
    plays(&format!("{path}\nformat = \"binance\""), 1, part.path(), expected).await;
}

#[tokio::test]
async fn a_coinbase_session_reaches_a_client() {
    let Some(folder) = folder() else { return };
    let file = "coinbase/exchange-10prod-20210417.ws.cf1.gz";
    let keys = format!("path = \"{file}\"\nformat = \"coinbase\"");
    plays(&keys, 50, &folder, read(&text(&folder.join(file)), frames::coinbase)).await;
    let (part, path, text) = head(&folder.join(file), 0..150, "cf1");
    plays(&format!("{path}\nformat = \"coinbase\""), 1, part.path(), read(&text, frames::coinbase)).await;
}

#[tokio::test]
async fn equity_trades_of_a_csv_reach_a_client() {
    let Some(folder) = folder() else { return };
    let file = folder.join("csv/equity-ibm-trade-20131007.lean.csv.gz");
    for (rows, speed) in [(4_999..5_100, 50), (4_999..5_003, 1)] {
        let (part, path, text) = head(&file, rows, "csv");
        let mapping = csv::equity_trade_mapping("IBM");
        let keys = format!("{path}\nformat = \"csv\"\ncsv = {{ header = false, {mapping} }}");
        let expected =
            text.lines().map(|line| csv::equity_trade("IBM", &line.split(',').collect::<Vec<_>>()));
        plays(&keys, speed, part.path(), expected.collect()).await;
    }
}

#[tokio::test]
async fn a_databento_file_reaches_a_client() {
    let Some(folder) = folder() else { return };
    for (file, symbol, speed) in
        [("futures_trades_2024-07-01.dbn.zst", "ESU4", 50), ("test_data.trades.dbn", "ESH1", 1)]
    {
        let file = format!("dbn/{file}");
        let raw = bytes(&folder.join(&file));
        let expected = dbn::records(&raw).into_iter().flat_map(|record| dbn::ticks(record, symbol)).collect();
        plays(&format!("path = \"{file}\"\nformat = \"dbn\""), speed, &folder, expected).await;
    }
}
