//! Rows are made up; their layouts are those of the files that the mapping was designed for.

use std::{collections::HashMap, io::Write as _};

use super::*;
use crate::{
    feed::replay::input,
    limits::{CSV_QUOTED_LINES, MAX_CSV_COLUMNS},
    market::UnixMicros,
};

fn layout(text: &str) -> Result<Layout, DefinitionError> {
    Layout::new(toml::from_str(text).unwrap())
}

/// Reads the rows of a file of that text.
fn read(mapping: &str, text: &str) -> Result<Vec<Result<Tick, Skipped>>, String> {
    let layout = Arc::new(layout(mapping).unwrap());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut lines = Lines::new(input::open(file.path(), Arc::default()).unwrap()).unwrap();
    let mut rows = Rows::open(&layout, &mut lines)?;
    let symbols = Symbols::new(HashMap::from([("btc usd".to_owned(), Symbol::new("BTC-USD").unwrap())]));
    let names = Names { symbols: &symbols, source: Source::new("file").unwrap() };
    let mut found = Vec::new();
    while lines.advance().unwrap() == Next::Line {
        let mut out = Vec::new();
        found.push(rows.decode(lines.line(), lines.may_be_cut(), names, &mut out).map(|_| out.remove(0)));
    }
    Ok(found)
}

fn one(mapping: &str, text: &str) -> Tick {
    let mut found = read(mapping, text).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0).unwrap()
}

const LEAN_TRADES: &str = r#"kind = "trades"
header = false
symbol = "IBM"
date = "2013-10-07"
timezone = "America/New_York"
time = "0"
time_unit = "ms_of_day"
price = "1"
size = "2"
price_scale = 4
source = "3"
"#;

#[test]
fn equity_trades_are_scaled_and_keep_their_exchange() {
    let Tick::Trade(trade) = one(LEAN_TRADES, "14430270,1234500,283,P,20002020,0\n") else { panic!() };
    assert_eq!((trade.price.to_string(), trade.size.to_string()), ("123.4500".into(), "283".into()));
    assert_eq!((trade.source.as_str(), trade.symbol.as_str()), ("P", "IBM"));
    assert_eq!(trade.te, Some(UnixMicros(1_381_132_830_270_000)));
    assert_eq!((trade.side, trade.id), (None, None));
}

#[test]
fn one_sided_quotes_have_one_side() {
    let mapping = r#"kind = "quotes"
header = false
symbol = "IBM"
time = 0
time_unit = "ms"
bid = 1
bid_size = 2
ask = 3
ask_size = 4
price_scale = 4
"#;
    let Tick::Quote(quote) = one(mapping, "1600000000000,0,0,1836300,100,Q,1,0\r\n") else { panic!() };
    assert_eq!(quote.bid, None);
    let ask = quote.ask.unwrap();
    assert_eq!((ask.price.to_string(), ask.size.unwrap().to_string()), ("183.6300".into(), "100".into()));
    assert_eq!(quote.source.as_str(), "file");
    let Tick::Quote(quote) = one(mapping, "1600000000000,10,,,\n") else { panic!() };
    assert_eq!((quote.bid.unwrap().size, quote.ask), (None, None));
}

#[test]
fn columns_are_found_by_name_and_symbols_by_column() {
    let mapping = r#"kind = "trades"
symbol_column = "pair"
time = "timestamp"
receive_time = "local_timestamp"
time_unit = "us"
price = "price"
size = "amount"
side = "side"
id = "id"
source = "exchange"
delimiter = ";"
"#;
    let text = "exchange;pair;timestamp;local_timestamp;id;side;price;amount\n\
        bitmex;\"btc usd\";1583020803145000;1583020803307160;007;sell;8531.50;2152\n";
    let Tick::Trade(trade) = one(mapping, text) else { panic!() };
    assert_eq!((trade.symbol.as_str(), trade.source.as_str()), ("BTC-USD", "bitmex"));
    assert_eq!((trade.price.to_string(), trade.id.unwrap().to_string()), ("8531.50".into(), "007".into()));
    assert_eq!((trade.side, trade.tr), (Some(Side::Sell), UnixMicros(1_583_020_803_307_160)));
    let why = read(mapping, "exchange;pair;timestamp\n").unwrap_err();
    assert!(why.contains("csv.price: no column \"price\" among [\"exchange\""), "{why}");
    assert!(read(mapping, "").unwrap_err().contains("no header"));
}

#[test]
fn errors_name_the_column_and_only_cost_their_row() {
    let rows = "x,1234500,283,P\n14430270,12.5,283,P\n14430270,1234500,-1,P\n14430270,1234500\n14430270,1,1,\"\"\n\n14430270,1234500,283,P\n";
    let found = read(LEAN_TRADES, rows.replace("\n\n", "\n").as_str()).unwrap();
    let kinds: Vec<_> =
        found.iter().map(|row| row.as_ref().map_or_else(|skipped| skipped.kind, |_| "tick")).collect();
    assert_eq!(kinds, ["time", "number", "number", "columns", "source", "tick"]);
    let why = &found[1].as_ref().unwrap_err().why;
    assert_eq!(why, "column 1 (price): \"12.5\" is not an integer, as price_scale needs");
    let wide = format!("14430270,1,1,P{}\n", ",".repeat(MAX_CSV_COLUMNS));
    assert_eq!(read(LEAN_TRADES, &wide).unwrap()[0].as_ref().unwrap_err().kind, "columns");
}

/// The kind of each row of that text, or the price of the trade that it is.
fn kinds(text: &str) -> Vec<String> {
    let mapping =
        "kind = \"trades\"\nsymbol = \"A\"\ntime = \"t\"\ntime_unit = \"s\"\nprice = \"p\"\nsize = \"s\"";
    let kind = |row: Result<Tick, Skipped>| match row {
        Ok(Tick::Trade(trade)) => trade.price.to_string(),
        Ok(other) => panic!("{other:?}"),
        Err(skipped) => skipped.kind.to_owned(),
    };
    read(mapping, text).unwrap().into_iter().map(kind).collect()
}

#[test]
fn a_row_whose_quoted_field_is_not_closed_is_no_price() {
    for (text, expected) in [
        ("t,s,p\n1700000000,2,\"1.5\"\n1700000000,2,\"12\n", &["1.5", "cut_off"][..]),
        ("t,s,p\n1700000000,2,\"12", &["cut_off"]),
        ("t,s,p\n1700000000,\"2,12\n", &["cut_off"]),
        ("t,s,p\n1700000000,2,\"1\"\"\n", &["cut_off"]),
        // What follows is the inside of the field, however much it looks like a row; then come rows again.
        (
            "t,s,p,x\n1700000000,2,1,\"a\n1700000000,2,99,b\nc\"\n1700000000,2,3,\n",
            &["cut_off", "cut_off", "cut_off", "3"],
        ),
        ("t,s,p\n1700000000,2,\"1\"\"5\"\n1700000000,2,\"3\"\n", &["number", "3"]),
        ("t,s,p\n1700000000,2,1\r1700000000,2,3\n", &["number"]),
    ] {
        assert_eq!(kinds(text), expected, "{text:?}");
    }
    let open = format!("t,s,p\n1700000000,2,\"1\n{}", "1700000000,2,3\n".repeat(CSV_QUOTED_LINES + 2));
    let found = kinds(&open);
    assert_eq!(found.iter().filter(|kind| *kind == "cut_off").count(), CSV_QUOTED_LINES + 1);
    assert_eq!(
        found.iter().filter(|kind| *kind == "3").count(),
        2,
        "a stray quote does not cost the whole file"
    );
}

#[test]
fn a_last_row_without_its_end_is_no_price_unless_its_values_are_whole() {
    for (text, expected) in [
        ("t,s,p\n1700000000,2,1.5\n1700000000,2,12", &["1.5", "cut_off"][..]),
        ("t,s,p\n1700000000,2,1.5\n1700000000,2,", &["1.5", "cut_off"]),
        ("t,s,p\n1700000000,2", &["cut_off"]),
        ("t,s,p\n17", &["cut_off"]),
        ("t,s,p\n1700000000,2,\"12.5\"", &["12.5"]),
        ("t,s,p,x\n1700000000,2,12.5,", &["12.5"]),
        ("t,s,p,x\n1700000000,2,12.5,wha", &["12.5"]),
        ("t,s,p,x\n1700000000,2,12.5", &["cut_off"]),
    ] {
        assert_eq!(kinds(text), expected, "{text:?}");
    }
}

#[test]
fn every_prefix_of_a_file_gives_prices_of_the_whole_one() {
    let whole = "t,s,p\n1700000000,2,1.25\n1700000001,31,\"22.5\"\n1700000002,4,333\n";
    let prices = kinds(whole);
    assert_eq!(prices, ["1.25", "22.5", "333"]);
    for end in "t,s,p\n".len()..whole.len() {
        let found: Vec<_> = kinds(&whole[..end]).into_iter().filter(|kind| kind != "cut_off").collect();
        assert_eq!(found, prices[..found.len()], "{:?}", &whole[..end]);
    }
}

#[test]
fn incomplete_mappings_are_refused() {
    for (change, key) in [
        (("symbol = \"IBM\"\n", ""), "csv.symbol"),
        (("symbol = \"IBM\"\n", "symbol = \"IBM\"\nsymbol_column = 1\n"), "csv.symbol"),
        (("size = \"2\"\n", ""), "csv.size"),
        (("size = \"2\"\n", "size = \"2\"\nbid = 1\n"), "csv.bid"),
        (("\"trades\"", "\"quotes\""), "csv.bid"),
        (("price_scale = 4", "price_scale = 29"), "csv.price_scale"),
        (("header = false", "delimiter = \"é\""), "csv.delimiter"),
        (("date = \"2013-10-07\"\n", ""), "csv.date"),
    ] {
        let text = LEAN_TRADES.replace(change.0, change.1);
        assert_eq!(layout(&text).unwrap_err().key, key, "{change:?}");
    }
    assert!(
        toml::from_str::<Mapping>(&format!("{LEAN_TRADES}sizes = 3")).is_err(),
        "unknown keys are errors"
    );
}
