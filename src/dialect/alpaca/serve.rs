//! Alpaca's streams, the venue's side: answers, product list, and the messages of trades and quotes, as JSON.
//!
//! Formats: "WebSocket Stream" of Alpaca's documentation.

use serde_json::{Value, json};

use crate::{
    dialect::{
        Sequence, units,
        venue_request::{Topic, VenueRequest, texts},
    },
    market::{Channel, Level, Print, Quote, Side, Tick, Trade, TradeId},
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
    let entry = |(name, quote): (&str, &Quote)| {
        format!(
            r#"{}:{{"t":"{}","ax":"V","ap":{},"as":{},"bx":"V","bp":{},"bs":{},"c":["R"],"z":"C"}}"#,
            json!(name),
            units::rfc3339_text(quote.te.unwrap_or(quote.tr)),
            price(quote.ask.as_ref()),
            size(quote.ask.as_ref()),
            price(quote.bid.as_ref()),
            size(quote.bid.as_ref())
        )
    };
    format!(r#"{{"quotes":{{{}}}}}"#, quotes.map(entry).collect::<Vec<_>>().join(","))
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

/// The frame of a tick. `None` if it cannot be expressed: it needs a time and has no number. Only crypto (a name with a slash)
/// has sides, only stocks have exchanges.
pub(in crate::dialect) fn tick(theirs: &str, tick: &Tick, sequence: Option<Sequence>) -> Option<String> {
    let (symbol, is_crypto) = (json!(theirs), theirs.contains('/'));
    match (tick, sequence) {
        (Tick::Trade(trade), None) => {
            let Trade { price, size, side, id, source, te: Some(te), print, .. } = trade else { return None };
            let is_of_venue = source.as_str() == "alpaca";
            if *print != Print::default() || is_crypto != is_of_venue || side.is_some() != is_crypto {
                return None;
            }
            let id = match id {
                Some(TradeId::Number(id)) => format!(r#""i":{id},"#),
                Some(TradeId::Text(id)) => format!(r#""i":{},"#, json!(id)),
                None => String::new(),
            };
            let rest = match side {
                Some(side) => format!(r#""tks":"{}""#, if *side == Side::Buy { "B" } else { "S" }),
                None => format!(r#""x":{},"c":["@"],"z":"C""#, json!(source.as_str())),
            };
            Some(format!(
                r#"[{{"T":"t","S":{symbol},{id}"p":{price},"s":{size},"t":"{}",{rest}}}]"#,
                units::rfc3339_text(*te)
            ))
        }
        (Tick::Quote(Quote { bid, ask, te: Some(te), is_snapshot: false, .. }), None) => {
            let rest = if is_crypto { "" } else { r#","bx":"V","ax":"V","c":["R"],"z":"C""# };
            let [(bid, bid_size), (ask, ask_size)] =
                [bid, ask].map(|level| (price(level.as_ref()), size(level.as_ref())));
            Some(format!(
                r#"[{{"T":"q","S":{symbol},"bp":{bid},"bs":{bid_size},"ap":{ask},"as":{ask_size},"t":"{}"{rest}}}]"#,
                units::rfc3339_text(*te)
            ))
        }
        _ => None,
    }
}

/// An empty side and an unknown size are zero.
fn price(level: Option<&Level>) -> String {
    level.map_or_else(|| "0".to_owned(), |level| level.price.to_string())
}

fn size(level: Option<&Level>) -> String {
    level.and_then(|level| level.size).map_or_else(|| "0".to_owned(), |size| size.to_string())
}
