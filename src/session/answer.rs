//! Answers to commands while they are put together.

use std::sync::Arc;

use super::{Framing, state::Session};
use crate::{
    clock::Instant,
    dialect::native::{Accepted, CommandId, Encoding, Refused, Subscribed},
    hub::Event,
    limits::RECOVERY_BYTES,
    market::Channel,
};

/// The answer to a subscribe or an update while it is put together: an ack and, in the same frame, what belongs to it.
pub(super) struct Answer {
    pub(super) kind: &'static str,
    pub(super) channel: Channel,
    pub(super) encoding: Encoding,
    pub(super) now: Instant,
    pub(super) ok: Vec<Accepted>,
    pub(super) refused: Vec<Refused>,
    pub(super) messages: u32,
    pub(super) bytes: Vec<u8>,
    /// Bytes of recovered events, in this part of the answer and those before.
    pub(super) recovered: usize,
}

impl Answer {
    pub(super) const fn new(kind: &'static str, channel: Channel, encoding: Encoding, now: Instant) -> Self {
        Self {
            kind,
            channel,
            encoding,
            now,
            ok: Vec::new(),
            refused: Vec::new(),
            messages: 0,
            bytes: Vec::new(),
            recovered: 0,
        }
    }

    /// With symbols that were refused already.
    pub(super) fn refusing(self, refused: Vec<Refused>) -> Self {
        Self { refused, ..self }
    }

    /// As a part behind others that had so many bytes of recovered events.
    pub(super) fn recovered(self, recovered: usize) -> Self {
        Self { recovered, ..self }
    }

    pub(super) const fn recovered_bytes(&self) -> usize {
        self.recovered
    }

    /// Whether recovered events fit into the answer. Once some did not, none do: they are not encoded in vain.
    pub(super) fn takes(&mut self, events: &[Arc<Event>]) -> bool {
        events.iter().all(|event| {
            self.recovered += event.encoded(self.encoding).len();
            self.recovered <= RECOVERY_BYTES
        })
    }

    /// Symbols that it accepts.
    pub(super) const fn len(&self) -> usize {
        self.ok.len()
    }

    pub(super) fn push(&mut self, message: &[u8]) {
        if self.encoding == Encoding::Json {
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(message);
        self.messages += 1;
    }

    /// Says the ack and what belongs to it as one entry of the control queue, which is never split. Behind it comes `more`
    /// of the answer, or nothing.
    pub(super) fn say(self, session: &mut Session, id: Option<CommandId>, epoch: &str, more: bool) {
        let Self { kind, channel, ok, refused, messages, bytes, encoding, .. } = self;
        if session.framing == Framing::Poll {
            // What is wanted stands in the request, and comes with its events: only the comma before the first goes.
            if messages > 0 {
                session.outbox.say(messages, bytes[1..].to_vec());
            }
            return;
        }
        let mut all = encoding.encode(&Subscribed { kind, id, channel, epoch, ok: &ok, err: &refused, more });
        all.extend_from_slice(&bytes);
        session.outbox.say(messages + 1, all);
    }
}
