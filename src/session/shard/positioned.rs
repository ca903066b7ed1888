//! Sessions beside WebSocket: what they are to get is said when they open, and they can tell where they stand.

use std::rc::Rc;

use super::Shard;
use crate::{
    clock::Instant,
    dialect::{Fault, Reply, Subscribe, talk::Resync},
    session::SessionKey,
    session::{
        Admission, Framing, Transport,
        job::{Job, Joining},
        position::Position,
        state::Track,
    },
};

impl Shard {
    /// Opens a session of one direction, with a welcome if its transport carries one.
    pub fn open_positioned(
        &mut self,
        framing: Framing,
        transport: Rc<dyn Transport>,
        admission: Admission,
        now: Instant,
    ) -> SessionKey {
        let key = self.enter(framing, transport, Some(admission), now);
        let track = Track { epoch: self.hub.epoch().to_string() };
        self.sessions[key.index].track = Some(Box::new(track));
        if framing != Framing::Poll {
            self.welcome(key.index);
        }
        key
    }

    /// Begins to subscribe such a session to everything that it is to get, at most `most` subscriptions, from the client's
    /// last position on. A position that cannot be served is answered by a `resync` message, and everything starts with
    /// its newest event. Until [`joined`](Self::joined) says how that ended nothing is written.
    pub fn join(&mut self, key: SessionKey, wanted: Vec<Subscribe>, after: Option<&str>, most: usize) {
        let now = self.hub.instant();
        if self.get(key).is_none() {
            return;
        }
        let position = match after.map(|text| Position::read(text, &self.hub)) {
            None => None,
            Some(Ok(position)) => Some(position),
            Some(Err(lapse)) => {
                let resync = Resync { epoch: &self.hub.epoch(), why: lapse.as_str() };
                self.sessions[key.index].say(&Reply::Resync(resync));
                None
            }
        };
        let most = most.min(self.config.symbols_per_session);
        let known = position.as_ref().map_or(0, Position::topics);
        let joining = Joining { wanted: wanted.into_iter(), position, most, result: None };
        self.sessions[key.index].joining = Some(Box::new(joining));
        if self.hub.follows() && known > self.hub.next_topic() {
            self.sessions[key.index].job = Some(Box::new(Job::arrival(known)));
        } else {
            self.join_next(key.index, Ok(()));
        }
        self.start_work(key.index, now);
        self.touch(key.index);
        self.wake_dirty();
    }

    /// How a [join](Self::join) ended, once it has; the transport's `resume` tells when. One that was refused as a whole
    /// leaves a session that must be left.
    pub fn joined(&mut self, key: SessionKey) -> Option<Result<(), Fault>> {
        let Some(session) = self.get(key).filter(|session| session.closing.is_none()) else {
            return Some(Ok(()));
        };
        session.joining.as_ref().and_then(|joining| joining.result.clone())
    }

    /// How many subscriptions a session has: what its [join](Self::join) has cost. 0 when the session is gone.
    pub fn subscription_count(&mut self, key: SessionKey) -> usize {
        self.get(key).map_or(0, |session| session.subs.len())
    }

    /// Where the client stands when it has taken everything that was fetched so far, in a form to
    /// [come back](Self::join) with. Empty when the session is gone.
    pub fn position_of(&mut self, key: SessionKey) -> String {
        self.get(key).and_then(|session| session.stands()).map_or_else(String::new, |it| it.text())
    }
}
