//! Trades that a venue takes back or changes after it has reported them.

use super::{Marks, Price, Size, Source, Symbol, TradeId, UnixMicros};

/// What a venue says of a trade that it reported before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Of what.
    pub symbol: Symbol,
    /// The venue's name of the trade.
    pub id: TradeId,
    /// Where the trade happened: names are unique there only.
    pub source: Source,
    /// What has become of it.
    pub change: Change,
    /// Time of the correction at the source, when the source tells.
    pub te: Option<UnixMicros>,
    /// Time the gateway received it.
    pub tr: UnixMicros,
    /// Number of the trade's event; none when it is forgotten. The topic knows, feeds do not.
    pub of: Option<u64>,
}

/// What becomes of a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It never was. Price and size are those that it was reported with, when the source repeats them.
    Busted {
        /// The price.
        price: Option<Price>,
        /// The size.
        size: Option<Size>,
    },
    /// It was another one.
    Corrected {
        /// The price that holds.
        price: Price,
        /// The size that holds.
        size: Size,
        /// What it does not count for now.
        marks: Marks,
        /// Its name from now on, where the venue gives it another.
        id: Option<TradeId>,
    },
}

impl Change {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Busted { .. } => "busted",
            Self::Corrected { .. } => "corrected",
        }
    }
}
