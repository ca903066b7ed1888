//! Recordings in the gateway's own protocol: each line is an event, `{"T":"t",…}`, or a server frame, which is an array of
//! messages. `n` is ignored, because events are numbered anew. Other messages than ticks are ignored.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    decoded::{Decoded, Skipped},
    names::Symbols,
};
use crate::{
    dialect::{Text, field, native},
    market::{Change, Correction, Level, Print, Quote, Side, Source, State, Status, Tick, Trade, UnixMicros},
};

/// The rule for messages that are no ticks.
pub(super) const CONTROL: &str = "control";

/// The keys of `t`, `q` and `status` together.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "T", borrow)]
    kind: Text<'a>,
    #[serde(rename = "S", default)]
    symbol: Text<'a>,
    p: Option<Text<'a>>,
    s: Option<Text<'a>>,
    side: Option<Side>,
    id: Option<Text<'a>>,
    bp: Option<Text<'a>>,
    bs: Option<Text<'a>>,
    ap: Option<Text<'a>>,
    r#as: Option<Text<'a>>,
    x: Option<Source>,
    te: Option<i64>,
    tr: Option<i64>,
    state: Option<State>,
    since: Option<i64>,
    #[serde(default)]
    why: String,
    nc: Option<Text<'a>>,
    #[serde(default)]
    busted: bool,
    #[serde(default)]
    corrected: bool,
    #[serde(default)]
    snap: bool,
    nid: Option<Text<'a>>,
}

/// Reads one line. Ticks without `x` come from `feed`.
pub(super) fn decode(
    line: &[u8],
    feed: Source,
    names: &Symbols,
    out: &mut Vec<Tick>,
) -> Result<Decoded, Skipped> {
    if !field::is_list(line) {
        return message(&serde_json::from_slice(line)?, feed, names, out);
    }
    let mut first = Decoded::Ignored(CONTROL);
    for element in serde_json::from_slice::<Vec<&RawValue>>(line)? {
        let decoded = message(&serde_json::from_str(element.get())?, feed, names, out)?;
        if matches!((&first, &decoded), (Decoded::Ignored(_), Decoded::Ticks(_))) {
            first = decoded;
        }
    }
    Ok(first)
}

fn message(
    message: &Message<'_>,
    feed: Source,
    names: &Symbols,
    out: &mut Vec<Tick>,
) -> Result<Decoded, Skipped> {
    let te = message.te.map(|te| time("te", te)).transpose()?;
    let tr = message.tr.map(|tr| time("tr", tr)).transpose()?;
    let source = message.x.unwrap_or(feed);
    // The receive time is set when the tick is published.
    let now = tr.or(te).unwrap_or(UnixMicros(0));
    let tick = match &*message.kind {
        "t" => Tick::Trade(Trade {
            symbol: names.of_text(&message.symbol)?,
            price: field::price("p", message.p.as_deref().ok_or_else(|| missing("p"))?)?,
            size: field::size("s", message.s.as_deref().ok_or_else(|| missing("s"))?)?,
            side: message.side,
            id: message.id.as_deref().map(|id| field::trade_id("id", id)).transpose()?.flatten(),
            source,
            te,
            tr: now,
            print: print(message.nc.as_deref(), (message.busted, message.corrected))?,
        }),
        "c" => Tick::Correction(Box::new(correction(message, source, names, (te, now))?)),
        "q" => Tick::Quote(Quote {
            symbol: names.of_text(&message.symbol)?,
            bid: level(("bp", message.bp.as_deref()), ("bs", message.bs.as_deref()))?,
            ask: level(("ap", message.ap.as_deref()), ("as", message.r#as.as_deref()))?,
            source,
            te,
            tr: now,
            is_snapshot: message.snap,
        }),
        "status" => {
            let since = time("since", message.since.ok_or_else(|| missing("since"))?)?;
            out.push(Tick::Status(Status {
                symbol: names.of_text(&message.symbol)?,
                state: message.state.ok_or_else(|| missing("state"))?,
                source,
                since,
                why: message.why.clone().into(),
            }));
            return Ok(Decoded::Ticks(Some(since)));
        }
        _other => return Ok(Decoded::Ignored(CONTROL)),
    };
    out.push(tick);
    Ok(Decoded::Ticks(tr.or(te)))
}

fn print(nc: Option<&str>, became: (bool, bool)) -> Result<Print, Skipped> {
    native::print(nc, became).map_err(|why| Skipped::new("shape", why.to_string()))
}

fn correction(
    message: &Message<'_>,
    source: Source,
    names: &Symbols,
    (te, tr): (Option<UnixMicros>, UnixMicros),
) -> Result<Correction, Skipped> {
    let price = message.p.as_deref().map(|text| field::price("p", text)).transpose()?;
    let size = message.s.as_deref().map(|text| field::size("s", text)).transpose()?;
    let name = |key, text: Option<&str>| text.map(|text| field::trade_id(key, text)).transpose();
    let change = match message.why.as_str() {
        "busted" => Change::Busted { price, size },
        "corrected" => Change::Corrected {
            price: price.ok_or_else(|| missing("p"))?,
            size: size.ok_or_else(|| missing("s"))?,
            marks: print(message.nc.as_deref(), (false, false))?.marks,
            id: name("nid", message.nid.as_deref())?.flatten(),
        },
        _other => return Err(Skipped::new("shape", "why of a correction is busted or corrected")),
    };
    let id = name("id", message.id.as_deref())?.flatten().ok_or_else(|| missing("id"))?;
    Ok(Correction { symbol: names.of_text(&message.symbol)?, id, source, change, te, tr, of: None })
}

fn level(
    (price_key, price): (&'static str, Option<&str>),
    (size_key, size): (&'static str, Option<&str>),
) -> Result<Option<Level>, Skipped> {
    let Some(price) = price else { return Ok(None) };
    let size = size.map(|text| field::size(size_key, text)).transpose()?;
    Ok(Some(Level { price: field::price(price_key, price)?, size }))
}

fn time(key: &'static str, micros: i64) -> Result<UnixMicros, Skipped> {
    field::plausible(micros).ok_or_else(|| field::implausible_in(key, &micros.to_string(), "us").into())
}

fn missing(key: &str) -> Skipped {
    Skipped::new("shape", format!("the event has no {key:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Encoding, native::encode_tick};

    fn read(line: &str) -> Result<(Decoded, Vec<Tick>), Skipped> {
        let mut out = Vec::new();
        decode(line.as_bytes(), Source::new("feed").unwrap(), &Symbols::default(), &mut out)
            .map(|decoded| (decoded, out))
    }

    #[test]
    fn what_the_gateway_writes_reads_back_the_same() {
        let lines = [
            r#"{"T":"t","S":"BTC-USD","n":9001,"p":"67210.10","s":"0.015","side":"buy","id":"995098700","x":"binance","te":1700000000000000,"tr":1700000000000001}"#,
            r#"{"T":"q","S":"BTC-USD","n":2,"bp":"1.10","bs":"2","ap":"1.20","as":"3.0","x":"binance","te":1700000000000000,"tr":1700000000000001}"#,
            r#"{"T":"q","S":"EUR/USD","n":2,"bp":"1.10","x":"fxcm","tr":1700000000000001,"snap":true}"#,
            r#"{"T":"status","S":"A","n":2,"state":"halted","x":"sim","since":1700000000000001,"why":"circuit breaker"}"#,
            r#"{"T":"t","S":"AAPL","n":2,"p":"1.5","s":"2","x":"D","tr":1700000000000001,"nc":"last,hilo","busted":true}"#,
            r#"{"T":"c","S":"AAPL","n":2,"id":"7","why":"busted","p":"1.5","s":"2","x":"D","tr":1700000000000001}"#,
            r#"{"T":"c","S":"AAPL","n":2,"id":"7","why":"corrected","p":"1.5","s":"2","nc":"vol","nid":"8","x":"D","tr":1700000000000001}"#,
        ];
        for (line, n) in lines.into_iter().zip([9_001, 2, 2, 2, 2, 2, 2]) {
            let (decoded, ticks) = read(line).unwrap();
            assert_eq!(decoded, Decoded::Ticks(Some(UnixMicros(1_700_000_000_000_001))));
            assert_eq!(String::from_utf8_lossy(&encode_tick(n, &ticks[0], Encoding::Json)), line);
        }
        let (decoded, ticks) =
            read(&format!(r#"[{{"T":"hb","time":1}},{},{}]"#, lines[0], lines[1])).unwrap();
        assert_eq!((decoded, ticks.len()), (Decoded::Ticks(Some(UnixMicros(1_700_000_000_000_001))), 2));
    }

    #[test]
    fn other_messages_are_passed_over_and_broken_ones_are_errors() {
        for line in [r#"{"T":"hb","time":1}"#, r#"[{"T":"welcome","proto":1}]"#, "[]"] {
            assert_eq!(read(line).unwrap(), (Decoded::Ignored("control"), vec![]), "{line}");
        }
        let (_, ticks) = read(r#"{"T":"t","S":"A","p":"1","s":"2"}"#).unwrap();
        assert!(matches!(&ticks[0], Tick::Trade(trade) if trade.source.as_str() == "feed"));
        for (line, kind) in [
            (r#"{"T":"t","S":"A","p":"1"}"#, "shape"),
            (r#"{"T":"t","S":"A","p":1,"s":"1"}"#, "shape"),
            (r#"{"T":"t","p":"1","s":"1"}"#, "symbol"),
            (r#"{"T":"t","S":"A","p":"1","s":"-1"}"#, "number"),
            (r#"{"T":"t","S":"A","p":"1","s":"1","te":5}"#, "time"),
            (r#"{"T":"status","S":"A","since":1700000000000001}"#, "shape"),
            ("nonsense", "shape"),
        ] {
            assert_eq!(read(line).unwrap_err().kind, kind, "{line}");
        }
    }
}
