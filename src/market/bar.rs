//! Bars: what an interval of trades came to.

use serde::{Deserialize, Serialize};

use super::{Price, Size, Symbol, UnixMicros};

/// The length of a bar. Bars start at whole multiples of it since the Unix epoch, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Interval {
    /// One second.
    #[serde(rename = "1s")]
    Second,
    /// One minute.
    #[serde(rename = "1m")]
    Minute,
    /// Five minutes.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// A quarter of an hour.
    #[serde(rename = "15m")]
    Quarter,
    /// One hour.
    #[serde(rename = "1h")]
    Hour,
    /// One day, from midnight UTC.
    #[serde(rename = "1d")]
    Day,
}

impl Interval {
    /// How many intervals there are.
    pub const COUNT: usize = 6;

    /// Every interval, the shortest first, in the order of [`Interval::index`].
    pub const ALL: [Self; Self::COUNT] =
        [Self::Second, Self::Minute, Self::FiveMinutes, Self::Quarter, Self::Hour, Self::Day];

    /// Position in tables that have one entry for each interval.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its length in microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        let seconds = match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::FiveMinutes => 300,
            Self::Quarter => 900,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        };
        seconds * 1_000_000
    }

    /// The start of the interval that holds the time.
    #[must_use]
    pub const fn start_of(self, time: UnixMicros) -> UnixMicros {
        UnixMicros(time.0.saturating_sub(time.0.rem_euclid(self.micros())))
    }

    /// The name used on the wire and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "1s",
            Self::Minute => "1m",
            Self::FiveMinutes => "5m",
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// The interval of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == name)
    }
}

/// A set of intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals(u8);

impl Intervals {
    /// Every interval.
    pub const ALL: Self = Self((1 << Interval::COUNT) - 1);

    /// Whether the interval is in the set.
    #[must_use]
    pub const fn contains(self, interval: Interval) -> bool {
        self.0 & (1 << interval.index()) != 0
    }

    /// The intervals of the set, the shortest first.
    pub fn iter(self) -> impl Iterator<Item = Interval> {
        Interval::ALL.into_iter().filter(move |interval| self.contains(*interval))
    }
}

impl FromIterator<Interval> for Intervals {
    fn from_iter<I: IntoIterator<Item = Interval>>(intervals: I) -> Self {
        Self(intervals.into_iter().fold(0, |set, interval| set | 1 << interval.index()))
    }
}

/// Open, high, low, close, volume and more of the trades of one interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// What was traded.
    pub symbol: Symbol,
    /// How long the interval is.
    pub interval: Interval,
    /// When it starts.
    pub start: UnixMicros,
    /// Price of the earliest trade.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Price of the latest trade.
    pub close: Price,
    /// Sum of the sizes.
    pub volume: Size,
    /// Price by volume; none when nothing but sizes of zero was traded, or when it has more digits than a decimal holds.
    pub vwap: Option<Price>,
    /// How many trades there were; only those that count for volume.
    pub trades: u64,
    /// Whether it will not change any more.
    pub is_final: bool,
    /// Whether all its trades were taken back: what is told is what it was before, and it is no bar any more.
    pub is_void: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_aligned_to_utc_also_before_1970() {
        let time = UnixMicros(1_722_470_399_999_999); // 2024-07-31T23:59:59.999999Z
        assert_eq!(Interval::Day.start_of(time), UnixMicros(1_722_384_000_000_000));
        assert_eq!(Interval::Second.start_of(time), UnixMicros(1_722_470_399_000_000));
        assert_eq!(Interval::Minute.start_of(UnixMicros(-1)), UnixMicros(-60_000_000));
    }

    #[test]
    fn names_indexes_and_sets_agree() {
        for (i, interval) in Interval::ALL.into_iter().enumerate() {
            assert_eq!(interval.index(), i);
            assert_eq!(Interval::parse(interval.as_str()), Some(interval));
            assert!(Intervals::ALL.contains(interval));
        }
        let some: Intervals = [Interval::Day, Interval::Second].into_iter().collect();
        assert_eq!(some.iter().collect::<Vec<_>>(), [Interval::Second, Interval::Day]);
    }
}
