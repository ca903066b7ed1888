//! Lines of JSON: the gateway's own events, and frames as Binance and Coinbase document them.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use jiff::Timestamp;
use serde_json::json;

use crate::{
    dialect::native::{Encoding, encode_event},
    market::{Channel, Level, Side, Symbol, Tick, UnixMicros},
};

/// Events of the protocol, numbered as a gateway would.
#[derive(Debug, Default)]
pub(super) struct Native {
    heads: HashMap<(Symbol, Channel), u64>,
}

impl Native {
    pub(super) fn write(&mut self, tick: &Tick, out: &mut impl Write) -> io::Result<()> {
        let n = self.heads.entry((tick.symbol(), tick.channel())).or_insert(0);
        *n += 1;
        out.write_all(&encode_event(*n, tick, Encoding::Json))?;
        out.write_all(b"\n")
    }
}

fn texts(level: Option<Level>) -> [String; 2] {
    let size = level.and_then(|level| level.size).map(|size| size.to_string());
    [level.map(|level| level.price.to_string()), size].map(Option::unwrap_or_default)
}

/// Frames of combined streams of Binance spot (`trade`, `bookTicker`).
#[derive(Debug, Default)]
pub(super) struct Binance {
    updates: u64,
}

impl Binance {
    pub(super) fn write(&mut self, tick: &Tick, at: UnixMicros, out: &mut impl Write) -> io::Result<()> {
        let symbol: String = tick.symbol().as_str().chars().filter(char::is_ascii_alphanumeric).collect();
        let stream = symbol.to_ascii_lowercase();
        let ms = at.0 / 1_000;
        let frame = match tick {
            Tick::Trade(trade) => {
                let id = trade.id.as_ref().and_then(|id| id.to_string().parse::<u64>().ok());
                // The buyer is the maker when the seller took liquidity.
                let maker = trade.side == Some(Side::Sell);
                json!({"stream": format!("{stream}@trade"), "data": {
                    "e": "trade", "E": ms, "s": symbol, "t": id, "p": trade.price, "q": trade.size, "T": ms,
                    "m": maker, "M": true,
                }})
            }
            Tick::Quote(quote) => {
                self.updates += 1;
                let ([b, bs], [a, az]) = (texts(quote.bid), texts(quote.ask));
                json!({"stream": format!("{stream}@bookTicker"), "data": {
                    "u": self.updates, "s": symbol, "b": b, "B": bs, "a": a, "A": az,
                }})
            }
            Tick::Status(_) => return Ok(()),
        };
        writeln!(out, "{}000 {frame}", at.0)
    }
}

/// Frames of the channels `matches` and `ticker` of Coinbase Exchange.
#[derive(Debug, Default)]
pub(super) struct Coinbase {
    /// Per product.
    sequences: HashMap<Symbol, u64>,
    last: HashMap<Symbol, String>,
}

impl Coinbase {
    pub(super) fn write(&mut self, tick: &Tick, at: UnixMicros, out: &mut impl Write) -> io::Result<()> {
        let symbol = tick.symbol();
        let sequence = self.sequences.entry(symbol).or_insert(0);
        *sequence += 1;
        let time = Timestamp::from_microsecond(at.0).map_err(io::Error::other)?;
        let time = format!("{time:.6}");
        let frame = match tick {
            Tick::Trade(trade) => {
                self.last.insert(symbol, trade.price.to_string());
                let id = trade.id.as_ref().and_then(|id| id.to_string().parse::<u64>().ok());
                // Coinbase names the maker's side.
                let maker = if trade.side == Some(Side::Sell) { "buy" } else { "sell" };
                json!({
                    "type": "match", "trade_id": id, "side": maker, "size": trade.size, "price": trade.price,
                    "product_id": symbol, "sequence": sequence, "time": time,
                })
            }
            Tick::Quote(quote) => {
                let ([bid, bid_size], [ask, ask_size]) = (texts(quote.bid), texts(quote.ask));
                let last = self.last.get(&symbol).cloned().unwrap_or_else(|| bid.clone());
                json!({
                    "type": "ticker", "sequence": sequence, "product_id": symbol, "price": last,
                    "best_bid": bid, "best_bid_size": bid_size, "best_ask": ask, "best_ask_size": ask_size,
                    "time": time,
                })
            }
            Tick::Status(_) => return Ok(()),
        };
        writeln!(out, "{}000 {frame}", at.0)
    }
}
