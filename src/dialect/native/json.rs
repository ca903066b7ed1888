//! Trades and quotes as JSON, written field by field.
//!
//! Nearly all events are one of these two, and each is encoded once for all its subscribers: with few of them, encoding
//! is most of what an event costs. The names of fields are constants here and need no look for characters to escape,
//! nor do symbols and sources. What is written is what serde would write of the message types, which a test checks.

use rust_decimal::Decimal;

use crate::market::{Print, Quote, Side, Size, Trade, TradeId, UnixMicros, decimal_text};

/// Bytes of a usual message.
const USUAL: usize = 192;

/// A message under construction.
struct Message(Vec<u8>);

impl Message {
    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// A key with all that stands before its value, and a number.
    fn number(&mut self, key: &str, value: impl itoa::Integer) -> &mut Self {
        self.raw(key).raw(itoa::Buffer::new().format(value))
    }

    /// A key with all that stands before its value, and a decimal, if there is one.
    fn decimal(&mut self, key: &str, value: Option<Decimal>) -> &mut Self {
        match value {
            Some(value) => self.raw(key).raw(&decimal_text(value)).raw("\""),
            None => self,
        }
    }

    /// Both times.
    fn times(&mut self, te: Option<UnixMicros>, tr: UnixMicros) -> &mut Self {
        if let Some(te) = te {
            self.number(",\"te\":", te.0);
        }
        self.number(",\"tr\":", tr.0)
    }
}

/// A quote as one message.
pub(super) fn quote(n: u64, quote: &Quote) -> Vec<u8> {
    let mut message = Message(Vec::with_capacity(USUAL));
    message.raw("{\"T\":\"q\",\"S\":\"").raw(quote.symbol.as_str()).number("\",\"n\":", n);
    message.decimal(",\"bp\":\"", quote.bid.map(|bid| bid.price.decimal()));
    message.decimal(",\"bs\":\"", quote.bid.and_then(|bid| bid.size).map(Size::decimal));
    message.decimal(",\"ap\":\"", quote.ask.map(|ask| ask.price.decimal()));
    message.decimal(",\"as\":\"", quote.ask.and_then(|ask| ask.size).map(Size::decimal));
    message.raw(",\"x\":\"").raw(quote.source.as_str()).raw("\"").times(quote.te, quote.tr);
    message.raw(if quote.is_snapshot { ",\"snap\":true}" } else { "}" });
    message.0
}

/// A trade that counts for everything, as one message. `None` for others, and where the venue's name of the trade may
/// need escapes.
pub(super) fn trade(n: u64, trade: &Trade) -> Option<Vec<u8>> {
    if trade.print != Print::default() {
        return None;
    }
    let mut message = Message(Vec::with_capacity(USUAL));
    message.raw("{\"T\":\"t\",\"S\":\"").raw(trade.symbol.as_str()).number("\",\"n\":", n);
    message.decimal(",\"p\":\"", Some(trade.price.decimal()));
    message.decimal(",\"s\":\"", Some(trade.size.decimal()));
    match trade.side {
        Some(Side::Buy) => message.raw(",\"side\":\"buy\""),
        Some(Side::Sell) => message.raw(",\"side\":\"sell\""),
        None => &mut message,
    };
    match &trade.id {
        Some(TradeId::Number(id)) => message.number(",\"id\":\"", *id).raw("\""),
        Some(TradeId::Text(id)) if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
            message.raw(",\"id\":\"").raw(id).raw("\"")
        }
        Some(TradeId::Text(_)) => return None,
        None => &mut message,
    };
    message.raw(",\"x\":\"").raw(trade.source.as_str()).raw("\"").times(trade.te, trade.tr).raw("}");
    Some(message.0)
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};

    use super::{
        super::{
            Encoding,
            event::{quote_message, trade_message},
        },
        *,
    };
    use crate::market::{Level, Marks, Price, Source, Symbol};

    fn decimals() -> impl Strategy<Value = Decimal> {
        (any::<u64>(), 0_u32..=28)
            .prop_map(|(digits, scale)| Decimal::from_i128_with_scale(i128::from(digits), scale))
    }

    fn prices() -> impl Strategy<Value = Price> {
        (decimals(), any::<bool>())
            .prop_map(|(value, negative)| Price::new(if negative { -value } else { value }))
    }

    fn sizes() -> impl Strategy<Value = Size> {
        decimals().prop_map(|value| Size::new(value).unwrap())
    }

    fn levels() -> impl Strategy<Value = Option<Level>> {
        option::of((prices(), option::of(sizes())).prop_map(|(price, size)| Level { price, size }))
    }

    fn symbols() -> impl Strategy<Value = Symbol> {
        "[A-Z0-9._/:-]{1,32}".prop_map(|text| Symbol::new(&text).unwrap())
    }

    fn sources() -> impl Strategy<Value = Source> {
        "[!#-\\[\\]-~]{1,16}".prop_map(|text| Source::new(&text).unwrap())
    }

    fn times() -> impl Strategy<Value = (Option<UnixMicros>, UnixMicros)> {
        (option::of(any::<i64>()), any::<i64>()).prop_map(|(te, tr)| (te.map(UnixMicros), UnixMicros(tr)))
    }

    fn ids() -> impl Strategy<Value = Option<TradeId>> {
        option::of(prop_oneof![
            any::<u64>().prop_map(TradeId::Number),
            ".{0,12}".prop_map(|text| TradeId::Text(text.into())),
            "[a-z0-9-]{1,36}".prop_map(|text| TradeId::Text(text.into())),
        ])
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn a_quote_is_what_serde_writes(
            (symbol, source, n) in (symbols(), sources(), any::<u64>()),
            (bid, ask, (te, tr), is_snapshot) in (levels(), levels(), times(), any::<bool>()),
        ) {
            let it = Quote { symbol, bid, ask, source, te, tr, is_snapshot };
            prop_assert_eq!(text(quote(n, &it)), text(Encoding::Json.encode(&quote_message(n, &it))));
        }

        #[test]
        fn a_trade_is_what_serde_writes_or_left_to_it(
            (symbol, source, n) in (symbols(), sources(), any::<u64>()),
            (price, size, (te, tr), id) in (prices(), sizes(), times(), ids()),
            (side, busted) in (option::of(any::<bool>()), prop::bool::weighted(0.2)),
        ) {
            let side = side.map(|buy| if buy { Side::Buy } else { Side::Sell });
            let marks = if busted { Marks::NOTHING.and(Marks::BUSTED) } else { Marks::default() };
            let print = Print { marks, rule: None };
            let it = Trade { symbol, price, size, side, id, source, te, tr, print };
            let written = trade(n, &it);
            prop_assert!(written.is_none() || !busted);
            if let Some(written) = written {
                prop_assert_eq!(text(written), text(Encoding::Json.encode(&trade_message(n, &it))));
            }
        }
    }
}
