//! Databento trades, DBN version 3.

use std::{collections::HashMap, ffi::c_char, io::Write, num::NonZeroU64};

use dbn::{
    FlagSet, MappingInterval, Metadata, RecordHeader, SType, Schema, SymbolMapping, TradeMsg,
    VersionUpgradePolicy,
    encode::{DbnMetadataEncoder, DbnRecordEncoder, EncodeRecord as _},
    rtype,
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use super::{RecordError, RecordPlan};
use crate::market::{Side, Symbol, Trade, UnixMicros};

/// A made-up dataset in the form of Databento's names.
const DATASET: &str = "SIMU.TRADES";

/// Databento's numbers of publishers start at 1 and are all real venues; this one is made up.
const PUBLISHER: u16 = 0;

/// Prices are whole numbers of this many decimal places.
const SCALE: u32 = 9;

/// Knows the number of each symbol.
#[derive(Debug)]
pub(super) struct Dbn {
    instruments: HashMap<Symbol, u32>,
    sequence: u32,
}

impl Dbn {
    /// Writes the metadata.
    pub(super) fn begin(
        symbols: Vec<Symbol>,
        plan: &RecordPlan,
        out: &mut impl Write,
    ) -> Result<Self, RecordError> {
        let start = nanos(plan.start);
        let end = start.saturating_add(u64::try_from(plan.length.as_nanos()).unwrap_or(u64::MAX));
        let day = |nanos: u64| {
            time::OffsetDateTime::from_unix_timestamp(
                i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
            )
            .map(time::OffsetDateTime::date)
            .unwrap_or(time::Date::MAX)
        };
        let instruments: HashMap<_, _> = symbols.iter().copied().zip(1..).collect();
        let mappings = symbols
            .iter()
            .map(|symbol| SymbolMapping {
                raw_symbol: symbol.to_string(),
                intervals: vec![MappingInterval {
                    start_date: day(start),
                    end_date: day(end).next_day().unwrap_or(time::Date::MAX),
                    symbol: instruments[symbol].to_string(),
                }],
            })
            .collect();
        let mut metadata = Metadata::builder()
            .dataset(DATASET.to_owned())
            .schema(Some(Schema::Trades))
            .start(start)
            .end(NonZeroU64::new(end))
            .stype_in(Some(SType::RawSymbol))
            .stype_out(SType::InstrumentId)
            .symbols(symbols.iter().map(ToString::to_string).collect())
            .mappings(mappings)
            .build();
        metadata.upgrade(VersionUpgradePolicy::UpgradeToV3);
        DbnMetadataEncoder::new(out).encode(&metadata)?;
        Ok(Self { instruments, sequence: 0 })
    }

    pub(super) fn write(
        &mut self,
        trade: &Trade,
        at: UnixMicros,
        out: &mut impl Write,
    ) -> Result<(), RecordError> {
        let unfit = |what: String, why| RecordError::Unfit { symbol: trade.symbol, what, why };
        let price = (trade.price.decimal() * Decimal::from(10_u64.pow(SCALE)))
            .to_i64()
            .ok_or_else(|| unfit(format!("the price {}", trade.price), "it is too large"))?;
        let size = trade.size.decimal();
        let size = Some(size)
            .filter(Decimal::is_integer)
            .and_then(|size| size.to_u32())
            .ok_or_else(|| unfit(format!("the size {size}"), "sizes are whole numbers below four billion"))?;
        self.sequence = self.sequence.wrapping_add(1);
        let record = TradeMsg {
            hd: RecordHeader::new::<TradeMsg>(
                rtype::MBP_0,
                PUBLISHER,
                self.instruments[&trade.symbol],
                nanos(at),
            ),
            price,
            size,
            action: letter(b'T'),
            side: match trade.side {
                Some(Side::Buy) => letter(b'B'),
                Some(Side::Sell) => letter(b'A'),
                None => letter(b'N'),
            },
            flags: FlagSet::empty(),
            depth: 0,
            ts_recv: nanos(at),
            ts_in_delta: 0,
            sequence: self.sequence,
        };
        DbnRecordEncoder::new(out).encode_record(&record)?;
        Ok(())
    }
}

fn nanos(time: UnixMicros) -> u64 {
    u64::try_from(time.0).unwrap_or(0).saturating_mul(1_000)
}

fn letter(letter: u8) -> c_char {
    c_char::try_from(letter).unwrap_or_default()
}
