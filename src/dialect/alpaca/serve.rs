//! Alpaca's streams, the venue's side: answers and product list, as JSON.
//!
//! Formats: "WebSocket Stream" of Alpaca's documentation.

use serde_json::{Value, json};

use crate::{
    dialect::venue_request::{Topic, VenueRequest, texts},
    market::{Channel, Level, Quote, UnixMicros},
};

/// `{"action":"subscribe","trades":["AAPL"],"quotes":["AAPL"]}`, or `{"action":"auth","key":"…","secret":"…"}`
pub(in crate::dialect) fn request(request: &Value) -> VenueRequest {
    let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
    let begins = match request["action"].as_str() {
        Some("subscribe") => true,
        Some("unsubscribe") => false,
        Some("auth") => return VenueRequest::Authenticate { key: text("key"), secret: text("secret") },
        _ => return VenueRequest::Unknown { id: None },
    };
    let lists = [("trades", Channel::Trades), ("quotes", Channel::Quotes)];
    let named = |(name, channel): (&str, Channel)| {
        texts(&request[name]).map(move |symbol| (channel, symbol.to_owned())).collect::<Vec<_>>()
    };
    let states = texts(&request["statuses"]).map(ToOwned::to_owned).collect();
    VenueRequest::Topics { begins, id: None, topics: lists.into_iter().flat_map(named).collect(), states }
}

/// `connected` or `authenticated`.
#[must_use]
pub fn success(words: &str) -> String {
    json!([{"T": "success", "msg": words}]).to_string()
}

/// A refusal, numbered as the documentation does.
#[must_use]
pub fn refusal(code: i64, words: &str) -> String {
    json!([{"T": "error", "code": code, "msg": words}]).to_string()
}

/// Everything that the client is subscribed to; a channel with nothing is absent.
#[must_use]
pub fn subscription<'a>(topics: impl Iterator<Item = &'a Topic> + Clone, states: &[String]) -> String {
    let mut list = json!({"T": "subscription"});
    let of = |channel| topics.clone().filter(move |topic| topic.0 == channel).map(|topic| json!(topic.1));
    let states: Vec<_> = states.iter().map(|symbol| json!(symbol)).collect();
    let channels = [
        ("trades", of(Channel::Trades).collect()),
        ("quotes", of(Channel::Quotes).collect()),
        ("statuses", states),
    ];
    for (name, symbols) in channels {
        if !symbols.is_empty() {
            list[name] = Value::Array(symbols);
        }
    }
    json!([list]).to_string()
}

/// `GET /v2/stocks/quotes/latest` of these symbols. An empty side is zero.
pub(in crate::dialect) fn latest_quotes<'a>(quotes: impl Iterator<Item = (&'a str, &'a Quote)>) -> String {
    let price = |level: Option<Level>| level.map_or("0".into(), |level| level.price.to_string());
    let size =
        |level: Option<Level>| level.and_then(|level| level.size).map_or("0".into(), |size| size.to_string());
    let entry = |(name, quote): (&str, &Quote)| {
        format!(
            r#"{}:{{"t":"{}","ax":"V","ap":{},"as":{},"bx":"V","bp":{},"bs":{},"c":["R"],"z":"C"}}"#,
            json!(name),
            rfc3339(quote.te.unwrap_or(quote.tr)),
            price(quote.ask),
            size(quote.ask),
            price(quote.bid),
            size(quote.bid)
        )
    };
    format!(r#"{{"quotes":{{{}}}}}"#, quotes.map(entry).collect::<Vec<_>>().join(","))
}

/// A time as the venue writes it.
fn rfc3339(time: UnixMicros) -> String {
    jiff::Timestamp::from_microsecond(time.0)
        .unwrap_or_default()
        .strftime("%Y-%m-%dT%H:%M:%S.%6fZ")
        .to_string()
}

/// `GET /v2/assets`, with the fields that matter.
pub(in crate::dialect) fn products<'a>(products: impl Iterator<Item = (&'a str, bool)>) -> String {
    let entry = |(name, trades): (&str, bool)| {
        let class = if name.contains('/') { "crypto" } else { "us_equity" };
        json!({"symbol": name, "class": class, "status": if trades { "active" } else { "inactive" },
            "tradable": true, "price_increment": "0.01", "min_trade_increment": "0.01"})
    };
    Value::Array(products.map(entry).collect()).to_string()
}
