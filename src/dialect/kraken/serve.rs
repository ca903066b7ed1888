//! Kraken's WebSocket v2, the venue's side: answers and product list.
//!
//! Formats: "Spot WebSocket API v2" of Kraken's API documentation.

use serde_json::{Value, json};

use crate::{
    dialect::venue_request::{VenueRequest, texts},
    market::Channel,
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
