//! Coinbase Exchange and Coinbase Advanced Trade, the reading side.
//!
//! Exchange frames are told apart by `type`, Advanced Trade frames by `channel`. Both name the MAKER's side of a
//! trade, so the aggressor is the other side. Trades that come after a subscription (`last_match`, a `market_trades`
//! snapshot) are not published, because they are not new. An Exchange `ticker` is a quote and not a second trade.
//!
//! Formats: "WebSocket Channels" of the Coinbase Exchange and of the Advanced Trade API.

mod advanced;
pub mod serve;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{
    Ack, Listed, Message, ParseError, Refusal, Sequence, Text,
    field::{self, is_list},
    naming::{Received, named},
};
use crate::market::{Print, Quote, Side, Source, Tick, Trade, TradeId};

/// The fields that tell the kind of a frame. `events` can have five megabytes and is not read here.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    channel: Option<Text<'a>>,
    timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    events: Option<&'a RawValue>,
    message: Option<String>,
    reason: Option<String>,
}

/// `{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"…","taker_order_id":"…",
/// "time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}`
#[derive(Deserialize)]
struct Match<'a> {
    trade_id: u64,
    #[serde(borrow)]
    product_id: Text<'a>,
    price: Text<'a>,
    size: Text<'a>,
    side: Text<'a>,
    time: Text<'a>,
}

/// `{"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","price":"1285.22","best_bid":"1285.04",
/// "best_bid_size":"0.46688654","best_ask":"1285.27","best_ask_size":"1.56637040","side":"buy",
/// "time":"2022-10-19T23:28:22.061769Z","trade_id":370843401,"last_size":"11.4396987"}`; before 2022 without sizes.
#[derive(Deserialize)]
struct Ticker<'a> {
    sequence: Option<u64>,
    #[serde(borrow)]
    product_id: Text<'a>,
    best_bid: Text<'a>,
    best_bid_size: Option<Text<'a>>,
    best_ask: Text<'a>,
    best_ask_size: Option<Text<'a>>,
    time: Option<Text<'a>>,
}

/// `{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"2014-11-07T08:19:28.464459Z"}`
#[derive(Deserialize)]
struct Beat<'a> {
    last_trade_id: Option<u64>,
    #[serde(borrow)]
    product_id: Option<Text<'a>>,
}

/// `{"type":"subscriptions","channels":[{"name":"matches","product_ids":["ETH-USD"],"account_ids":null},…]}`
#[derive(Deserialize)]
struct Subscriptions {
    #[serde(default)]
    channels: Vec<SubscribedChannel>,
}

#[derive(Deserialize)]
struct SubscribedChannel {
    name: String,
    #[serde(default)]
    product_ids: Option<Vec<String>>,
}

/// Reads one frame.
pub(super) fn parse(frame: &[u8], at: Received<'_>, out: &mut Vec<Message>) -> Result<(), ParseError> {
    if is_list(frame) {
        serde_json::from_slice::<IgnoredAny>(frame)?;
        out.push(Message::Ignored("list"));
        return Ok(());
    }
    let head: Head<'_> = serde_json::from_slice(frame)?;
    if let (Some(channel), Some(events)) = (&head.channel, head.events) {
        return advanced::parse(channel, head.timestamp.as_deref(), events.get(), at, out);
    }
    out.push(match head.r#type.as_deref() {
        Some("match") => named(trade(&serde_json::from_slice(frame)?, at))?,
        Some("ticker") => named(quote(&serde_json::from_slice(frame)?, at))?,
        Some("last_match") => Message::Ignored("last_match"),
        Some("l2update") => Message::Ignored("l2update"),
        Some("snapshot") => Message::Ignored("snapshot"),
        Some("heartbeat") => named(mark(&serde_json::from_slice(frame)?, at))?,
        Some("subscriptions") => listed(&serde_json::from_slice(frame)?),
        // This lists products and currencies; it does not say whether the venue works.
        Some("status") => Message::Ignored("products"),
        Some("error") => refused(head),
        Some("received" | "open" | "done" | "change" | "activate") => Message::Ignored("order"),
        Some(_) | None => Message::Unknown,
    });
    Ok(())
}

/// `{"type":"error","message":"Failed to subscribe","reason":"BTC-XYZ is not a valid product"}`
fn refused(head: Head<'_>) -> Message {
    let mut words = head.message.unwrap_or_default();
    if let Some(reason) = head.reason {
        words.push_str(": ");
        words.push_str(&reason);
    }
    Message::Refused(Refusal::in_words(&words))
}

/// Reads only the channels that the gateway asks for.
fn listed(subscriptions: &Subscriptions) -> Message {
    let of = |name: &str| {
        let channels = subscriptions.channels.iter().filter(|channel| channel.name == name);
        channels.flat_map(|channel| channel.product_ids.iter().flatten().cloned()).collect()
    };
    Message::Ack(Ack::Listed(Box::new(Listed { trades: of("matches"), quotes: of("ticker") })))
}

/// A product without trades has 0 or no number.
fn mark(beat: &Beat<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    Ok(match (beat.product_id.as_deref(), beat.last_trade_id) {
        (Some(product), Some(last_trade)) if last_trade > 0 => {
            Message::Mark { symbol: at.symbol(product)?, last_trade }
        }
        _ => Message::Heartbeat,
    })
}

fn trade(event: &Match<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    let tick = Tick::Trade(Trade {
        symbol: at.symbol(&event.product_id)?,
        price: field::price("price", &event.price)?,
        size: field::size("size", &event.size)?,
        side: taker(&event.side),
        id: Some(TradeId::Number(event.trade_id)),
        source: source(),
        te: Some(field::rfc3339("time", &event.time)?),
        tr: at.tr,
        print: Print::default(),
    });
    // `sequence` also counts orders, which this channel does not show. `trade_id` counts trades alone.
    Ok(Message::Tick { tick, sequence: Some(Sequence::Counted(event.trade_id)) })
}

fn quote(event: &Ticker<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    let bid_size =
        event.best_bid_size.as_deref().map(|text| field::size("best_bid_size", text)).transpose()?;
    let ask_size =
        event.best_ask_size.as_deref().map(|text| field::size("best_ask_size", text)).transpose()?;
    let tick = Tick::Quote(Quote {
        symbol: at.symbol(&event.product_id)?,
        bid: field::level(field::price("best_bid", &event.best_bid)?, bid_size),
        ask: field::level(field::price("best_ask", &event.best_ask)?, ask_size),
        source: source(),
        te: event.time.as_deref().map(|text| field::rfc3339("time", text)).transpose()?,
        tr: at.tr,
        is_snapshot: false,
    });
    Ok(Message::Tick { tick, sequence: event.sequence.map(Sequence::Rising) })
}

/// The aggressor's side from the maker's; `None` for an unknown word such as `UNKNOWN_ORDER_SIDE`.
fn taker(maker: &str) -> Option<Side> {
    if maker.eq_ignore_ascii_case("buy") {
        Some(Side::Sell)
    } else if maker.eq_ignore_ascii_case("sell") {
        Some(Side::Buy)
    } else {
        None
    }
}

fn source() -> Source {
    Source::new("coinbase").expect("the name is short and plain")
}

#[cfg(test)]
mod tests;
