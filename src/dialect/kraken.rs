//! Kraken spot, the reading side: WebSocket v2, and the v1 frames that recordings have ([`first`]).
//!
//! v2 writes prices and amounts as JSON numbers whose trailing zeros matter, so they are read from the literal text. A
//! `ticker` is a quote; the first one after a subscription is a snapshot. Its statistics of the day are ignored, because the
//! gateway computes its own. Trades that come as a snapshot are not published, because they are not new. No order book is
//! kept here.
//!
//! Formats: "Spot WebSocket API v2" and "v1" of Kraken's API documentation.

mod first;
pub mod serve;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Ack, Message, ParseError, Refusal, Sequence, Text,
    field::{self, is_list},
    naming::{Received, named},
};
use crate::market::{Level, Print, Quote, Side, Source, Tick, Trade, TradeId};

/// What tells the kinds of frames apart: `channel` for data, `method` for answers, `event` for everything but data
/// in v1.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    channel: Option<Text<'a>>,
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    method: Option<Text<'a>>,
    success: Option<bool>,
    /// `Error`, and no other key, when too many messages came.
    #[serde(borrow, alias = "Error")]
    error: Option<&'a RawValue>,
    symbol: Option<String>,
    req_id: Option<u64>,
    event: Option<Text<'a>>,
}

/// `{"symbol":"MATIC/USD","side":"sell","price":0.5117,"qty":40.0,"ord_type":"market","trade_id":4665906,
/// "timestamp":"2023-09-25T07:49:37.708706Z"}`; the side is the taker's.
#[derive(Deserialize)]
struct TradeEntry<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    side: Text<'a>,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
    trade_id: u64,
    timestamp: Text<'a>,
}

/// `{"symbol":"ALGO/USD","bid":0.10025,"bid_qty":740.0,"ask":0.10035,"ask_qty":1361.44813783,"last":0.10035,
/// "volume":997038.98383185,"vwap":0.10148,"low":0.09979,"high":0.10285,"change":-0.00017,"change_pct":-0.17,
/// "timestamp":"2023-09-25T09:04:31.742648Z"}`; older ones have no time.
#[derive(Deserialize)]
struct TickerEntry<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    bid: Option<&'a RawValue>,
    #[serde(borrow)]
    bid_qty: Option<&'a RawValue>,
    #[serde(borrow)]
    ask: Option<&'a RawValue>,
    #[serde(borrow)]
    ask_qty: Option<&'a RawValue>,
    timestamp: Option<Text<'a>>,
}

/// `{"version":"2.0.0","system":"online","api_version":"v2","connection_id":10393118200183188585}`
#[derive(Deserialize)]
struct StatusEntry<'a> {
    #[serde(borrow)]
    system: Text<'a>,
}

/// Reads one frame.
pub(super) fn parse(frame: &[u8], at: Received<'_>, out: &mut Vec<Message>) -> Result<(), ParseError> {
    if is_list(frame) {
        return first::data(frame, at, out);
    }
    let head: Head<'_> = serde_json::from_slice(frame)?;
    if let (Some(channel), Some(data)) = (&head.channel, head.data) {
        return channel_data(channel, head.r#type.as_deref(), data.get(), at, out);
    }
    out.push(match (head.channel.as_deref(), head.event.as_deref(), head.method.as_deref()) {
        (Some("heartbeat"), ..) => Message::Heartbeat,
        (None, Some(event), _) => first::event(event, frame)?,
        (None, None, Some("pong")) => Message::Heartbeat,
        (None, None, _) => answer(head)?,
        (Some(_), ..) => Message::Unknown,
    });
    Ok(())
}

/// `{"method":"subscribe","result":{…},"success":true,"req_id":1,…}`, or
/// `{"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,"symbol":"XBT/USD",…}`; each
/// symbol of a request has its own answer.
fn answer(head: Head<'_>) -> Result<Message, ParseError> {
    let words = match head.error {
        // `{"error":[],"result":{…}}`: a recorded answer of the REST interface.
        Some(error) if error.get().starts_with('[') => return Ok(Message::Ignored("rest")),
        Some(error) => Some(serde_json::from_str::<String>(error.get())?),
        None => None,
    };
    Ok(match (head.success, words) {
        // The answer to an earlier request was lost.
        (_, Some(words)) if words.starts_with("Already subscribed") => {
            Message::Ack(Ack::Request(head.req_id))
        }
        (Some(false), words) | (None, words @ Some(_)) => Message::Refused(Refusal {
            id: head.req_id,
            symbol: head.symbol.map(|symbol| field::words(&symbol)),
            ..Refusal::in_words(&words.unwrap_or_default())
        }),
        (Some(true), _) => Message::Ack(Ack::Request(head.req_id)),
        (None, None) => Message::Unknown,
    })
}

fn channel_data(
    channel: &str,
    kind: Option<&str>,
    data: &str,
    at: Received<'_>,
    out: &mut Vec<Message>,
) -> Result<(), ParseError> {
    let before = out.len();
    match channel {
        "trade" if kind == Some("snapshot") => out.push(Message::Ignored("trade_history")),
        "trade" => {
            for entry in &serde_json::from_str::<Vec<TradeEntry<'_>>>(data)? {
                out.push(named(trade(entry, at))?);
            }
        }
        "ticker" => {
            for entry in &serde_json::from_str::<Vec<TickerEntry<'_>>>(data)? {
                out.push(named(quote(entry, kind == Some("snapshot"), at))?);
            }
        }
        "status" => {
            for entry in &serde_json::from_str::<Vec<StatusEntry<'_>>>(data)? {
                out.push(Message::Status { online: &*entry.system == "online" });
            }
        }
        "heartbeat" => out.push(Message::Heartbeat),
        "book" => out.push(Message::Ignored("book")),
        "level3" => out.push(Message::Ignored("level3")),
        "ohlc" => out.push(Message::Ignored("ohlc")),
        "instrument" => out.push(Message::Ignored("instrument")),
        "executions" | "balances" => out.push(Message::Ignored("account")),
        _other => out.push(Message::Unknown),
    }
    if out.len() == before {
        out.push(Message::Ignored("empty"));
    }
    Ok(())
}

fn trade(entry: &TradeEntry<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    let side = match &*entry.side {
        "buy" => Some(Side::Buy),
        "sell" => Some(Side::Sell),
        _other => None,
    };
    let tick = Tick::Trade(Trade {
        symbol: at.symbol(&entry.symbol)?,
        price: field::price("price", entry.price.get())?,
        size: field::size("qty", entry.qty.get())?,
        side,
        id: Some(TradeId::Number(entry.trade_id)),
        source: source(),
        te: Some(field::rfc3339("timestamp", &entry.timestamp)?),
        tr: at.tr,
        print: Print::default(),
    });
    // "A sequence number, unique per book."
    Ok(Message::Tick { tick, sequence: Some(Sequence::Counted(entry.trade_id)) })
}

fn quote(entry: &TickerEntry<'_>, is_snapshot: bool, at: Received<'_>) -> Result<Message, ParseError> {
    let tick = Tick::Quote(Quote {
        symbol: at.symbol(&entry.symbol)?,
        bid: level(("bid", entry.bid), ("bid_qty", entry.bid_qty))?,
        ask: level(("ask", entry.ask), ("ask_qty", entry.ask_qty))?,
        source: source(),
        te: entry.timestamp.as_deref().map(|text| field::rfc3339("timestamp", text)).transpose()?,
        tr: at.tr,
        is_snapshot,
    });
    Ok(Message::Tick { tick, sequence: None })
}

/// A number's name and its literal text.
type Number<'a> = (&'static str, Option<&'a RawValue>);

fn level(price: Number<'_>, size: Number<'_>) -> Result<Option<Level>, ParseError> {
    let (Some(text), name) = (price.1, price.0) else { return Ok(None) };
    let size = size.1.map(|text| field::size(size.0, text.get())).transpose()?;
    Ok(field::level(field::price(name, text.get())?, size))
}

fn source() -> Source {
    Source::new("kraken").expect("the name is short and plain")
}

#[cfg(test)]
mod tests;
