//! What a trade counts for. Not every print is a trade of the market at its price: an average, a late report or a transfer
//! by the venue's insurance fund is reported like one, and the venue says what it counts for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a trade does not count for, and what has become of it; everything counts unless it is said.
///
/// One byte, since every trade has it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(u8);

impl Marks {
    /// Counts for everything, and nothing has become of it.
    pub const NONE: Self = Self(0);
    /// Is no last price: of the ticker, nor open or close of a bar.
    pub const NOT_LAST: Self = Self(1);
    /// Is no highest or lowest price.
    pub const NOT_HIGH_LOW: Self = Self(1 << 1);
    /// Adds nothing to volume, average price and number of trades.
    pub const NOT_VOLUME: Self = Self(1 << 2);
    /// Counts for volume only.
    pub const VOLUME_ONLY: Self = Self::NOT_LAST.and(Self::NOT_HIGH_LOW);
    /// Counts for nothing.
    pub const NOTHING: Self = Self::VOLUME_ONLY.and(Self::NOT_VOLUME);
    /// Was taken back by the venue.
    pub const BUSTED: Self = Self(1 << 3);
    /// Has other values than it was reported with: the venue has corrected it.
    pub const CORRECTED: Self = Self(1 << 4);
    /// Its time at the source was not believed when it came: it counts at its receipt.
    pub const AT_RECEIPT: Self = Self(1 << 5);
    /// Is no part of the ticker: it came too late for that, or did not fit into its sums.
    pub const OUT_OF_TICKER: Self = Self(1 << 6);
}

impl Marks {
    /// As one byte, for another gateway.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From another gateway's byte.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has all of the others.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These marks for a trade that counts for something else now.
    #[must_use]
    pub const fn became(self, uncounted: Self) -> Self {
        Self(self.0 & !Self::NOTHING.0 | uncounted.uncounted().0)
    }

    /// What it does not count for, without what has become of it.
    #[must_use]
    pub const fn uncounted(self) -> Self {
        Self(self.0 & Self::NOTHING.0)
    }

    /// What it does not count for as the protocol says it; nothing when it counts for everything.
    #[must_use]
    pub const fn text(self) -> Option<&'static str> {
        Some(match self.uncounted().0 {
            0 => return None,
            1 => "last",
            2 => "hilo",
            3 => "last,hilo",
            4 => "vol",
            5 => "last,vol",
            6 => "hilo,vol",
            _all => "last,hilo,vol",
        })
    }

    /// What that text of the protocol says; the words may come in any order.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split(',').try_fold(Self::NONE, |marks, word| {
            let mark = match word {
                "last" => Self::NOT_LAST,
                "hilo" => Self::NOT_HIGH_LOW,
                "vol" => Self::NOT_VOLUME,
                _other => return None,
            };
            Some(marks.and(mark))
        })
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bits) = self;
        write!(f, "Marks({bits:#b})")
    }
}

/// What a trade is besides its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Print {
    /// What it does not count for.
    pub marks: Marks,
    /// Why, for the counter.
    pub rule: Option<PrintRule>,
}

impl Print {
    /// One that does not count for something.
    #[must_use]
    pub const fn by(rule: PrintRule, marks: Marks) -> Self {
        Self { marks, rule: Some(rule) }
    }
}

/// Why a trade does not count for everything: the venue's own word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrintRule {
    /// Binance futures: the insurance fund took a position over.
    InsuranceFund,
    /// Binance futures: a position was closed against another one without the market.
    Deleveraging,
    /// Binance futures: no trade at all, as a rule without a price.
    NoTrade,
    /// Binance futures: anything else that is not of the market.
    NotMarket,
    /// Average price of several trades.
    AveragePrice,
    /// Settles at once, on the next day, or when the seller wishes.
    Settlement,
    /// Far from the market.
    PriceVariation,
    /// Fewer shares than a round lot.
    OddLot,
    /// An exchange's official opening or closing price, which is no trade.
    OfficialPrice,
    /// At a price of before.
    PriorReference,
    /// Outside the hours of the market.
    ExtendedHours,
    /// One part of several, which depend on each other.
    Contingent,
    /// Reported late.
    OutOfSequence,
    /// Its price follows from another instrument's.
    DerivativelyPriced,
    /// The corrected closing price, whose volume was reported before.
    CorrectedClose,
    /// The feed's own event says so.
    Declared,
    /// A condition that no table has: the trade counts.
    UnknownCondition,
}

impl PrintRule {
    /// How many rules there are.
    pub const COUNT: usize = 17;

    /// Every rule.
    pub const ALL: [Self; Self::COUNT] = [
        Self::InsuranceFund,
        Self::Deleveraging,
        Self::NoTrade,
        Self::NotMarket,
        Self::AveragePrice,
        Self::Settlement,
        Self::PriceVariation,
        Self::OddLot,
        Self::OfficialPrice,
        Self::PriorReference,
        Self::ExtendedHours,
        Self::Contingent,
        Self::OutOfSequence,
        Self::DerivativelyPriced,
        Self::CorrectedClose,
        Self::Declared,
        Self::UnknownCondition,
    ];

    /// The name as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsuranceFund => "insurance_fund",
            Self::Deleveraging => "deleveraging",
            Self::NoTrade => "no_trade",
            Self::NotMarket => "not_market",
            Self::AveragePrice => "average_price",
            Self::Settlement => "settlement",
            Self::PriceVariation => "price_variation",
            Self::OddLot => "odd_lot",
            Self::OfficialPrice => "official_price",
            Self::PriorReference => "prior_reference",
            Self::ExtendedHours => "extended_hours",
            Self::Contingent => "contingent",
            Self::OutOfSequence => "out_of_sequence",
            Self::DerivativelyPriced => "derivatively_priced",
            Self::CorrectedClose => "corrected_close",
            Self::Declared => "declared",
            Self::UnknownCondition => "unknown_condition",
        }
    }

    /// Position in tables that have one entry for each rule.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_marks_reads_back() {
        for bits in 0..8 {
            let marks = Marks(bits);
            match marks.text() {
                Some(text) => assert_eq!(Marks::parse(text), Some(marks)),
                None => assert_eq!(bits, 0),
            }
        }
        assert_eq!(Marks::parse("vol,last"), Marks::parse("last,vol"));
        for bad in ["", "all", "last, vol", "last,", "Last"] {
            assert_eq!(Marks::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Marks::BUSTED.text(), None, "that is no part of what it counts for");
        assert_eq!(Marks::NOTHING.and(Marks::BUSTED).text(), Some("last,hilo,vol"));
    }

    #[test]
    fn rules_stand_in_their_order() {
        for (i, rule) in PrintRule::ALL.into_iter().enumerate() {
            assert_eq!(rule.index(), i, "{}", rule.as_str());
        }
    }
}
