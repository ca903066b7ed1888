//! What a session's messages are wrapped in. The messages are the same over every transport.

use crate::dialect::native::Encoding;

/// A transport, and what it puts around the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Frames of RFC 6455, each an array of messages.
    WebSocket(Encoding),
    /// Blocks of `text/event-stream`, each an array of messages and a position.
    Sse,
    /// Nothing: messages with commas between them, for whoever puts them into an answer. Subscriptions are not
    /// acknowledged.
    Poll,
}

impl Framing {
    /// How many there are, encodings counted.
    pub(super) const COUNT: usize = 4;

    /// Every one, in the order of [`Framing::index`].
    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::WebSocket(Encoding::Json), Self::WebSocket(Encoding::MsgPack), Self::Sse, Self::Poll];

    /// Position in tables that have one entry for each.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::WebSocket(encoding) => encoding.index(),
            Self::Sse => 2,
            Self::Poll => 3,
        }
    }

    /// How its messages are written.
    #[must_use]
    pub const fn encoding(self) -> Encoding {
        match self {
            Self::WebSocket(encoding) => encoding,
            Self::Sse | Self::Poll => Encoding::Json,
        }
    }

    /// The name of the transport as a metric label.
    #[must_use]
    pub const fn transport(self) -> &'static str {
        match self {
            Self::WebSocket(_) => "websocket",
            Self::Sse => "sse",
            Self::Poll => "poll",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_agree() {
        for (i, framing) in Framing::ALL.into_iter().enumerate() {
            assert_eq!(framing.index(), i);
        }
    }
}
