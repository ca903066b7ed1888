//! What a session's messages are wrapped in. The messages are the same over every transport.

use super::Protocol;
use crate::dialect::{Dialect, Encoding};

/// A transport, and what it puts around the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Frames of RFC 6455, packed as the protocol says.
    WebSocket(Protocol),
    /// Blocks of `text/event-stream`, each an array of messages and a position.
    Sse,
    /// Nothing: messages with commas between them, to be put into an answer. Subscriptions are not
    /// acknowledged.
    Poll,
}

impl Framing {
    /// How many rows tables by framing have: WebSockets have one for each encoding.
    pub(super) const COUNT: usize = Encoding::COUNT + 2;

    /// The encoding and the transport of every row, in the order of [`Framing::index`].
    pub(super) const ROWS: [(Encoding, &str); Self::COUNT] = [
        (Encoding::Json, "websocket"),
        (Encoding::MsgPack, "websocket"),
        (Encoding::Json, "sse"),
        (Encoding::Json, "poll"),
    ];

    /// Its row.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::WebSocket(protocol) => protocol.encoding().index(),
            Self::Sse => 2,
            Self::Poll => 3,
        }
    }

    /// What is spoken.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::WebSocket(protocol) => protocol,
            Self::Sse | Self::Poll => Protocol::new(Dialect::Native, Encoding::Json),
        }
    }

    /// How its messages are encoded.
    #[must_use]
    pub const fn encoding(self) -> Encoding {
        self.protocol().encoding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framing_has_the_row_of_its_encoding() {
        let sockets = Encoding::ALL.map(|encoding| Framing::WebSocket(encoding.into()));
        for (i, framing) in sockets.into_iter().chain([Framing::Sse, Framing::Poll]).enumerate() {
            assert_eq!((framing.index(), framing.encoding()), (i, Framing::ROWS[i].0));
        }
    }
}
