//! Rows of comma-separated files, read by a mapping of columns.
//!
//! A row is a line: quoted fields may hold the delimiter but no line end. Prices and sizes keep their literal text; with
//! `price_scale` an integer price has that number of decimals, as in files of QuantConnect LEAN.

mod row;
mod time;

use std::sync::Arc;

use serde::Deserialize;

pub(in crate::feed) use self::{row::scaled, time::TimeFormat};

use self::row::{Cell, Row};
use super::{
    decoded::{Decoded, Skipped},
    input::{Lines, Next},
    names::Symbols,
};
use crate::{
    dialect::field,
    feed::DefinitionError,
    market::{Print, Quote, Side, Source, Symbol, Tick, Trade},
};

/// The `csv` key of a replay: which column holds what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    kind: Kind,
    /// Whether the first line names the columns.
    #[serde(default = "yes")]
    header: bool,
    #[serde(default = "comma")]
    delimiter: char,
    /// The symbol of every row; or `symbol_column`.
    symbol: Option<Symbol>,
    symbol_column: Option<Column>,
    time: Column,
    /// `s`, `ms`, `us`, `ns` since the epoch, `ms_of_day`, `rfc3339`, or a pattern with `%`.
    time_unit: String,
    /// Receive time in the same unit; it sets the pace.
    receive_time: Option<Column>,
    /// The day of `ms_of_day`.
    date: Option<String>,
    /// The zone of times without one; UTC if absent.
    timezone: Option<String>,
    price: Option<Column>,
    size: Option<Column>,
    side: Option<Column>,
    id: Option<Column>,
    bid: Option<Column>,
    bid_size: Option<Column>,
    ask: Option<Column>,
    ask_size: Option<Column>,
    /// Decimals by which integer prices are too large.
    price_scale: Option<u32>,
    /// Column of the exchange code.
    source: Option<Column>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Trades,
    Quotes,
}

/// A column by its position from 0 (`3` or `"3"`) or by its name in the header.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Column {
    Index(usize),
    Name(String),
}

const fn yes() -> bool {
    true
}

const fn comma() -> char {
    ','
}

/// A checked mapping.
#[derive(Debug)]
pub(super) struct Layout {
    mapping: Mapping,
    delimiter: u8,
    time: TimeFormat,
}

/// The names that a row's tick gets; `source` if no column has one.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) symbols: &'a Symbols,
    pub(super) source: Source,
}

impl Layout {
    /// Checks that nothing is missing, double or contradictory.
    pub(super) fn new(mapping: Mapping) -> Result<Self, DefinitionError> {
        let m = &mapping;
        if m.symbol.is_some() == m.symbol_column.is_some() {
            return Err(DefinitionError::new("csv.symbol", "give either `symbol` or `symbol_column`"));
        }
        let delimiter = u8::try_from(m.delimiter)
            .ok()
            .filter(u8::is_ascii)
            .ok_or_else(|| DefinitionError::new("csv.delimiter", "must be one ASCII character"))?;
        let needs = match m.kind {
            Kind::Trades => [("csv.price", &m.price), ("csv.size", &m.size)],
            Kind::Quotes => [("csv.bid", &m.bid), ("csv.ask", &m.ask)],
        };
        let strays: &[_] = match m.kind {
            Kind::Trades => &[
                ("csv.bid", &m.bid),
                ("csv.ask", &m.ask),
                ("csv.bid_size", &m.bid_size),
                ("csv.ask_size", &m.ask_size),
            ],
            Kind::Quotes => {
                &[("csv.price", &m.price), ("csv.size", &m.size), ("csv.side", &m.side), ("csv.id", &m.id)]
            }
        };
        if let Some((key, _)) = needs.iter().find(|(_, column)| column.is_none()) {
            return Err(DefinitionError::new(*key, "the column is missing; this kind of rows has it"));
        }
        if let Some((key, _)) = strays.iter().find(|(_, column)| column.is_some()) {
            return Err(DefinitionError::new(*key, "this kind of rows has no such column"));
        }
        if m.price_scale.is_some_and(|scale| scale > rust_decimal::Decimal::MAX_SCALE) {
            return Err(DefinitionError::new("csv.price_scale", "at most 28"));
        }
        let time = TimeFormat::new(&m.time_unit, m.date.as_deref(), m.timezone.as_deref())?;
        Ok(Self { delimiter, time, mapping })
    }
}

#[derive(Debug, Clone, Copy)]
enum Values {
    Trade { price: Cell, size: Cell, side: Option<Cell>, id: Option<Cell> },
    Quote { bid: (Cell, Option<Cell>), ask: (Cell, Option<Cell>) },
}

/// The columns of one file, and its present row.
pub(super) struct Rows {
    layout: Arc<Layout>,
    values: Values,
    symbol: Option<Cell>,
    time: Cell,
    receive_time: Option<Cell>,
    source: Option<Cell>,
    row: Row,
    /// The furthest column that is read.
    last: usize,
}

impl Rows {
    /// Finds the columns of one file, in its header if it has one.
    pub(super) fn open(layout: &Arc<Layout>, lines: &mut Lines) -> Result<Self, String> {
        let mut row = Row::new(layout.delimiter);
        let mut header = Vec::new();
        if layout.mapping.header {
            if lines.advance().map_err(|error| error.to_string())? != Next::Line {
                return Err("has no header line".into());
            }
            row.split(lines.line()).map_err(|skipped| skipped.why)?;
            header = (0..row.len()).map(|i| row.text(i).unwrap_or_default().trim().to_owned()).collect();
        }
        let m = &layout.mapping;
        let find = |key: &'static str, column: &Option<Column>| -> Result<Option<Cell>, String> {
            let Some(column) = column else { return Ok(None) };
            let index = match column {
                Column::Index(index) => *index,
                Column::Name(name) => match (header.iter().position(|have| have == name), name.parse()) {
                    (Some(index), _) | (None, Ok(index)) => index,
                    (None, Err(_)) => return Err(format!("csv.{key}: no column {name:?} among {header:?}")),
                },
            };
            if m.header && index >= header.len() {
                return Err(format!("csv.{key}: column {index} of {} (counted from 0)", header.len()));
            }
            Ok(Some(Cell { key, index }))
        };
        let need =
            |key, column: &Option<Column>| find(key, column)?.ok_or_else(|| format!("csv.{key}: missing"));
        let rows = Self {
            layout: Arc::clone(layout),
            values: match m.kind {
                Kind::Trades => Values::Trade {
                    price: need("price", &m.price)?,
                    size: need("size", &m.size)?,
                    side: find("side", &m.side)?,
                    id: find("id", &m.id)?,
                },
                Kind::Quotes => Values::Quote {
                    bid: (need("bid", &m.bid)?, find("bid_size", &m.bid_size)?),
                    ask: (need("ask", &m.ask)?, find("ask_size", &m.ask_size)?),
                },
            },
            symbol: find("symbol_column", &m.symbol_column)?,
            time: need("time", &Some(m.time.clone()))?,
            receive_time: find("receive_time", &m.receive_time)?,
            source: find("source", &m.source)?,
            row,
            last: 0,
        };
        Ok(Self { last: rows.cells().map(|cell| cell.index).max().unwrap_or_default(), ..rows })
    }

    /// Every column that is read.
    fn cells(&self) -> impl Iterator<Item = Cell> {
        let values = match self.values {
            Values::Trade { price, size, side, id } => [Some(price), Some(size), side, id],
            Values::Quote { bid, ask } => [Some(bid.0), bid.1, Some(ask.0), ask.1],
        };
        let others = [self.symbol, Some(self.time), self.receive_time, self.source];
        values.into_iter().chain(others).flatten()
    }

    /// Reads one row. If it may be cut off, its last field is ignored unless it is quoted.
    pub(super) fn decode(
        &mut self,
        line: &[u8],
        may_be_cut: bool,
        names: Names<'_>,
        out: &mut Vec<Tick>,
    ) -> Result<Decoded, Skipped> {
        self.row.split(line)?;
        if may_be_cut && self.last + 1 >= self.row.len() && line.last() != Some(&b'"') {
            return Err(Skipped::new("cut_off", "the last field may be incomplete"));
        }
        let (row, layout) = (&self.row, &self.layout);
        let symbol = match (layout.mapping.symbol, self.symbol) {
            (Some(symbol), _) => symbol,
            (None, Some(cell)) => row.read(cell, |text| Ok(names.symbols.of_text(text)?))?,
            (None, None) => return Err(Skipped::new("symbol", "no column has the symbol")),
        };
        let te = row.read(self.time, |text| layout.time.parse(text))?;
        let tr = self.receive_time.map(|cell| row.read(cell, |text| layout.time.parse(text))).transpose()?;
        let source = self.source.map(|cell| row.read(cell, source)).transpose()?.unwrap_or(names.source);
        let scale = layout.mapping.price_scale;
        let (te, tr) = (Some(te), tr.unwrap_or(te));
        out.push(match self.values {
            Values::Trade { price, size, side: side_cell, id } => Tick::Trade(Trade {
                symbol,
                price: row.read(price, |text| scaled(text, scale))?,
                size: row.read(size, |text| Ok(field::size("size", text)?))?,
                side: side_cell.map(|cell| row.read(cell, side)).transpose()?.flatten(),
                id: id
                    .map(|cell| row.read(cell, |text| Ok(field::trade_id("id", text)?)))
                    .transpose()?
                    .flatten(),
                source,
                te,
                tr,
                print: Print::default(),
            }),
            Values::Quote { bid, ask } => {
                let (bid, ask) = (row.level(bid, scale)?, row.level(ask, scale)?);
                Tick::Quote(Quote { symbol, bid, ask, source, te, tr, is_snapshot: false })
            }
        });
        Ok(Decoded::Ticks(Some(tr)))
    }
}

pub(in crate::feed) fn side(text: &str) -> Result<Option<Side>, Skipped> {
    match text.to_ascii_lowercase().as_str() {
        "buy" | "b" => Ok(Some(Side::Buy)),
        "sell" | "s" => Ok(Some(Side::Sell)),
        "" | "unknown" | "n" => Ok(None),
        _other => Err(Skipped::new("side", format!("{text:?} is neither buy nor sell"))),
    }
}

pub(in crate::feed) fn source(text: &str) -> Result<Source, Skipped> {
    Source::new(text).map_err(|why| Skipped::new("source", format!("{text:?} {why}")))
}

#[cfg(test)]
mod tests;
