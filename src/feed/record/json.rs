//! Lines of JSON: the gateway's own events, and frames as Binance and Coinbase document them, with their fields in the
//! documented order, which readers that search the text rely on.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    dialect::{
        Encoding,
        binance::serve::{BookTickerFrame, Combined, TradeFrame},
        coinbase::serve::{MatchFrame, TickerFrame},
        native::encode_tick,
    },
    market::{Channel, Level, Price, Quote, Side, Size, Symbol, Tick, Trade, TradeId, UnixMicros},
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
        out.write_all(&encode_tick(*n, tick, Encoding::Json))?;
        out.write_all(b"\n")
    }
}

/// A frame behind its receive time in nanoseconds.
fn line(at: UnixMicros, frame: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{}000 ", at.0)?;
    serde_json::to_writer(&mut *out, frame)?;
    out.write_all(b"\n")
}

/// Venues number trades; the simulator does, too.
const fn number(id: Option<&TradeId>) -> u64 {
    match id {
        Some(TradeId::Number(number)) => *number,
        Some(TradeId::Text(_)) | None => 0,
    }
}

/// Frames of combined streams of Binance spot (`trade`, `bookTicker`). Its symbols have letters and digits only.
#[derive(Debug, Default)]
pub(super) struct Binance {
    updates: u64,
}

impl Binance {
    /// Returns whether the venue has a frame for the tick.
    pub(super) fn write(&mut self, tick: &Tick, at: UnixMicros, out: &mut impl Write) -> io::Result<bool> {
        let symbol: String = tick.symbol().as_str().chars().filter(char::is_ascii_alphanumeric).collect();
        let stream = symbol.to_ascii_lowercase();
        match tick {
            Tick::Trade(trade) => {
                let data = TradeFrame::new(
                    &symbol,
                    number(trade.id.as_ref()),
                    (trade.price, trade.size),
                    at.0 / 1_000,
                    trade.side == Some(Side::Sell),
                );
                line(at, &Combined { stream: format!("{stream}@trade"), data }, out)?;
            }
            Tick::Quote(quote) => {
                self.updates += 1;
                let data = BookTickerFrame {
                    u: self.updates,
                    s: &symbol,
                    b: price(quote.bid),
                    bid_size: size(quote.bid),
                    a: price(quote.ask),
                    ask_size: size(quote.ask),
                };
                line(at, &Combined { stream: format!("{stream}@bookTicker"), data }, out)?;
            }
            Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => return Ok(false),
        }
        Ok(true)
    }
}

fn price(level: Option<Level>) -> Option<Price> {
    level.map(|level| level.price)
}

fn size(level: Option<Level>) -> Option<Size> {
    level.and_then(|level| level.size)
}

/// What a ticker tells of the trades of its product so far. A recording begins with the product's first day.
#[derive(Debug)]
struct Day {
    last: Trade,
    open: Price,
    low: Price,
    high: Price,
    volume: Decimal,
}

/// Frames of the channels `matches` and `ticker` of Coinbase Exchange. A ticker has the product's last trade, so the
/// quotes before its first one have no frame.
#[derive(Debug, Default)]
pub(super) struct Coinbase {
    /// Per product.
    sequences: HashMap<Symbol, u64>,
    days: HashMap<Symbol, Day>,
    orders: u64,
}

impl Coinbase {
    /// Returns whether the venue has a frame for the tick.
    pub(super) fn write(&mut self, tick: &Tick, at: UnixMicros, out: &mut impl Write) -> io::Result<bool> {
        let time = Timestamp::from_microsecond(at.0).map_err(io::Error::other)?;
        let time = format!("{time:.6}");
        match tick {
            Tick::Trade(trade) => line(at, &self.deal(trade, time), out)?,
            Tick::Quote(quote) => match self.ticker(quote, time) {
                Some(ticker) => line(at, &ticker, out)?,
                None => return Ok(false),
            },
            Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => return Ok(false),
        }
        Ok(true)
    }

    fn sequence(&mut self, symbol: Symbol) -> u64 {
        let sequence = self.sequences.entry(symbol).or_insert(0);
        *sequence += 1;
        *sequence
    }

    /// An identifier of the form of a random UUID that is the same in every run.
    fn order(&mut self) -> String {
        self.orders += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.orders)
    }

    fn deal<'t>(&mut self, trade: &'t Trade, time: String) -> MatchFrame<'t> {
        let Trade { symbol, price, size, .. } = *trade;
        self.days
            .entry(symbol)
            .and_modify(|day| {
                day.last = trade.clone();
                day.low = day.low.min(price);
                day.high = day.high.max(price);
                day.volume = day.volume.saturating_add(size.decimal());
            })
            .or_insert_with(|| Day {
                last: trade.clone(),
                open: price,
                low: price,
                high: price,
                volume: size.decimal(),
            });
        MatchFrame {
            r#type: "match",
            trade_id: number(trade.id.as_ref()),
            maker_order_id: self.order(),
            taker_order_id: self.order(),
            side: if trade.side == Some(Side::Sell) { Side::Buy } else { Side::Sell },
            size,
            price,
            product_id: trade.symbol.as_str(),
            sequence: self.sequence(symbol),
            time,
        }
    }

    fn ticker<'q>(&mut self, quote: &'q Quote, time: String) -> Option<TickerFrame<'q>> {
        let symbol = quote.symbol;
        let sequence = self.days.contains_key(&symbol).then(|| self.sequence(symbol))?;
        let day = self.days.get(&symbol)?;
        Some(TickerFrame {
            r#type: "ticker",
            sequence,
            product_id: quote.symbol.as_str(),
            price: day.last.price,
            open_24h: day.open,
            volume_24h: day.volume.to_string(),
            low_24h: day.low,
            high_24h: day.high,
            volume_30d: day.volume.to_string(),
            best_bid: price(quote.bid),
            best_bid_size: size(quote.bid),
            best_ask: price(quote.ask),
            best_ask_size: size(quote.ask),
            side: day.last.side.unwrap_or(Side::Buy),
            time,
            trade_id: number(day.last.id.as_ref()),
            last_size: day.last.size,
        })
    }
}
