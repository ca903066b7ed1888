//! Wire formats: bytes to values and back. No I/O and no clock; times are passed in.
//!
//! [`native`] is tickcast's own protocol (JSON and MessagePack). The others are venues' formats: today the reading
//! side, which recordings are played through.

pub mod binance;
pub mod coinbase;
pub(crate) mod field;
pub mod native;

use crate::market::{DecimalError, SymbolError, Tick, UnixMicros};

/// What a venue's frame turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// So many ticks were appended to the output, at least one.
    Ticks(usize),
    /// No tick, on purpose: the name of the rule, a metric label.
    Ignored(&'static str),
}

/// Why a venue's frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or JSON of another shape.
    #[error("not the expected JSON: {0}")]
    Shape(#[from] serde_json::Error),
    /// A price or size that is not an exact decimal.
    #[error("{field}: {why}")]
    Number {
        /// The venue's name of the field.
        field: &'static str,
        /// What was wrong.
        why: DecimalError,
    },
    /// A symbol that does not fit ours.
    #[error("symbol {text:?} {why}")]
    Symbol {
        /// As the venue wrote it.
        text: String,
        /// What was wrong.
        why: SymbolError,
    },
    /// A time that cannot be: unparsable, or before 1971 or after 2200.
    #[error("{field}: {text:?} is not a plausible time")]
    Time {
        /// The venue's name of the field.
        field: &'static str,
        /// As the venue wrote it.
        text: String,
    },
}

impl ParseError {
    /// The kind as a metric label.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Shape(_) => "shape",
            Self::Number { .. } => "number",
            Self::Symbol { .. } => "symbol",
            Self::Time { .. } => "time",
        }
    }
}

/// The venues whose frames can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Venue {
    /// Binance spot and USD-M futures.
    Binance,
    /// Coinbase Exchange and Coinbase Advanced Trade.
    Coinbase,
}

impl Venue {
    /// Reads one frame, received at `tr`, and appends its ticks to `out`.
    ///
    /// # Errors
    /// When the frame is not of the venue's format; `out` is then as it was.
    pub fn parse(self, frame: &[u8], tr: UnixMicros, out: &mut Vec<Tick>) -> Result<Parsed, ParseError> {
        let before = out.len();
        let parsed = match self {
            Self::Binance => binance::parse(frame, tr, out),
            Self::Coinbase => coinbase::parse(frame, tr, out),
        };
        if parsed.is_err() {
            out.truncate(before);
        }
        parsed
    }
}
