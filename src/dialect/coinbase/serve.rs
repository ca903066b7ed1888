//! Coinbase Exchange, the venue's side: answers, product list, and the frames of `matches` and `ticker`.
//!
//! Formats: "WebSocket Channels" of the Coinbase Exchange.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    dialect::venue_request::{Topic, VenueRequest, both, texts},
    market::{Channel, Price, Side, Size, Symbol},
};

/// `{"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches","ticker","heartbeat"]}`; the channels are taken
/// for those that this gateway asks for.
pub(in crate::dialect) fn request(request: &Value) -> VenueRequest {
    let begins = match request["type"].as_str() {
        Some("subscribe") => true,
        Some("unsubscribe") => false,
        _ => return VenueRequest::Unknown { id: None },
    };
    let topics = both(texts(&request["product_ids"]));
    VenueRequest::Topics { begins, id: None, topics, states: Vec::new() }
}

/// Everything that the client is subscribed to.
#[must_use]
pub fn subscriptions<'a>(topics: impl Iterator<Item = &'a Topic> + Clone) -> String {
    let of = |channel| topics.clone().filter(move |topic| topic.0 == channel).map(|topic| &topic.1);
    let channel =
        |name, products: Vec<&String>| json!({"name": name, "product_ids": products, "account_ids": null});
    let trades: Vec<_> = of(Channel::Trades).collect();
    let channels = [
        channel("matches", trades.clone()),
        channel("ticker", of(Channel::Quotes).collect()),
        channel("heartbeat", trades),
    ];
    json!({"type": "subscriptions", "channels": channels}).to_string()
}

/// A refusal, in the words of which the venue has many.
#[must_use]
pub fn refusal(reason: &str) -> String {
    json!({"type": "error", "message": "Failed to subscribe", "reason": reason}).to_string()
}

/// `GET /products`, with the fields that matter.
pub(in crate::dialect) fn products<'a>(products: impl Iterator<Item = (&'a str, bool)>) -> String {
    let entry = |(name, trades): (&str, bool)| {
        json!({"id": name, "quote_increment": "0.01", "base_increment": "0.01", "status": "online",
            "trading_disabled": !trades, "cancel_only": false})
    };
    Value::Array(products.map(entry).collect()).to_string()
}

/// `{"type":"match","trade_id":10,"maker_order_id":"…","taker_order_id":"…","side":"sell","size":"5.2","price":"400.23",…}`
#[derive(Debug, Serialize)]
pub struct MatchFrame {
    /// `match`.
    pub r#type: &'static str,
    /// Trades of a product are counted.
    pub trade_id: u64,
    /// The order that was in the book.
    pub maker_order_id: String,
    /// The order that met it.
    pub taker_order_id: String,
    /// The maker's.
    pub side: Side,
    /// How much.
    pub size: Size,
    /// At which price.
    pub price: Price,
    /// Of which product.
    pub product_id: Symbol,
    /// The product's event.
    pub sequence: u64,
    /// RFC 3339.
    pub time: String,
}

/// `{"type":"ticker","sequence":…,"product_id":"ETH-USD","price":…,"best_bid":…,"best_ask":…,"side":"buy","time":…,…}`
#[derive(Debug, Serialize)]
pub struct TickerFrame {
    /// `ticker`.
    pub r#type: &'static str,
    /// The product's event.
    pub sequence: u64,
    /// Of which product.
    pub product_id: Symbol,
    /// The last price.
    pub price: Price,
    /// The first one of the day.
    pub open_24h: Price,
    /// How much was traded.
    pub volume_24h: String,
    /// The lowest price.
    pub low_24h: Price,
    /// The highest price.
    pub high_24h: Price,
    /// Likewise of a month.
    pub volume_30d: String,
    /// The best bid.
    pub best_bid: Option<Price>,
    /// Its size.
    pub best_bid_size: Option<Size>,
    /// The best ask.
    pub best_ask: Option<Price>,
    /// Its size.
    pub best_ask_size: Option<Size>,
    /// The taker's, other than in a match.
    pub side: Side,
    /// RFC 3339.
    pub time: String,
    /// The last trade.
    pub trade_id: u64,
    /// Its size.
    pub last_size: Size,
}
