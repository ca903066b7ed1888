//! Made-up sessions in each venue's own words: one trade and one quote of every symbol at each step.

use std::sync::LazyLock;

use serde_json::json;
use tickcast::{cli::venue::Recorded, clock::Clock, dialect::Venue};

/// Trade ids start here.
pub(crate) const FIRST: u64 = 1_000;

/// The price of a step, which tells the step.
pub(crate) fn price(step: u64) -> String {
    format!("{}.{:02}", 100 + step / 100, step % 100)
}

pub(crate) fn step(price: &str) -> u64 {
    price.replace('.', "").parse::<u64>().unwrap() - 10_000
}

/// The time of a step: recent ones, so that what is measured of them is a latency.
fn millis(step: u64) -> i64 {
    static START: LazyLock<i64> = LazyLock::new(|| Clock::system().now().0 / 1_000);
    *START + i64::try_from(step - FIRST).unwrap()
}

fn time(step: u64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis(step)).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// One trade.
pub(crate) fn trade(venue: Venue, symbol: &str, id: u64) -> String {
    let symbol = venue.symbol(symbol);
    let (price, millis) = (price(id), millis(id));
    match venue {
        Venue::Binance => {
            let name = symbol.to_ascii_lowercase();
            let data = json!({"e": "trade", "E": millis, "s": symbol, "t": id, "p": price, "q": "0.50", "T": millis, "m": true, "M": true});
            json!({"stream": format!("{name}@trade"), "data": data}).to_string()
        }
        Venue::Coinbase => json!({"type": "match", "trade_id": id, "maker_order_id": "a", "taker_order_id": "b",
            "size": "0.50", "price": price, "side": "sell", "product_id": symbol, "sequence": 9_000 + 2 * id, "time": time(id)})
        .to_string(),
        Venue::Kraken => format!(
            r#"{{"channel":"trade","type":"update","data":[{{"symbol":"{symbol}","side":"buy","price":{price},"qty":0.50,"ord_type":"limit","trade_id":{id},"timestamp":"{}"}}]}}"#,
            time(id)
        ),
        Venue::Alpaca => format!(
            r#"[{{"T":"t","S":"{symbol}","i":{id},"x":"V","p":{price},"s":0.50,"c":["@"],"z":"A","t":"{}"}}]"#,
            time(id)
        ),
    }
}

/// One quote.
pub(crate) fn quote(venue: Venue, symbol: &str, id: u64) -> String {
    let symbol = venue.symbol(symbol);
    let (bid, ask) = (price(id), "99999.00");
    match venue {
        Venue::Binance => {
            let name = symbol.to_ascii_lowercase();
            let data = json!({"u": 50_000 + 3 * id, "s": symbol, "b": bid, "B": "1.0", "a": ask, "A": "2.0"});
            json!({"stream": format!("{name}@bookTicker"), "data": data}).to_string()
        }
        Venue::Coinbase => {
            json!({"type": "ticker", "sequence": 9_001 + 2 * id, "product_id": symbol, "price": bid,
            "open_24h": "1", "volume_24h": "1", "low_24h": "1", "high_24h": "1", "volume_30d": "1",
            "best_bid": bid, "best_bid_size": "1.0", "best_ask": ask, "best_ask_size": "2.0", "side": "buy",
            "time": time(id), "trade_id": id, "last_size": "0.50"})
            .to_string()
        }
        Venue::Kraken => format!(
            r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"{symbol}","bid":{bid},"bid_qty":1.0,"ask":{ask},"ask_qty":2.0,"last":{bid},"volume":1.0,"vwap":1.0,"low":1.0,"high":1.0,"change":0.0,"change_pct":0.0,"timestamp":"{}"}}]}}"#,
            time(id)
        ),
        Venue::Alpaca => format!(
            r#"[{{"T":"q","S":"{symbol}","bx":"V","bp":{bid},"bs":1,"ax":"V","ap":{ask},"as":2,"c":["R"],"z":"A","t":"{}"}}]"#,
            time(id)
        ),
    }
}

/// That many steps.
pub(crate) fn session(venue: Venue, symbols: &[&str], steps: u64) -> Vec<Recorded> {
    let recorded = |text| Recorded::new(venue, None, text).expect("there is a tick in it");
    texts(venue, symbols, steps).into_iter().map(recorded).collect()
}

pub(crate) fn texts(venue: Venue, symbols: &[&str], steps: u64) -> Vec<String> {
    let mut frames = Vec::new();
    for id in FIRST..FIRST + steps {
        for symbol in symbols {
            frames.extend([trade(venue, symbol, id), quote(venue, symbol, id)]);
        }
    }
    frames
}
