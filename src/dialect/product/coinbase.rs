//! Coinbase Exchange: `GET /products`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Listing, ParseError, Product, ProductList, ProductListError, Text, entries, field, lot, theirs, tick,
};
use crate::{
    dialect::field::is_list,
    market::{Increments, Symbol},
};

/// `{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01","base_increment":"0.00000001",
/// "post_only":false,"limit_only":false,"cancel_only":false,"trading_disabled":false,"status":"online"}`
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    status: Text<'a>,
    #[serde(default)]
    trading_disabled: bool,
    #[serde(default)]
    cancel_only: bool,
    quote_increment: Option<Text<'a>>,
    base_increment: Option<Text<'a>>,
}

/// An error is an object: `{"message":"…"}`.
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
    let listing = match &*entry.status {
        "delisted" => Listing::Delisted,
        "online" if entry.trading_disabled => Listing::Halted("trading disabled".into()),
        "online" if entry.cancel_only => Listing::Halted("cancel only".into()),
        "online" => Listing::Trades,
        other => Listing::Halted(field::words(other)),
    };
    Ok(Product {
        theirs: theirs(&entry.id)?,
        ours: Symbol::new(&entry.id).ok(),
        listing,
        increments: Increments {
            tick: tick("quote_increment", entry.quote_increment.as_deref())?,
            lot: lot("base_increment", entry.base_increment.as_deref())?,
        },
    })
}
