//! Coinbase Advanced Trade: `{"channel":…,"timestamp":…,"sequence_num":…,"events":[…]}`.

use serde::Deserialize;

use super::{field, source, taker};
use crate::{
    dialect::{
        Ack, Message, ParseError, Sequence, Text,
        naming::{Received, named},
    },
    market::{Print, Quote, Tick, Trade, TradeId, UnixMicros},
};

/// An event of `market_trades`: `{"type":"update","trades":[…]}`. The venue collects 250 ms of trades into one,
/// the newest first.
#[derive(Deserialize)]
struct Trades<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    trades: Vec<MarketTrade<'a>>,
}

/// `{"trade_id":"12345678","product_id":"ETH-USD","price":"1260.01","size":"0.3","side":"BUY",
/// "time":"2022-12-09T14:57:23.000000Z"}`; the side is the maker's.
#[derive(Deserialize)]
struct MarketTrade<'a> {
    #[serde(borrow)]
    trade_id: Text<'a>,
    product_id: Text<'a>,
    price: Text<'a>,
    size: Text<'a>,
    side: Text<'a>,
    time: Text<'a>,
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
    #[serde(borrow)]
    product_id: Text<'a>,
    best_bid: Text<'a>,
    best_bid_quantity: Option<Text<'a>>,
    best_ask: Text<'a>,
    best_ask_quantity: Option<Text<'a>>,
}

/// Reads the events of one frame.
pub(super) fn parse(
    channel: &str,
    timestamp: Option<&str>,
    events: &str,
    at: Received<'_>,
    out: &mut Vec<Message>,
) -> Result<(), ParseError> {
    out.push(match channel {
        "market_trades" => return trades(events, at, out),
        "ticker" | "ticker_batch" => {
            let te = timestamp.map(|text| field::rfc3339("timestamp", text)).transpose()?;
            return tickers(events, te, at, out);
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

fn trades(events: &str, at: Received<'_>, out: &mut Vec<Message>) -> Result<(), ParseError> {
    let events: Vec<Trades<'_>> = serde_json::from_str(events)?;
    let before = out.len();
    for event in events.iter().filter(|event| &*event.r#type == "update") {
        for trade in event.trades.iter().rev() {
            out.push(named(market_trade(trade, at))?);
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
    at: Received<'_>,
    out: &mut Vec<Message>,
) -> Result<(), ParseError> {
    let events: Vec<Tickers<'_>> = serde_json::from_str(events)?;
    let before = out.len();
    for ticker in events.iter().flat_map(|event| &event.tickers) {
        out.push(named(quote(ticker, te, at))?);
    }
    if out.len() == before {
        out.push(Message::Ignored("empty"));
    }
    Ok(())
}

fn market_trade(trade: &MarketTrade<'_>, at: Received<'_>) -> Result<Message, ParseError> {
    let id = field::trade_id("trade_id", &trade.trade_id)?;
    let sequence = match id {
        Some(TradeId::Number(number)) => Some(Sequence::Counted(number)),
        Some(TradeId::Text(_)) | None => None,
    };
    let tick = Tick::Trade(Trade {
        symbol: at.symbol(&trade.product_id)?,
        price: field::price("price", &trade.price)?,
        size: field::size("size", &trade.size)?,
        side: taker(&trade.side),
        id,
        source: source(),
        te: Some(field::rfc3339("time", &trade.time)?),
        tr: at.tr,
        print: Print::default(),
    });
    Ok(Message::Tick { tick, sequence })
}

fn quote(ticker: &Ticker<'_>, te: Option<UnixMicros>, at: Received<'_>) -> Result<Message, ParseError> {
    let size = |field, text: Option<&str>| text.map(|text| field::size(field, text)).transpose();
    let bid_size = size("best_bid_quantity", ticker.best_bid_quantity.as_deref())?;
    let ask_size = size("best_ask_quantity", ticker.best_ask_quantity.as_deref())?;
    let tick = Tick::Quote(Quote {
        symbol: at.symbol(&ticker.product_id)?,
        bid: field::level(field::price("best_bid", &ticker.best_bid)?, bid_size),
        ask: field::level(field::price("best_ask", &ticker.best_ask)?, ask_size),
        source: source(),
        te,
        tr: at.tr,
        is_snapshot: false,
    });
    Ok(Message::Tick { tick, sequence: None })
}
