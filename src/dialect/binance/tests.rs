//! Payloads are typed from the venue's public documentation.

use proptest::prelude::*;

use super::*;
use crate::{dialect::Venue, market::UnixMicros};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

fn read(frame: &str) -> Result<Vec<Message>, ParseError> {
    let mut said = Vec::new();
    Venue::Binance.parse(frame.as_bytes(), NOW, &mut said).map(|()| said)
}

fn numbered(frame: &str) -> (Tick, Option<Sequence>) {
    let mut said = read(frame).unwrap();
    assert_eq!(said.len(), 1, "{frame}");
    let Message::Tick { tick, sequence } = said.remove(0) else { panic!("{frame}: {said:?}") };
    (tick, sequence)
}

fn one(frame: &str) -> Tick {
    numbered(frame).0
}

#[test]
fn a_trade_of_a_selling_taker() {
    let Tick::Trade(trade) = one(
        r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.00100","q":"100","T":1672515782137,"m":true,"M":true}"#,
    ) else {
        panic!("not a trade")
    };
    assert_eq!(trade.symbol.as_str(), "BNBBTC");
    assert_eq!((trade.price.to_string().as_str(), trade.size.to_string().as_str()), ("0.00100", "100"));
    assert_eq!((trade.side, trade.id), (Some(Side::Sell), Some(TradeId::Number(12_345))));
    assert_eq!((trade.te, trade.tr), (Some(UnixMicros(1_672_515_782_137_000)), NOW));
    assert_eq!(trade.source.as_str(), "binance");
}

#[test]
fn what_is_no_trade_of_the_market_counts_for_nothing_and_keeps_its_number() {
    let event = |p: &str, x: &str| {
        format!(
            r#"{{"e":"trade","E":1641024000000,"T":1641024000001,"s":"BTCUSDT","t":5,"p":"{p}","q":"0","X":"{x}","m":false}}"#
        )
    };
    for (price, how, rule) in [
        ("46000.10", "MARKET", None),
        ("46000.10", "INSURANCE_FUND", Some("insurance_fund")),
        ("46000.10", "ADL", Some("deleveraging")),
        ("0", "NA", Some("no_trade")),
        ("1", "SOMETHING_NEW", Some("not_market")),
    ] {
        let (Tick::Trade(trade), sequence) = numbered(&event(price, how)) else { panic!("{how}") };
        assert_eq!(trade.print.rule.map(PrintRule::as_str), rule, "{how}");
        assert_eq!(trade.print.marks.text(), rule.map(|_| "last,hilo,vol"), "{how}");
        assert_eq!(sequence, Some(Sequence::Counted(5)));
    }
}

#[test]
fn a_wrapped_aggregate_trade_in_microseconds() {
    let Tick::Trade(trade) = one(
        r#" {"stream":"bnbbtc@aggTrade","data":{"e":"aggTrade","E":1672515782136000,"s":"BNBBTC","a":777,"p":"1","q":"2.50","f":100,"l":105,"T":1672515782136001,"m":false,"M":true}}"#,
    ) else {
        panic!("not a trade")
    };
    assert_eq!((trade.side, trade.id), (Some(Side::Buy), Some(TradeId::Number(777))));
    assert_eq!(trade.te, Some(UnixMicros(1_672_515_782_136_001)));
}

#[test]
fn a_spot_quote_has_no_time_and_a_futures_one_has() {
    let spot =
        r#"{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"0.50"}"#;
    let futures = r#"{"e":"bookTicker","u":400900217,"E":1568014460893,"T":1568014460891,"s":"BNBUSDT","b":"25.3519","B":"31.21","a":"0.00","A":"0"}"#;
    let (Tick::Quote(spot), Tick::Quote(futures)) = (one(spot), one(futures)) else { panic!("not quotes") };
    assert_eq!(spot.te, None);
    let bid = spot.bid.unwrap();
    assert_eq!(
        (bid.price.to_string(), bid.size.unwrap().to_string()),
        ("25.35190000".into(), "31.21000000".into())
    );
    assert_eq!(futures.te, Some(UnixMicros(1_568_014_460_891_000)));
    assert_eq!(futures.ask, None, "an empty side is a missing one");
}

#[test]
fn everything_else_has_its_rule() {
    for (frame, rule) in [
        (
            r#"{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],"a":[]}"#,
            "depth",
        ),
        (r#"{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}"#, "depth"),
        (r#"{"stream":"bnbbtc@depth5","data":{"lastUpdateId":160,"bids":[],"asks":[]}}"#, "depth"),
        (r#"{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000}}"#, "kline"),
        (r#"{"e":"24hrTicker","E":1,"s":"BNBBTC","b":"1","B":"2","a":"3","A":"4"}"#, "ticker"),
        (r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15"}"#, "ticker"),
        (r#"{"result":null,"id":1}"#, "ack"),
        (r#"{"result":["btcusdt@trade"],"id":"3"}"#, "ack"),
        (r#"{"code":2,"msg":"Invalid request","id":1}"#, "refused"),
        (r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#, "refused"),
        (r#"{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}"#, "list"),
        (r#"[{"e":"24hrMiniTicker"}]"#, "list"),
        (r#"{"e":"serverShutdown","E":1672515782136}"#, "shutdown"),
        (r#"{"e":"somethingNew","s":"BNBBTC"}"#, "unknown"),
        ("{}", "unknown"),
    ] {
        let said = read(frame).unwrap();
        assert_eq!(said.len(), 1, "{frame}");
        assert_eq!(said[0].rule(), Some(rule), "{frame}");
    }
}

#[test]
fn trades_are_counted_and_book_updates_rise() {
    for (frame, sequence) in [
        (
            r#"{"e":"trade","s":"A","t":12345,"p":"1","q":"1","T":1672515782136,"m":true}"#,
            Sequence::Counted(12_345),
        ),
        (
            r#"{"e":"aggTrade","s":"A","a":26129,"p":"1","q":"1","f":1,"l":2,"T":1672515782136,"m":true}"#,
            Sequence::Counted(26_129),
        ),
        (r#"{"u":400900217,"s":"A","b":"1","B":"1","a":"1","A":"1"}"#, Sequence::Rising(400_900_217)),
    ] {
        assert_eq!(numbered(frame).1, Some(sequence));
    }
}

#[test]
fn answers_name_their_request() {
    for (frame, said) in [
        (r#"{"result":null,"id":312}"#, Message::Ack(Ack::Request(Some(312)))),
        (r#"{"result":[],"id":"a"}"#, Message::Ack(Ack::Request(None))),
        (r#"{"result":null,"id":null}"#, Message::Unknown),
        (
            r#"{"code":2,"msg":"Invalid request: unknown variant","id":4}"#,
            Message::Refused(Refusal {
                id: Some(4),
                code: Some(2),
                ..Refusal::in_words("Invalid request: unknown variant")
            }),
        ),
        (
            r#"{"error":{"code":-1121,"msg":"Invalid symbol."},"id":5}"#,
            Message::Refused(Refusal {
                id: Some(5),
                code: Some(-1_121),
                ..Refusal::in_words("Invalid symbol.")
            }),
        ),
        (
            r#"{"code":4,"msg":"Too many subscriptions","id":6}"#,
            Message::Refused(Refusal {
                id: Some(6),
                code: Some(4),
                class: RefusalClass::Place,
                ..Refusal::in_words("Too many subscriptions")
            }),
        ),
        (r#"{"stream":"x","data":{"e":"serverShutdown","E":1770123456789}}"#, Message::Shutdown),
    ] {
        assert_eq!(read(frame).unwrap(), [said], "{frame}");
    }
    let long = format!(r#"{{"code":2,"msg":"{}","id":1}}"#, "x".repeat(10_000));
    let Message::Refused(refusal) = &read(&long).unwrap()[0] else { panic!() };
    assert_eq!(refusal.words.len(), crate::limits::MAX_VENUE_WORDS);
}

#[test]
fn odd_values_are_errors_of_their_kind() {
    let trade = |p: &str, q: &str, s: &str, time: &str, rest: &str| {
        format!(r#"{{"e":"trade","s":"{s}","t":1,"p":"{p}","q":"{q}","T":{time}{rest}}}"#)
    };
    let m = r#","m":true"#;
    for (frame, kind) in [
        (trade("1", "0.-10000", "A", "1672515782136", m), "number"),
        (trade("1", "-1", "A", "1672515782136", m), "number"),
        (trade("abc", "1", "A", "1672515782136", m), "number"),
        (trade("1", "1", "A", "0", m), "time"),
        (trade("1", "1", "A", "-62135596800000", m), "time"),
        (trade("1", "1", "A", "1672515782136", ""), "shape"),
        (trade("1", "1", "A", r#""soon""#, m), "shape"),
        ("".into(), "shape"),
        ("null".into(), "shape"),
        (r#"{"e":"trade""#.into(), "shape"),
        (r#"[{"e":"#.into(), "shape"),
    ] {
        assert_eq!(read(&frame).unwrap_err().kind(), kind, "{frame}");
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_errors_leave_nothing(frame in prop_oneof![
        any::<Vec<u8>>(),
        r#"\{("(e|s|p|q|T|m|b|B|a|A|data|stream)":("(trade|bookTicker|BTC|1\.5|-|)"|[0-9]{1,20}|true|null|\{\}|\[\]),?){0,8}\}"#.prop_map(String::into_bytes),
    ]) {
        let mut said = vec![Message::Heartbeat];
        match Venue::Binance.parse(&frame, NOW, &mut said) {
            Ok(()) => prop_assert!(said.len() > 1),
            Err(error) => prop_assert!(said.len() == 1 && !error.to_string().is_empty()),
        }
    }
}
