//! Rows are made up; their layouts are those of the files that the mapping was designed for.

use std::{collections::HashMap, io::Write as _};

use super::*;
use crate::{feed::replay::input, limits::MAX_CSV_COLUMNS, market::UnixMicros};

fn layout(text: &str) -> Result<Layout, DefinitionError> {
    Layout::new(toml::from_str(text).unwrap())
}

/// Reads the rows of a file of that text.
fn read(mapping: &str, text: &str) -> Result<Vec<Result<Tick, Skipped>>, String> {
    let layout = Arc::new(layout(mapping).unwrap());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut lines = Lines::new(input::open(file.path(), Arc::default()).unwrap());
    let mut rows = Rows::open(&layout, &mut lines)?;
    let symbols = Symbols::new(HashMap::from([("btc usd".to_owned(), Symbol::new("BTC-USD").unwrap())]));
    let names = Names { symbols: &symbols, source: Source::new("file").unwrap() };
    let mut found = Vec::new();
    while lines.advance().unwrap() == Next::Line {
        let mut out = Vec::new();
        found.push(rows.decode(lines.line(), names, &mut out).map(|_| out.remove(0)));
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
    let Tick::Quote(quote) = one(mapping, "1600000000000,10,,,") else { panic!() };
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
