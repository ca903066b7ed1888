//! Kraken's WebSocket v2, the venue's side: answers, product list, and the frames of `trade` and `ticker`.
//!
//! Formats: "Spot WebSocket API v2" of Kraken's API documentation.

use serde_json::{Value, json};

use crate::{
    dialect::{
        Sequence, units,
        venue_request::{VenueRequest, texts},
    },
    market::{Channel, Level, Print, Quote, Side, Tick, Trade, TradeId},
};

/// When every request came, and when it was answered: clients ignore it.
const TIMES: [&str; 2] = ["2026-01-05T14:30:00.000001Z", "2026-01-05T14:30:00.000002Z"];

/// `{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false},"req_id":7}`
pub(in crate::dialect) fn request(request: &Value) -> VenueRequest {
    let id = request["req_id"].as_u64();
    let begins = match request["method"].as_str() {
        Some("subscribe") => true,
        Some("unsubscribe") => false,
        Some("ping") => return VenueRequest::Ping { id },
        _ => return VenueRequest::Unknown { id },
    };
    let channel = match request["params"]["channel"].as_str() {
        Some("trade") => Channel::Trades,
        Some("ticker") => Channel::Quotes,
        _ => return VenueRequest::Unknown { id },
    };
    let topics = texts(&request["params"]["symbol"]).map(|symbol| (channel, symbol.to_owned())).collect();
    VenueRequest::Topics { begins, id, topics, states: Vec::new() }
}

const fn name(channel: Channel) -> &'static str {
    if matches!(channel, Channel::Trades) { "trade" } else { "ticker" }
}

const fn method(begins: bool) -> &'static str {
    if begins { "subscribe" } else { "unsubscribe" }
}

/// What the venue as a whole does.
pub(in crate::dialect) fn status(system: &str) -> String {
    let data = json!([{"version": "2.0.0", "system": system, "api_version": "v2", "connection_id": 1}]);
    json!({"channel": "status", "type": "update", "data": data}).to_string()
}

/// A symbol of a request was accepted.
#[must_use]
pub fn ack(begins: bool, id: Option<u64>, (channel, symbol): (Channel, &str)) -> String {
    let result = json!({"channel": name(channel), "symbol": symbol, "snapshot": false});
    json!({"method": method(begins), "req_id": id, "success": true, "result": result,
        "time_in": TIMES[0], "time_out": TIMES[1]})
    .to_string()
}

/// A symbol of a request was refused.
#[must_use]
pub fn refusal(begins: bool, id: Option<u64>, symbol: &str, words: &str) -> String {
    json!({"method": method(begins), "req_id": id, "success": false, "error": words, "symbol": symbol,
        "time_in": TIMES[0], "time_out": TIMES[1]})
    .to_string()
}

/// A request was refused because there were too many, with its number.
#[must_use]
pub fn rate_refusal(begins: bool, id: Option<u64>) -> String {
    json!({"method": method(begins), "req_id": id, "success": false, "error": "Exceeded msg rate",
        "time_in": TIMES[0], "time_out": TIMES[1]})
    .to_string()
}

/// Likewise, in the other form that was seen.
pub const BARE_RATE_REFUSAL: &str = r#"{"Error":"Exceeded msg rate"}"#;

/// The answer to a ping.
#[must_use]
pub fn pong(id: Option<u64>) -> String {
    json!({"method": "pong", "req_id": id, "time_in": TIMES[0], "time_out": TIMES[1]}).to_string()
}

/// `AssetPairs`, with the fields that matter.
pub(in crate::dialect) fn products<'a>(products: impl Iterator<Item = (&'a str, bool)>) -> String {
    let entry = |(name, trades): (&str, bool)| {
        let pair = json!({"wsname": name, "altname": name.replace('/', ""), "tick_size": "0.01", "lot_decimals": 2,
            "status": if trades { "online" } else { "cancel_only" }});
        (name.replace('/', ""), pair)
    };
    json!({"error": [], "result": products.map(entry).collect::<serde_json::Map<_, _>>()}).to_string()
}

/// The frame of a tick. `None` if it cannot be expressed: a trade needs a side, a time and its number as id; a quote has no
/// number. Prices and amounts keep all their digits. A ticker's statistics of the day are made up; the reading side ignores
/// them.
pub(in crate::dialect) fn tick(theirs: &str, tick: &Tick, sequence: Option<Sequence>) -> Option<String> {
    let symbol = json!(theirs);
    match (tick, sequence) {
        (Tick::Trade(trade), Some(Sequence::Counted(id))) => {
            let Trade { price, size, side: Some(side), te: Some(te), print, .. } = trade else { return None };
            if trade.id != Some(TradeId::Number(id)) || *print != Print::default() {
                return None;
            }
            let side = if *side == Side::Buy { "buy" } else { "sell" };
            Some(format!(
                r#"{{"channel":"trade","type":"update","data":[{{"symbol":{symbol},"side":"{side}","price":{price},"qty":{size},"ord_type":"limit","trade_id":{id},"timestamp":"{}"}}]}}"#,
                units::rfc3339_text(*te)
            ))
        }
        (Tick::Quote(Quote { bid, ask, te, is_snapshot, .. }), None) => {
            let kind = if *is_snapshot { "snapshot" } else { "update" };
            let [(bid, bid_size), (ask, ask_size)] = [bid, ask].map(numbers);
            let time =
                te.map(|te| format!(r#","timestamp":"{}""#, units::rfc3339_text(te))).unwrap_or_default();
            Some(format!(
                r#"{{"channel":"ticker","type":"{kind}","data":[{{"symbol":{symbol},"bid":{bid},"bid_qty":{bid_size},"ask":{ask},"ask_qty":{ask_size},"last":{bid},"volume":1.0,"vwap":1.0,"low":1.0,"high":1.0,"change":0.0,"change_pct":0.0{time}}}]}}"#
            ))
        }
        _ => None,
    }
}

/// Price and size of a side.
fn numbers(level: &Option<Level>) -> (String, String) {
    let null = || "null".to_owned();
    level.map_or_else(
        || (null(), null()),
        |Level { price, size }| (price.to_string(), size.map_or_else(null, |size| size.to_string())),
    )
}
