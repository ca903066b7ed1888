//! Answers to commands while they are put together.

use std::sync::Arc;

use super::{Framing, Protocol, state::Session};
use crate::{
    clock::Instant,
    dialect::{
        Code, CommandId, Form, Messages, Refused, Reply,
        talk::{Accepted, Subscribed},
    },
    hub::Event,
    limits::RECOVERY_BYTES,
    market::{Channel, Symbol},
};

/// The answer to a subscribe or an update while it is put together: an ack and, in the same frame, what belongs to it.
pub(super) struct Answer {
    is_update: bool,
    pub(super) channel: Channel,
    pub(super) form: Form,
    pub(super) now: Instant,
    pub(super) ok: Vec<Accepted>,
    refused: Vec<Refused>,
    messages: Messages,
    /// Bytes of recovered events, in this part of the answer and those before.
    pub(super) recovered: usize,
}

impl Answer {
    pub(super) const fn new(
        is_update: bool,
        (channel, form): (Channel, Form),
        protocol: Protocol,
        now: Instant,
    ) -> Self {
        let messages = protocol.messages();
        Self { is_update, channel, form, now, ok: Vec::new(), refused: Vec::new(), messages, recovered: 0 }
    }

    /// With symbols that were refused already.
    pub(super) fn refusing(self, refused: Vec<Refused>) -> Self {
        Self { refused, ..self }
    }

    /// With one more.
    pub(super) fn refuse(&mut self, symbol: Symbol, code: Code, msg: &str) {
        self.refused.push(Refused { symbol: symbol.to_string(), code, msg: msg.into() });
    }

    /// As a part behind others with that number of bytes of recovered events.
    pub(super) fn recovered(self, recovered: usize) -> Self {
        Self { recovered, ..self }
    }

    pub(super) const fn recovered_bytes(&self) -> usize {
        self.recovered
    }

    /// Whether recovered events fit into the answer, whose dialect calls their symbol `name`. Once some did not, none do:
    /// they are not encoded for nothing.
    pub(super) fn takes(&mut self, events: &[Arc<Event>], name: Symbol) -> bool {
        events.iter().all(|event| {
            self.recovered += event.written(self.form, name).map_or(0, |bytes| bytes.len());
            self.recovered <= RECOVERY_BYTES
        })
    }

    /// Symbols that it accepts.
    pub(super) const fn len(&self) -> usize {
        self.ok.len()
    }

    /// Adds an event, unless the form has no word for it.
    pub(super) fn push(&mut self, event: &Event, name: Symbol) {
        if let Some(bytes) = event.written(self.form, name) {
            self.messages.push(&bytes);
        }
    }

    /// Where other messages go that belong to the answer.
    pub(super) const fn messages(&mut self) -> &mut Messages {
        &mut self.messages
    }

    /// Says the ack and what belongs to it, which is never split, in the control queue. Behind it comes `more` of the
    /// answer, or nothing.
    pub(super) fn say(self, session: &mut Session, id: Option<CommandId>, epoch: &str, more: bool) {
        let Self { is_update, channel, form, ok, refused, messages, .. } = self;
        if session.framing == Framing::Poll {
            // What is wanted stands in the request, and comes with its events.
            return session.outbox.say(&messages);
        }
        let ack = Subscribed { is_update, id, channel, form, epoch, ok: &ok, err: &refused, more };
        let mut all = session.protocol().write(&Reply::Subscribed(ack));
        all.append(&messages);
        session.outbox.say(&all);
    }
}
