//! Payloads are typed from the venues' public documentation.

use std::collections::HashMap;

use super::*;
use crate::market::{Level, Symbol};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

struct Names(HashMap<&'static str, &'static str>);

impl Naming for Names {
    fn ours(&self, theirs: &str) -> Option<Symbol> {
        self.0.get(theirs).map(|ours| Symbol::new(ours).unwrap())
    }
}

fn read(venue: Venue, answer: &str) -> Result<Vec<Quote>, ParseError> {
    let names = [("LTCBTC", "LTC-BTC"), ("ETHBTC", "ETH-BTC"), ("AAPL", "AAPL"), ("BTC/USD", "BTC-USD")];
    venue.first_values(answer.as_bytes(), NOW, &Names(names.into()))
}

fn shown(level: Option<Level>) -> String {
    level.map_or("-".into(), |level| format!("{} {}", level.price, level.size.unwrap()))
}

#[test]
fn each_venue_is_asked_in_its_own_way() {
    let binance = Venue::Binance.first_values_url("wss://stream.binance.com:9443/stream").unwrap();
    assert_eq!(
        Venue::Binance.first_values_of(&binance, &["BTCUSDT", "币USDT"]),
        "https://api.binance.com/api/v3/ticker/bookTicker?symbols=%5B%22BTCUSDT%22,%22%E5%B8%81USDT%22%5D"
    );
    let at = "wss://stream.data.alpaca.markets";
    for (path, symbols, url) in [
        ("/v2/iex", &["AAPL", "BRK.B"][..], "v2/stocks/quotes/latest?feed=iex&symbols=AAPL,BRK.B"),
        ("/v1beta1/overnight", &["AAPL"], "v2/stocks/quotes/latest?feed=overnight&symbols=AAPL"),
        ("/v1beta3/crypto/us-1", &["BTC/USD"], "v1beta3/crypto/us-1/latest/quotes?symbols=BTC%2FUSD"),
    ] {
        let base = Venue::Alpaca.first_values_url(&format!("{at}{path}")).unwrap();
        let asked = Venue::Alpaca.first_values_of(&base, symbols);
        assert_eq!(asked, format!("https://data.alpaca.markets/{url}"));
    }
    assert_eq!(Venue::Alpaca.first_values_url(&format!("{at}/v2/test")), None);
    for venue in Venue::ALL {
        let stream = "wss://stream.example/v2/iex";
        assert_eq!(venue.first_values_url(stream).is_some(), venue.has_first_values(), "{venue:?}");
    }
}

#[test]
fn answers_are_snapshots_of_the_symbols_that_are_known() {
    let found = read(
        Venue::Binance,
        r#"[{"symbol":"LTCBTC","bidPrice":"4.00000000","bidQty":"431.00000000","askPrice":"4.00000200","askQty":"9.00000000"},
            {"symbol":"OTHER","bidPrice":"1","bidQty":"1","askPrice":"1","askQty":"1"},
            {"symbol":"ETHBTC","bidPrice":"0.00000000","bidQty":"0.00000000","askPrice":"100000.00000000","askQty":"1000.00000000"}]"#,
    )
    .unwrap();
    let [first, second] = &found[..] else { panic!("{found:?}") };
    assert_eq!((first.symbol.as_str(), second.symbol.as_str()), ("LTC-BTC", "ETH-BTC"));
    assert_eq!(
        (shown(first.bid), shown(first.ask)),
        ("4.00000000 431.00000000".into(), "4.00000200 9.00000000".into())
    );
    assert_eq!(second.bid, None, "an empty side is missing");
    assert_eq!((first.te, first.tr, first.is_snapshot), (None, NOW, true));
    let found = read(
        Venue::Alpaca,
        r#"{"quotes":{"AAPL":{"t":"2022-04-12T17:26:45.009288296Z","ax":"V","ap":177.94,"as":1,"bx":"V","bp":177.9200,"bs":4,"c":["R"],"z":"C"},
            "BTC/USD":{"ap":60128.5,"as":0.4,"bp":60100,"bs":0.5,"t":"2024-04-12T17:26:45Z"}}}"#,
    )
    .unwrap();
    let [first, second] = &found[..] else { panic!("{found:?}") };
    assert_eq!((first.symbol.as_str(), second.symbol.as_str()), ("AAPL", "BTC-USD"));
    assert_eq!(shown(first.bid), "177.9200 4", "the literal text");
    assert_eq!(first.te, Some(UnixMicros(1_649_784_405_009_288)));
    assert!(first.is_snapshot && second.is_snapshot);
}

#[test]
fn what_cannot_be_read_costs_the_others_nothing() {
    let good = r#"{"symbol":"LTCBTC","bidPrice":"4","bidQty":"1","askPrice":"5","askQty":"9"}"#;
    let bad = r#"{"symbol":"ETHBTC","bidPrice":"four","bidQty":"1","askPrice":"5","askQty":"9"}"#;
    assert_eq!(read(Venue::Binance, &format!("[{bad},{good},7]")).unwrap().len(), 1);
    assert!(read(Venue::Binance, "[]").unwrap().is_empty());
    for (venue, answer) in [
        (Venue::Binance, format!("[{bad}]")),
        (Venue::Binance, r#"{"code":-1121,"msg":"Invalid symbol."}"#.to_owned()),
        (Venue::Binance, "<html>".to_owned()),
        (Venue::Alpaca, r#"{"message":"forbidden."}"#.to_owned()),
        (Venue::Alpaca, "[]".to_owned()),
        (Venue::Alpaca, r#"{"quotes":{"AAPL":{"bp":1,"ap":2}}}"#.to_owned()),
    ] {
        assert!(read(venue, &answer).is_err(), "{answer}");
    }
}
