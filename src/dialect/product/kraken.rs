//! Kraken spot: `GET /0/public/AssetPairs`. By itself it names pairs as WebSocket v1 does (`XBT/USD`, in `wsname`); v2, which is
//! spoken here, has the usual names of assets (`BTC/USD`). With `assetVersion=1`, which is asked for, it has those, as its keys
//! (<https://github.com/JKorf/Kraken.Net/issues/126>, of December 2024; the parameter is in no reference). Both are read: a key
//! with a slash is the name, else it is `wsname` with the older assets renamed.
//!
//! Tokenized stocks are a list of their own (`aclass_base=tokenized_asset`), with small letters: `AAPLx/USD`.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Listing, ParseError, Product, ProductList, ProductListError, Text, entries, field, lot, theirs, tick,
};
use crate::{
    dialect::request::{kraken_ours, kraken_pair},
    market::Increments,
};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    error: Vec<String>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

/// `{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD","pair_decimals":1,"lot_decimals":8,
/// "tick_size":"0.1","status":"online"}`
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    wsname: Option<Text<'a>>,
    status: Option<Text<'a>>,
    tick_size: Option<Text<'a>>,
    lot_decimals: Option<u32>,
}

pub(super) fn read(list: &[u8], into: &mut ProductList) -> Result<(), ProductListError> {
    let answer: Answer<'_> = serde_json::from_slice(list)?;
    if let Some(words) = answer.error.first() {
        return Err(ProductListError::Refused(field::words(words)));
    }
    let Some(result) = answer.result else {
        return Err(ParseError::Missing { field: "result", kind: "AssetPairs" }.into());
    };
    Ok(entries::of_map(result.get().as_bytes(), product, into)?)
}

fn product(key: &str, entry: &RawValue) -> Result<Product, ParseError> {
    let entry: Entry<'_> = serde_json::from_str(entry.get())?;
    let Some(name) = Some(key).filter(|key| key.contains('/')).or(entry.wsname.as_deref()) else {
        return Err(ParseError::Missing { field: "wsname", kind: "AssetPairs" });
    };
    let listing = match entry.status.as_deref() {
        // Orders still meet in the second and third, of some kinds only.
        None | Some("online" | "limit_only" | "reduce_only") => Listing::Trades,
        Some("delisted") => Listing::Delisted,
        Some(other) => Listing::Halted(field::words(other)),
    };
    let step = entry.lot_decimals.filter(|digits| *digits <= Decimal::MAX_SCALE);
    let step = step.map(|digits| Decimal::new(1, digits).to_string());
    let pair = kraken_pair(name);
    Ok(Product {
        ours: kraken_ours(&pair).ok(),
        theirs: theirs(&pair)?,
        listing,
        increments: Increments {
            tick: tick("tick_size", entry.tick_size.as_deref())?,
            lot: lot("lot_decimals", step.as_deref())?,
        },
    })
}
