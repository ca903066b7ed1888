//! What a session speaks: a dialect, and the encoding of its messages. Replies and requests go through here; events are
//! written once for all sessions, in the form of the subscription.

use crate::dialect::{Dialect, Encoding, Fault, Messages, Packing, Reply, Request};

/// A dialect in one encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    dialect: Dialect,
    encoding: Encoding,
}

impl Protocol {
    /// A dialect in an encoding that it has.
    #[must_use]
    pub const fn new(dialect: Dialect, encoding: Encoding) -> Self {
        Self { dialect, encoding }
    }

    /// Which dialect.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        self.dialect
    }

    /// Text or binary.
    #[must_use]
    pub const fn encoding(self) -> Encoding {
        self.encoding
    }

    /// What its frames hold.
    #[must_use]
    pub const fn packing(self) -> Packing {
        self.dialect.packing()
    }

    /// Room for messages of it.
    pub(super) const fn messages(self) -> Messages {
        Messages::new(self.encoding, self.packing())
    }

    /// Reads one message of a client.
    pub(super) fn read(self, message: &[u8]) -> Result<Vec<Request>, Fault> {
        self.dialect.read(message, self.encoding)
    }

    /// A reply as messages; none where the dialect has no word for it.
    pub(super) fn write(self, reply: &Reply<'_>) -> Messages {
        let mut messages = self.messages();
        self.dialect.write(reply, &mut messages);
        messages
    }
}

/// tickcast's own protocol.
impl From<Encoding> for Protocol {
    fn from(encoding: Encoding) -> Self {
        Self::new(Dialect::Native, encoding)
    }
}
