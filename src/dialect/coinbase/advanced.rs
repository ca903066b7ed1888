//! Coinbase Advanced Trade: `{"channel":…,"timestamp":…,"sequence_num":…,"events":[…]}`.

use serde::Deserialize;

use super::{field, source, taker};
use crate::{
    dialect::{Ack, Message, ParseError, Sequence},
    market::{Quote, Tick, Trade, TradeId, UnixMicros},
};

/// An event of `market_trades`: `{"type":"update","trades":[…]}`. The venue collects 250 ms of trades into one,
/// the newest first.
#[derive(Deserialize)]
struct Trades<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    trades: Vec<MarketTrade<'a>>,
}

/// `{"trade_id":"12345678","product_id":"ETH-USD","price":"1260.01","size":"0.3","side":"BUY",
/// "time":"2022-12-09T14:57:23.000000Z"}`; the side is the maker's.
#[derive(Deserialize)]
struct MarketTrade<'a> {
    trade_id: &'a str,
    product_id: &'a str,
    price: &'a str,
    size: &'a str,
    side: &'a str,
    time: &'a str,
}

/// An event of `ticker`: `{"type":"update","tickers":[…]}`. Its snapshot is the present quote, not history.
#[derive(Deserialize)]
struct Tickers<'a> {
    #[serde(borrow)]
    tickers: Vec<Ticker<'a>>,
}

/// `{"type":"ticker","product_id":"BTC-USD","price":"21932.98","best_bid":"21931.98","best_bid_quantity":"8000.21",
/// "best_ask":"21933.98","best_ask_quantity":"8038.07",…}`; the time is the frame's.
#[derive(Deserialize)]
struct Ticker<'a> {
    product_id: &'a str,
    best_bid: &'a str,
    best_bid_quantity: Option<&'a str>,
    best_ask: &'a str,
    best_ask_quantity: Option<&'a str>,
}

/// Reads the events of one frame.
pub(super) fn parse(
    channel: &str,
    timestamp: Option<&str>,
    events: &str,
    tr: UnixMicros,
    out: &mut Vec<Message>,
) -> Result<(), ParseError> {
    out.push(match channel {
        "market_trades" => return trades(events, tr, out),
        "ticker" | "ticker_batch" => {
            let te = timestamp.map(|text| field::rfc3339("timestamp", text)).transpose()?;
            return tickers(events, te, tr, out);
        }
        "l2_data" => Message::Ignored("l2_data"),
        "candles" => Message::Ignored("candles"),
        "heartbeats" => Message::Heartbeat,
        "subscriptions" => Message::Ack(Ack::Request(None)),
        "status" => Message::Ignored("products"),
        "user" => Message::Ignored("order"),
        _other => Message::Unknown,
    });
    Ok(())
}

fn trades(events: &str, tr: UnixMicros, out: &mut Vec<Message>) -> Result<(), ParseError> {
    let events: Vec<Trades<'_>> = serde_json::from_str(events)?;
    let before = out.len();
    for event in events.iter().filter(|event| event.r#type == "update") {
        for trade in event.trades.iter().rev() {
            let id = field::trade_id("trade_id", trade.trade_id)?;
            let sequence = match id {
                TradeId::Number(number) => Some(Sequence::Counted(number)),
                TradeId::Text(_) => None,
            };
            let tick = Tick::Trade(Trade {
                symbol: field::symbol(trade.product_id)?,
                price: field::price("price", trade.price)?,
                size: field::size("size", trade.size)?,
                side: taker(trade.side),
                id: Some(id),
                source: source(),
                te: Some(field::rfc3339("time", trade.time)?),
                tr,
            });
            out.push(Message::Tick { tick, sequence });
        }
    }
    if out.len() == before {
        out.push(Message::Ignored("trade_history"));
    }
    Ok(())
}

fn tickers(
    events: &str,
    te: Option<UnixMicros>,
    tr: UnixMicros,
    out: &mut Vec<Message>,
) -> Result<(), ParseError> {
    let events: Vec<Tickers<'_>> = serde_json::from_str(events)?;
    let before = out.len();
    for ticker in events.iter().flat_map(|event| &event.tickers) {
        let bid_size =
            ticker.best_bid_quantity.map(|text| field::size("best_bid_quantity", text)).transpose()?;
        let ask_size =
            ticker.best_ask_quantity.map(|text| field::size("best_ask_quantity", text)).transpose()?;
        let tick = Tick::Quote(Quote {
            symbol: field::symbol(ticker.product_id)?,
            bid: field::level(field::price("best_bid", ticker.best_bid)?, bid_size),
            ask: field::level(field::price("best_ask", ticker.best_ask)?, ask_size),
            source: source(),
            te,
            tr,
        });
        out.push(Message::Tick { tick, sequence: None });
    }
    if out.len() == before {
        out.push(Message::Ignored("empty"));
    }
    Ok(())
}
