//! Alpaca: `GET /v2/assets`, of stocks or of crypto. Whether an asset can be traded with Alpaca says nothing of its
//! market data, so it is left alone.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Listing, ParseError, Product, ProductList, ProductListError, Text, entries, field, lot, theirs, tick,
};
use crate::{
    dialect::field::is_list,
    market::{Increments, Symbol},
};

/// `{"id":"276e2673-…","class":"crypto","exchange":"CRYPTO","symbol":"BTC/USD","status":"active","tradable":true,
/// "min_trade_increment":"0.0001","price_increment":"1"}`; stocks have no steps.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    status: Text<'a>,
    price_increment: Option<Text<'a>>,
    min_trade_increment: Option<Text<'a>>,
}

/// An error is an object: `{"code":40110000,"message":"…"}`.
#[derive(Deserialize)]
struct Refused {
    message: String,
}

pub(super) fn read(list: &[u8], into: &mut ProductList) -> Result<(), ProductListError> {
    if !is_list(list)
        && let Ok(refused) = serde_json::from_slice::<Refused>(list)
    {
        return Err(ProductListError::Refused(field::words(&refused.message)));
    }
    Ok(entries::of_list(list, product, into)?)
}

fn product(_key: &str, entry: &RawValue) -> Result<Product, ParseError> {
    let entry: Entry<'_> = serde_json::from_str(entry.get())?;
    Ok(Product {
        theirs: theirs(&entry.symbol)?,
        ours: Symbol::new(&entry.symbol.replacen('/', "-", 1)).ok(),
        // Halts of a moment come with the stream.
        listing: if &*entry.status == "active" { Listing::Trades } else { Listing::Delisted },
        increments: Increments {
            tick: tick("price_increment", entry.price_increment.as_deref())?,
            lot: lot("min_trade_increment", entry.min_trade_increment.as_deref())?,
        },
    })
}
