//! The kinds of events of a symbol, and the number by which each is known outside of the running program.
//!
//! A channel has two numbers. [`Channel::index`] is its place in tables of this build: it may change with every version.
//! [`Channel::id`] is its name in whatever outlives the program, the positions of clients and the store: it never
//! changes, and the id of a channel that goes is never used again.

use serde::{Serialize, Serializer};

use super::Interval;
use crate::limits::CHANNELS;

const _: () = assert!(Channel::COUNT == CHANNELS, "limits::CHANNELS is the number of channels");

/// A kind of event. Each (symbol, channel) pair has its own sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// Executed trades.
    Trades,
    /// Best bid and ask.
    Quotes,
    /// State changes of the symbol: pending, live, stale, halted, closed.
    Status,
    /// Trades that the venue has taken back or changed.
    Corrections,
    /// The rolling 24 hours, derived from trades and quotes.
    Ticker,
    /// Bars of one interval, derived from trades.
    Bars(Interval),
}

/// Which events of a channel reach every subscriber. All others are replaceable: a newer event of the channel stands for
/// them, and a client that merges may get that one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MustDeliver {
    /// None: each is replaceable.
    None,
    /// Those that say so: [`Body::is_replaceable`](super::Body::is_replaceable).
    Some,
    /// Every one.
    Every,
}

impl Channel {
    /// How many channels feeds speak on.
    pub const FED_COUNT: usize = 4;

    /// The channels that feeds speak on: the first by [`Channel::index`]. The others are derived from them.
    pub const FED: [Self; Self::FED_COUNT] = [Self::Trades, Self::Quotes, Self::Status, Self::Corrections];

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
        Self::Corrections,
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
            Self::Corrections => 3,
            Self::Ticker => 4,
            Self::Bars(interval) => 5 + interval.index(),
        }
    }

    /// Ids are smaller than this.
    pub const ID_LIMIT: u8 = 64;

    /// Its number in positions and in the store, which no version of the gateway changes.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Trades => 0,
            Self::Quotes => 1,
            Self::Status => 2,
            Self::Ticker => 3,
            Self::Bars(Interval::Second) => 4,
            Self::Bars(Interval::Minute) => 5,
            Self::Bars(Interval::FiveMinutes) => 6,
            Self::Bars(Interval::Quarter) => 7,
            Self::Bars(Interval::Hour) => 8,
            Self::Bars(Interval::Day) => 9,
            Self::Corrections => 10,
        }
    }

    /// The channel of that [id](Self::id).
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.id() == id)
    }

    /// Which of its events a client must not miss, whatever mode it asked for.
    #[must_use]
    pub const fn must_deliver(self) -> MustDeliver {
        match self {
            Self::Status | Self::Corrections => MustDeliver::Every,
            Self::Bars(_) => MustDeliver::Some,
            Self::Trades | Self::Quotes | Self::Ticker => MustDeliver::None,
        }
    }

    /// The name used on the wire and in metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Status => "status",
            Self::Corrections => "corrections",
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

    /// Positions that clients hold and files on disks have these numbers: a line may be added here, never changed.
    #[test]
    fn ids_never_move() {
        for (id, name) in [
            (0, "trades"),
            (1, "quotes"),
            (2, "status"),
            (3, "ticker"),
            (4, "bars.1s"),
            (5, "bars.1m"),
            (6, "bars.5m"),
            (7, "bars.15m"),
            (8, "bars.1h"),
            (9, "bars.1d"),
            (10, "corrections"),
        ] {
            let channel = Channel::parse(name).unwrap();
            assert_eq!((channel.id(), Channel::from_id(id)), (id, Some(channel)), "{name}");
        }
        let mut ids = Channel::ALL.map(Channel::id);
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "an id is one channel's");
        assert!(ids.iter().all(|id| *id < Channel::ID_LIMIT));
        assert_eq!(Channel::from_id(Channel::ID_LIMIT - 1), None);
    }

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
