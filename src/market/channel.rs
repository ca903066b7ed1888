//! The kinds of events of a symbol.

use serde::Serialize;

/// A kind of event. Each (symbol, channel) pair has its own sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Executed trades.
    Trades,
    /// Best bid and ask.
    Quotes,
    /// State changes of the symbol: pending, live, stale, halted, closed.
    Status,
}

impl Channel {
    /// How many channels there are.
    pub const COUNT: usize = 3;

    /// Every channel, in the order of [`Channel::index`].
    pub const ALL: [Self; Self::COUNT] = [Self::Trades, Self::Quotes, Self::Status];

    /// Position in tables that have one entry for each channel.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name used on the wire and in metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Status => "status",
        }
    }

    /// The channel of that wire name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
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
        }
        assert_eq!(Channel::parse("Trades"), None);
    }
}
