//! Events that a feed knows it never received.

use super::{Channel, Symbol};

/// A feed lost events of one channel of a symbol. It takes one number of the channel, however many were lost: clients
/// that get every event are told of it as a `gap` of that number, in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Whose events.
    pub symbol: Symbol,
    /// Of which channel.
    pub channel: Channel,
    /// Why.
    pub why: LossWhy,
    /// How many, when the venue numbers its events without holes.
    pub events: Option<u64>,
}

/// Why a feed lost events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossWhy {
    /// The feed was not connected, or there was no listener and it was not subscribed.
    Reconnect,
    /// The venue's numbers jump, or a frame could not be read.
    Venue,
}

impl LossWhy {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Reconnect, Self::Venue];

    /// The reason of the `gap` on the wire, and a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconnect => "upstream_reconnect",
            Self::Venue => "upstream_loss",
        }
    }
}
