//! One numbered update of one (symbol, channel), encoded at most once per encoding for all sessions.

use std::sync::{Arc, OnceLock};

use crate::{
    clock::Instant,
    dialect::native::{self, Encoding},
    market::{Body, Channel, Status, Symbol, Tick},
};

use super::TopicId;

/// An event as every session shares it.
#[derive(Debug)]
pub struct Event {
    /// The topic it belongs to.
    pub topic: TopicId,
    /// Sequence number in its (symbol, channel), from 1.
    pub n: u64,
    /// What happened.
    pub body: Body,
    /// When the gateway received it, monotonic.
    pub received: Instant,
    encoded: [OnceLock<Arc<[u8]>>; Encoding::COUNT],
}

impl Event {
    /// An event that nobody has encoded yet.
    #[must_use]
    pub const fn new(topic: TopicId, n: u64, body: Body, received: Instant) -> Self {
        Self { topic, n, body, received, encoded: [const { OnceLock::new() }; Encoding::COUNT] }
    }

    /// The channel.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.body.channel()
    }

    /// The symbol.
    #[must_use]
    pub const fn symbol(&self) -> Symbol {
        self.body.symbol()
    }

    /// Whether a newer event of its channel may take its place before a client has had it. What is not replaceable must
    /// be delivered.
    #[must_use]
    pub const fn is_replaceable(&self) -> bool {
        self.body.is_replaceable()
    }

    /// Whether it stands for events that the feed never received.
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        matches!(self.body, Body::Tick(Tick::Loss(_)))
    }

    /// The status that it tells, if it is one.
    #[must_use]
    pub const fn status(&self) -> Option<&Status> {
        match &self.body {
            Body::Tick(Tick::Status(status)) => Some(status),
            Body::Tick(_) | Body::Bar(_) | Body::Ticker(_) => None,
        }
    }

    /// Whether somebody has asked for it as a message.
    #[cfg(test)]
    pub(crate) fn is_encoded(&self) -> bool {
        self.encoded.iter().any(|encoded| encoded.get().is_some())
    }

    /// The event as one message of that encoding; encoded by whoever asks first.
    #[must_use]
    pub fn encoded(&self, encoding: Encoding) -> &Arc<[u8]> {
        self.encoded[encoding.index()]
            .get_or_init(|| native::encode_event(self.n, &self.body, encoding).into())
    }
}
