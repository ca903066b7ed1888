//! Coinbase Exchange, the venue's side: answers, product list, and the frames of `matches` and `ticker`.
//!
//! Formats: "WebSocket Channels" of the Coinbase Exchange.

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    dialect::{
        Sequence, units,
        venue_request::{Topic, VenueRequest, both, texts},
    },
    market::{Channel, Level, Price, Print, Quote, Side, Size, Tick, Trade, TradeId},
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
pub struct MatchFrame<'a> {
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
    pub product_id: &'a str,
    /// The product's event.
    pub sequence: u64,
    /// RFC 3339.
    pub time: String,
}

/// `{"type":"ticker","sequence":…,"product_id":"ETH-USD","price":…,"best_bid":…,"best_ask":…,"side":"buy","time":…,…}`
#[derive(Debug, Serialize)]
pub struct TickerFrame<'a> {
    /// `ticker`.
    pub r#type: &'static str,
    /// The product's event.
    pub sequence: u64,
    /// Of which product.
    pub product_id: &'a str,
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

/// The frame of a tick. `None` if it cannot be expressed: it needs a time and a number, and a trade also a side and its number
/// as id. A ticker's fields about trades are made up; the reading side ignores them.
pub(in crate::dialect) fn tick(theirs: &str, tick: &Tick, sequence: Option<Sequence>) -> Option<String> {
    match (tick, sequence) {
        (Tick::Trade(trade), Some(Sequence::Counted(trade_id))) => {
            let Trade { price, size, side: Some(taker), te: Some(te), print, .. } = trade else {
                return None;
            };
            if trade.id != Some(TradeId::Number(trade_id)) || *print != Print::default() {
                return None;
            }
            let order = |n: u64| format!("00000000-0000-4000-8000-{:012x}", n % (1 << 48));
            written(&MatchFrame {
                r#type: "match",
                trade_id,
                maker_order_id: order(trade_id),
                taker_order_id: order(trade_id.wrapping_add(1)),
                side: if *taker == Side::Sell { Side::Buy } else { Side::Sell },
                size: *size,
                price: *price,
                product_id: theirs,
                sequence: trade_id.saturating_mul(2),
                time: units::rfc3339_text(*te),
            })
        }
        (
            Tick::Quote(Quote { bid, ask, te: Some(te), is_snapshot: false, .. }),
            Some(Sequence::Rising(sequence)),
        ) => {
            let (zero, none) = (Price::new(Decimal::ZERO), || "0".to_owned());
            let price = |level: &Option<Level>| Some(level.map_or(zero, |level| level.price));
            written(&TickerFrame {
                r#type: "ticker",
                sequence,
                product_id: theirs,
                price: zero,
                open_24h: zero,
                volume_24h: none(),
                low_24h: zero,
                high_24h: zero,
                volume_30d: none(),
                best_bid: price(bid),
                best_bid_size: bid.and_then(|level| level.size),
                best_ask: price(ask),
                best_ask_size: ask.and_then(|level| level.size),
                side: Side::Buy,
                time: units::rfc3339_text(*te),
                trade_id: 1,
                last_size: Size::new(Decimal::ZERO).ok()?,
            })
        }
        _ => None,
    }
}

fn written(frame: &impl Serialize) -> Option<String> {
    serde_json::to_string(frame).ok()
}
