//! Work of sessions that is too long for one turn of their thread: commands, new symbols of their patterns, leaving with
//! many subscriptions. The sessions that have some stand in a queue; each gets a part of a turn, and between two turns
//! all other tasks of the thread get theirs.

use std::rc::Rc;

use super::Shard;
use crate::{
    clock::Instant,
    dialect::Fault,
    limits::{COMMAND_UNITS, WORK_TURN_UNITS},
    session::{
        Transport,
        job::{Job, Step},
        shard_metrics::REFUSED,
        units::{PART, Progress, Units},
    },
};

/// The transport of a session whose connection has gone.
struct Nowhere;

impl Transport for Nowhere {
    fn wake(&self) {}

    fn resume(&self) {}

    fn blocked_since(&self) -> Option<Instant> {
        None
    }

    fn cut(&self) {}
}

impl Shard {
    /// Puts a session into the queue for work.
    pub(super) fn line_up(&mut self, index: usize) {
        self.sessions.line_up(index);
    }

    /// One turn of work. Returns whether some is left.
    pub fn work(&mut self) -> bool {
        if self.sessions.at_work() == 0 {
            return false;
        }
        let now = self.hub.instant();
        let mut units = Units::new(WORK_TURN_UNITS);
        // Each session once, so that those that wait for a whole turn get one in their turn.
        for _ in 0..self.sessions.at_work() {
            let Some(index) = self.sessions.next_at_work() else { break };
            if self.advance(index, &mut units, now) == Progress::More {
                self.line_up(index);
            }
            if units.left() == 0 {
                break;
            }
        }
        self.metrics.flush();
        self.wake_dirty();
        self.sessions.pacer.worked(now, self.hub.instant());
        self.sessions.at_work() > 0
    }

    /// Does what a session has to do, as far as the units go.
    pub(super) fn advance(&mut self, index: usize, units: &mut Units, now: Instant) -> Progress {
        loop {
            let session = &mut self.sessions[index];
            if session.closing.is_some() {
                return self.part_some(index, units);
            }
            // What it may not have any more ends also while its client reads nothing.
            if self.recheck_some(index, units) == Progress::More {
                return Progress::More;
            }
            let session = &mut self.sessions[index];
            // Answers wait for the client; those of other transports are taken only when all are there.
            if !session.is_joining() && session.outbox.is_paused() {
                return Progress::Idle;
            }
            let before = units.spent();
            if let Some(mut job) = session.job.take() {
                let result = self.go_on(index, &mut job, units, now);
                if !matches!(result, Ok(Step::Waits)) {
                    self.charge(index, units.spent() - before, now);
                }
                match result {
                    Ok(Step::Done) => self.finish(index, Ok(())),
                    Ok(Step::More) => {
                        self.sessions[index].job = Some(job);
                        return Progress::More;
                    }
                    Ok(Step::Waits) => {
                        self.park(index, job, now);
                        return Progress::Idle;
                    }
                    Err(fault) => self.finish_refused(index, &job, fault),
                }
            } else if let Some(request) = session.requests.as_mut().map(|requests| requests.next()) {
                // The last one takes the list along.
                match request {
                    Some(request) => self.carry_out(index, request, now),
                    None => session.requests = None,
                }
            } else if session.is_behind {
                if self.follow_some(index, units, now) == Progress::More {
                    return Progress::More;
                }
            } else {
                return Progress::Idle;
            }
        }
    }

    /// Work counts against the rate of the session's commands.
    pub(super) fn charge(&mut self, index: usize, units: usize, now: Instant) {
        let per_second = self.config.commands_per_second;
        self.sessions[index].commands.owe(now, per_second, (units, COMMAND_UNITS));
    }

    fn finish_refused(&mut self, index: usize, job: &Job, fault: Fault) {
        if self.sessions[index].joining.is_some() {
            self.metrics.command(job.name(), REFUSED);
            self.finish(index, Err(fault));
        } else {
            self.refuse(index, job.name(), fault);
            self.finish(index, Ok(()));
        }
    }

    /// A command is through: the next one may come.
    fn finish(&mut self, index: usize, result: Result<(), Fault>) {
        let session = &mut self.sessions[index];
        session.spent = 0;
        if session.joining.is_some() {
            self.join_next(index, result);
        } else if session.paused && !session.must_wait() {
            session.paused = false;
            session.transport.resume();
        }
        self.touch(index);
    }

    /// Begins the next subscription of a session beside WebSocket, or ends its joining.
    pub(super) fn join_next(&mut self, index: usize, result: Result<(), Fault>) {
        let session = &mut self.sessions[index];
        let Some(joining) = &mut session.joining else { return };
        if result.is_ok()
            && let Some(mut wanted) = joining.wanted.next()
        {
            let position = joining.position.as_ref();
            wanted.since = position.map(|position| position.since(wanted.channel, &self.hub));
            let most = joining.most;
            match self.subscribe(index, None, wanted, most) {
                Ok(job) => self.sessions[index].job = Some(Box::new(job)),
                Err(fault) => {
                    self.metrics.command("subscribe", REFUSED);
                    self.join_next(index, Err(fault));
                }
            }
            return;
        }
        joining.result = Some(result);
        session.transport.resume();
    }

    /// Ends subscriptions of a session that is closing, from the last on, as far as the units go. What was left behind by
    /// a client that has gone is forgotten with the last one.
    pub(super) fn part_some(&mut self, index: usize, units: &mut Units) -> Progress {
        while let Some(key) = self.sessions[index].subs.last() {
            if units.left() == 0 {
                return Progress::More;
            }
            units.spend(PART);
            self.remove(index, key);
        }
        if self.sessions[index].gone {
            self.sessions.remove(index);
        }
        Progress::Idle
    }

    /// The connection of a session is gone. Its subscriptions may still have to end; until then it takes its place among
    /// the others, and none anywhere else.
    pub(super) fn abandon(&mut self, index: usize) {
        self.sessions.depart(index);
        let session = &mut self.sessions[index];
        session.transport.wake();
        if session.subs.len() == 0 {
            self.sessions.remove(index);
        } else {
            session.transport = Rc::new(Nowhere);
            self.line_up(index);
        }
    }
}
