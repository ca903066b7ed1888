//! Binance spot and USD-M futures, the reading side: raw stream events, combined-stream frames and answers to requests.
//!
//! Trades and best quotes become ticks; books, candles and statistics are ignored by named rules. No order book is kept
//! here, so depth updates are not linked to each other.
//!
//! Formats: "WebSocket Streams" of the Binance Spot API and of USD-M Futures.

pub mod serve;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{
    Ack, Message, ParseError, Refusal, RefusalClass, Sequence, Text,
    field::{self, is_list},
    naming::{Received, named},
};
use crate::market::{Marks, Print, PrintRule, Quote, Side, Source, Tick, Trade, TradeId};

/// The fields that tell the kind of a frame. `e` names the event, except in a spot `bookTicker`, which has no name.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    e: Option<Text<'a>>,
    #[serde(rename = "B")]
    bid_size: Option<IgnoredAny>,
    #[serde(rename = "A")]
    ask_size: Option<IgnoredAny>,
    #[serde(rename = "lastUpdateId")]
    last_update_id: Option<IgnoredAny>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    error: Option<Reason>,
    code: Option<i64>,
    msg: Option<String>,
}

/// `{"code":2,"msg":"Invalid request"}`; the venue has answered with it and without a wrapper.
#[derive(Deserialize)]
struct Reason {
    code: Option<i64>,
    msg: Option<String>,
}

/// `{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}`;
/// an `aggTrade` has its id in `a`. Futures add `X`, how it came about: `MARKET`, or something that is no trade of the market
/// and that the venue's own candles and statistics leave out (an `aggTrade` never has one).
#[derive(Deserialize)]
struct TradeEvent<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    t: Option<u64>,
    a: Option<u64>,
    p: Text<'a>,
    q: Text<'a>,
    /// When it traded, in milliseconds, or in microseconds if the connection asked for those.
    #[serde(rename = "T")]
    time: i64,
    /// Whether the buyer was the maker.
    m: bool,
    #[serde(rename = "X")]
    how: Option<Text<'a>>,
}

/// `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}`; futures
/// add `e`, the event time `E` and the matching engine's time `T`.
#[derive(Deserialize)]
struct BookTicker<'a> {
    u: Option<u64>,
    #[serde(borrow)]
    s: Text<'a>,
    b: Text<'a>,
    #[serde(rename = "B")]
    bid_size: Text<'a>,
    a: Text<'a>,
    #[serde(rename = "A")]
    ask_size: Text<'a>,
    #[serde(rename = "T")]
    time: Option<i64>,
    #[serde(rename = "E")]
    event_time: Option<i64>,
}

/// Reads one frame.
pub(super) fn parse(frame: &[u8], at: Received<'_>, out: &mut Vec<Message>) -> Result<(), ParseError> {
    out.push(named(message(frame, at))?);
    Ok(())
}

fn message(frame: &[u8], at: Received<'_>) -> Result<Message, ParseError> {
    if is_list(frame) {
        return list(frame);
    }
    let head: Head<'_> = serde_json::from_slice(frame)?;
    // The wrapper of a combined stream. Its inner event is never wrapped again.
    if let (Some(_stream), Some(data)) = (head.stream, head.data) {
        let event = data.get().as_bytes();
        if is_list(event) {
            return list(event);
        }
        return parse_event(event, serde_json::from_slice(event)?, at);
    }
    parse_event(frame, head, at)
}

fn parse_event(event: &[u8], head: Head<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    Ok(match head.e.as_deref() {
        Some("trade" | "aggTrade") => trade(&serde_json::from_slice(event)?, at)?,
        Some("bookTicker") => quote(&serde_json::from_slice(event)?, at)?,
        None if head.bid_size.is_some() && head.ask_size.is_some() => {
            quote(&serde_json::from_slice(event)?, at)?
        }
        Some("depthUpdate") => Message::Ignored("depth"),
        Some("kline" | "continuous_kline") => Message::Ignored("kline"),
        Some(
            "24hrTicker" | "24hrMiniTicker" | "1hTicker" | "4hTicker" | "1dTicker" | "avgPrice"
            | "markPriceUpdate",
        ) => Message::Ignored("ticker"),
        Some("serverShutdown") => Message::Shutdown,
        Some(_) => Message::Unknown,
        // A depth snapshot of the REST interface, or a partial book, which has no name either.
        None if head.last_update_id.is_some() => Message::Ignored("depth"),
        None => answer(head),
    })
}

/// `{"result":null,"id":1}`, `{"code":2,"msg":"Invalid request","id":1}` or `{"error":{"code":2,"msg":"…"},"id":1}`.
fn answer(head: Head<'_>) -> Message {
    // Our numbers come back as they are; anything else is not ours.
    let id = head.id.and_then(|id| id.get().parse().ok());
    let reason = match (head.error, head.code) {
        (Some(reason), _) => reason,
        (None, code @ Some(_)) => Reason { code, msg: head.msg },
        (None, None) if head.id.is_some() => return Message::Ack(Ack::Request(id)),
        (None, None) => return Message::Unknown,
    };
    let refusal = Refusal::in_words(&reason.msg.unwrap_or_default());
    // "Too many subscriptions".
    let class = if reason.code == Some(4) { RefusalClass::Place } else { refusal.class };
    Message::Refused(Refusal { id, code: reason.code, class, ..refusal })
}

fn trade(event: &TradeEvent<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    let number = event.t.or(event.a);
    let tick = Tick::Trade(Trade {
        symbol: at.symbol(&event.s)?,
        price: field::price("p", &event.p)?,
        size: field::size("q", &event.q)?,
        side: Some(if event.m { Side::Sell } else { Side::Buy }),
        id: number.map(TradeId::Number),
        source: source(),
        te: Some(field::unix_time("T", event.time)?),
        tr: at.tr,
        print: print(event.how.as_deref()),
    });
    Ok(Message::Tick { tick, sequence: number.map(Sequence::Counted) })
}

/// What a trade counts for. It keeps its place among the numbered ones, whatever it is.
fn print(how: Option<&str>) -> Print {
    let rule = match how {
        None | Some("MARKET") => return Print::default(),
        Some("INSURANCE_FUND") => PrintRule::InsuranceFund,
        Some("ADL") => PrintRule::Deleveraging,
        // Has neither price nor size.
        Some("NA") => PrintRule::NoTrade,
        Some(_) => PrintRule::NotMarket,
    };
    Print::by(rule, Marks::NOTHING)
}

fn quote(event: &BookTicker<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    let te = match (event.time, event.event_time) {
        (Some(time), _) => Some(field::unix_time("T", time)?),
        (None, Some(time)) => Some(field::unix_time("E", time)?),
        (None, None) => None,
    };
    let tick = Tick::Quote(Quote {
        symbol: at.symbol(&event.s)?,
        bid: field::level(field::price("b", &event.b)?, Some(field::size("B", &event.bid_size)?)),
        ask: field::level(field::price("a", &event.a)?, Some(field::size("A", &event.ask_size)?)),
        source: source(),
        te,
        tr: at.tr,
        is_snapshot: false,
    });
    // The order book's update, of which most do not touch the best prices.
    Ok(Message::Tick { tick, sequence: event.u.map(Sequence::Rising) })
}

/// Statistics of all symbols (`!miniTicker@arr`), or an answer of the REST interface.
fn list(json: &[u8]) -> Result<Message, ParseError> {
    serde_json::from_slice::<IgnoredAny>(json)?;
    Ok(Message::Ignored("list"))
}

fn source() -> Source {
    Source::new("binance").expect("the name is short and plain")
}

#[cfg(test)]
mod tests;
