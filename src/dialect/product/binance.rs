//! Binance: `GET /api/v3/exchangeInfo` of spot; `/fapi/v1/exchangeInfo` of USD-M futures has the same fields.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Listing, ParseError, Product, ProductList, ProductListError, Text, entries, field, lot, theirs, tick,
};
use crate::market::{Increments, Symbol};

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    symbols: Option<&'a RawValue>,
    msg: Option<String>,
}

/// `{"symbol":"ETHBTC","status":"TRADING","baseAsset":"ETH","quoteAsset":"BTC","filters":[
/// {"filterType":"PRICE_FILTER","minPrice":"0.00000100","tickSize":"0.00000100"},
/// {"filterType":"LOT_SIZE","minQty":"0.00100000","stepSize":"0.00100000"}]}`
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    status: Text<'a>,
    #[serde(rename = "baseAsset")]
    base: Text<'a>,
    #[serde(rename = "quoteAsset")]
    quote: Text<'a>,
    #[serde(borrow, default)]
    filters: Vec<Filter<'a>>,
}

#[derive(Deserialize)]
struct Filter<'a> {
    #[serde(rename = "filterType", borrow)]
    kind: Text<'a>,
    #[serde(rename = "tickSize")]
    tick: Option<Text<'a>>,
    #[serde(rename = "stepSize")]
    step: Option<Text<'a>>,
}

pub(super) fn read(list: &[u8], into: &mut ProductList) -> Result<(), ProductListError> {
    let info: Info<'_> = serde_json::from_slice(list)?;
    let Some(symbols) = info.symbols else {
        return match info.msg {
            Some(words) => Err(ProductListError::Refused(field::words(&words))),
            None => Err(ParseError::Missing { field: "symbols", kind: "exchangeInfo" }.into()),
        };
    };
    Ok(entries::of_list(symbols.get().as_bytes(), product, into)?)
}

fn product(_key: &str, entry: &RawValue) -> Result<Product, ParseError> {
    let entry: Entry<'_> = serde_json::from_str(entry.get())?;
    let filter = |kind: &str| entry.filters.iter().find(|filter| &*filter.kind == kind);
    let price = filter("PRICE_FILTER").and_then(|filter| filter.tick.as_deref());
    let size = filter("LOT_SIZE").and_then(|filter| filter.step.as_deref());
    // A dated future has its date behind both.
    let behind = entry.symbol.strip_prefix(&*entry.base).and_then(|rest| rest.strip_prefix(&*entry.quote));
    let ours = format!("{}-{}{}", &*entry.base, &*entry.quote, behind.unwrap_or_default());
    Ok(Product {
        theirs: theirs(&entry.symbol)?,
        ours: Symbol::new(&ours).ok(),
        // `BREAK` and `HALT` are pauses, though the former is also where products that are gone for good stay.
        listing: if &*entry.status == "TRADING" {
            Listing::Trades
        } else {
            Listing::Halted(field::words(&entry.status))
        },
        increments: Increments { tick: tick("tickSize", price)?, lot: lot("stepSize", size)? },
    })
}
