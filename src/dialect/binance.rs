//! Binance spot and USD-M futures, the reading side: raw stream events and combined-stream frames.
//!
//! Trades and best quotes become ticks; books, candles and statistics are passed over by named rules. No order book
//! is kept here, so depth updates are not linked to each other.
//!
//! Formats: "WebSocket Streams" of the Binance Spot API and of USD-M Futures.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{ParseError, Parsed, field};
use crate::market::{Quote, Side, Source, Tick, Trade, TradeId, UnixMicros};

/// What tells the kinds of frames apart. `e` names the event, except in a spot `bookTicker`, which has no name.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    e: Option<&'a str>,
    #[serde(rename = "B")]
    bid_size: Option<IgnoredAny>,
    #[serde(rename = "A")]
    ask_size: Option<IgnoredAny>,
    #[serde(rename = "lastUpdateId")]
    last_update_id: Option<IgnoredAny>,
    id: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
    code: Option<IgnoredAny>,
}

/// `{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}`;
/// an `aggTrade` has its id in `a`.
#[derive(Deserialize)]
struct TradeEvent<'a> {
    s: &'a str,
    t: Option<u64>,
    a: Option<u64>,
    p: &'a str,
    q: &'a str,
    /// When it traded, in milliseconds, or in microseconds when the connection asked for them.
    #[serde(rename = "T")]
    time: i64,
    /// Whether the buyer was the maker.
    m: bool,
}

/// `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}`; futures
/// add `e`, the event time `E` and the matching engine's time `T`.
#[derive(Deserialize)]
struct BookTicker<'a> {
    s: &'a str,
    b: &'a str,
    #[serde(rename = "B")]
    bid_size: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_size: &'a str,
    #[serde(rename = "T")]
    time: Option<i64>,
    #[serde(rename = "E")]
    event_time: Option<i64>,
}

/// Reads one frame.
pub(super) fn parse(frame: &[u8], tr: UnixMicros, out: &mut Vec<Tick>) -> Result<Parsed, ParseError> {
    if is_array(frame) {
        return ignore_array(frame);
    }
    let head: Head<'_> = serde_json::from_slice(frame)?;
    // The wrapper of a combined stream. Its inner event is never wrapped again.
    if let (Some(_stream), Some(data)) = (head.stream, head.data) {
        let event = data.get().as_bytes();
        if is_array(event) {
            return ignore_array(event);
        }
        return parse_event(event, &serde_json::from_slice(event)?, tr, out);
    }
    parse_event(frame, &head, tr, out)
}

fn parse_event(
    event: &[u8],
    head: &Head<'_>,
    tr: UnixMicros,
    out: &mut Vec<Tick>,
) -> Result<Parsed, ParseError> {
    let rule = match head.e {
        Some("trade" | "aggTrade") => {
            out.push(trade(&serde_json::from_slice(event)?, tr)?);
            return Ok(Parsed::Ticks(1));
        }
        Some("bookTicker") => {
            out.push(quote(&serde_json::from_slice(event)?, tr)?);
            return Ok(Parsed::Ticks(1));
        }
        None if head.bid_size.is_some() && head.ask_size.is_some() => {
            out.push(quote(&serde_json::from_slice(event)?, tr)?);
            return Ok(Parsed::Ticks(1));
        }
        Some("depthUpdate") => "depth",
        Some("kline" | "continuous_kline") => "kline",
        Some(
            "24hrTicker" | "24hrMiniTicker" | "1hTicker" | "4hTicker" | "1dTicker" | "avgPrice"
            | "markPriceUpdate",
        ) => "ticker",
        Some("serverShutdown") => "server_shutdown",
        Some(_) => "unknown",
        // A depth snapshot of the REST interface, or a partial book, which has no name either.
        None if head.last_update_id.is_some() => "depth",
        None if head.error.is_some() || head.code.is_some() => "error",
        None if head.id.is_some() => "ack",
        None => "unknown",
    };
    Ok(Parsed::Ignored(rule))
}

fn trade(event: &TradeEvent<'_>, tr: UnixMicros) -> Result<Tick, ParseError> {
    Ok(Tick::Trade(Trade {
        symbol: field::symbol(event.s)?,
        price: field::price("p", event.p)?,
        size: field::size("q", event.q)?,
        side: Some(if event.m { Side::Sell } else { Side::Buy }),
        id: event.t.or(event.a).map(TradeId::Number),
        source: source(),
        te: Some(field::unix_time("T", event.time)?),
        tr,
    }))
}

fn quote(event: &BookTicker<'_>, tr: UnixMicros) -> Result<Tick, ParseError> {
    let te = match (event.time, event.event_time) {
        (Some(time), _) => Some(field::unix_time("T", time)?),
        (None, Some(time)) => Some(field::unix_time("E", time)?),
        (None, None) => None,
    };
    Ok(Tick::Quote(Quote {
        symbol: field::symbol(event.s)?,
        bid: field::level(field::price("b", event.b)?, Some(field::size("B", event.bid_size)?)),
        ask: field::level(field::price("a", event.a)?, Some(field::size("A", event.ask_size)?)),
        source: source(),
        te,
        tr,
    }))
}

fn source() -> Source {
    Source::new("binance").expect("the name is short and plain")
}

/// A list: statistics of all symbols (`!miniTicker@arr`), or an answer of the REST interface.
fn is_array(json: &[u8]) -> bool {
    json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

fn ignore_array(json: &[u8]) -> Result<Parsed, ParseError> {
    serde_json::from_slice::<IgnoredAny>(json)?;
    Ok(Parsed::Ignored("list"))
}

#[cfg(test)]
mod tests;
