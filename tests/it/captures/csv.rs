//! CSV recordings, against fields cut at commas.

use super::{check, counts, folder, text};

/// An integer with its decimal point four digits from the right.
fn point(integer: &str) -> String {
    let digits = format!("{integer:0>5}");
    let (whole, fraction) = digits.split_at(digits.len() - 4);
    format!("{whole}.{fraction}")
}

fn side(price: &str, size: &str) -> String {
    if (price, size) == ("0", "0") { "- -".into() } else { format!("{} {size}", point(price)) }
}

/// Microseconds of a time in seconds and milliseconds.
fn after(second: i64, ms: &str) -> i64 {
    second * 1_000_000 + ms.parse::<i64>().unwrap() * 1_000
}

/// Midnight in New York of 2013-10-07 (UTC-4), and of 2014-05-01 in UTC.
const NEW_YORK: i64 = 1_381_118_400;
const LONDON: i64 = 1_398_902_400;

fn check_file(
    file: &str,
    mapping: &str,
    counted: (&str, u64),
    header: bool,
    row: impl Fn(&[&str]) -> String,
) {
    let Some(folder) = folder() else { return };
    let file = format!("csv/{file}");
    let text = text(&folder.join(&file));
    let lines = text.lines().skip(usize::from(header));
    let expected: Vec<_> = lines.map(|line| row(&line.split(',').collect::<Vec<_>>())).collect();
    let keys = format!("format = \"csv\"\nsource = \"src\"\ncsv = {{ header = {header}, {mapping} }}");
    // Without the override where a column names the source.
    let keys = if mapping.contains("source =") { keys.replace("source = \"src\"\n", "") } else { keys };
    check(&file, &keys, &folder, &expected, &counts(&[counted]));
}

const EQUITY: &str = r#"date = "2013-10-07", timezone = "America/New_York", time = "0", time_unit = "ms_of_day", price_scale = 4"#;

pub(super) fn equity_trade_mapping(symbol: &str) -> String {
    format!(r#"kind = "trades", symbol = "{symbol}", {EQUITY}, price = "1", size = "2", source = "3""#)
}

pub(super) fn equity_trade(symbol: &str, f: &[&str]) -> String {
    format!("t {symbol} {} {} - - {} {}", point(f[1]), f[2], f[3], after(NEW_YORK, f[0]))
}

#[test]
fn equity_trades() {
    for (symbol, name, rows) in [("IBM", "ibm", 24_293), ("SPY", "spy", 250_601)] {
        let mapping = equity_trade_mapping(symbol);
        let file = format!("equity-{name}-trade-20131007.lean.csv.gz");
        check_file(&file, &mapping, ("trades", rows), false, |f| equity_trade(symbol, f));
    }
}

#[test]
fn equity_quotes() {
    let mapping = format!(
        r#"kind = "quotes", symbol = "IBM", {EQUITY}, bid = 1, bid_size = 2, ask = 3, ask_size = 4, source = 5"#
    );
    check_file("equity-ibm-quote-20131007.lean.csv.gz", &mapping, ("quotes", 109_067), false, |f| {
        let (bid, ask) = (side(f[1], f[2]), side(f[3], f[4]));
        format!("q IBM {bid} {ask} {} {}", f[5], after(NEW_YORK, f[0]))
    });
}

#[test]
fn fx_quotes() {
    let mapping = r#"kind = "quotes", symbol = "EUR/USD", date = "2014-05-01", time = 0, time_unit = "ms_of_day", bid = 1, ask = 2"#;
    check_file("fx-eurusd-fxcm-20140501.lean.csv.gz", mapping, ("quotes", 51_053), false, |f| {
        format!("q EUR/USD {} - {} - src {}", f[1], f[2], after(LONDON, f[0]))
    });
    let mapping = r#"kind = "quotes", symbol = "USD/JPY", time = "timestamp", time_unit = "rfc3339", bid = "bid", ask = "ask""#;
    check_file("fx-usdjpy-truefx-20130101.csv", mapping, ("quotes", 1_000), true, |f| {
        // `2013-01-01 22:00:00.295000+00:00`, all of one UTC day or the next.
        let (day, rest) = (f[0][8..10].parse::<i64>().unwrap(), &f[0][11..]);
        let n = |range: std::ops::Range<usize>| rest[range].parse::<i64>().unwrap();
        let seconds = 1_356_998_400 + (day - 1) * 86_400 + n(0..2) * 3_600 + n(3..5) * 60 + n(6..8);
        let micros = if rest.as_bytes()[8] == b'.' { n(9..15) } else { 0 };
        format!("q USD/JPY {} - {} - src {}", f[1], f[2], seconds * 1_000_000 + micros)
    });
}

#[test]
fn tardis_trades() {
    let mapping = r#"kind = "trades", symbol_column = "symbol", source = "exchange", time = "timestamp", receive_time = "local_timestamp", time_unit = "us", id = "id", side = "side", price = "price", size = "amount""#;
    check_file("tardis-bitmex-trades-xbtusd.csv", mapping, ("trades", 10), true, |f| {
        format!("t {} {} {} {} {} {} {}", f[1], f[6], f[7], f[5], f[4], f[0], f[2])
    });
}
