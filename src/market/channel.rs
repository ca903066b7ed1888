//! The kinds of events of a symbol.

use serde::{Serialize, Serializer};

use super::Interval;

/// A kind of event. Each (symbol, channel) pair has its own sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// Executed trades.
    Trades,
    /// Best bid and ask.
    Quotes,
    /// State changes of the symbol: pending, live, stale, halted, closed.
    Status,
    /// The rolling 24 hours, derived from trades and quotes.
    Ticker,
    /// Bars of one interval, derived from trades.
    Bars(Interval),
}

impl Channel {
    /// How many channels feeds speak on.
    pub const FED_COUNT: usize = 3;

    /// The channels that feeds speak on: the first by [`Channel::index`]. The others are derived from them.
    pub const FED: [Self; Self::FED_COUNT] = [Self::Trades, Self::Quotes, Self::Status];

    /// The channels that are derived from trades and quotes.
    pub const DERIVED: [Self; 1 + Interval::COUNT] = [
        Self::Ticker,
        Self::Bars(Interval::Second),
        Self::Bars(Interval::Minute),
        Self::Bars(Interval::FiveMinutes),
        Self::Bars(Interval::Quarter),
        Self::Bars(Interval::Hour),
        Self::Bars(Interval::Day),
    ];

    /// How many channels there are.
    pub const COUNT: usize = Self::FED_COUNT + 1 + Interval::COUNT;

    /// Every channel, in the order of [`Channel::index`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::Trades,
        Self::Quotes,
        Self::Status,
        Self::Ticker,
        Self::Bars(Interval::Second),
        Self::Bars(Interval::Minute),
        Self::Bars(Interval::FiveMinutes),
        Self::Bars(Interval::Quarter),
        Self::Bars(Interval::Hour),
        Self::Bars(Interval::Day),
    ];

    /// Position in tables that have one entry for each channel.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Trades => 0,
            Self::Quotes => 1,
            Self::Status => 2,
            Self::Ticker => 3,
            Self::Bars(interval) => 4 + interval.index(),
        }
    }

    /// The name used on the wire and in metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Status => "status",
            Self::Ticker => "ticker",
            Self::Bars(Interval::Second) => "bars.1s",
            Self::Bars(Interval::Minute) => "bars.1m",
            Self::Bars(Interval::FiveMinutes) => "bars.5m",
            Self::Bars(Interval::Quarter) => "bars.15m",
            Self::Bars(Interval::Hour) => "bars.1h",
            Self::Bars(Interval::Day) => "bars.1d",
        }
    }

    /// The channel of that wire name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indexes_agree() {
        for (i, channel) in Channel::ALL.into_iter().enumerate() {
            assert_eq!(channel.index(), i);
            assert_eq!(Channel::parse(channel.as_str()), Some(channel));
            if let Channel::Bars(interval) = channel {
                assert_eq!(channel.as_str(), format!("bars.{}", interval.as_str()));
            }
        }
        assert_eq!(Channel::FED, Channel::ALL[..Channel::FED_COUNT]);
        assert_eq!(Channel::DERIVED, Channel::ALL[Channel::FED_COUNT..]);
        assert_eq!(Channel::parse("Trades"), None);
        assert_eq!(Channel::parse("bars.2m"), None);
    }
}
