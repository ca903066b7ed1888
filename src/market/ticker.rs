//! The ticker: what a symbol has done in the last 24 hours.

use super::{Percent, Price, Size, Symbol, UnixMicros};

/// Last trade, best bid and ask, and the trades of a rolling window of 24 hours.
///
/// `open`, `high`, `low` and the changes are none while no trade lies in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticker {
    /// Whose it is.
    pub symbol: Symbol,
    /// Price of the latest trade, however long ago.
    pub last: Option<Price>,
    /// Best bid, when there is one.
    pub bid: Option<Price>,
    /// Best ask, when there is one.
    pub ask: Option<Price>,
    /// Price of the window's first trade.
    pub open: Option<Price>,
    /// Highest price.
    pub high: Option<Price>,
    /// Lowest price.
    pub low: Option<Price>,
    /// Sum of the sizes.
    pub volume: Size,
    /// `last` minus `open`.
    pub change: Option<Price>,
    /// `change` in percent of `open`; none unless `open` is above zero.
    pub change_pct: Option<Percent>,
    /// How many trades there were.
    pub trades: u64,
    /// Time at the source of the newest trade or quote that counts here, when the source tells.
    pub te: Option<UnixMicros>,
    /// When that one was received.
    pub tr: UnixMicros,
}
