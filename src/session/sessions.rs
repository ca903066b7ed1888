//! The sessions of one shard, and which of them have something to do: write, wait for the time of an event, or work.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    ops::{Index, IndexMut},
    rc::Rc,
};

use slab::Slab;
use tokio::sync::Notify;

use super::{
    Admission, Framing, Transport,
    flush_pacer::FlushPacer,
    local_topics::Subscriber,
    state::Session,
    subscription::{EventRef, SubIndex},
};
use crate::clock::Instant;

/// Names one session of a shard, also after it has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionKey {
    pub(super) index: usize,
    serial: u64,
}

/// A merged event that waits for its time: when, and of which session and subscription.
type Timer = (Instant, usize, SubIndex);

/// Sessions by their index.
pub(super) struct Sessions {
    all: Slab<Box<Session>>,
    next_serial: u64,
    /// Where each is, by the number of its admission.
    by_admission: HashMap<u64, usize>,
    /// Those that have something to write.
    pub(super) dirty: Vec<usize>,
    pub(super) pacer: FlushPacer,
    /// At most one for each subscription, which takes it along when it goes.
    timers: BTreeSet<Timer>,
    /// Those with work that waits for a turn.
    work: VecDeque<usize>,
    pub(super) has_work: Rc<Notify>,
}

impl Sessions {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            all: Slab::new(),
            next_serial: 0,
            by_admission: HashMap::new(),
            dirty: Vec::new(),
            pacer: FlushPacer::new(now),
            timers: BTreeSet::new(),
            work: VecDeque::new(),
            has_work: Rc::default(),
        }
    }

    /// Makes a session to which nothing was said yet.
    pub(super) fn enter(
        &mut self,
        framing: Framing,
        transport: Rc<dyn Transport>,
        admission: Option<Admission>,
        now: Instant,
    ) -> SessionKey {
        let serial = self.next_serial;
        self.next_serial += 1;
        let admitted = admission.as_ref().map(Admission::serial);
        let session = Session::new(serial, framing, transport, admission, now);
        let index = self.all.insert(Box::new(session));
        self.by_admission.extend(admitted.map(|number| (number, index)));
        SessionKey { index, serial }
    }

    /// The serial of the next session.
    pub(super) const fn next_serial(&self) -> u64 {
        self.next_serial
    }

    /// The session of that key, if it is still there.
    pub(super) fn of(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.all
            .get_mut(key.index)
            .filter(|session| session.serial == key.serial && !session.gone)
            .map(|session| &mut **session)
    }

    /// Where the session is whose admission has that number.
    pub(super) fn find(&self, number: u64) -> Option<usize> {
        self.by_admission.get(&number).copied()
    }

    /// A session's connection has gone: its place is free for another one, and it is found no more.
    pub(super) fn depart(&mut self, index: usize) {
        let session = &mut self.all[index];
        session.gone = true;
        if let Some(admission) = session.admission.take() {
            self.by_admission.remove(&admission.serial());
        }
    }

    /// At most `most` indexes of sessions, from one on.
    pub(super) fn from(&self, index: usize, most: usize) -> Vec<usize> {
        let behind =
            (index..self.all.capacity()).filter(|index| self.all.get(*index).is_some_and(|it| !it.gone));
        behind.take(most).collect()
    }

    /// Whether a session has more to write; one that has gone has its end to be told.
    pub(super) fn has_more(&self, key: SessionKey) -> bool {
        self.all
            .get(key.index)
            .is_none_or(|session| session.gone || session.serial != key.serial || session.has_more())
    }

    pub(super) fn key(&self, index: usize) -> SessionKey {
        SessionKey { index, serial: self.all[index].serial }
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Session> {
        self.all.get_mut(index).map(|session| &mut **session)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Session)> {
        self.all.iter_mut().map(|(index, session)| (index, &mut **session))
    }

    /// Indexes are smaller than this.
    pub(super) fn end(&self) -> usize {
        self.all.capacity()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Forgets a session that has [departed](Self::depart).
    pub(super) fn remove(&mut self, index: usize) {
        let session = self.all.remove(index);
        if session.dirty {
            self.dirty.retain(|other| *other != index);
        }
        if session.at_work {
            self.work.retain(|other| *other != index);
        }
    }

    /// Marks a session as having something to send that waits for no pace.
    pub(super) fn touch(&mut self, index: usize) {
        let session = &mut self.all[index];
        session.urgent = true;
        if !session.dirty {
            session.dirty = true;
            self.dirty.push(index);
        }
    }

    /// Marks a session as having events to send, at its pace.
    #[inline]
    pub(super) fn mark(&mut self, index: usize) {
        let session = &mut self.all[index];
        if !session.dirty && !session.held {
            session.dirty = true;
            self.dirty.push(index);
        }
    }

    /// Hands one event, of that many bytes, to a stream of a session, and marks that. Returns how many older events went for
    /// it.
    #[inline]
    pub(super) fn enqueue(&mut self, to: Subscriber, event: (&EventRef, usize), cap: usize) -> u64 {
        let session = &mut self.all[to.session as usize];
        let dropped = session.enqueue(to.sub, event, cap);
        if !(session.dirty | session.held) {
            session.dirty = true;
            self.dirty.push(to.session as usize);
        }
        dropped
    }

    /// A session has lost something that its dialect has no word for. It ends with its next write.
    #[cold]
    pub(super) fn end_untold(&mut self, index: usize) {
        self.all[index].has_untold = true;
        self.touch(index);
    }

    /// Makes the sessions dirty whose time has come.
    pub(super) fn release_held(&mut self, now: Instant) {
        let Self { all, dirty, pacer, .. } = self;
        while pacer.pop_due(now, |index| {
            // One that was written to meanwhile, or that has left, is no longer held.
            if let Some(session) = all.get_mut(index)
                && std::mem::take(&mut session.held)
                && !session.dirty
            {
                session.dirty = true;
                session.urgent = true;
                dirty.push(index);
            }
        }) {}
    }

    /// Keeps the time of a subscription's waiting event, instead of another one's. Out of the way of those that do not
    /// wait.
    #[cold]
    pub(super) fn keep_time(&mut self, index: usize, sub: SubIndex) {
        let Some((due, instead)) = self.all[index].subs[sub].delivery.keep_time() else { return };
        if let Some(old) = instead {
            self.timers.remove(&(old, index, sub));
        }
        self.timers.insert((due, index, sub));
    }

    /// Forgets a timer.
    pub(super) fn forget_time(&mut self, due: Instant, index: usize, sub: SubIndex) {
        self.timers.remove(&(due, index, sub));
    }

    /// When the next paced event or write is due.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let event = self.timers.first().map(|(due, ..)| *due);
        event.into_iter().chain(self.pacer.next()).min()
    }

    /// Moves paced events whose time has come to their sessions' merge queues.
    pub(super) fn fire_timers(&mut self, now: Instant) {
        while let Some((due, index, sub)) = self.timers.first().copied()
            && due <= now
        {
            self.timers.pop_first();
            let Some(session) = self.all.get_mut(index) else { continue };
            // The event may have gone out meanwhile, or the delivery may have changed.
            if session.subs.get_mut(sub).is_some_and(|sub| sub.delivery.time_has_come(due)) {
                session.outbox.merge.push_back(sub);
                self.touch(index);
            }
        }
    }

    /// Puts a session into the queue for work.
    pub(super) fn line_up(&mut self, index: usize) {
        let session = &mut self.all[index];
        if !session.at_work {
            session.at_work = true;
            self.work.push_back(index);
            self.has_work.notify_one();
        }
    }

    /// How many sessions wait for a turn of work.
    pub(super) fn at_work(&self) -> usize {
        self.work.len()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.all.iter().map(|(_, session)| &**session)
    }

    /// How many subscriptions have an event that waits for its time.
    #[cfg(test)]
    pub(super) fn timer_count(&self) -> usize {
        self.timers.len()
    }

    /// Takes the next session out of the queue for work.
    pub(super) fn next_at_work(&mut self) -> Option<usize> {
        let index = self.work.pop_front()?;
        self.all[index].at_work = false;
        Some(index)
    }
}

impl Index<usize> for Sessions {
    type Output = Session;

    fn index(&self, index: usize) -> &Session {
        &self.all[index]
    }
}

impl IndexMut<usize> for Sessions {
    fn index_mut(&mut self, index: usize) -> &mut Session {
        &mut self.all[index]
    }
}
