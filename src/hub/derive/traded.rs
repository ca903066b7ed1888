//! A trade as the computations need it.

use super::Exact;
use crate::market::{Marks, Price, Size, Trade, UnixMicros};

/// A trade and the number of its event.
#[derive(Debug, Clone)]
pub(super) struct Traded {
    pub(super) n: u64,
    /// When it counts.
    pub(super) at: UnixMicros,
    pub(super) price: Price,
    pub(super) size: Size,
    pub(super) marks: Marks,
    /// Price times size, when that fits.
    pub(super) notional: Option<Exact>,
    pub(super) te: Option<UnixMicros>,
    pub(super) tr: UnixMicros,
}

impl Traded {
    pub(super) fn new(n: u64, trade: &Trade) -> Self {
        let Trade { price, size, te, tr, .. } = *trade;
        let marks = trade.print.marks;
        let at = te.filter(|_| !marks.has(Marks::AT_RECEIPT)).unwrap_or(tr);
        let notional = Exact::product(price.decimal(), size.decimal());
        Self { n, at, price, size, marks, notional, te, tr }
    }

    /// By which time it is the last one, or is not. One that is ahead of its receipt would hold the others off until they have
    /// come to it.
    pub(super) fn stands(&self) -> UnixMicros {
        self.at.min(self.tr)
    }

    /// Whether it is part of anything derived.
    pub(super) const fn counts(&self) -> bool {
        !self.marks.has(Marks::NOTHING) && !self.marks.has(Marks::BUSTED)
    }

    pub(super) const fn is_last(&self) -> bool {
        !self.marks.has(Marks::NOT_LAST)
    }

    pub(super) const fn is_high_low(&self) -> bool {
        !self.marks.has(Marks::NOT_HIGH_LOW)
    }

    pub(super) fn is_in_ticker(&self) -> bool {
        self.counts() && !self.marks.has(Marks::OUT_OF_TICKER)
    }

    pub(super) const fn is_volume(&self) -> bool {
        !self.marks.has(Marks::NOT_VOLUME)
    }

    #[cfg(test)]
    pub(super) fn at(at: i64, price: Price, size: Size) -> Self {
        let notional = Exact::product(price.decimal(), size.decimal());
        let at = UnixMicros(at);
        Self { n: 1, at, price, size, marks: Marks::NONE, notional, te: None, tr: at }
    }
}
