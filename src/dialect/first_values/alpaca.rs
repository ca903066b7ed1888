//! Alpaca: the latest quotes of stocks and crypto, which tell when they were made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ParseError, Quote, Read, Received, Text, field};
use crate::market::{Level, Source};

/// `{"quotes":{"AAPL":{…},"MSFT":{…}}}`
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    quotes: Option<BTreeMap<String, &'a RawValue>>,
}

/// `{"t":"2022-04-12T17:26:45.009288296Z","ax":"V","ap":177.94,"as":1,"bx":"V","bp":177.92,"bs":4,"c":["R"],"z":"C"}`
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    t: Text<'a>,
    #[serde(borrow)]
    bp: &'a RawValue,
    #[serde(borrow)]
    bs: Option<&'a RawValue>,
    #[serde(borrow)]
    ap: &'a RawValue,
    #[serde(borrow)]
    r#as: Option<&'a RawValue>,
}

/// The feed of the latest quotes is the stream's. The stream of tests has none.
pub(super) fn url(stream: &str) -> Option<String> {
    let (_, path) = stream.split_once("://")?.1.split_once('/')?;
    let path = path.split(['?', '#']).next()?.trim_end_matches('/');
    if let Some(place) = path.strip_prefix("v1beta3/crypto/") {
        return Some(format!("https://data.alpaca.markets/v1beta3/crypto/{place}/latest/quotes"));
    }
    let feed = path.rsplit('/').next().filter(|feed| !matches!(*feed, "" | "test"))?;
    Some(format!("https://data.alpaca.markets/v2/stocks/quotes/latest?feed={feed}"))
}

pub(super) fn read(answer: &[u8], at: Received<'_>, into: &mut Read) -> Result<(), ParseError> {
    let answer: Answer<'_> = serde_json::from_slice(answer)?;
    let quotes = answer.quotes.ok_or(ParseError::Missing { field: "quotes", kind: "latest quotes" })?;
    for (theirs, entry) in quotes {
        into.push(quote(&theirs, entry, at));
    }
    Ok(())
}

fn quote(theirs: &str, entry: &RawValue, at: Received<'_>) -> Result<Quote, ParseError> {
    let entry: Entry<'_> = serde_json::from_str(entry.get())?;
    Ok(Quote {
        symbol: at.symbol(theirs)?,
        bid: level(("bp", entry.bp), ("bs", entry.bs))?,
        ask: level(("ap", entry.ap), ("as", entry.r#as))?,
        source: Source::new("alpaca").expect("the name is short and plain"),
        te: Some(field::rfc3339("t", &entry.t)?),
        tr: at.tr,
        is_snapshot: true,
    })
}

fn level(
    (price_name, price): (&'static str, &RawValue),
    (size_name, size): (&'static str, Option<&RawValue>),
) -> Result<Option<Level>, ParseError> {
    let size = size.map(|size| field::size(size_name, size.get())).transpose()?;
    Ok(field::level(field::price(price_name, price.get())?, size))
}
