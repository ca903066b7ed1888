//! Kraken's WebSocket v1, for recordings only: `[CHANNEL_ID, DATA, "CHANNEL", "PAIR"]` for data, objects with `event` for
//! the rest. Prices and amounts are texts. Pairs have Kraken's own names (`XBT/USD`).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::source;
use crate::{
    dialect::{
        Ack, Message, ParseError, Refusal, Text, field,
        naming::{Received, named},
    },
    market::{Level, Print, Quote, Side, Tick, Trade},
};

/// `{"a":["5525.40000",1,"1.000"],"b":["5525.10000",1,"1.000"],…}`: price, whole lots, amount.
#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow)]
    a: Vec<&'a RawValue>,
    #[serde(borrow)]
    b: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(rename = "errorMessage")]
    error: Option<String>,
    pair: Option<String>,
    reqid: Option<u64>,
}

/// Reads a list. Book updates may have two data parts; the names are the last two.
pub(super) fn data(frame: &[u8], at: Received<'_>, out: &mut Vec<Message>) -> Result<(), ParseError> {
    let parts: Vec<&RawValue> = serde_json::from_slice(frame)?;
    let [_channel_id, data, .., channel, pair] = parts.as_slice() else {
        out.push(Message::Unknown);
        return Ok(());
    };
    let (Some(channel), Some(pair)) = (text(channel), text(pair)) else {
        out.push(Message::Unknown);
        return Ok(());
    };
    // Some names end with a depth or an interval: `book-1000`.
    match channel.split('-').next().unwrap_or_default() {
        "trade" => {
            let before = out.len();
            for row in serde_json::from_str::<Vec<Vec<&RawValue>>>(data.get())? {
                out.push(named(trade(&pair, &row, at))?);
            }
            if out.len() == before {
                out.push(Message::Ignored("empty"));
            }
        }
        "ticker" => out.push(named(quote(&pair, &serde_json::from_str(data.get())?, at))?),
        "book" => out.push(Message::Ignored("book")),
        "ohlc" => out.push(Message::Ignored("ohlc")),
        "spread" => out.push(Message::Ignored("spread")),
        _other => out.push(Message::Unknown),
    }
    Ok(())
}

/// Reads an object with `event`.
pub(super) fn event(event: &str, frame: &[u8]) -> Result<Message, ParseError> {
    Ok(match event {
        "heartbeat" | "pong" => Message::Heartbeat,
        "systemStatus" => {
            let system: Event<'_> = serde_json::from_slice(frame)?;
            Message::Status { online: system.status.as_deref() == Some("online") }
        }
        "subscriptionStatus" | "error" => {
            let answer: Event<'_> = serde_json::from_slice(frame)?;
            if matches!(answer.status.as_deref(), Some("subscribed" | "unsubscribed")) {
                Message::Ack(Ack::Request(answer.reqid))
            } else {
                Message::Refused(Refusal {
                    id: answer.reqid,
                    symbol: answer.pair.map(|pair| field::words(&pair)),
                    ..Refusal::in_words(&answer.error.unwrap_or_default())
                })
            }
        }
        _other => Message::Unknown,
    })
}

/// `["5541.20000","0.15850568","1534614057.321597","s","l",""]`: price, amount, time, the taker's side, order type.
fn trade(pair: &str, row: &[&RawValue], at: Received<'_>) -> Result<Message, ParseError> {
    let part = |index: usize, name| word(row, index, name, "trade");
    let side = match &*part(3, "side")? {
        "b" => Some(Side::Buy),
        "s" => Some(Side::Sell),
        _other => None,
    };
    let tick = Tick::Trade(Trade {
        symbol: at.symbol(pair)?,
        price: field::price("price", &part(0, "price")?)?,
        size: field::size("volume", &part(1, "volume")?)?,
        side,
        id: None,
        source: source(),
        te: Some(field::decimal_time("time", &part(2, "time")?, 1)?),
        tr: at.tr,
        print: Print::default(),
    });
    Ok(Message::Tick { tick, sequence: None })
}

fn quote(pair: &str, ticker: &Ticker<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    let tick = Tick::Quote(Quote {
        symbol: at.symbol(pair)?,
        bid: level("b", &ticker.b)?,
        ask: level("a", &ticker.a)?,
        source: source(),
        te: None,
        tr: at.tr,
        is_snapshot: false,
    });
    Ok(Message::Tick { tick, sequence: None })
}

fn level(name: &'static str, row: &[&RawValue]) -> Result<Option<Level>, ParseError> {
    let price = field::price(name, &word(row, 0, name, "ticker")?)?;
    Ok(field::level(price, Some(field::size(name, &word(row, 2, name, "ticker")?)?)))
}

/// The text at that place of a row.
fn word<'a>(
    row: &[&'a RawValue],
    index: usize,
    field: &'static str,
    kind: &'static str,
) -> Result<Text<'a>, ParseError> {
    row.get(index).and_then(|value| text(value)).ok_or(ParseError::Missing { field, kind })
}

/// The value, if it is a text.
fn text(value: &RawValue) -> Option<Text<'_>> {
    serde_json::from_str(value.get()).ok()
}
