//! Payloads are typed from the venue's public documentation.

use proptest::prelude::*;

use super::*;
use crate::{dialect::Venue, market::UnixMicros};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

fn read(frame: &str) -> Result<Vec<Message>, ParseError> {
    let mut said = Vec::new();
    Venue::Coinbase.parse(frame.as_bytes(), NOW, &mut said).map(|()| said)
}

fn ticks(frame: &str) -> Vec<Tick> {
    numbered(frame).into_iter().map(|(tick, _)| tick).collect()
}

fn numbered(frame: &str) -> Vec<(Tick, Option<Sequence>)> {
    let said = read(frame).unwrap().into_iter();
    said.map(|said| {
        let Message::Tick { tick, sequence } = said else { panic!("{frame}: {said:?}") };
        (tick, sequence)
    })
    .collect()
}

fn exchange_match(kind: &str, size: &str, side: &str, time: &str) -> String {
    format!(
        r#"{{"type":"{kind}","trade_id":10,"sequence":50,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","time":"{time}","product_id":"BTC-USD","size":"{size}","price":"400.230","side":"{side}"}}"#
    )
}

const TIME: &str = "2014-11-07T08:19:27.028459Z";

#[test]
fn the_taker_is_the_opposite_of_the_makers_side() {
    for (maker, taker) in [("sell", Some(Side::Buy)), ("buy", Some(Side::Sell)), ("", None)] {
        let found = ticks(&exchange_match("match", "5.23512", maker, TIME));
        let [Tick::Trade(trade)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(trade.side, taker);
        assert_eq!((trade.price.to_string(), trade.size.to_string()), ("400.230".into(), "5.23512".into()));
        assert_eq!(trade.id, Some(TradeId::Number(10)));
        assert_eq!(trade.te, Some(UnixMicros(1_415_348_367_028_459)));
        assert_eq!((trade.symbol.as_str(), trade.source.as_str()), ("BTC-USD", "coinbase"));
    }
}

#[test]
fn an_exchange_ticker_is_a_quote_with_sizes_when_it_has_them() {
    let new = r#"{"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","price":"1285.22","best_bid":"1285.04","best_bid_size":"0.46688654","best_ask":"1285.27","best_ask_size":"1.56637040","side":"buy","time":"2022-10-19T23:28:22.061769Z","trade_id":370843401,"last_size":"11.4396987"}"#;
    let old =
        r#"{"type":"ticker","product_id":"ETH-USD","price":"1285.22","best_bid":"0","best_ask":"1285.27"}"#;
    let (new, old) = (ticks(new), ticks(old));
    let ([Tick::Quote(new)], [Tick::Quote(old)]) = (new.as_slice(), old.as_slice()) else {
        panic!("{new:?} {old:?}")
    };
    assert_eq!(new.ask.unwrap().size.unwrap().to_string(), "1.56637040");
    assert_eq!(new.te, Some(UnixMicros(1_666_222_102_061_769)));
    assert_eq!((old.bid, old.ask.unwrap().size, old.te), (None, None, None));
}

#[test]
fn one_advanced_frame_carries_several_trades() {
    let found = ticks(
        r#"{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.39625135Z","sequence_num":0,"events":[{"type":"update","trades":[{"trade_id":"000000000","product_id":"ETH-USD","price":"1260.01","size":"0.3","side":"BUY","time":"2019-08-14T20:42:27.265Z"},{"trade_id":"x-1","product_id":"BTC-USD","price":"9","size":"1.50","side":"SELL","time":"2019-08-14T20:42:27.265Z"}]}]}"#,
    );
    // The newest is first in the frame.
    let [Tick::Trade(second), Tick::Trade(first)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((first.side, second.side), (Some(Side::Sell), Some(Side::Buy)));
    assert_eq!(second.id, Some(TradeId::Text("x-1".into())));
    assert_eq!((second.symbol.as_str(), second.size.to_string().as_str()), ("BTC-USD", "1.50"));
    assert_eq!(first.te, Some(UnixMicros(1_565_815_347_265_000)));
}

#[test]
fn an_advanced_ticker_has_the_time_of_its_frame() {
    let found = ticks(
        r#"{"channel":"ticker","client_id":"","timestamp":"2023-02-09T20:30:37.167359596Z","sequence_num":0,"events":[{"type":"snapshot","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"21932.98","volume_24_h":"16038.28770938","best_bid":"21931.98","best_bid_quantity":"8000.21","best_ask":"21933.98","best_ask_quantity":"8038.07770938"}]}]}"#,
    );
    let [Tick::Quote(quote)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(quote.bid.unwrap().size.unwrap().to_string(), "8000.21");
    assert_eq!(quote.te, Some(UnixMicros(1_675_974_637_167_359)));
}

#[test]
fn everything_else_has_its_rule() {
    let last = exchange_match("last_match", "1", "buy", TIME);
    for (frame, rule) in [
        (last.as_str(), "last_match"),
        (
            r#"{"type":"l2update","product_id":"BTC-USD","time":"2022-08-04T15:25:05Z","changes":[["buy","1","2"]]}"#,
            "l2update",
        ),
        (r#"{"type":"snapshot","product_id":"BTC-USD","bids":[["10101.10","0.45"]],"asks":[]}"#, "snapshot"),
        (r#"{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD"}"#, "heartbeat"),
        (r#"{"type":"subscriptions","channels":[{"name":"level2","product_ids":["ETH-USD"]}]}"#, "ack"),
        (r#"{"type":"error","message":"Failed to subscribe"}"#, "refused"),
        (r#"{"type":"status","products":[],"currencies":[]}"#, "products"),
        (r#"{"type":"done","side":"sell"}"#, "order"),
        (r#"{"type":"auction"}"#, "unknown"),
        (r#"{"channel":"l2_data","events":[{"type":"update","updates":[]}]}"#, "l2_data"),
        (r#"{"channel":"candles","events":[]}"#, "candles"),
        (r#"{"channel":"heartbeats","events":[{"heartbeat_counter":3049}]}"#, "heartbeat"),
        (r#"{"channel":"subscriptions","events":[{"subscriptions":{"ticker":["BTC-USD"]}}]}"#, "ack"),
        (r#"{"channel":"market_trades","events":[{"type":"snapshot","trades":[]}]}"#, "trade_history"),
        (r#"{"channel":"ticker","events":[]}"#, "empty"),
        (r#"{"channel":"brand_new","events":[]}"#, "unknown"),
        (r#"["match"]"#, "list"),
        ("{}", "unknown"),
    ] {
        let said = read(frame).unwrap();
        assert_eq!(said.len(), 1, "{frame}");
        assert_eq!(said[0].rule(), Some(rule), "{frame}");
    }
}

#[test]
fn trades_are_counted_and_tickers_rise() {
    let numbers = |frame: &str| numbered(frame).into_iter().map(|(_, number)| number).collect::<Vec<_>>();
    assert_eq!(numbers(&exchange_match("match", "1", "buy", TIME)), [Some(Sequence::Counted(10))]);
    let ticker = r#"{"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","best_bid":"1","best_ask":"2","time":"2022-10-19T23:28:22.061769Z"}"#;
    assert_eq!(numbers(ticker), [Some(Sequence::Rising(37_475_248_783))]);
    let two = r#"{"channel":"market_trades","timestamp":"2023-02-09T20:19:35.39625135Z","sequence_num":0,"events":[{"type":"update","trades":[{"trade_id":"8","product_id":"A","price":"1","size":"1","side":"BUY","time":"2019-08-14T20:42:27.265Z"},{"trade_id":"7","product_id":"A","price":"1","size":"1","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#;
    assert_eq!(numbers(two), [Some(Sequence::Counted(7)), Some(Sequence::Counted(8))]);
}

#[test]
fn a_refusal_keeps_the_venues_words() {
    let frame =
        r#"{"type":"error","message":"Failed to subscribe","reason":"BTC-XYZ is not a valid product"}"#;
    let words = "Failed to subscribe: BTC-XYZ is not a valid product";
    assert_eq!(read(frame).unwrap(), [Message::Refused(Refusal::in_words(words))]);
    assert_eq!(
        read(r#"{"type":"subscriptions","channels":[]}"#).unwrap(),
        [Message::Ack(Ack::Listed(Box::default()))]
    );
}

#[test]
fn odd_values_are_errors_of_their_kind() {
    let good_then_bad = r#"{"channel":"market_trades","events":[{"type":"update","trades":[{"trade_id":"1","product_id":"ETH-USD","price":"1","size":"1","side":"BUY","time":"2019-08-14T20:42:27.265Z"},{"trade_id":"2","product_id":"ETH-USD","price":"one","size":"1","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#;
    for (frame, kind) in [
        (exchange_match("match", "0.-10000", "buy", TIME), "number"),
        (exchange_match("match", "1", "buy", "0001-01-01T00:00:00.000000Z"), "time"),
        (exchange_match("match", "1", "buy", "1970-01-01T00:00:00Z"), "time"),
        (r#"{"type":"match","trade_id":1,"product_id":"A","size":"1","price":"1","time":"2014-11-07T08:19:27Z"}"#.into(), "shape"),
        (good_then_bad.into(), "number"),
        ("{".into(), "shape"),
        ("7".into(), "shape"),
    ] {
        assert_eq!(read(&frame).unwrap_err().kind(), kind, "{frame}");
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_errors_leave_nothing(frame in prop_oneof![
        any::<Vec<u8>>(),
        r#"\{("(type|channel|events|product_id|price|size|best_bid|best_ask|time|side)":("(match|ticker|market_trades|A|1\.5|-|)"|[0-9]{1,20}|\[\{"type":"update","trades":\[\]\}\]|null),?){0,8}\}"#.prop_map(String::into_bytes),
    ]) {
        let mut said = vec![Message::Heartbeat];
        match Venue::Coinbase.parse(&frame, NOW, &mut said) {
            Ok(()) => prop_assert!(said.len() > 1),
            Err(error) => prop_assert!(said.len() == 1 && !error.to_string().is_empty()),
        }
    }
}
