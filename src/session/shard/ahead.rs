//! Clients that have seen more than this shard has handed out, in the same numbering: at another shard, whose events are in
//! the lane here, too; or at another gateway that numbers alike, and whose events are still to come. Such a client waits for
//! them a moment, and its commands are read no further meanwhile: to tell it of a gap would be wrong.

use std::sync::Arc;

use super::Shard;
use crate::{
    clock::Instant,
    dialect::{Since, Subscribe},
    hub::Topic,
    limits::{AHEAD_LOOK, AHEAD_WAIT},
    market::Channel,
    session::{
        SessionKey,
        job::{Job, Stage, What},
        units::Units,
    },
};

/// The sessions that wait for what their clients have seen elsewhere.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    waiting: Vec<SessionKey>,
    /// When they are looked at again.
    look: Option<Instant>,
}

impl Ahead {
    /// When those that wait are looked at again.
    pub(super) const fn next_look(&self) -> Option<Instant> {
        self.look
    }
}

impl Shard {
    /// Whether a client may name symbols that are not known here yet.
    pub(super) fn may_be_ahead(&self, wanted: &Subscribe) -> bool {
        let is_of_now = |since: &Since| *since.epoch == *self.hub.epoch();
        self.hub.follows() && wanted.since.as_ref().is_some_and(is_of_now)
    }

    /// Whether a client that was served elsewhere is ahead of what this shard has handed out.
    pub(super) fn is_behind(&self, since: &Since, channel: Channel, topics: &[Arc<Topic>]) -> bool {
        let follows = self.hub.follows();
        let ahead = |topic: &Arc<Topic>| {
            let position = since.n.get(&topic.symbol()).copied().unwrap_or(0);
            match self.topics.get(topic.id()).filter(|local| local.is_joined(channel)) {
                Some(local) => position > local.seen[channel.index()],
                // It would begin where the topic stands.
                None => follows && position > topic.head(channel),
            }
        };
        *since.epoch == *self.hub.epoch() && topics.iter().any(ahead)
    }

    /// Whether a job waits for symbols that its client has seen elsewhere.
    pub(super) fn must_wait_for_symbols(&self, job: &mut Job, units: &mut Units, now: Instant) -> bool {
        let is_there = match (&job.what, job.stage) {
            (What::Arrival(topics), _) => self.hub.next_topic() >= *topics,
            (What::Subscribe { wanted, .. }, Stage::Arrival) => {
                let symbols = wanted.since.iter().flat_map(|since| since.n.keys());
                units.spend(symbols.clone().count() / 4);
                symbols.into_iter().all(|symbol| self.hub.topic(*symbol).is_some())
            }
            _ => return false,
        };
        if !is_there && has_time(job, now) {
            return true;
        }
        if job.stage == Stage::Arrival {
            job.stage = Stage::Search;
        }
        false
    }

    /// Whether a job waits for events that its client has seen elsewhere.
    pub(super) fn must_wait_for_events(&self, job: &mut Job, units: &mut Units, now: Instant) -> bool {
        if job.stage != Stage::Ahead {
            return false;
        }
        if let What::Subscribe { wanted, .. } = &job.what
            && self.hub.follows()
            && let Some(since) = &wanted.since
        {
            units.spend(job.topics.len() / 4);
            if self.is_behind(since, wanted.channel, job.topics.as_slice()) && has_time(job, now) {
                return true;
            }
        }
        job.stage = Stage::Act;
        false
    }

    /// Lets a session's job wait until the next look.
    pub(super) fn park(&mut self, index: usize, mut job: Box<Job>, now: Instant) {
        if !std::mem::replace(&mut job.is_parked, true) {
            self.ahead.waiting.push(self.sessions.key(index));
        }
        self.sessions[index].job = Some(job);
        self.ahead.look.get_or_insert(now + AHEAD_LOOK);
    }

    /// Puts all that wait into the queue for work, when it is time.
    pub(super) fn look_at_waiting(&mut self, now: Instant) {
        if self.ahead.look.is_none_or(|look| look > now) {
            return;
        }
        self.ahead.look = None;
        for key in std::mem::take(&mut self.ahead.waiting) {
            let Some(session) = self.sessions.of(key) else { continue };
            if session.job.as_mut().is_some_and(|job| std::mem::take(&mut job.is_parked)) {
                self.line_up(key.index);
            }
        }
    }
}

/// Whether a job may wait longer.
fn has_time(job: &mut Job, now: Instant) -> bool {
    now < *job.until.get_or_insert(now + AHEAD_WAIT)
}
