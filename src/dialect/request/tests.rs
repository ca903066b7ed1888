//! Frames as the venues' documentation has them.

use super::*;

#[test]
fn each_venue_is_asked_in_its_words() {
    let table: &[(Venue, &[&str], &[&str])] = &[
        (
            Venue::Binance,
            &["BTCUSDT", "ETHBTC"],
            &[
                r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker","ethbtc@trade","ethbtc@bookTicker"],"id":7}"#,
            ],
        ),
        (
            Venue::Coinbase,
            &["BTC-USD", "ETH-USD"],
            &[
                r#"{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channels":["matches","ticker","heartbeat"]}"#,
            ],
        ),
        (
            Venue::Kraken,
            &["BTC/USD"],
            &[
                r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false},"req_id":7}"#,
                r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD"],"event_trigger":"bbo","snapshot":true},"req_id":8}"#,
            ],
        ),
        (
            Venue::Alpaca,
            &["AAPL", "BRK.B"],
            &[r#"{"action":"subscribe","trades":["AAPL","BRK.B"],"quotes":["AAPL","BRK.B"]}"#],
        ),
        (
            Venue::Alpaca,
            &["BTC/USD"],
            &[r#"{"action":"subscribe","trades":["BTC/USD"],"quotes":["BTC/USD"]}"#],
        ),
    ];
    for (venue, symbols, frames) in table {
        assert_eq!(venue.subscribe(symbols, 7), *frames);
        assert!(venue.subscribe(&[], 7).is_empty());
        let end = venue.unsubscribe(symbols, 7);
        assert_eq!(end.len(), frames.len());
        assert!(end.iter().all(|frame| frame.to_lowercase().contains("\"unsubscribe\"")), "{end:?}");
    }
    let end = Venue::Kraken.unsubscribe(&["BTC/USD"], 1);
    assert_eq!(
        end[1],
        r#"{"method":"unsubscribe","params":{"channel":"ticker","symbol":["BTC/USD"],"event_trigger":"bbo"},"req_id":2}"#
    );
}

#[test]
fn long_lists_are_cut_and_numbered_on() {
    let names: Vec<_> = (0..250).map(|i| format!("S{i}USDT")).collect();
    let symbols: Vec<_> = names.iter().map(String::as_str).collect();
    for (venue, id, count) in [
        (Venue::Binance, "id", 3),
        (Venue::Kraken, "req_id", 2),
        (Venue::Coinbase, "", 1),
        (Venue::Alpaca, "", 1),
    ] {
        let frames = venue.subscribe(&symbols, 40);
        assert_eq!(frames.len(), count, "{venue:?}");
        for (i, frame) in frames.iter().enumerate() {
            let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
            if !id.is_empty() {
                assert_eq!(frame[id], 40 + i, "{venue:?}");
            }
            if venue == Venue::Binance {
                assert!(frame.to_string().len() <= BINANCE_REQUEST_BYTES);
            }
        }
        let all = frames.concat();
        for name in &names {
            let name = if venue == Venue::Binance {
                format!("\"{}@trade\"", name.to_lowercase())
            } else {
                format!("\"{name}\"")
            };
            assert!(all.contains(&name), "{venue:?} {name}");
        }
    }
    assert_eq!(Venue::Binance.symbols_per_connection(), Some(512));
}

#[test]
fn credentials_and_pings_are_for_those_who_want_them() {
    assert_eq!(
        Venue::Alpaca.authenticate("k\"", "s").as_deref(),
        Some(r#"{"action":"auth","key":"k\"","secret":"s"}"#)
    );
    assert_eq!(Venue::Kraken.authenticate("k", "s"), None);
    assert_eq!(Venue::Kraken.ping(3).as_deref(), Some(r#"{"method":"ping","req_id":3}"#));
    assert_eq!(Venue::Binance.ping(3), None);
}

#[test]
fn symbols_follow_the_rules_that_there_are() {
    for (venue, ours, theirs, back) in [
        (Venue::Binance, "BTC-USDT", "BTCUSDT", None),
        (Venue::Binance, "BTCUSDT", "BTCUSDT", None),
        (Venue::Coinbase, "BTC-USD", "BTC-USD", Some("BTC-USD")),
        (Venue::Kraken, "BTC-USD", "BTC/USD", Some("BTC-USD")),
        (Venue::Alpaca, "BTC-USD", "BTC/USD", Some("BTC-USD")),
        (Venue::Alpaca, "BRK.B", "BRK.B", Some("BRK.B")),
    ] {
        assert_eq!(venue.symbol(ours), theirs);
        let found = venue.our_symbol(theirs).map(Result::unwrap);
        assert_eq!(found.as_ref().map(Symbol::as_str), back, "{theirs}");
    }
    for (theirs, ours) in
        [("XBT/USD", "BTC-USD"), ("ADA/XBT", "ADA-BTC"), ("XDG/EUR", "DOGE-EUR"), ("BTC", "BTC")]
    {
        assert_eq!(Venue::Kraken.our_symbol(theirs).unwrap().unwrap().as_str(), ours);
    }
    assert!(Venue::Kraken.our_symbol("币/USD").unwrap().is_err());
    assert_eq!(Venue::Kraken.our_symbol("AAPLx/USD").unwrap().unwrap().as_str(), "AAPLX-USD");
}
