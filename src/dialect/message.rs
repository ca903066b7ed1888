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
    /// A sign of life only; also the answer to a ping.
    Heartbeat,
    /// A sign of life with the number of a symbol's newest trade, which may not have been sent.
    Mark {
        /// The symbol.
        symbol: Symbol,
        /// As in [`Sequence::Counted`].
        last_trade: u64,
    },
    /// Whether the whole venue trades normally.
    Status {
        /// False during maintenance, and while the venue takes no trades.
        online: bool,
    },
    /// The venue will close this connection soon.
    Shutdown,
    /// About a symbol that has no name here. Holds the venue's name, cut to a bounded length.
    Unnamed(String),
    /// Known, and ignored on purpose. Holds the name of the rule, a metric label.
    Ignored(&'static str),
    /// Well-formed, but unknown to this dialect.
    Unknown,
}

impl Message {
    /// The metric label of anything but a tick.
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

/// A tick's number within its symbol and channel (trades, quotes). The venue may restart the count after maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// Rises by one with each tick: a larger step means missing ticks, no step or a step back a repetition.
    Counted(u64),
    /// Rises by any step: a step back means an old tick, and missing ticks do not show.
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
    /// All subscriptions of the connection; Coinbase and Alpaca answer like this.
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
    /// Whether both channels of the symbol are subscribed.
    #[must_use]
    pub fn has(&self, theirs: &str) -> bool {
        self.trades.contains(theirs) && self.quotes.contains(theirs)
    }

    /// Whether no channel of the symbol is subscribed.
    #[must_use]
    pub fn lacks(&self, theirs: &str) -> bool {
        !self.trades.contains(theirs) && !self.quotes.contains(theirs)
    }
}
