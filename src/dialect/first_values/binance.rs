//! Binance: `GET /api/v3/ticker/bookTicker`. Its entries have no time and no number of an update.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ParseError, Quote, Read, Received, Text, field};
use crate::market::{Level, Source};

/// `{"symbol":"LTCBTC","bidPrice":"4.00000000","bidQty":"431.00000000","askPrice":"4.00000200","askQty":"9.00000000"}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    bid_price: Text<'a>,
    bid_qty: Text<'a>,
    ask_price: Text<'a>,
    ask_qty: Text<'a>,
}

pub(super) fn read(answer: &[u8], at: Received<'_>, into: &mut Read) -> Result<(), ParseError> {
    for entry in serde_json::from_slice::<Vec<&RawValue>>(answer)? {
        into.push(quote(entry, at));
    }
    Ok(())
}

fn quote(entry: &RawValue, at: Received<'_>) -> Result<Quote, ParseError> {
    let entry: Entry<'_> = serde_json::from_str(entry.get())?;
    Ok(Quote {
        symbol: at.symbol(&entry.symbol)?,
        bid: level(("bidPrice", &entry.bid_price), ("bidQty", &entry.bid_qty))?,
        ask: level(("askPrice", &entry.ask_price), ("askQty", &entry.ask_qty))?,
        source: Source::new("binance").expect("the name is short and plain"),
        te: None,
        tr: at.tr,
        is_snapshot: true,
    })
}

fn level(
    (price_name, price): (&'static str, &str),
    (size_name, size): (&'static str, &str),
) -> Result<Option<Level>, ParseError> {
    Ok(field::level(field::price(price_name, price)?, Some(field::size(size_name, size)?)))
}
