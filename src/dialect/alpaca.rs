//! Alpaca's market data streams, the reading side: stocks (v2) and crypto (v1beta3), as JSON and as MessagePack.
//!
//! A frame is a list of messages, told apart by `T`. Prices are numbers. In JSON they are read from their literal text;
//! MessagePack has binary floats only, and there the shortest decimal text that reads back as the same float is
//! taken, which is the text that JSON has.
//!
//! A stock trade's source is the exchange where it happened; quotes, which join two exchanges, and crypto have
//! `alpaca`. A halt or resumption is a symbol's state. What a stock trade counts for follows from its conditions. Bars and
//! books are passed over by named rules.
//!
//! Formats: "WebSocket Stream", "Real-time Stock Data" and "Real-time Crypto Data" of Alpaca's documentation.

mod conditions;
mod entry;
pub mod serve;

use std::borrow::Cow;

use self::entry::{Entry, Json, Literal, Packed};
use super::{
    Ack, Listed, Message, ParseError, Refusal, RefusalClass, field,
    naming::{Received, named},
};
use crate::market::{Change, Correction, Level, Print, Quote, Side, Source, State, Status, Tick, Trade};

/// Reads one frame: MessagePack when it begins as no JSON does.
pub(super) fn parse(frame: &[u8], at: Received<'_>, out: &mut Vec<Message>) -> Result<(), ParseError> {
    let before = out.len();
    if entry::is_packed(frame) {
        for entry in &entry::packed(frame)? {
            out.push(named(message::<Packed<'_>>(entry, at))?);
        }
    } else {
        for entry in &serde_json::from_slice::<Vec<Entry<'_, Json<'_>>>>(frame)? {
            out.push(named(message::<Json<'_>>(entry, at))?);
        }
    }
    if out.len() == before {
        out.push(Message::Ignored("empty"));
    }
    Ok(())
}

fn message<'a, N: Literal<'a>>(entry: &Entry<'_, N>, at: Received<'_>) -> Result<Message, ParseError> {
    Ok(match entry.kind.as_deref().unwrap_or_default() {
        "t" => tick(Tick::Trade(trade(entry, at)?)),
        "q" => tick(Tick::Quote(quote(entry, at)?)),
        "s" => status(entry, at)?,
        "b" => Message::Ignored("bar"),
        "u" => Message::Ignored("updated_bar"),
        "d" => Message::Ignored("daily_bar"),
        "o" => Message::Ignored("orderbook"),
        "l" => Message::Ignored("price_band"),
        "c" => tick(Tick::Correction(Box::new(corrected(entry, at)?))),
        "x" => tick(Tick::Correction(Box::new(cancelled(entry, at)?))),
        "i" => Message::Ignored("imbalance"),
        "n" => Message::Ignored("news"),
        "success" => match entry.msg.as_deref() {
            Some("connected") => Message::Ack(Ack::Connected),
            Some("authenticated") => Message::Ack(Ack::Authenticated),
            Some(_) | None => Message::Unknown,
        },
        "subscription" => Message::Ack(Ack::Listed(Box::new(Listed {
            trades: entry.trades.iter().flatten().cloned().collect(),
            quotes: entry.quotes.iter().flatten().cloned().collect(),
        }))),
        "error" => refused(entry),
        _other => Message::Unknown,
    })
}

/// `{"T":"error","code":405,"msg":"symbol limit exceeded"}`; the numbers are those of the documentation.
fn refused<'a, N: Literal<'a>>(entry: &Entry<'_, N>) -> Message {
    let refusal = Refusal::in_words(entry.msg.as_deref().unwrap_or_default());
    let code: Option<i64> = entry.code.as_ref().and_then(|code| code.text().parse().ok());
    let class = match code {
        // Invalid syntax; invalid subscribe action for this feed.
        Some(400 | 410) => RefusalClass::Channel,
        // Not authenticated, auth failed, already authenticated, auth timeout; insufficient subscription.
        Some(401..=404 | 409) => RefusalClass::Credentials,
        Some(405) => RefusalClass::Place,
        Some(406) => RefusalClass::Connections,
        // Slow client.
        Some(407) => RefusalClass::Remark,
        Some(500) => RefusalClass::Venue,
        Some(_) | None => refusal.class,
    };
    Message::Refused(Refusal { code, class, ..refusal })
}

/// Ids of stock trades are unique within an exchange and a day, and tell no order.
const fn tick(tick: Tick) -> Message {
    Message::Tick { tick, sequence: None }
}

/// `{"T":"t","i":96921,"S":"AAPL","x":"D","p":126.55,"s":1,"t":"2021-02-22T15:51:44.208Z","c":["@","I"],"z":"C"}`;
/// crypto: `{"T":"t","S":"AVAX/USD","p":47.299,"s":29.205707815,"t":"2024-03-12T10:27:48.858228144Z",
/// "i":3447222699101865076,"tks":"S"}`.
fn trade<'a, N: Literal<'a>>(entry: &Entry<'_, N>, at: Received<'_>) -> Result<Trade, ParseError> {
    let of = |field, value| need(value, field, "t");
    let side = match entry.tks.as_ref().map(Literal::text) {
        Some("B") => Some(Side::Buy),
        Some("S") => Some(Side::Sell),
        Some(_) | None => None,
    };
    Ok(Trade {
        symbol: at.symbol(need(entry.symbol.as_deref(), "S", "t")?)?,
        price: field::price("p", of("p", entry.p.as_ref())?.text())?,
        size: field::size("s", of("s", entry.s.as_ref())?.text())?,
        side,
        id: entry.i.as_ref().map(|id| field::trade_id("i", id.text())).transpose()?.flatten(),
        source: exchange(entry),
        te: Some(of("t", entry.t.as_ref())?.time("t")?),
        tr: at.tr,
        print: print(entry.c.as_ref(), entry.z.as_ref()),
    })
}

/// `{"T":"x","S":"GOOGL","i":465,"x":"D","p":105.31,"s":300,"a":"C","z":"C","t":"2023-04-06T13:15:42.83540958Z"}`: the exchange
/// has cancelled the trade (`a` is `C`), or it was an error (`E`). Either way it never was.
fn cancelled<'a, N: Literal<'a>>(entry: &Entry<'_, N>, at: Received<'_>) -> Result<Correction, ParseError> {
    let change = Change::Busted {
        price: entry.p.as_ref().map(|price| field::price("p", price.text())).transpose()?,
        size: entry.s.as_ref().map(|size| field::size("s", size.text())).transpose()?,
    };
    correction(entry, ("x", "i", entry.i.as_ref()), change, at)
}

/// `{"T":"c","S":"EEM","x":"M","oi":52983525033527,"op":39.1582,"os":440000,"oc":[" ","7"],"ci":52983525034326,"cp":39.1809,
/// "cs":440000,"cc":[" ","7"],"z":"B","t":"2023-04-06T14:25:06.542305024Z"}`: what the trade was, and what it is.
fn corrected<'a, N: Literal<'a>>(entry: &Entry<'_, N>, at: Received<'_>) -> Result<Correction, ParseError> {
    let change = Change::Corrected {
        price: field::price("cp", need(entry.cp.as_ref(), "cp", "c")?.text())?,
        size: field::size("cs", need(entry.cs.as_ref(), "cs", "c")?.text())?,
        marks: print(entry.cc.as_ref(), entry.z.as_ref()).marks,
        id: entry.ci.as_ref().map(|id| field::trade_id("ci", id.text())).transpose()?.flatten(),
    };
    correction(entry, ("c", "oi", entry.oi.as_ref()), change, at)
}

fn correction<'a, N: Literal<'a>>(
    entry: &Entry<'_, N>,
    (kind, name, id): (&'static str, &'static str, Option<&N>),
    change: Change,
    at: Received<'_>,
) -> Result<Correction, ParseError> {
    let id = id.map(|id| field::trade_id(name, id.text())).transpose()?.flatten();
    Ok(Correction {
        symbol: at.symbol(need(entry.symbol.as_deref(), "S", kind)?)?,
        id: id.ok_or(ParseError::Missing { field: name, kind })?,
        source: exchange(entry),
        change,
        te: entry.t.as_ref().map(|time| time.time("t")).transpose()?,
        tr: at.tr,
        of: None,
    })
}

/// Where a trade happened.
fn exchange<'a, N: Literal<'a>>(entry: &Entry<'_, N>) -> Source {
    let code = entry.x.as_ref().and_then(|exchange| Source::new(exchange.text()).ok());
    code.unwrap_or_else(source)
}

/// What the conditions of a trade say of what it counts for; crypto has none.
fn print<'a, N: Literal<'a>>(conditions: Option<&N>, tape: Option<&N>) -> Print {
    let Some(conditions) = conditions else { return Print::default() };
    conditions::print(&conditions.codes(), tape.map(Literal::text).unwrap_or_default())
}

/// `{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"X","ap":87.68,"as":4,"c":["R"],"z":"C",
/// "t":"2021-02-22T15:51:45.335689322Z"}`; crypto has no exchanges. Sizes of stocks are as the venue has them: in
/// round lots until late 2025, in shares since.
fn quote<'a, N: Literal<'a>>(entry: &Entry<'_, N>, at: Received<'_>) -> Result<Quote, ParseError> {
    Ok(Quote {
        symbol: at.symbol(need(entry.symbol.as_deref(), "S", "q")?)?,
        bid: level(("bp", entry.bp.as_ref()), ("bs", entry.bs.as_ref()))?,
        ask: level(("ap", entry.ap.as_ref()), ("as", entry.r#as.as_ref()))?,
        source: source(),
        te: Some(need(entry.t.as_ref(), "t", "q")?.time("t")?),
        tr: at.tr,
        is_snapshot: false,
    })
}

/// `{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T12","rm":"…","t":"2021-02-22T19:15:00Z","z":"C"}`. The
/// codes are those of the two plans: `2` and `3` of tapes A and B; `H`, `P` and `T` of C and O. The others are remarks
/// (imbalances, indications, quoting before trading).
fn status<'a, N: Literal<'a>>(entry: &Entry<'_, N>, at: Received<'_>) -> Result<Message, ParseError> {
    let state = match need(entry.sc.as_ref(), "sc", "s")?.text() {
        "2" | "H" | "P" => State::Halted,
        "3" | "T" => State::Live,
        _remark => return Ok(Message::Ignored("status_remark")),
    };
    Ok(tick(Tick::Status(Status {
        symbol: at.symbol(need(entry.symbol.as_deref(), "S", "s")?)?,
        state,
        source: source(),
        since: need(entry.t.as_ref(), "t", "s")?.time("t")?,
        why: Cow::Owned(field::words(entry.sm.as_ref().map(Literal::text).unwrap_or_default())),
    })))
}

fn level<'a, N: Literal<'a>>(
    (price_name, price): (&'static str, Option<&N>),
    (size_name, size): (&'static str, Option<&N>),
) -> Result<Option<Level>, ParseError> {
    let price = field::price(price_name, need(price, price_name, "q")?.text())?;
    let size = size.map(|size| field::size(size_name, size.text())).transpose()?;
    Ok(field::level(price, size))
}

fn need<'v, V: ?Sized>(
    value: Option<&'v V>,
    field: &'static str,
    kind: &'static str,
) -> Result<&'v V, ParseError> {
    value.ok_or(ParseError::Missing { field, kind })
}

fn source() -> Source {
    Source::new("alpaca").expect("the name is short and plain")
}

#[cfg(test)]
mod tests;
