//! Why a frame could not be read.

use super::units::Readings;
use crate::{
    limits::MAX_VENUE_WORDS,
    market::{DecimalError, SymbolError},
};

/// Why a venue's frame could not be read: what was wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or JSON of another shape.
    #[error("not the expected JSON: {}, column {}", words(&.0.to_string()), .0.column())]
    Shape(#[from] serde_json::Error),
    /// Not MessagePack, or of another shape.
    #[error("not the expected MessagePack, entry {entry}: {}", words(&.why.to_string()))]
    Packed {
        /// The number of entries of the list that were read.
        entry: usize,
        /// What came instead.
        why: rmp_serde::decode::Error,
    },
    /// A field that a message of this kind must have is missing.
    #[error("{field} is missing in {kind:?}")]
    Missing {
        /// The venue's name of the field.
        field: &'static str,
        /// The venue's name of the message.
        kind: &'static str,
    },
    /// A price or size that is not an exact decimal.
    #[error("{field}: {why}")]
    Number {
        /// The venue's name of the field.
        field: &'static str,
        /// What was wrong.
        why: DecimalError,
    },
    /// A symbol that is not valid here.
    #[error("symbol {text:?} {why}")]
    Symbol {
        /// As the venue wrote it.
        text: String,
        /// What was wrong.
        why: SymbolError,
    },
    /// A text that is too long.
    #[error("{field} has {len} bytes, at most {max} are taken")]
    Long {
        /// The venue's name of the field.
        field: &'static str,
        /// Its length, in bytes.
        len: usize,
        /// Longest allowed, in bytes.
        max: usize,
    },
    /// A venue's symbol without a name of ours, cut to a bounded length.
    #[error("symbol {0:?} has no name here")]
    Unnamed(String),
    /// A time that cannot be parsed, or is before 1971 or after 2200. For a number the error tells what it would be in each
    /// unit.
    #[error("{field}: {text:?} is not a plausible time{}", Readings { text, unit })]
    Time {
        /// The venue's name of the field.
        field: &'static str,
        /// As the venue wrote it.
        text: String,
        /// The unit that a number was read in; empty where its size tells, or where it is no count.
        unit: &'static str,
    },
}

impl ParseError {
    /// The kind as a metric label.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Shape(_) | Self::Packed { .. } | Self::Missing { .. } => "shape",
            Self::Number { .. } => "number",
            Self::Symbol { .. } | Self::Unnamed(_) => "symbol",
            Self::Time { .. } => "time",
            Self::Long { .. } => "long",
        }
    }
}

/// A venue's own words, cut to a bounded length.
pub(crate) fn words(text: &str) -> String {
    text.chars().take(MAX_VENUE_WORDS).collect()
}
