//! Binance and Coinbase, against the frames as loose JSON values.

use serde_json::Value;

use super::{check, counts, folder, text};

/// The frame in a line of any recorder, found without knowing which.
pub(super) fn frame(line: &str) -> Option<Value> {
    let object = &line[line.find('{')?..];
    let value: Value = serde_json::from_str(object).ok()?;
    let kind = value["t"].as_str().unwrap_or_default();
    match kind {
        "recv" => serde_json::from_str(value["data"].as_str()?).ok(),
        "send" | "http" | "connect" | "header" => None,
        _ => {
            let sent = line.starts_with("wss:") || line.starts_with("http") || line.starts_with("conf");
            (!sent).then_some(value)
        }
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// RFC 3339 in UTC to microseconds, by cutting the text.
fn micros(time: &str) -> String {
    let (seconds, fraction) =
        time.trim_end_matches('Z').split_once('.').unwrap_or((time.trim_end_matches('Z'), ""));
    let seconds = format!("{seconds}Z").parse::<jiff::Timestamp>().unwrap().as_second();
    format!("{seconds}{fraction:0<6.6}")
}

pub(super) fn binance(frame: &Value) -> Vec<String> {
    let e = if frame["stream"].is_string() { &frame["data"] } else { frame };
    let symbol = word(&e["s"]);
    match e["e"].as_str() {
        Some("trade" | "aggTrade") => {
            let id = e["t"].as_u64().or(e["a"].as_u64()).unwrap();
            let side = if e["m"].as_bool().unwrap() { "sell" } else { "buy" };
            vec![format!("t {symbol} {} {} {side} {id} binance {}000", word(&e["p"]), word(&e["q"]), e["T"])]
        }
        Some("bookTicker") | None if e["B"].is_string() => {
            let te = e["T"].as_u64().map_or("-".into(), |time| format!("{time}000"));
            let [b, bs, a, az] = ["b", "B", "a", "A"].map(|key| word(&e[key]));
            vec![format!("q {symbol} {b} {bs} {a} {az} binance {te}")]
        }
        _ => vec![],
    }
}

fn maker(side: &Value) -> &'static str {
    if word(side).eq_ignore_ascii_case("buy") { "sell" } else { "buy" }
}

pub(super) fn coinbase(frame: &Value) -> Vec<String> {
    let trade = |t: &Value| {
        let id = t["trade_id"].as_u64().map_or_else(|| word(&t["trade_id"]).to_owned(), |id| id.to_string());
        let [symbol, price, size] = ["product_id", "price", "size"].map(|key| word(&t[key]));
        format!("t {symbol} {price} {size} {} {id} coinbase {}", maker(&t["side"]), micros(word(&t["time"])))
    };
    let quote = |t: &Value, sizes: [&str; 2], time: &str| {
        let [symbol, bid, ask] = ["product_id", "best_bid", "best_ask"].map(|key| word(&t[key]));
        let [bid_size, ask_size] = sizes.map(|key| word(&t[key]));
        format!("q {symbol} {bid} {bid_size} {ask} {ask_size} coinbase {}", micros(time))
    };
    let events = || frame["events"].as_array().unwrap().iter();
    match (frame["type"].as_str(), frame["channel"].as_str()) {
        (Some("match"), _) => vec![trade(frame)],
        (Some("ticker"), _) => vec![quote(frame, ["best_bid_size", "best_ask_size"], word(&frame["time"]))],
        // Within a frame the newest trade is first.
        (_, Some("market_trades")) => events()
            .filter(|event| event["type"] == "update")
            .flat_map(|event| event["trades"].as_array().unwrap().iter().rev().map(trade))
            .collect(),
        (_, Some("ticker")) => events()
            .flat_map(|event| event["tickers"].as_array().unwrap())
            .map(|t| quote(t, ["best_bid_quantity", "best_ask_quantity"], word(&frame["timestamp"])))
            .collect(),
        _ => vec![],
    }
}

type Table<'a> = &'a [(&'a str, &'a [(&'a str, u64)])];

fn check_all(venue: &str, read: fn(&Value) -> Vec<String>, table: Table<'_>) {
    let Some(folder) = folder() else { return };
    for (file, counted) in table {
        let file = format!("{venue}/{file}");
        let expected: Vec<_> =
            text(&folder.join(&file)).lines().filter_map(frame).flat_map(|frame| read(&frame)).collect();
        check(&file, &format!("format = \"{venue}\""), &folder, &expected, &counts(counted));
    }
}

#[test]
fn binance_captures() {
    check_all(
        "binance",
        binance,
        &[
            ("spot-btcusdt-20240808.ns.gz", &[("quotes", 28_040), ("trades", 9_757), ("depth", 3_451 + 1)]),
            (
                "spot-4sym-20211012.ws.cf1.gz",
                &[("depth", 177), ("quotes", 84), ("trades", 2), ("kline", 2), ("connect", 1), ("empty", 1)],
            ),
            ("spot-4sym-20211012.rest.cf1.gz", &[("rest", 1), ("config", 1)]),
            ("spot-btcusdt-20260707.ndjson.gz", &[("trades", 748), ("depth", 450)]),
            ("rest-depth-btcusdt-20260707.json", &[("depth", 1)]),
            ("usdm-ethusdt-20240808.ns.gz", &[("quotes", 11_419), ("trades", 2_329), ("depth", 1_251 + 1)]),
            (
                "usdm-20211103.ws.cf1.gz",
                &[("depth", 764), ("quotes", 613), ("trades", 91), ("kline", 67), ("connect", 1)],
            ),
        ],
    );
}

#[test]
fn coinbase_captures() {
    check_all(
        "coinbase",
        coinbase,
        &[
            (
                "exchange-btcusd-20260707.ndjson.gz",
                &[
                    ("l2update", 979),
                    ("trades", 344),
                    ("heartbeat", 59),
                    ("ack", 1),
                    ("snapshot", 1),
                    ("last_match", 1),
                ],
            ),
            (
                "exchange-10prod-20210417.ws.cf1.gz",
                &[
                    ("l2update", 9_719),
                    ("quotes", 107),
                    ("trades", 97),
                    ("snapshot", 10),
                    ("last_match", 10),
                    ("send", 3),
                    ("ack", 3),
                    ("connect", 1),
                    ("empty", 2),
                ],
            ),
            ("exchange-products-20210417.rest.cf1.gz", &[("rest", 1), ("config", 1)]),
            (
                // 61 ticker frames of one quote each; 29 market_trades frames: two of history, 27 with 40 trades.
                "advanced-btc-eth-20260809-head.cf2.gz",
                &[
                    ("l2_data", 284),
                    ("quotes", 61),
                    ("trades", 40),
                    ("trade_history", 2),
                    ("heartbeat", 9),
                    ("send", 5),
                    ("ack", 5),
                    ("candles", 4),
                    ("config", 1),
                    ("rest", 1),
                    ("connect", 1),
                ],
            ),
        ],
    );
}
