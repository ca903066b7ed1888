//! What one frame of a venue said.

use std::collections::BTreeSet;

use super::refusal::Refusal;
use crate::market::{Symbol, Tick};

/// One thing that a venue said. A frame can say several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A trade, a quote, or a change of a symbol's state.
    Tick {
        /// The tick.
        tick: Tick,
        /// Its place among the venue's ticks of the same symbol and channel, where the venue numbers them.
        sequence: Option<Sequence>,
    },
    /// A request was accepted.
    Ack(Ack),
    /// A request was refused.
    Refused(Refusal),
    /// Nothing but a sign of life, an answer to a ping included.
    Heartbeat,
    /// A sign of life that tells the number of a symbol's newest trade, whether it was sent or not.
    Mark {
        /// The symbol.
        symbol: Symbol,
        /// As in [`Sequence::Counted`].
        last_trade: u64,
    },
    /// Whether the venue as a whole says that it trades normally.
    Status {
        /// False in maintenance, and while orders can be placed or cancelled only.
        online: bool,
    },
    /// The venue will close this connection soon: connect anew.
    Shutdown,
    /// Something about a symbol that has no name here: the venue's name, cut to a bearable length.
    Unnamed(String),
    /// Known, and passed over on purpose: the name of the rule, a metric label.
    Ignored(&'static str),
    /// Well-formed, and nothing that this dialect knows.
    Unknown,
}

impl Message {
    /// What is said other than ticks, as a metric label.
    #[must_use]
    pub const fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Tick { .. } => return None,
            Self::Ack(_) => "ack",
            Self::Refused(_) => "refused",
            Self::Heartbeat | Self::Mark { .. } => "heartbeat",
            Self::Status { .. } => "status",
            Self::Shutdown => "shutdown",
            Self::Unnamed(_) => "not_subscribed",
            Self::Ignored(rule) => rule,
            Self::Unknown => "unknown",
        })
    }
}

/// A tick's number, within its symbol and channel (trades, quotes) and while the venue keeps counting: it may start
/// over after maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// Grows by one with each tick: a larger step means that some are missing, none or a step back a repetition.
    Counted(u64),
    /// Grows by any step: a step back means an old tick; nothing can be said of missing ones.
    Rising(u64),
}

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ack {
    /// The connection takes requests now (Alpaca greets first; others need no greeting).
    Connected,
    /// The credentials.
    Authenticated,
    /// A subscribe or unsubscribe request. Kraken acknowledges each symbol of a request on its own.
    Request(Option<u64>),
    /// Everything that the connection is subscribed to now, which is how Coinbase and Alpaca answer.
    Listed(Box<Listed>),
}

/// What a connection is subscribed to, under the venue's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// With trades.
    pub trades: BTreeSet<String>,
    /// With quotes.
    pub quotes: BTreeSet<String>,
}

impl Listed {
    /// Whether the symbol is subscribed in every channel that is asked for.
    #[must_use]
    pub fn has(&self, theirs: &str) -> bool {
        self.trades.contains(theirs) && self.quotes.contains(theirs)
    }

    /// Whether the symbol is subscribed in no channel.
    #[must_use]
    pub fn lacks(&self, theirs: &str) -> bool {
        !self.trades.contains(theirs) && !self.quotes.contains(theirs)
    }
}
