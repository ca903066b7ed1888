//! Product lists as venues sent them, read by us and, separately, by a plain JSON reader.

use serde_json::Value;
use tickcast::{
    dialect::{Listing, Venue},
    market::Symbol,
};

use super::{folder, text};

/// `theirs ours tick lot` of every product that trades, sorted.
fn ours(venue: Venue, body: &str) -> Vec<String> {
    let list = venue.products(body.as_bytes()).unwrap();
    let text = |step: Option<String>| step.unwrap_or_else(|| "-".to_owned());
    let mut shown: Vec<_> = list
        .products
        .iter()
        .filter(|product| product.listing == Listing::Trades)
        .map(|product| {
            let (tick, lot) = (product.increments.tick, product.increments.lot);
            let (tick, lot) = (text(tick.map(|it| it.to_string())), text(lot.map(|it| it.to_string())));
            format!("{} {} {tick} {lot}", product.theirs, product.ours.unwrap())
        })
        .collect();
    shown.sort_unstable();
    shown
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

/// The body of the one REST answer in a collector's file whose address ends so.
pub(super) fn answer(file: &str, address: &str) -> Option<String> {
    let text = text(&folder()?.join(file));
    let line =
        text.lines().find(|line| line.split(" -> ").next().is_some_and(|url| url.ends_with(address)))?;
    Some(line.split_once(" -> ")?.1.split_once(": ")?.1.to_owned())
}

#[test]
fn binance() {
    let Some(body) = answer("binance/spot-4sym-20211012.rest.cf1.gz", "/exchangeInfo") else { return };
    let value: Value = serde_json::from_str(&body).unwrap();
    let symbols = value["symbols"].as_array().unwrap();
    let mut expected = Vec::new();
    for symbol in symbols.iter().filter(|symbol| symbol["status"] == "TRADING") {
        let filter = |kind: &str, field: &str| {
            let filters = symbol["filters"].as_array().unwrap();
            filters.iter().find(|filter| filter["filterType"] == kind).unwrap()[field]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let [name, base, quote] =
            ["symbol", "baseAsset", "quoteAsset"].map(|field| symbol[field].as_str().unwrap());
        if Symbol::new(name).is_ok() {
            let (tick, lot) = (filter("PRICE_FILTER", "tickSize"), filter("LOT_SIZE", "stepSize"));
            expected.push(format!("{name} {base}-{quote} {tick} {lot}"));
        }
    }
    println!("{} of {} trade", expected.len(), symbols.len());
    assert!(expected.len() > 100);
    assert_eq!(ours(Venue::Binance, &body), sorted(expected));
}

#[test]
fn coinbase() {
    let Some(body) = answer("coinbase/exchange-products-20210417.rest.cf1.gz", "/products") else { return };
    let value: Value = serde_json::from_str(&body).unwrap();
    let mut expected = Vec::new();
    for product in value.as_array().unwrap() {
        if product["status"] == "online"
            && product["trading_disabled"] == false
            && product["cancel_only"] == false
        {
            let [id, tick, lot] =
                ["id", "quote_increment", "base_increment"].map(|field| product[field].as_str().unwrap());
            expected.push(format!("{id} {id} {tick} {lot}"));
        }
    }
    println!("{} of {} trade", expected.len(), value.as_array().unwrap().len());
    assert!(expected.len() > 50);
    assert_eq!(ours(Venue::Coinbase, &body), sorted(expected));
}

#[test]
fn kraken() {
    let Some(folder) = folder() else { return };
    let body = text(&folder.join("kraken/assetpairs-20260707.json"));
    let value: Value = serde_json::from_str(&body).unwrap();
    let mut expected = Vec::new();
    for pair in value["result"].as_object().unwrap().values() {
        let name = pair["wsname"].as_str().unwrap().replace("XBT", "BTC").replace("XDG", "DOGE");
        let lot = format!(
            "0.{}1",
            "0".repeat(usize::try_from(pair["lot_decimals"].as_u64().unwrap()).unwrap() - 1)
        );
        expected.push(format!(
            "{name} {} {} {lot}",
            name.replace('/', "-"),
            pair["tick_size"].as_str().unwrap()
        ));
    }
    println!("{} pairs", expected.len());
    assert!(!expected.is_empty());
    assert_eq!(ours(Venue::Kraken, &body), sorted(expected));
}
