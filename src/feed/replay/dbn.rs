//! Databento Binary Encoding, versions 1 to 3, through Databento's own decoder.
//!
//! Trades, best bids and best asks become ticks; other schemas are ignored, each by its own rule. A record of a trade with
//! the book (`tbbo`, `mbp-1` with action Trade) gives the quote, which is the book before the trade, and then the trade.
//! The legacy DBZ container is refused.

use std::io::Read as _;

use dbn::{
    Metadata, RecordRefEnum, SymbolIndex as _, TsSymbolMap, UNDEF_ORDER_SIZE, UNDEF_PRICE, UNDEF_TIMESTAMP,
    decode::dbn::fsm::{DbnFsm, ProcessResult},
};
use rust_decimal::Decimal;

use super::{
    ReplayPlan,
    decoded::{Decoded, Skipped},
    input::Bytes,
};
use crate::{
    dialect::field,
    market::{Level, Price, Print, Quote, Side, Size, Source, Symbol, Tick, Trade, UnixMicros},
};

/// Decimals of a DBN price: one unit is 1e-9.
const PRICE_SCALE: u32 = 9;

/// Sides of a trade, of its aggressor.
const ASK: u8 = b'A';
const BID: u8 = b'B';
/// The action of a record that is a trade.
const TRADE: u8 = b'T';

/// The records of one file.
pub(super) struct Records {
    bytes: Bytes,
    decoder: DbnFsm,
    symbols: TsSymbolMap,
    source: Source,
    number: u64,
    is_cut: bool,
}

impl Records {
    /// Reads the metadata.
    pub(super) fn open(bytes: Bytes) -> Result<Self, String> {
        let source = Source::new("dbn").map_err(|why| why.to_string())?;
        let mut records = Self {
            bytes,
            decoder: DbnFsm::default(),
            symbols: TsSymbolMap::new(),
            source,
            number: 0,
            is_cut: false,
        };
        let metadata = loop {
            match records.decoder.process() {
                ProcessResult::Metadata(metadata) => break metadata,
                ProcessResult::ReadMore(_) => {
                    if !records.fill()? {
                        return Err("ends inside the DBN metadata".into());
                    }
                }
                ProcessResult::Record(()) => return Err("a DBN record before the metadata".into()),
                ProcessResult::Err(error) => {
                    return Err(format!("not DBN (the older DBZ must be converted first): {error}"));
                }
            }
        };
        records.describe(&metadata)?;
        Ok(records)
    }

    fn describe(&mut self, metadata: &Metadata) -> Result<(), String> {
        // "GLBX.MDP3" is venue and publication. Clients know the venue.
        let venue = metadata.dataset.split('.').next().unwrap_or_default().to_ascii_lowercase();
        self.source =
            Source::new(&venue).map_err(|why| format!("the dataset {:?} {why}", metadata.dataset))?;
        self.symbols =
            TsSymbolMap::from_metadata(metadata).map_err(|error| format!("its symbols: {error}"))?;
        Ok(())
    }

    /// The number of the present record, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether the file ended inside a record, or before its compressed stream.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether there was more to read.
    fn fill(&mut self) -> Result<bool, String> {
        let count = self.bytes.read(self.decoder.space()).map_err(|error| error.to_string())?;
        self.decoder.fill(count);
        Ok(count > 0)
    }

    /// Reads the next record; `None` at the end.
    pub(super) fn advance(
        &mut self,
        plan: &ReplayPlan,
        out: &mut Vec<Tick>,
    ) -> Result<Option<Result<Decoded, Skipped>>, String> {
        loop {
            match self.decoder.process() {
                ProcessResult::Record(()) => break,
                ProcessResult::ReadMore(_) => {
                    if self.fill()? {
                        continue;
                    }
                    self.is_cut = !self.decoder.data().is_empty() || self.bytes.broke_off();
                    return Ok(None);
                }
                ProcessResult::Metadata(_) => return Err("DBN metadata between records".into()),
                ProcessResult::Err(error) => return Err(format!("after record {}: {error}", self.number)),
            }
        }
        self.number += 1;
        Ok(Some(self.decode(plan, out)))
    }

    fn decode(&mut self, plan: &ReplayPlan, out: &mut Vec<Tick>) -> Result<Decoded, Skipped> {
        let Some(record) = self.decoder.last_record() else {
            return Err(Skipped::new("record", "the decoder lost its record"));
        };
        if record.header().rtype == dbn::rtype::SYMBOL_MAPPING {
            self.symbols.on_record(record).map_err(|error| Skipped::new("record", error.to_string()))?;
        }
        let record = record.as_enum().map_err(|error| Skipped::new("record", error.to_string()))?;
        if let Some(rule) = rule(&record) {
            return Ok(Decoded::Ignored(rule));
        }
        let header = record.header();
        let name = self.symbols.get_for_rec(&record).ok_or_else(|| {
            Skipped::new("symbol", format!("instrument {} has no symbol at that time", header.instrument_id))
        })?;
        let stamp = Stamp {
            symbol: plan.symbols.of_text(name)?,
            source: plan.source.unwrap_or(self.source),
            te: time(header.ts_event),
            tr: None,
        };
        ticks(&record, stamp, out)
    }
}

/// The rules that ignore records of schemas without ticks.
pub(super) const RULES: &[&str] = &[
    "mbo",
    "mbp-10",
    "ohlcv",
    "status",
    "definition",
    "imbalance",
    "statistics",
    "error",
    "symbol_mapping",
    "system",
];

/// The rule that ignores records of a schema without ticks.
const fn rule(record: &RecordRefEnum<'_>) -> Option<&'static str> {
    match record {
        RecordRefEnum::Trade(_)
        | RecordRefEnum::Mbp1(_)
        | RecordRefEnum::Cmbp1(_)
        | RecordRefEnum::Bbo(_)
        | RecordRefEnum::Cbbo(_) => None,
        RecordRefEnum::Mbo(_) => Some("mbo"),
        RecordRefEnum::Mbp10(_) => Some("mbp-10"),
        RecordRefEnum::Ohlcv(_) => Some("ohlcv"),
        RecordRefEnum::Status(_) => Some("status"),
        RecordRefEnum::InstrumentDef(_) => Some("definition"),
        RecordRefEnum::Imbalance(_) => Some("imbalance"),
        RecordRefEnum::Stat(_) => Some("statistics"),
        RecordRefEnum::Error(_) => Some("error"),
        RecordRefEnum::SymbolMapping(_) => Some("symbol_mapping"),
        RecordRefEnum::System(_) => Some("system"),
    }
}

/// What the ticks of one record share.
#[derive(Clone, Copy)]
struct Stamp {
    symbol: Symbol,
    source: Source,
    te: Option<UnixMicros>,
    tr: Option<UnixMicros>,
}

/// One side of the book as the record states it: price and size.
type Offer = (i64, u32);

/// A deal as the record states it: price, size, side.
type Deal = (i64, u32, u8);

/// Receive time, bid and ask, and deal of one record.
type Found = (u64, Option<[Offer; 2]>, Option<Deal>);

fn ticks(record: &RecordRefEnum<'_>, mut stamp: Stamp, out: &mut Vec<Tick>) -> Result<Decoded, Skipped> {
    let (ts_recv, book, deal): Found = match record {
        RecordRefEnum::Trade(r) => (r.ts_recv, None, Some((r.price, r.size, byte(r.side)))),
        RecordRefEnum::Mbp1(r) => {
            let [l] = &r.levels;
            let deal = (byte(r.action) == TRADE).then_some((r.price, r.size, byte(r.side)));
            (r.ts_recv, Some([(l.bid_px, l.bid_sz), (l.ask_px, l.ask_sz)]), deal)
        }
        RecordRefEnum::Cmbp1(r) => {
            let [l] = &r.levels;
            let deal = (byte(r.action) == TRADE).then_some((r.price, r.size, byte(r.side)));
            (r.ts_recv, Some([(l.bid_px, l.bid_sz), (l.ask_px, l.ask_sz)]), deal)
        }
        RecordRefEnum::Bbo(r) => {
            let [l] = &r.levels;
            (r.ts_recv, Some([(l.bid_px, l.bid_sz), (l.ask_px, l.ask_sz)]), None)
        }
        RecordRefEnum::Cbbo(r) => {
            let [l] = &r.levels;
            (r.ts_recv, Some([(l.bid_px, l.bid_sz), (l.ask_px, l.ask_sz)]), None)
        }
        RecordRefEnum::Mbo(_)
        | RecordRefEnum::Mbp10(_)
        | RecordRefEnum::Ohlcv(_)
        | RecordRefEnum::Status(_)
        | RecordRefEnum::InstrumentDef(_)
        | RecordRefEnum::Imbalance(_)
        | RecordRefEnum::Stat(_)
        | RecordRefEnum::Error(_)
        | RecordRefEnum::SymbolMapping(_)
        | RecordRefEnum::System(_) => return Ok(Decoded::Ignored("unknown")),
    };
    stamp.tr = time(ts_recv);
    if let Some([bid, ask]) = book {
        out.push(quote(stamp, bid, ask));
    }
    if let Some(deal) = deal {
        out.push(trade(stamp, deal)?);
    }
    Ok(Decoded::Ticks(stamp.tr.or(stamp.te)))
}

fn quote(stamp: Stamp, bid: Offer, ask: Offer) -> Tick {
    let Stamp { symbol, source, te, tr } = stamp;
    Tick::Quote(Quote {
        symbol,
        bid: level(bid),
        ask: level(ask),
        source,
        te,
        tr: tr.or(te).unwrap_or(UnixMicros(0)),
        is_snapshot: false,
    })
}

fn trade(stamp: Stamp, (amount, size, side): Deal) -> Result<Tick, Skipped> {
    let Stamp { symbol, source, te, tr } = stamp;
    Ok(Tick::Trade(Trade {
        symbol,
        price: price(amount).ok_or_else(|| Skipped::new("number", "a trade without a price"))?,
        size: contracts(size).ok_or_else(|| Skipped::new("number", "a trade without a size"))?,
        side: match side {
            ASK => Some(Side::Sell),
            BID => Some(Side::Buy),
            _none => None,
        },
        // The record's sequence numbers packets; several trades can share one.
        id: None,
        source,
        te,
        tr: tr.or(te).unwrap_or(UnixMicros(0)),
        print: Print::default(),
    }))
}

fn level((amount, size): Offer) -> Option<Level> {
    price(amount).map(|price| Level { price, size: contracts(size) })
}

/// An exact price without the zeros that nine decimals add: 3720250000000 is 3720.25.
fn price(amount: i64) -> Option<Price> {
    let value = || Decimal::from_i128_with_scale(i128::from(amount), PRICE_SCALE).normalize();
    (amount != UNDEF_PRICE).then(|| Price::new(value()))
}

fn contracts(size: u32) -> Option<Size> {
    if size == UNDEF_ORDER_SIZE { None } else { Size::new(Decimal::from(size)).ok() }
}

fn time(nanos: u64) -> Option<UnixMicros> {
    if nanos == UNDEF_TIMESTAMP {
        return None;
    }
    i64::try_from(nanos / 1_000).ok().and_then(field::plausible)
}

/// A C character, signed on some machines, as the byte it is.
const fn byte(character: std::ffi::c_char) -> u8 {
    character.to_ne_bytes()[0]
}
