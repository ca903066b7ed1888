//! Kraken and Alpaca, against the raw text: numbers are cut out of it between a key and the next comma or brace.

use serde_json::Value;

use super::{check, counts, folder, text};

/// The text of a frame in a line of any recorder, found without knowing which.
pub(super) fn frame(line: &str) -> Option<String> {
    if line.starts_with("wss:") || line.starts_with("http") || line.starts_with("conf") {
        return None;
    }
    if let Ok(two) = serde_json::from_str::<Value>(line)
        && matches!(two["t"].as_str(), Some("recv" | "send" | "http" | "connect" | "header"))
    {
        return (two["t"] == "recv").then(|| two["data"].as_str().unwrap().to_owned());
    }
    let start = line.find(['{', '['])?;
    Some(line[start..].to_owned())
}

/// What stands behind a key: a number's literal text, or what is in a text's quotes.
fn cut<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let start = object.find(&format!("\"{key}\":"))? + key.len() + 3;
    let rest = &object[start..];
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}', ']']).next(),
    }
}

/// RFC 3339 in UTC to microseconds, by cutting the text.
fn micros(time: &str) -> String {
    let (seconds, fraction) =
        time.trim_end_matches('Z').split_once('.').unwrap_or((time.trim_end_matches('Z'), ""));
    let seconds = format!("{seconds}Z").parse::<jiff::Timestamp>().unwrap().as_second();
    format!("{seconds}{:0<6.6}", fraction)
}

pub(super) fn kraken(frame: &str) -> Vec<String> {
    if frame.starts_with('[') {
        return kraken_first(frame);
    }
    if !frame.contains(r#""channel":"trade""#) || !frame.contains(r#""data":"#) {
        return vec![];
    }
    let of = |object: &str, key| cut(object, key).unwrap().to_owned();
    let trade = |object: &str| {
        let object = format!("{{\"symbol\":{object}");
        let [symbol, price, size, side, id] =
            ["symbol", "price", "qty", "side", "trade_id"].map(|key| of(&object, key));
        format!("t {symbol} {price} {size} {side} {id} kraken {}", micros(&of(&object, "timestamp")))
    };
    frame.split("{\"symbol\":").skip(1).map(trade).collect()
}

/// `[ID,[["PRICE","SIZE","SECONDS.MICROS","s",…],…],"trade","PAIR"]` and
/// `[ID,{"a":["PRICE",LOTS,"SIZE"],"b":[…],…},"ticker","PAIR"]`, by the order of their texts.
fn kraken_first(frame: &str) -> Vec<String> {
    let texts: Vec<&str> = frame.split('"').skip(1).step_by(2).collect();
    let [.., channel, pair] = texts.as_slice() else { return vec![] };
    match *channel {
        "trade" => texts[..texts.len() - 2]
            .chunks(6)
            .map(|row| {
                let side = if row[3] == "b" { "buy" } else { "sell" };
                format!("t {pair} {} {} {side} - kraken {}", row[0], row[1], row[2].replace('.', ""))
            })
            .collect(),
        "ticker" => {
            assert_eq!((texts[0], texts[3]), ("a", "b"), "{frame}");
            vec![format!("q {pair} {} {} {} {} kraken -", texts[4], texts[5], texts[1], texts[2])]
        }
        _ => vec![],
    }
}

pub(super) fn alpaca(frame: &str) -> Vec<String> {
    let of = |object: &str, key| cut(object, key).unwrap().to_owned();
    let mut found = Vec::new();
    for object in frame.split("{\"T\":\"").skip(1) {
        let time = || micros(&of(object, "t"));
        if object.starts_with("t\"") {
            let [symbol, price, size, id, source] = ["S", "p", "s", "i", "x"].map(|key| of(object, key));
            found.push(format!("t {symbol} {price} {size} - {id} {source} {}", time()));
        } else if object.starts_with("q\"") {
            let [symbol, bid, bids, ask, asks] = ["S", "bp", "bs", "ap", "as"].map(|key| of(object, key));
            found.push(format!("q {symbol} {bid} {bids} {ask} {asks} alpaca {}", time()));
        }
    }
    found
}

fn check_file(venue: &str, file: &str, read: fn(&str) -> Vec<String>, counted: &[(&str, u64)]) {
    let Some(folder) = folder() else { return };
    let file = format!("{venue}/{file}");
    let expected: Vec<_> =
        text(&folder.join(&file)).lines().filter_map(frame).flat_map(|frame| read(&frame)).collect();
    check(&file, &format!("format = \"{venue}\""), &folder, &expected, &counts(counted));
}

#[test]
fn kraken_captures() {
    // Six trade frames with twelve trades.
    let counted = [("book", 561 + 1), ("heartbeat", 23), ("trades", 12), ("ack", 2), ("status", 1)];
    check_file("kraken", "v2-btcusd-20260707.ndjson.gz", kraken, &counted);
    let counted = [
        ("heartbeat", 30),
        ("ack", 10),
        ("trades", 10),
        ("connect", 1),
        ("send", 1),
        ("status", 1),
        ("empty", 2),
    ];
    check_file("kraken", "v1-trade-10pair-20210417.ws.cf1.gz", kraken, &counted);
    let counted = [
        ("heartbeat", 31),
        ("quotes", 18),
        ("ack", 10),
        ("connect", 1),
        ("send", 1),
        ("status", 1),
        ("empty", 2),
    ];
    check_file("kraken", "v1-ticker-10pair-20210417.ws.cf1.gz", kraken, &counted);
    let counted = [
        ("book", 4_279),
        ("heartbeat", 31),
        ("ack", 10),
        ("connect", 1),
        ("send", 1),
        ("status", 1),
        ("empty", 2),
    ];
    check_file("kraken", "v1-book1000-10pair-20210417.ws.cf1.gz", kraken, &counted);
    check_file("kraken", "assetpairs-20260707.json", kraken, &[("rest", 1)]);
}

#[test]
fn alpaca_captures() {
    // Five `subscription` and two `success` frames; one frame with a trade and two quotes.
    let counted = [("ack", 5 + 2), ("refused", 5), ("bar", 1), ("trades", 1), ("quotes", 2)];
    check_file("alpaca", "iex-sip-frames.ndjson", alpaca, &counted);
}
