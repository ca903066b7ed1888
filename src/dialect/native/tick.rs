//! Ticks of producers in the words of the protocol: a trade has `p` and `s`, a quote `bp` or `ap`. `T` may say which
//! it is, and must for a correction; `n`, `of` and `tr` are the gateway's own and are passed over, so that an event of one
//! gateway can be given to another.

use serde::Deserialize;

use crate::{
    dialect::{ParseError, Text, field},
    market::{
        Change, Correction, Level, Marks, Print, PrintRule, Quote, Side, Source, Symbol, Tick, Trade,
        UnixMicros,
    },
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
    n: Option<u64>,
    #[serde(borrow)]
    nc: Option<Text<'a>>,
    #[serde(default)]
    busted: bool,
    #[serde(default)]
    corrected: bool,
    #[serde(borrow)]
    why: Option<Text<'a>>,
    #[serde(borrow)]
    nid: Option<Text<'a>>,
    #[serde(default)]
    snap: bool,
    #[serde(rename = "of")]
    _of: Option<u64>,
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
    /// The number that another gateway gave it, if one did.
    #[must_use]
    pub const fn number(&self) -> Option<u64> {
        self.n
    }

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
                self.without(
                    "a trade",
                    &[("bs", self.bs.is_some()), ("as", self.r#as.is_some()), ("snap", self.snap)],
                )?;
                Ok(Tick::Trade(Trade {
                    symbol,
                    price: field::price("p", self.p.as_deref().ok_or_else(|| missing("p"))?)?,
                    size: field::size("s", self.s.as_deref().ok_or_else(|| missing("s"))?)?,
                    side: self.side,
                    id: self.id.as_deref().map(|id| field::trade_id("id", id)).transpose()?.flatten(),
                    source,
                    te,
                    tr,
                    print: print(self.nc.as_deref(), (self.busted, self.corrected))?,
                }))
            }
            (Some("c"), _, false) => {
                let correction = self.correction((symbol, source), (te, tr))?;
                Ok(Tick::Correction(Box::new(correction)))
            }
            (Some("c"), _, true) => Err(shape("a correction has no bp and no ap")),
            (None | Some("q"), false, true) => {
                let keys =
                    [("side", self.side.is_some()), ("id", self.id.is_some()), ("nc", self.nc.is_some())];
                self.without("a quote", &keys)?;
                let bid = level(("bp", self.bp.as_deref()), ("bs", self.bs.as_deref()))?;
                let ask = level(("ap", self.ap.as_deref()), ("as", self.r#as.as_deref()))?;
                Ok(Tick::Quote(Quote { symbol, bid, ask, source, te, tr, is_snapshot: self.snap }))
            }
            (Some("t"), _, _) => Err(shape("a trade has p and s, and neither bp nor ap")),
            (Some("q"), _, _) => Err(shape("a quote has bp or ap, and neither p nor s")),
            (None, _, _) => Err(shape("a trade has p and s, a quote bp or ap")),
            (Some(_), _, _) => {
                Err(shape("T is none of t, q and c: only trades, quotes and corrections are taken"))
            }
        }
    }

    fn correction(
        &self,
        (symbol, source): (Symbol, Source),
        (te, tr): (Option<UnixMicros>, UnixMicros),
    ) -> Result<Correction, TickError> {
        let name = |key, text: Option<&str>| text.map(|text| field::trade_id(key, text)).transpose();
        let id = name("id", self.id.as_deref())?.flatten().ok_or_else(|| missing("id"))?;
        let price = self.p.as_deref().map(|text| field::price("p", text)).transpose()?;
        let size = self.s.as_deref().map(|text| field::size("s", text)).transpose()?;
        let change = match self.why.as_deref() {
            Some("busted") => Change::Busted { price, size },
            Some("corrected") => Change::Corrected {
                price: price.ok_or_else(|| missing("p"))?,
                size: size.ok_or_else(|| missing("s"))?,
                marks: print(self.nc.as_deref(), (false, false))?.marks,
                id: name("nid", self.nid.as_deref())?.flatten(),
            },
            Some(_) | None => return Err(shape("why of a correction is busted or corrected")),
        };
        Ok(Correction { symbol, id, source, change, te, tr, of: None })
    }

    fn without(&self, what: &str, keys: &[(&str, bool)]) -> Result<(), TickError> {
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

/// What a trade counts for, in the words of an event: one that was taken back counts for nothing.
pub(crate) fn print(nc: Option<&str>, (busted, corrected): (bool, bool)) -> Result<Print, TickError> {
    let mut print = Print::default();
    if let Some(nc) = nc {
        let marks =
            Marks::parse(nc).ok_or_else(|| shape("nc is a list of last, hilo and vol with commas"))?;
        print = Print::by(PrintRule::Declared, marks);
    }
    if busted {
        print = Print::by(PrintRule::Declared, print.marks.and(Marks::BUSTED));
    }
    if corrected {
        print.marks = print.marks.and(Marks::CORRECTED);
    }
    Ok(print)
}

fn time(micros: i64) -> Result<UnixMicros, ParseError> {
    field::plausible(micros).ok_or_else(|| field::implausible_in("te", &micros.to_string(), "us"))
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
            r#"{"T":"q","S":"EUR/USD","n":9,"bp":"1.38727","x":"fxcm","tr":7,"snap":true}"#,
            r#"{"T":"t","S":"AAPL","n":9,"p":"1.5","s":"2","id":"7","x":"D","tr":7,"nc":"last,hilo"}"#,
            r#"{"T":"t","S":"AAPL","n":9,"p":"1.5","s":"2","id":"7","x":"D","tr":7,"nc":"vol","busted":true,"corrected":true}"#,
            r#"{"T":"c","S":"AAPL","n":9,"id":"7","why":"busted","p":"1.5","s":"2","x":"D","te":1700000000000000,"tr":7}"#,
            r#"{"T":"c","S":"AAPL","n":9,"id":"7","why":"busted","x":"D","tr":7}"#,
            r#"{"T":"c","S":"AAPL","n":9,"id":"7","why":"corrected","p":"1.5","s":"2","nc":"last","nid":"8","x":"D","tr":7}"#,
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
            (r#"{"S":"A","p":"1","s":"1","snap":true}"#, "a trade has no snap"),
            (r#"{"T":"status","S":"A"}"#, "none of t, q and c"),
            (r#"{"S":"A","p":"1","s":"1","nc":"all"}"#, "nc is a list"),
            (r#"{"T":"c","S":"A","why":"busted"}"#, "id is missing"),
            (r#"{"T":"c","S":"A","id":"1"}"#, "why of a correction"),
            (r#"{"T":"c","S":"A","id":"1","why":"corrected","p":"1"}"#, "s is missing"),
            (r#"{"T":"c","S":"A","id":"1","why":"busted","bp":"1"}"#, "no bp"),
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
