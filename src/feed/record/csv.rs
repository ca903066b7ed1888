//! Comma-separated trades and quotes, times in integer microseconds. No value needs quoting.

use std::io::{self, Write};

use crate::market::{Level, Quote, Side, Trade};

pub(super) fn trades_header(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "timestamp,symbol,id,side,price,size")
}

pub(super) fn trade(trade: &Trade, out: &mut impl Write) -> io::Result<()> {
    let te = trade.te.unwrap_or(trade.tr).0;
    let side = match trade.side {
        Some(Side::Buy) => "buy",
        Some(Side::Sell) => "sell",
        None => "",
    };
    let id = trade.id.as_ref().map(ToString::to_string).unwrap_or_default();
    writeln!(out, "{te},{},{id},{side},{},{}", trade.symbol, trade.price, trade.size)
}

pub(super) fn quotes_header(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "timestamp,symbol,bid,bid_size,ask,ask_size")
}

pub(super) fn quote(quote: &Quote, out: &mut impl Write) -> io::Result<()> {
    let side = |level: Option<Level>| match level {
        Some(Level { price, size }) => {
            (price.to_string(), size.map(|size| size.to_string()).unwrap_or_default())
        }
        None => Default::default(),
    };
    let (bid, bid_size) = side(quote.bid);
    let (ask, ask_size) = side(quote.ask);
    let te = quote.te.unwrap_or(quote.tr).0;
    writeln!(out, "{te},{},{bid},{bid_size},{ask},{ask_size}", quote.symbol)
}
