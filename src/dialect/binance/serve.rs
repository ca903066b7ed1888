//! Binance spot, the venue's side: answers, product list, and the frames of `trade` and `bookTicker`.
//!
//! Formats: "WebSocket Streams" of the Binance Spot API.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::{
    dialect::{
        Sequence,
        venue_request::{Topic, VenueRequest, texts},
    },
    market::{Channel, Level, Price, Print, Quote, Side, Size, Tick, Trade, TradeId},
};

/// Quote assets that symbols end with. They do not say where the base ends; this is a guess.
const QUOTES: [&str; 14] =
    ["FDUSD", "USDT", "USDC", "TUSD", "BUSD", "BIDR", "USD", "BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL"];

/// `{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`
pub(in crate::dialect) fn request(request: &Value) -> VenueRequest {
    let id = request["id"].as_u64();
    let begins = match request["method"].as_str() {
        Some("SUBSCRIBE") => true,
        Some("UNSUBSCRIBE") => false,
        _ => return VenueRequest::Unknown { id },
    };
    let topics = texts(&request["params"]).filter_map(topic).collect();
    VenueRequest::Topics { begins, id, topics, states: Vec::new() }
}

fn topic(stream: &str) -> Option<Topic> {
    let (symbol, kind) = stream.split_once('@')?;
    let channel = match kind {
        "trade" | "aggTrade" => Channel::Trades,
        "bookTicker" => Channel::Quotes,
        _ => return None,
    };
    Some((channel, symbol.to_ascii_uppercase()))
}

/// A request was accepted.
#[must_use]
pub fn ack(id: Option<u64>) -> String {
    json!({"result": null, "id": id}).to_string()
}

/// A request was refused.
#[must_use]
pub fn refusal(id: Option<u64>, code: i64, words: &str) -> String {
    json!({"code": code, "msg": words, "id": id}).to_string()
}

/// `exchangeInfo`, with the fields that matter.
pub(in crate::dialect) fn products<'a>(products: impl Iterator<Item = (&'a str, bool)>) -> String {
    let entry = |(name, trades): (&str, bool)| {
        let ends = QUOTES.iter().find(|quote| name.len() > quote.len() && name.ends_with(**quote));
        let (base, quote) = name.split_at(name.len() - ends.map_or(0, |quote| quote.len()));
        json!({"symbol": name, "status": if trades { "TRADING" } else { "BREAK" },
            "baseAsset": base, "quoteAsset": quote,
            "filters": [{"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "tickSize": "0.01000000"},
                {"filterType": "LOT_SIZE", "minQty": "0.01000000", "stepSize": "0.01000000"}]})
    };
    json!({"timezone": "UTC", "symbols": products.map(entry).collect::<Vec<_>>()}).to_string()
}

/// `ticker/bookTicker` of these symbols. An empty side is all zeros.
pub(in crate::dialect) fn book_tickers<'a>(quotes: impl Iterator<Item = (&'a str, &'a Quote)>) -> String {
    let price = |level: Option<Level>| level.map_or("0.00000000".into(), |level| level.price.to_string());
    let size = |level: Option<Level>| {
        level.and_then(|level| level.size).map_or("0.00000000".into(), |size| size.to_string())
    };
    let entry = |(name, quote): (&str, &Quote)| {
        json!({"symbol": name, "bidPrice": price(quote.bid), "bidQty": size(quote.bid),
            "askPrice": price(quote.ask), "askQty": size(quote.ask)})
    };
    Value::Array(quotes.map(entry).collect()).to_string()
}

/// A frame of a combined stream.
#[derive(Debug, Serialize)]
pub struct Combined<D> {
    /// Its name: `btcusdt@trade`.
    pub stream: String,
    /// The event.
    pub data: D,
}

/// `{"e":"trade","E":MS,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":MS,"m":true,"M":true}`
#[derive(Debug, Serialize)]
pub struct TradeFrame<'a> {
    e: &'static str,
    /// When it was sent, in milliseconds.
    #[serde(rename = "E")]
    sent: i64,
    s: &'a str,
    t: u64,
    p: Price,
    q: Size,
    #[serde(rename = "T")]
    traded: i64,
    m: bool,
    #[serde(rename = "M")]
    ignore: bool,
}

impl<'a> TradeFrame<'a> {
    /// Trade `id` at `millis`; the buyer is the maker when the seller took liquidity.
    #[must_use]
    pub const fn new(
        symbol: &'a str,
        id: u64,
        (price, size): (Price, Size),
        millis: i64,
        buyer_is_maker: bool,
    ) -> Self {
        Self {
            e: "trade",
            sent: millis,
            s: symbol,
            t: id,
            p: price,
            q: size,
            traded: millis,
            m: buyer_is_maker,
            ignore: true,
        }
    }
}

/// `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}`
#[derive(Debug, Serialize)]
pub struct BookTickerFrame<'a> {
    /// The order book's update.
    pub u: u64,
    /// The symbol.
    pub s: &'a str,
    /// The best bid.
    #[serde(serialize_with = "or_zero")]
    pub b: Option<Price>,
    /// Its size.
    #[serde(rename = "B", serialize_with = "or_zero")]
    pub bid_size: Option<Size>,
    /// The best ask.
    #[serde(serialize_with = "or_zero")]
    pub a: Option<Price>,
    /// Its size.
    #[serde(rename = "A", serialize_with = "or_zero")]
    pub ask_size: Option<Size>,
}

/// An empty side is all zeros.
fn or_zero<V: Serialize, S: Serializer>(value: &Option<V>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        None => serializer.serialize_str("0.00000000"),
    }
}

/// The frame of a tick in a combined stream of spot. `None` if it cannot be expressed: a trade needs a side, a time and its number
/// as id; a quote needs a number and sizes, and has no time.
pub(in crate::dialect) fn tick(theirs: &str, tick: &Tick, sequence: Option<Sequence>) -> Option<String> {
    let name = theirs.to_ascii_lowercase();
    match (tick, sequence) {
        (Tick::Trade(trade), Some(Sequence::Counted(id))) => {
            let Trade { price, size, side: Some(side), te: Some(te), print, .. } = trade else { return None };
            if trade.id != Some(TradeId::Number(id)) || *print != Print::default() {
                return None;
            }
            // A connection can ask for times in microseconds.
            let time = if te.0 % 1_000 == 0 { te.0 / 1_000 } else { te.0 };
            let data = TradeFrame::new(theirs, id, (*price, *size), time, *side == Side::Sell);
            written(&Combined { stream: format!("{name}@trade"), data })
        }
        (Tick::Quote(Quote { bid, ask, te: None, is_snapshot: false, .. }), Some(Sequence::Rising(u))) => {
            let has_size = |level: &Option<Level>| level.is_none_or(|level| level.size.is_some());
            if !has_size(bid) || !has_size(ask) {
                return None;
            }
            let (price, size) = (|level: Level| level.price, |level: Level| level.size);
            let data = BookTickerFrame {
                u,
                s: theirs,
                b: bid.map(price),
                bid_size: bid.and_then(size),
                a: ask.map(price),
                ask_size: ask.and_then(size),
            };
            written(&Combined { stream: format!("{name}@bookTicker"), data })
        }
        _ => None,
    }
}

fn written(frame: &impl Serialize) -> Option<String> {
    serde_json::to_string(frame).ok()
}
