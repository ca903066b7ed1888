//! Events of the protocol.

use serde::Serialize;

use super::{json, reply::encode_gap};
use crate::{
    dialect::{Encoding, Form, Gap},
    market::{
        Bar, Body, Change, Correction, Loss, Marks, Percent, Price, Quote, Side, Size, Source, State, Status,
        Symbol, Tick, Ticker, Trade, TradeId, UnixMicros,
    },
};

/// `{"T":"t","S":"BTC-USD","n":9001,"p":"67210.10","s":"0.015","side":"buy","id":"995","x":"binance","te":US,"tr":US}`; a print
/// that does not count for everything has `nc`, one that the venue took back or changed `busted` or `corrected`.
#[derive(Serialize)]
pub(super) struct TradeMessage<'a> {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(rename = "S")]
    symbol: Symbol,
    n: u64,
    p: Price,
    s: Size,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a TradeId>,
    x: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    te: Option<UnixMicros>,
    tr: UnixMicros,
    #[serde(skip_serializing_if = "Option::is_none")]
    nc: Option<&'static str>,
    #[serde(skip_serializing_if = "is_false")]
    busted: bool,
    #[serde(skip_serializing_if = "is_false")]
    corrected: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// `{"T":"c","S":"AAPL","n":3,"of":9001,"id":"96921","why":"busted","p":"126.55","s":"1","x":"D","te":US,"tr":US}`
#[derive(Serialize)]
struct CorrectionMessage<'a> {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(rename = "S")]
    symbol: Symbol,
    n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    id: &'a TradeId,
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nc: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nid: Option<&'a TradeId>,
    x: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    te: Option<UnixMicros>,
    tr: UnixMicros,
}

/// `{"T":"q","S":"BTC-USD","n":18240,"bp":"…","bs":"…","ap":"…","as":"…","x":"binance","te":US,"tr":US}`; one that the
/// venue was asked for has `snap`.
#[derive(Serialize)]
pub(super) struct QuoteMessage {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(rename = "S")]
    symbol: Symbol,
    n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bs: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ap: Option<Price>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    asz: Option<Size>,
    x: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    te: Option<UnixMicros>,
    tr: UnixMicros,
    #[serde(skip_serializing_if = "is_false")]
    snap: bool,
}

/// `{"T":"status","S":"BTC-USD","n":2,"state":"live","x":"binance","since":US,"why":"receiving"}`
#[derive(Serialize)]
struct StatusMessage<'a> {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(rename = "S")]
    symbol: Symbol,
    n: u64,
    state: State,
    x: Source,
    since: UnixMicros,
    why: &'a str,
}

/// `{"T":"k","S":"BTC-USD","n":77,"last":"…","bid":"…","ask":"…","open":"…","high":"…","low":"…","vol":"…","chg":"…",
/// "chg_pct":"…","trades":9001,"te":US,"tr":US}`
#[derive(Serialize)]
struct TickerMessage {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(rename = "S")]
    symbol: Symbol,
    n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<Price>,
    vol: Size,
    #[serde(skip_serializing_if = "Option::is_none")]
    chg: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chg_pct: Option<Percent>,
    trades: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    te: Option<UnixMicros>,
    tr: UnixMicros,
}

/// `{"T":"b","S":"BTC-USD","n":12,"i":"1m","t":US,"o":"…","h":"…","l":"…","c":"…","v":"…","vw":"…","tc":12,"final":false}`
#[derive(Serialize)]
struct BarMessage {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(rename = "S")]
    symbol: Symbol,
    n: u64,
    i: &'static str,
    t: UnixMicros,
    o: Price,
    h: Price,
    l: Price,
    c: Price,
    v: Size,
    #[serde(skip_serializing_if = "Option::is_none")]
    vw: Option<Price>,
    tc: u64,
    #[serde(rename = "final")]
    is_final: bool,
    #[serde(rename = "void", skip_serializing_if = "is_false")]
    is_void: bool,
}

/// One event as one message, without the array around it.
#[must_use]
pub fn encode_event(n: u64, body: &Body, encoding: Encoding) -> Box<[u8]> {
    match body {
        Body::Tick(tick) => encode_tick(n, tick, encoding),
        Body::Ticker(ticker) => encoding.encode(&ticker_message(n, ticker)).into_boxed_slice(),
        Body::Bar(bar) => encoding.encode(&bar_message(n, bar)).into_boxed_slice(),
    }
}

/// The event that says a tick, as one message, without the array around it.
#[must_use]
pub fn encode_tick(n: u64, tick: &Tick, encoding: Encoding) -> Box<[u8]> {
    let bytes = match tick {
        Tick::Trade(trade) => match encoding {
            Encoding::Json => json::trade(n, trade),
            Encoding::MsgPack => None,
        }
        .unwrap_or_else(|| encoding.encode(&trade_message(n, trade))),
        Tick::Quote(quote) => match encoding {
            Encoding::Json => json::quote(n, quote),
            Encoding::MsgPack => encoding.encode(&quote_message(n, quote)),
        },
        Tick::Status(status) => encoding.encode(&status_message(n, status)),
        Tick::Correction(correction) => encoding.encode(&correction_message(n, correction)),
        Tick::Loss(loss) => loss_message(n, loss, encoding),
    };
    bytes.into_boxed_slice()
}

/// A loss has one number, and is told as the gap of that number.
fn loss_message(n: u64, loss: &Loss, encoding: Encoding) -> Vec<u8> {
    let (Loss { symbol, channel, why, .. }, mut bytes) = (*loss, Vec::new());
    let form = Form::native(encoding);
    encode_gap(&Gap { symbol, channel, form, from: n, to: n, why: why.as_str() }, encoding, &mut bytes);
    bytes
}

pub(super) const fn trade_message(n: u64, trade: &Trade) -> TradeMessage<'_> {
    TradeMessage {
        kind: "t",
        symbol: trade.symbol,
        n,
        p: trade.price,
        s: trade.size,
        side: trade.side,
        id: trade.id.as_ref(),
        x: trade.source,
        te: trade.te,
        tr: trade.tr,
        nc: trade.print.marks.text(),
        busted: trade.print.marks.has(Marks::BUSTED),
        corrected: trade.print.marks.has(Marks::CORRECTED),
    }
}

fn correction_message(n: u64, correction: &Correction) -> CorrectionMessage<'_> {
    let (p, s, nc, nid) = match &correction.change {
        Change::Busted { price, size } => (*price, *size, None, None),
        Change::Corrected { price, size, marks, id } => {
            (Some(*price), Some(*size), marks.text(), id.as_ref())
        }
    };
    CorrectionMessage {
        kind: "c",
        symbol: correction.symbol,
        n,
        of: correction.of,
        id: &correction.id,
        why: correction.change.as_str(),
        p,
        s,
        nc,
        nid,
        x: correction.source,
        te: correction.te,
        tr: correction.tr,
    }
}

pub(super) fn quote_message(n: u64, quote: &Quote) -> QuoteMessage {
    QuoteMessage {
        kind: "q",
        symbol: quote.symbol,
        n,
        bp: quote.bid.map(|bid| bid.price),
        bs: quote.bid.and_then(|bid| bid.size),
        ap: quote.ask.map(|ask| ask.price),
        asz: quote.ask.and_then(|ask| ask.size),
        x: quote.source,
        te: quote.te,
        tr: quote.tr,
        snap: quote.is_snapshot,
    }
}

fn status_message(n: u64, status: &Status) -> StatusMessage<'_> {
    StatusMessage {
        kind: "status",
        symbol: status.symbol,
        n,
        state: status.state,
        x: status.source,
        since: status.since,
        why: &status.why,
    }
}

const fn ticker_message(n: u64, ticker: &Ticker) -> TickerMessage {
    TickerMessage {
        kind: "k",
        symbol: ticker.symbol,
        n,
        last: ticker.last,
        bid: ticker.bid,
        ask: ticker.ask,
        open: ticker.open,
        high: ticker.high,
        low: ticker.low,
        vol: ticker.volume,
        chg: ticker.change,
        chg_pct: ticker.change_pct,
        trades: ticker.trades,
        te: ticker.te,
        tr: ticker.tr,
    }
}

const fn bar_message(n: u64, bar: &Bar) -> BarMessage {
    BarMessage {
        kind: "b",
        symbol: bar.symbol,
        n,
        i: bar.interval.as_str(),
        t: bar.start,
        o: bar.open,
        h: bar.high,
        l: bar.low,
        c: bar.close,
        v: bar.volume,
        vw: bar.vwap,
        tc: bar.trades,
        is_final: bar.is_final,
        is_void: bar.is_void,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Interval, Level, Print};

    fn trade() -> Body {
        Body::Tick(Tick::Trade(Trade {
            symbol: Symbol::new("BTC-USD").unwrap(),
            price: "67210.10".parse().unwrap(),
            size: "0.015".parse().unwrap(),
            side: Some(Side::Buy),
            id: Some(TradeId::Number(995_098_700)),
            source: Source::new("binance").unwrap(),
            te: Some(UnixMicros(1)),
            tr: UnixMicros(2),
            print: Print::default(),
        }))
    }

    fn text(n: u64, body: &Body) -> String {
        String::from_utf8(encode_event(n, body, Encoding::Json).into()).unwrap()
    }

    #[test]
    fn a_trade_is_as_documented() {
        assert_eq!(
            text(9001, &trade()),
            r#"{"T":"t","S":"BTC-USD","n":9001,"p":"67210.10","s":"0.015","side":"buy","id":"995098700","x":"binance","te":1,"tr":2}"#
        );
    }

    #[test]
    fn prints_that_do_not_count_and_corrections_are_as_documented() {
        let Body::Tick(Tick::Trade(trade)) = trade() else { unreachable!() };
        let with = |marks| {
            let print = Print { marks, rule: None };
            text(9001, &Body::Tick(Tick::Trade(Trade { side: None, te: None, print, ..trade.clone() })))
        };
        let plain = r#"{"T":"t","S":"BTC-USD","n":9001,"p":"67210.10","s":"0.015","id":"995098700","x":"binance","tr":2"#;
        assert_eq!(with(Marks::VOLUME_ONLY), format!(r#"{plain},"nc":"last,hilo"}}"#));
        assert_eq!(
            with(Marks::NOTHING.and(Marks::BUSTED)),
            format!(r#"{plain},"nc":"last,hilo,vol","busted":true}}"#)
        );
        assert_eq!(with(Marks::CORRECTED.and(Marks::AT_RECEIPT)), format!(r#"{plain},"corrected":true}}"#));
        let correction = |change, of| {
            let correction = Correction {
                symbol: trade.symbol,
                id: TradeId::Number(7),
                source: Source::new("D").unwrap(),
                change,
                te: Some(UnixMicros(1)),
                tr: UnixMicros(2),
                of,
            };
            text(3, &Body::Tick(Tick::Correction(Box::new(correction))))
        };
        let (price, size) = (trade.price, trade.size);
        assert_eq!(
            correction(Change::Busted { price: Some(price), size: Some(size) }, Some(9001)),
            r#"{"T":"c","S":"BTC-USD","n":3,"of":9001,"id":"7","why":"busted","p":"67210.10","s":"0.015","x":"D","te":1,"tr":2}"#
        );
        assert_eq!(
            correction(Change::Busted { price: None, size: None }, None),
            r#"{"T":"c","S":"BTC-USD","n":3,"id":"7","why":"busted","x":"D","te":1,"tr":2}"#
        );
        let id = Some(TradeId::Text("8".into()));
        assert_eq!(
            correction(Change::Corrected { price, size, marks: Marks::NOT_LAST, id }, None),
            r#"{"T":"c","S":"BTC-USD","n":3,"id":"7","why":"corrected","p":"67210.10","s":"0.015","nc":"last","nid":"8","x":"D","te":1,"tr":2}"#
        );
    }

    #[test]
    fn what_the_source_does_not_tell_is_absent() {
        let quote = Body::Tick(Tick::Quote(Quote {
            symbol: Symbol::new("EUR/USD").unwrap(),
            bid: Some(Level { price: "1.38727".parse().unwrap(), size: None }),
            ask: None,
            source: Source::new("fxcm").unwrap(),
            te: None,
            tr: UnixMicros(2),
            is_snapshot: false,
        }));
        assert_eq!(text(1, &quote), r#"{"T":"q","S":"EUR/USD","n":1,"bp":"1.38727","x":"fxcm","tr":2}"#);
    }

    #[test]
    fn derived_events_are_as_documented() {
        let symbol = Symbol::new("BTC-USD").unwrap();
        let price = |text: &str| text.parse::<Price>().unwrap();
        let bar = Bar {
            symbol,
            interval: Interval::Quarter,
            start: UnixMicros(900_000_000),
            open: price("1.50"),
            high: price("2.0"),
            low: price("1"),
            close: price("1.25"),
            volume: "0.30".parse().unwrap(),
            vwap: Some(price("1.333333")),
            trades: 12,
            is_final: true,
            is_void: false,
        };
        assert_eq!(
            text(7, &Body::Bar(Box::new(bar))),
            r#"{"T":"b","S":"BTC-USD","n":7,"i":"15m","t":900000000,"o":"1.50","h":"2.0","l":"1","c":"1.25","v":"0.30","vw":"1.333333","tc":12,"final":true}"#
        );
        let quoted = Ticker {
            symbol,
            last: None,
            bid: Some(price("1.0")),
            ask: None,
            open: None,
            high: None,
            low: None,
            volume: "0".parse().unwrap(),
            change: None,
            change_pct: None,
            trades: 0,
            te: None,
            tr: UnixMicros(2),
        };
        let traded = Ticker {
            last: Some(price("2.0")),
            open: Some(price("1.6")),
            high: Some(price("2.0")),
            low: Some(price("1.5")),
            change: Some(price("0.4")),
            change_pct: Some("25.0000".parse().unwrap()),
            trades: 3,
            te: Some(UnixMicros(1)),
            ..quoted.clone()
        };
        assert_eq!(
            text(1, &Body::Ticker(Box::new(quoted))),
            r#"{"T":"k","S":"BTC-USD","n":1,"bid":"1.0","vol":"0","trades":0,"tr":2}"#
        );
        assert_eq!(
            text(2, &Body::Ticker(Box::new(traded))),
            r#"{"T":"k","S":"BTC-USD","n":2,"last":"2.0","bid":"1.0","open":"1.6","high":"2.0","low":"1.5","vol":"0","chg":"0.4","chg_pct":"25.0000","trades":3,"te":1,"tr":2}"#
        );
    }

    #[test]
    fn message_pack_says_the_same_with_the_type_first() {
        let packed = encode_event(9001, &trade(), Encoding::MsgPack);
        let text = encode_event(9001, &trade(), Encoding::Json);
        let from_packed: serde_json::Value = rmp_serde::from_slice(&packed).unwrap();
        let from_text: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(from_packed, from_text);
        assert_eq!(&packed[1..4], b"\xa1T\xa1", "T is the first key");
        assert!(packed.len() < text.len());
    }
}
