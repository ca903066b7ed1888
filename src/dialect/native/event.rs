//! Events of the protocol.

use serde::Serialize;

use super::{Encoding, Gap};
use crate::market::{
    Loss, Price, Quote, Side, Size, Source, State, Status, Symbol, Tick, Trade, TradeId, UnixMicros,
};

/// `{"T":"t","S":"BTC-USD","n":9001,"p":"67210.10","s":"0.015","side":"buy","id":"995","x":"binance","te":US,"tr":US}`
#[derive(Serialize)]
struct TradeMessage<'a> {
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
}

/// `{"T":"q","S":"BTC-USD","n":18240,"bp":"…","bs":"…","ap":"…","as":"…","x":"binance","te":US,"tr":US}`
#[derive(Serialize)]
struct QuoteMessage {
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

/// One event as one message, without the array around it.
#[must_use]
pub fn encode_event(n: u64, body: &Tick, encoding: Encoding) -> Box<[u8]> {
    let bytes = match body {
        Tick::Trade(trade) => encoding.encode(&trade_message(n, trade)),
        Tick::Quote(quote) => encoding.encode(&quote_message(n, quote)),
        Tick::Status(status) => encoding.encode(&status_message(n, status)),
        Tick::Loss(loss) => encoding.encode(&gap_message(n, loss)),
    };
    bytes.into_boxed_slice()
}

/// A loss has one number, and is told as the gap of that number.
const fn gap_message(n: u64, loss: &Loss) -> Gap {
    let Loss { symbol, channel, why, .. } = *loss;
    Gap { kind: "gap", symbol, channel, from: n, to: n, why: why.as_str() }
}

const fn trade_message(n: u64, trade: &Trade) -> TradeMessage<'_> {
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
    }
}

fn quote_message(n: u64, quote: &Quote) -> QuoteMessage {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Level;

    fn trade() -> Tick {
        Tick::Trade(Trade {
            symbol: Symbol::new("BTC-USD").unwrap(),
            price: "67210.10".parse().unwrap(),
            size: "0.015".parse().unwrap(),
            side: Some(Side::Buy),
            id: Some(TradeId::Number(995_098_700)),
            source: Source::new("binance").unwrap(),
            te: Some(UnixMicros(1)),
            tr: UnixMicros(2),
        })
    }

    #[test]
    fn a_trade_is_as_documented() {
        assert_eq!(
            String::from_utf8(encode_event(9001, &trade(), Encoding::Json).into()).unwrap(),
            r#"{"T":"t","S":"BTC-USD","n":9001,"p":"67210.10","s":"0.015","side":"buy","id":"995098700","x":"binance","te":1,"tr":2}"#
        );
    }

    #[test]
    fn what_the_source_does_not_tell_is_absent() {
        let quote = Tick::Quote(Quote {
            symbol: Symbol::new("EUR/USD").unwrap(),
            bid: Some(Level { price: "1.38727".parse().unwrap(), size: None }),
            ask: None,
            source: Source::new("fxcm").unwrap(),
            te: None,
            tr: UnixMicros(2),
        });
        assert_eq!(
            String::from_utf8(encode_event(1, &quote, Encoding::Json).into()).unwrap(),
            r#"{"T":"q","S":"EUR/USD","n":1,"bp":"1.38727","x":"fxcm","tr":2}"#
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
