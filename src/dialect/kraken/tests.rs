//! Payloads are typed from the venue's public documentation.

use super::*;
use crate::{dialect::Venue, market::UnixMicros};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

fn read(frame: &str) -> Result<Vec<Message>, ParseError> {
    let mut said = Vec::new();
    Venue::Kraken.parse(frame.as_bytes(), NOW, &mut said).map(|()| said)
}

fn ticks(frame: &str) -> Vec<(Tick, Option<Sequence>)> {
    let said = read(frame).unwrap().into_iter();
    said.map(|said| {
        let Message::Tick { tick, sequence } = said else { panic!("{frame}: {said:?}") };
        (tick, sequence)
    })
    .collect()
}

fn shown(level: Option<Level>) -> String {
    level.map_or("-".into(), |level| format!("{} {}", level.price, level.size.unwrap()))
}

#[test]
fn trades_keep_the_literal_text_of_their_numbers() {
    let found = ticks(
        r#"{"channel":"trade","type":"update","data":[{"symbol":"MATIC/USD","side":"buy","price":0.5147,"qty":6423.46326000,"ord_type":"limit","trade_id":4665846,"timestamp":"2023-09-25T07:48:36.925533Z"},{"symbol":"MATIC/USD","side":"sell","price":5.1e-05,"qty":1136.19677815,"ord_type":"limit","trade_id":4665847,"timestamp":"2023-09-25T07:49:36.925603Z"}]}"#,
    );
    let [(Tick::Trade(first), one), (Tick::Trade(second), two)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((first.price.to_string(), first.size.to_string()), ("0.5147".into(), "6423.46326000".into()));
    assert_eq!(second.price.to_string(), "0.000051");
    assert_eq!((first.side, second.side), (Some(Side::Buy), Some(Side::Sell)));
    assert_eq!(first.id, Some(TradeId::Number(4_665_846)));
    assert_eq!((*one, *two), (Some(Sequence::Counted(4_665_846)), Some(Sequence::Counted(4_665_847))));
    assert_eq!((first.te, first.tr), (Some(UnixMicros(1_695_628_116_925_533)), NOW));
    assert_eq!((first.symbol.as_str(), first.source.as_str()), ("MATIC/USD", "kraken"));
}

#[test]
fn a_ticker_is_a_quote_with_or_without_a_time() {
    let ticker = |kind: &str, time: &str, bid: &str| {
        format!(
            r#"{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"ALGO/USD","bid":{bid},"bid_qty":740.0,"ask":0.10035,"ask_qty":1361.44813780,"last":0.10035,"volume":997038.98383185,"vwap":0.10148,"low":0.09979,"high":0.10285,"change":-0.00017,"change_pct":-0.17{time}}}]}}"#
        )
    };
    let read = |frame: &str| {
        let found = ticks(frame);
        let [(Tick::Quote(quote), None)] = found.as_slice() else { panic!("{found:?}") };
        quote.clone()
    };
    let old = read(&ticker("snapshot", "", "0.10025"));
    assert_eq!((shown(old.bid), shown(old.ask)), ("0.10025 740.0".into(), "0.10035 1361.44813780".into()));
    assert_eq!((old.te, old.is_snapshot), (None, true));
    let new = read(&ticker("update", r#","timestamp":"2025-09-25T09:04:31.742648Z""#, "null"));
    assert_eq!((new.bid, new.te), (None, Some(UnixMicros(1_758_791_071_742_648))));
    assert!(!new.is_snapshot, "a change");
}

#[test]
fn the_first_interface_has_trades_and_quotes_too() {
    let found = ticks(
        r#"[0,[["5541.20000","0.15850568","1534614057.321597","s","l",""],["6060.00000","0.02455000","1534614057.324998","b","l","",1]],"trade","XBT/USD"]"#,
    );
    let [(Tick::Trade(first), None), (Tick::Trade(second), None)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((first.price.to_string(), first.size.to_string()), ("5541.20000".into(), "0.15850568".into()));
    assert_eq!((first.side, second.side), (Some(Side::Sell), Some(Side::Buy)));
    assert_eq!((first.te, &first.id), (Some(UnixMicros(1_534_614_057_321_597)), &None));
    assert_eq!(first.symbol.as_str(), "XBT/USD");
    let found = ticks(
        r#"[0,{"a":["5525.40000",1,"1.000"],"b":["5525.10000",2,"2.50"],"c":["5525.10000","0.00398963"],"h":["5783.00000","5783.00000"]},"ticker","XBT/USD"]"#,
    );
    let [(Tick::Quote(quote), None)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((shown(quote.bid), shown(quote.ask)), ("5525.10000 2.50".into(), "5525.40000 1.000".into()));
}

#[test]
fn everything_else_has_its_rule() {
    for (frame, rule) in [
        (r#"{"channel":"trade","type":"snapshot","data":[{"symbol":"A"}]}"#, "trade_history"),
        (r#"{"channel":"trade","type":"update","data":[]}"#, "empty"),
        (
            r#"{"channel":"book","type":"update","data":[{"symbol":"MATIC/USD","bids":[{"price":0.5657,"qty":1098.3947558}],"asks":[],"checksum":2114181697,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#,
            "book",
        ),
        (r#"{"channel":"level3","type":"update","data":[]}"#, "level3"),
        (
            r#"{"channel":"ohlc","type":"update","timestamp":"2023-10-04T16:26:30.524394914Z","data":[{"symbol":"MATIC/USD","open":0.5624}]}"#,
            "ohlc",
        ),
        (r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[]}}"#, "instrument"),
        (r#"{"channel":"heartbeat"}"#, "heartbeat"),
        (
            r#"{"method":"pong","req_id":101,"time_in":"2023-09-24T14:10:23.799685Z","time_out":"2023-09-24T14:10:23.799703Z"}"#,
            "heartbeat",
        ),
        (r#"{"channel":"brand_new","data":[]}"#, "unknown"),
        (r#"{"channel":"brand_new"}"#, "unknown"),
        (r#"{"error":[],"result":{"XXBTZUSD":{}}}"#, "rest"),
        ("{}", "unknown"),
        ("[]", "unknown"),
        ("[1,2,3]", "unknown"),
        ("[1,2,3,4]", "unknown"),
        (r#"[0,{"as":[["5541.3","2.507","1534614248.123678"]],"bs":[]},"book-100","XBT/USD"]"#, "book"),
        (r#"[1,{"a":[]},{"b":[],"c":"974942666"},"book-10","XBT/USD"]"#, "book"),
        (r#"[42,["1542057314.748456","1542057360.435743","3586.7"],"ohlc-5","XBT/USD"]"#, "ohlc"),
        (
            r#"[0,["5698.40000","5700.00000","1542057299.545897","1.01234567","0.98765432"],"spread","XBT/USD"]"#,
            "spread",
        ),
        (r#"[0,[],"trade","XBT/USD"]"#, "empty"),
        (r#"{"event":"heartbeat"}"#, "heartbeat"),
        (r#"{"event":"pong","reqid":42}"#, "heartbeat"),
        (r#"{"event":"brandNew"}"#, "unknown"),
    ] {
        let said = read(frame).unwrap();
        assert_eq!(said.len(), 1, "{frame}");
        assert_eq!(said[0].rule(), Some(rule), "{frame}");
    }
}

#[test]
fn answers_and_states_are_told() {
    let refused = |id, symbol: Option<&str>, words: &str| {
        let symbol = symbol.map(str::to_owned);
        Message::Refused(Refusal { id, symbol, ..Refusal::in_words(words) })
    };
    for (frame, said) in [
        (
            r#"{"method":"subscribe","req_id":7,"result":{"channel":"ticker","event_trigger":"bbo","snapshot":true,"symbol":"ALGO/USD"},"success":true,"time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z"}"#,
            Message::Ack(Ack::Request(Some(7))),
        ),
        (
            r#"{"error":"Currency pair not supported XBT/USD","method":"subscribe","req_id":8,"success":false,"symbol":"XBT/USD","time_in":"2023-09-25T09:04:31.742599Z"}"#,
            refused(Some(8), Some("XBT/USD"), "Currency pair not supported XBT/USD"),
        ),
        (r#"{"error":"Malformed \"request\""}"#, refused(None, None, "Malformed \"request\"")),
        (
            r#"{"channel":"status","data":[{"api_version":"v2","connection_id":10393118200183188585,"system":"online","version":"2.0.0"}],"type":"update"}"#,
            Message::Status { online: true },
        ),
        (
            r#"{"channel":"status","data":[{"system":"post_only"}],"type":"update"}"#,
            Message::Status { online: false },
        ),
        (
            r#"{"connectionID":8628615390848610000,"event":"systemStatus","status":"online","version":"1.0.0"}"#,
            Message::Status { online: true },
        ),
        (r#"{"event":"systemStatus","status":"maintenance"}"#, Message::Status { online: false }),
        (
            r#"{"channelID":10001,"channelName":"ticker","event":"subscriptionStatus","pair":"XBT/EUR","reqid":3,"status":"subscribed","subscription":{"name":"ticker"}}"#,
            Message::Ack(Ack::Request(Some(3))),
        ),
        (
            r#"{"errorMessage":"Subscription depth not supported","event":"subscriptionStatus","pair":"XBT/USD","status":"error","subscription":{"depth":42,"name":"book"}}"#,
            refused(None, Some("XBT/USD"), "Subscription depth not supported"),
        ),
    ] {
        assert_eq!(read(frame).unwrap(), [said], "{frame}");
    }
}

#[test]
fn odd_values_are_errors_of_their_kind() {
    let trade = |price: &str, qty: &str, symbol: &str, time: &str| {
        format!(
            r#"{{"channel":"trade","type":"update","data":[{{"symbol":"A","side":"buy","price":1,"qty":1,"trade_id":1,"timestamp":"2023-09-25T07:48:36Z"}},{{"symbol":"{symbol}","side":"buy","price":{price},"qty":{qty},"trade_id":2,"timestamp":"{time}"}}]}}"#
        )
    };
    let time = "2023-09-25T07:48:36.925533Z";
    for (frame, kind, place) in [
        (trade("\"1\"", "1", "A/B", time), "number", "price"),
        (trade("null", "1", "A/B", time), "number", "price"),
        (trade("1", "-1", "A/B", time), "number", "qty"),
        (trade("1e99", "1", "A/B", time), "number", "price"),
        (trade("1", "1", "A/B", "today"), "time", "timestamp"),
        (trade("1", "", "A/B", time), "shape", "column"),
        (r#"{"channel":"trade","type":"update","data":[{"symbol":"A"}]}"#.into(), "shape", "`side`"),
        (r#"{"channel":"ticker","data":{}}"#.into(), "shape", "map"),
        (r#"[0,[["5541.2","0.1"]],"trade","XBT/USD"]"#.into(), "shape", "side is missing in \"trade\""),
        (r#"[0,[["5541.2","0.1",12,"s"]],"trade","XBT/USD"]"#.into(), "shape", "time is missing"),
        (r#"[0,{"a":["1",1],"b":["1",1,"1"]},"ticker","XBT/USD"]"#.into(), "shape", "a is missing"),
        ("".into(), "shape", "EOF"),
        (r#"{"channel":"trade""#.into(), "shape", "EOF"),
    ] {
        let error = read(&frame).unwrap_err();
        assert_eq!(error.kind(), kind, "{frame}");
        assert!(error.to_string().contains(place), "{frame}: {error}");
    }
}
