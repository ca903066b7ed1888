//! What a shard does when the numbering is another one: it forgets all events that were numbered before, begins each topic
//! where that stands now, and tells its sessions. A session that asked for it gets a `resync` and the newest value of all that
//! it is subscribed to; the others are closed. All of it in turns, while new events wait in the lane.

use std::{rc::Rc, sync::Arc};

use super::Shard;
use crate::{
    clock::Instant,
    dialect::{Reply, talk::Resync},
    limits::SHARD_TURN_EVENTS,
    session::{
        CloseReason, SessionKey,
        state::{Offered, Session},
        subscription::{Delivery, Lost, Pending, SubIndex, SubKey, Why},
    },
};

/// Which numbering the shard is at, and how far it is with a change to it.
#[derive(Debug)]
pub(super) struct EpochChange {
    /// The name of the numbering, which its sessions are told.
    name: Arc<str>,
    serial: u64,
    step: Step,
    /// Serial of the first session that was welcomed to this numbering.
    newcomers: u64,
}

/// What comes next, and from which place on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    Topics(usize),
    Sessions(usize),
}

impl EpochChange {
    pub(super) fn new((name, serial): (Arc<str>, u64)) -> Self {
        Self { name, serial, step: Step::Done, newcomers: 0 }
    }

    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.step != Step::Done
    }
}

impl Shard {
    /// From now on the session is told of another numbering, instead of being closed.
    pub fn tell_resyncs(&mut self, key: SessionKey) {
        if let Some(session) = self.get(key) {
            session.resyncs = true;
        }
    }

    /// Whether the shard goes over to another numbering; begins with it when the hub has another one. What comes meanwhile
    /// waits in the lane.
    pub(super) fn is_changing_epoch(&mut self) -> bool {
        if self.hub.epoch_serial() != self.epoch.serial {
            let (name, serial) = self.hub.epoch_and_serial();
            let newcomers = self.sessions.next_serial();
            self.epoch = EpochChange { name, serial, step: Step::Topics(0), newcomers };
            self.intake.discard();
        }
        let is_under_way = self.epoch.is_under_way();
        if is_under_way {
            self.intake.lane.wake();
        }
        is_under_way
    }

    /// One turn of the change, if one is under way.
    pub(super) fn change_epoch(&mut self, now: Instant) {
        let mut left = SHARD_TURN_EVENTS;
        while left > 0 {
            match self.epoch.step {
                Step::Done => return,
                Step::Topics(place) => match self.topics.begin_anew(place, self.intake.shard()) {
                    Some((next, channels)) => {
                        left = left.saturating_sub(1 + channels);
                        self.epoch.step = Step::Topics(next);
                    }
                    None => self.epoch.step = Step::Sessions(0),
                },
                Step::Sessions(place) if place >= self.sessions.end() => self.epoch.step = Step::Done,
                Step::Sessions(place) => {
                    left = left.saturating_sub(1 + self.renumber_session(place, now));
                    self.epoch.step = Step::Sessions(place + 1);
                }
            }
        }
    }

    /// Tells one session. Returns how many subscriptions that concerned.
    fn renumber_session(&mut self, index: usize, now: Instant) -> usize {
        let Some(session) = self.sessions.get_mut(index) else { return 0 };
        if session.gone || session.closing.is_some() {
            return 0;
        }
        // What it subscribed to meanwhile may have begun in the old numbering.
        let is_new = session.serial >= self.epoch.newcomers && session.joining.is_none();
        if is_new && session.job.is_none() && session.subs.len() == 0 {
            return 0;
        }
        if !session.resyncs {
            let key = self.sessions.key(index);
            self.close(key, CloseReason::Renumbered, now);
            return 0;
        }
        session.outbox.drop_data();
        session.say(&Reply::Resync(Resync { epoch: &self.epoch.name, why: "renumbered" }));
        let places: Vec<_> = session.subs.places().collect();
        for (key, sub) in &places {
            if let Some(timer) = begin_anew(&mut self.sessions[index], *sub) {
                self.sessions.forget_time(timer, index, *sub);
            }
            self.send_newest(index, (*key, *sub), now);
        }
        self.touch(index);
        places.len()
    }

    /// Gives a subscription the newest value, and streams what was lost after it.
    fn send_newest(&mut self, index: usize, (key, sub): (SubKey, SubIndex), now: Instant) {
        let (topic, channel, form) = key;
        let Some(local) = self.topics.get(topic) else { return };
        let seen = local.seen[channel.index()];
        let name = local.name(channel, form);
        let session = &mut self.sessions[index];
        let Some(newest) = local.newest(channel, form).map(Rc::clone) else {
            session.subs[sub].sent = seen;
            return;
        };
        session.subs[sub].sent = newest.n.saturating_sub(1);
        let dropped = match &session.subs[sub].delivery {
            Delivery::Stream => {
                session.enqueue(sub, (&newest, newest.bytes().len()), self.config.stream_bytes)
            }
            Delivery::Merge { .. } if !newest.is_replaceable() => {
                session.offer_whole(sub, &newest, &self.config)
            }
            Delivery::Merge { .. } | Delivery::Control => {
                if session.offer(sub, &newest, now) == Offered::Timer {
                    self.sessions.keep_time(index, sub);
                }
                0
            }
        };
        self.metrics.gapped[channel.index()] += dropped;
        let session = &mut self.sessions[index];
        if matches!(session.subs[sub].delivery, Delivery::Stream) && newest.n < seen {
            let lost = Lost { from: newest.n + 1, to: seen, why: Why::Upstream };
            let _dropped = session.lose(sub, name, lost, &self.config);
        }
    }
}

/// Nothing waits for the subscription any more. Returns the timer that it had.
fn begin_anew(session: &mut Session, sub: SubIndex) -> Option<Instant> {
    let sub = &mut session.subs[sub];
    (sub.gap, sub.queued) = (None, 0);
    let Delivery::Merge { pending, limit } = &mut sub.delivery else { return None };
    *pending = Pending::No;
    limit.as_mut().and_then(|limit| limit.timer.take())
}
