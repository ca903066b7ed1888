//! Ticks of producers in the words of the protocol: a trade has `p` and `s`, a quote `bp` or `ap`. `T` may say which
//! it is; `n` and `tr` are the gateway's own and are passed over, so that an event of one gateway can be given to another.

use serde::Deserialize;

use crate::{
    dialect::{ParseError, Text, field},
    market::{Level, Quote, Side, Source, Tick, Trade, UnixMicros},
};

/// The keys of a trade and a quote together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys of a trade or a quote")]
pub struct TickMessage<'a> {
    #[serde(rename = "T", borrow)]
    kind: Option<Text<'a>>,
    #[serde(rename = "S", borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    p: Option<Text<'a>>,
    #[serde(borrow)]
    s: Option<Text<'a>>,
    side: Option<Side>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    bp: Option<Text<'a>>,
    #[serde(borrow)]
    bs: Option<Text<'a>>,
    #[serde(borrow)]
    ap: Option<Text<'a>>,
    #[serde(borrow)]
    r#as: Option<Text<'a>>,
    x: Option<Source>,
    te: Option<i64>,
    #[serde(rename = "tr")]
    _tr: Option<i64>,
    #[serde(rename = "n")]
    _n: Option<u64>,
}

/// Why a tick of a producer was refused.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// Not a map of the right keys and types.
    #[error("not a tick: {0}")]
    Shape(String),
    /// A value that cannot be.
    #[error("{0}")]
    Value(#[from] ParseError),
}

impl TickError {
    /// Not a tick, for a reason that may repeat what was sent: no more of it is kept than anybody reads.
    #[must_use]
    pub fn shape(why: &dyn std::fmt::Display) -> Self {
        Self::Shape(field::cut(&why.to_string()))
    }

    /// The kind as a metric label.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Shape(_) => "shape",
            Self::Value(error) => error.kind(),
        }
    }
}

impl TickMessage<'_> {
    /// The tick, received at `tr` by the feed `feed`, which is its source unless it names one.
    ///
    /// # Errors
    /// Names the key and what is wrong with its value.
    pub fn tick(&self, feed: Source, tr: UnixMicros) -> Result<Tick, TickError> {
        let symbol = field::symbol(&self.symbol)?;
        let te = self.te.map(time).transpose()?;
        let source = self.x.unwrap_or(feed);
        let (trade, quote) = (self.p.is_some() || self.s.is_some(), self.bp.is_some() || self.ap.is_some());
        match (self.kind.as_deref(), trade, quote) {
            (None | Some("t"), true, false) => {
                self.without("a trade", [("bs", self.bs.is_some()), ("as", self.r#as.is_some())])?;
                Ok(Tick::Trade(Trade {
                    symbol,
                    price: field::price("p", self.p.as_deref().ok_or_else(|| missing("p"))?)?,
                    size: field::size("s", self.s.as_deref().ok_or_else(|| missing("s"))?)?,
                    side: self.side,
                    id: self.id.as_deref().map(|id| field::trade_id("id", id)).transpose()?.flatten(),
                    source,
                    te,
                    tr,
                }))
            }
            (None | Some("q"), false, true) => {
                self.without("a quote", [("side", self.side.is_some()), ("id", self.id.is_some())])?;
                let bid = level(("bp", self.bp.as_deref()), ("bs", self.bs.as_deref()))?;
                let ask = level(("ap", self.ap.as_deref()), ("as", self.r#as.as_deref()))?;
                Ok(Tick::Quote(Quote { symbol, bid, ask, source, te, tr }))
            }
            (Some("t"), _, _) => Err(shape("a trade has p and s, and neither bp nor ap")),
            (Some("q"), _, _) => Err(shape("a quote has bp or ap, and neither p nor s")),
            (None, _, _) => Err(shape("a trade has p and s, a quote bp or ap")),
            (Some(_), _, _) => Err(shape("T is neither t nor q: only trades and quotes are taken")),
        }
    }

    fn without(&self, what: &str, keys: [(&str, bool); 2]) -> Result<(), TickError> {
        match keys.iter().find(|(_, there)| *there) {
            Some((key, _)) => Err(shape(&format!("{what} has no {key}"))),
            None => Ok(()),
        }
    }
}

fn level(
    (price_key, price): (&'static str, Option<&str>),
    (size_key, size): (&'static str, Option<&str>),
) -> Result<Option<Level>, TickError> {
    let Some(price) = price else {
        return if size.is_some() { Err(missing(price_key)) } else { Ok(None) };
    };
    let size = size.map(|text| field::size(size_key, text)).transpose()?;
    Ok(Some(Level { price: field::price(price_key, price)?, size }))
}

fn time(micros: i64) -> Result<UnixMicros, ParseError> {
    field::plausible(micros).ok_or_else(|| field::implausible("te", &micros.to_string()))
}

fn missing(key: &str) -> TickError {
    shape(&format!("{key} is missing"))
}

fn shape(why: &str) -> TickError {
    TickError::shape(&why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::native::{Encoding, encode_event};

    fn read(line: &str) -> Result<Tick, TickError> {
        let message: TickMessage<'_> = serde_json::from_str(line).map_err(|why| TickError::shape(&why))?;
        message.tick(Source::new("push").unwrap(), UnixMicros(7))
    }

    #[test]
    fn events_of_a_gateway_can_be_given_to_another() {
        for line in [
            r#"{"T":"t","S":"BTC-USD","n":9,"p":"67210.10","s":"0.015","side":"buy","id":"995098700","x":"binance","te":1700000000000000,"tr":7}"#,
            r#"{"T":"q","S":"EUR/USD","n":9,"bp":"1.38727","x":"fxcm","tr":7}"#,
        ] {
            let body = read(line).unwrap().into();
            assert_eq!(String::from_utf8_lossy(&encode_event(9, &body, Encoding::Json)), line);
        }
        let tick = read(r#"{"S":"A","p":"1.0","s":"2"}"#).unwrap();
        assert!(matches!(tick, Tick::Trade(trade) if trade.source.as_str() == "push"));
    }

    #[test]
    fn errors_name_the_key() {
        for (line, part) in [
            ("[]", "keys of a trade or a quote"),
            (r#"{"p":"1","s":"1"}"#, "`S`"),
            (r#"{"S":"a","p":"1","s":"1"}"#, "symbol"),
            (r#"{"S":"A","p":"1"}"#, "s is missing"),
            (r#"{"S":"A","p":1,"s":"1"}"#, "string"),
            (r#"{"S":"A","p":"x","s":"1"}"#, "p: "),
            (r#"{"S":"A","p":"1","s":"-1"}"#, "negative"),
            (r#"{"S":"A","p":"1","s":"1","te":5}"#, "te: "),
            (r#"{"S":"A","p":"1","s":"1","bp":"1"}"#, "a trade has p and s, a quote bp or ap"),
            (r#"{"S":"A","bs":"1"}"#, "a quote bp or ap"),
            (r#"{"S":"A","bp":"1","as":"1"}"#, "ap is missing"),
            (r#"{"S":"A","p":"1","s":"1","as":"1"}"#, "a trade has no as"),
            (r#"{"S":"A","bp":"1","id":"1"}"#, "a quote has no id"),
            (r#"{"T":"status","S":"A"}"#, "neither t nor q"),
            (r#"{"S":"A","price":"1"}"#, "price"),
            (
                &format!(r#"{{"S":"A","p":"1","s":"1","id":"{}"}}"#, "x".repeat(1_000_000)),
                "id has 1000000 bytes",
            ),
            (&format!(r#"{{"S":"A","p":"{}1","s":"1"}}"#, "0".repeat(1_000_000)), "p: "),
            (&format!(r#"{{"S":"{}","p":"1","s":"1"}}"#, "X".repeat(1_000_000)), "symbol"),
            (&format!(r#"{{"S":"A","p":"1","s":"1","x":"{}"}}"#, "x".repeat(1_000_000)), "not a tick: "),
            (&format!(r#"{{"S":"A","{}":"1"}}"#, "k".repeat(1_000_000)), "unknown field"),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(part), "{line:.200}: {error}");
            assert!(error.len() < 400, "an error repeats no more than anybody reads: {}", error.len());
        }
    }
}
