//! What a shard does when nothing new comes of any symbol, or comes again: it tells each of its sessions once, in turns.

use super::Shard;
use crate::{
    dialect::{Reply, talk::SourceReply},
    hub::SourceWord,
    limits::SHARD_TURN_EVENTS,
    market::State,
    session::{Framing, state::Session},
};

/// Which word of the source the shard tells, and how far it is.
#[derive(Debug)]
pub(super) struct SourceNews {
    serial: u64,
    /// Sessions from here on are still to be told.
    place: Option<usize>,
}

impl SourceNews {
    pub(super) const fn new(serial: u64) -> Self {
        Self { serial, place: None }
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.place.is_some()
    }
}

impl Shard {
    /// One turn of telling, if there is something to tell.
    pub(super) fn tell_source(&mut self) {
        let serial = self.hub.source_serial();
        if serial != self.source.serial {
            self.source = SourceNews { serial, place: Some(0) };
        }
        let Some(place) = self.source.place else { return };
        let word = self.hub.source_word();
        let end = self.sessions.end().min(place + SHARD_TURN_EVENTS);
        for index in place..end {
            let Some(session) = self.sessions.get_mut(index) else { continue };
            if session.gone || session.closing.is_some() {
                continue;
            }
            if session.framing == Framing::Poll {
                // It stands beside the messages of the answer, which is due now.
                session.transport.wake();
                continue;
            }
            say(session, word.as_deref());
            self.touch(index);
        }
        self.source.place = (end < self.sessions.end()).then_some(end);
    }

    /// Tells a new session, after its welcome, unless it gets its turn among the others.
    pub(super) fn greet_with_source(&mut self, index: usize) {
        let is_told_later = self.source.serial != self.hub.source_serial()
            || self.source.place.is_some_and(|place| index >= place);
        if !is_told_later && let Some(word) = self.hub.source_word() {
            say(&mut self.sessions[index], Some(&word));
        }
    }
}

/// Says the word; none means that values come.
fn say(session: &mut Session, word: Option<&SourceWord>) {
    let state = word.map_or(State::Live, |word| word.state);
    let (since, why) = (word.map(|word| word.since), word.map(|word| word.why.as_str()));
    session.say(&Reply::Source(SourceReply { state, since, why }));
}
