//! One numbered update of one (symbol, channel), written at most once in each form for all sessions.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{
    clock::Instant,
    dialect::{Encoding, Form, native},
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
    written: Mutex<Written>,
}

/// Bytes in other forms; nothing where the form has no word for the event.
type Others = Vec<(Form, Option<Arc<[u8]>>)>;

/// An event's bytes, in each form that was asked for.
#[derive(Debug)]
struct Written {
    native: [Option<Arc<[u8]>>; Encoding::COUNT],
    /// Boxed: an event that is asked for in native forms only pays one word for the others.
    others: Option<Box<Others>>,
}

impl Event {
    /// An event that is not encoded yet.
    #[must_use]
    pub const fn new(topic: TopicId, n: u64, body: Body, received: Instant) -> Self {
        let written = Written { native: [const { None }; Encoding::COUNT], others: None };
        Self { topic, n, body, received, written: Mutex::new(written) }
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

    /// Whether it was asked for as a message.
    #[cfg(test)]
    pub(crate) fn is_encoded(&self) -> bool {
        self.written.lock().native.iter().any(Option::is_some)
    }

    /// The event as one message of tickcast's own protocol; written when first asked for.
    #[must_use]
    pub fn encoded(&self, encoding: Encoding) -> Arc<[u8]> {
        let mut written = self.written.lock();
        let bytes = written.native[encoding.index()]
            .get_or_insert_with(|| native::encode_event(self.n, &self.body, encoding).into());
        Arc::clone(bytes)
    }

    /// The event as one message of another form, whose dialect calls the symbol `name`; written when first asked for.
    /// Nothing where the form has no word for it.
    #[must_use]
    pub fn written(&self, form: Form, name: Symbol) -> Option<Arc<[u8]>> {
        if let Some(encoding) = form.as_native() {
            return Some(self.encoded(encoding));
        }
        let mut written = self.written.lock();
        let others = written.others.get_or_insert_default();
        if let Some((_, bytes)) = others.iter().find(|(other, _)| *other == form) {
            return bytes.clone();
        }
        let bytes: Option<Arc<[u8]>> = form.event(self.n, &self.body, name).map(Into::into);
        others.push((form, bytes.clone()));
        bytes
    }
}
