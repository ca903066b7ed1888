//! Writes what waits, to every session whose time has come.

use std::time::Duration;

use super::Shard;
use crate::{
    clock::Instant,
    session::{SessionKey, WriteMode, repeat::repeats, state::Flush},
};

impl Shard {
    /// Fixes the time between two writes of a session: [`Duration::ZERO`] writes everything at once.
    pub fn set_flush(&mut self, key: SessionKey, flush: Duration) {
        if let Some(session) = self.get(key) {
            session.flush = Flush::of(flush);
        }
    }

    /// Marks a session as having something to send that waits for no pace.
    pub(super) fn touch(&mut self, index: usize) {
        self.sessions.touch(index);
    }

    /// Writes to every session that has something to send, or wakes its driver, once; those that were written to a
    /// moment ago are held.
    pub(super) fn wake_dirty(&mut self) {
        if self.sessions.dirty.is_empty() {
            return;
        }
        let now = self.hub.instant();
        let mut dirty = std::mem::take(&mut self.sessions.dirty);
        let hold = self.sessions.pacer.hold(self.config.flush);
        let next_write = now + hold;
        for index in dirty.drain(..) {
            let Some(session) = self.sessions.get_mut(index) else { continue };
            session.dirty = false;
            let (pace, next_write) = match session.flush.own() {
                None => (hold, next_write),
                Some(own) => (own, now + own),
            };
            let is_early = now < session.next_write || !pace.is_zero() && now < session.next_write + pace;
            if is_early && !session.urgent {
                session.held = true;
                let due = if now < session.next_write { session.next_write } else { next_write };
                self.sessions.pacer.push(due, index);
                continue;
            }
            session.urgent = false;
            session.held = false;
            session.next_write = next_write;
            match session.transport.write_mode() {
                WriteMode::Open if repeats(session, &self.topics, now, &mut self.scratch) => {
                    session.transport.write(self.scratch.frame());
                }
                WriteMode::Open => self.write(index, now),
                WriteMode::Full => {}
                WriteMode::Pull => session.transport.wake(),
            }
        }
        self.scratch.settle(&mut self.metrics);
        // The list keeps its room for the next burst.
        self.sessions.dirty = dirty;
    }

    /// Writes what waits for a session, as far as its socket takes it.
    fn write(&mut self, index: usize, now: Instant) {
        loop {
            self.assemble(index, now);
            if self.scratch.bytes.is_empty() {
                return;
            }
            let session = &self.sessions[index];
            session.transport.write(self.scratch.frame());
            if !session.has_more() || session.is_over() || session.transport.write_mode() != WriteMode::Open {
                return;
            }
        }
    }
}
