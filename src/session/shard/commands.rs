//! What clients ask for.

use std::sync::Arc;

use super::Shard;
use crate::{
    clock::Instant,
    dialect::{Code, Fault, Form, Op, Request},
    hub::Topic,
    limits::{COMMAND_BURST, MAX_REFUSED_COMMANDS, REFUSED_COMMAND_BYTES, WORK_AT_ONCE_UNITS},
    market::Channel,
    session::SessionKey,
    session::{
        CloseReason, Flood,
        job::Job,
        local_topics::Subscriber,
        shard_metrics::{ANY_OP, NO_OP, OK},
        subscription::{Delivery, Lost, Pending, SubIndex, SubKey, Subscription, Why},
        symbols::theirs,
        units::{COMMAND, Progress, Units},
    },
};

impl Shard {
    /// Takes one message of a client. What takes long is done in turns, and meanwhile [`must_pause`](Self::must_pause)
    /// says that no other is read.
    pub fn command(&mut self, key: SessionKey, message: &[u8], now: Instant) {
        let per_second = self.config.commands_per_second;
        let Some(session) = self.get(key) else { return };
        if session.closing.is_some() {
            return;
        }
        debug_assert!(session.job.is_none(), "a driver reads nothing while it must pause");
        let index = key.index;
        if session.job.is_some() || !session.commands.take(now, per_second, COMMAND_BURST.max(per_second)) {
            session.refused_in_a_row += 1;
            if session.refused_in_a_row > MAX_REFUSED_COMMANDS {
                self.close(key, CloseReason::RateLimited(Flood::Commands), now);
                return;
            }
            let (protocol, is_short) = (session.protocol(), message.len() <= REFUSED_COMMAND_BYTES);
            let requests = is_short.then(|| protocol.read(message));
            let id = requests.and_then(|it| {
                it.map_or_else(
                    |fault| fault.id,
                    |requests| requests.into_iter().next().and_then(|one| one.id),
                )
            });
            let msg = format!("more than {per_second} commands a second: this one was not carried out");
            self.refuse(index, ANY_OP, Fault { id, code: Code::TooManyCommands, msg });
        } else {
            session.refused_in_a_row = 0;
            let read = session.protocol().read(message);
            let count = read.as_ref().map_or(1, |requests| requests.len().max(1));
            let units = COMMAND * count + message.len() / 64;
            session.spent += units;
            match read {
                Ok(requests) => self.carry_out_all(index, requests, now),
                Err(fault) => self.refuse(index, NO_OP, fault),
            }
            self.charge(index, units, now);
            self.start_work(index, now);
        }
        self.touch(index);
        self.wake_dirty();
    }

    /// Begins with the first request of a message; the others wait for it.
    fn carry_out_all(&mut self, index: usize, requests: Vec<Request>, now: Instant) {
        let mut requests = requests.into_iter();
        let Some(first) = requests.next() else { return };
        if requests.len() > 0 {
            self.sessions[index].requests = Some(Box::new(requests));
        }
        self.carry_out(index, first, now);
    }

    pub(super) fn carry_out(&mut self, index: usize, request: Request, now: Instant) {
        let Request { id, op } = request;
        let name = op.as_str();
        let most = self.config.symbols_per_session;
        let job = match op {
            Op::Subscribe(wanted) => self.subscribe(index, id, wanted, most),
            Op::Update(wanted) => Ok(self.update(index, id, wanted)),
            Op::Unsubscribe { channel, form, targets } => {
                Ok(self.unsubscribe(index, id, (channel, form), targets))
            }
            Op::List => Ok(Job::list(id)),
            Op::Info => {
                self.answer_info(index, id, now);
                return self.metrics.command(name, OK);
            }
            Op::Ping => {
                self.answer_ping(index, id);
                return self.metrics.command(name, OK);
            }
            Op::Auth => {
                let msg = "authentication is off: everybody may read".to_owned();
                Err(Fault { id, code: Code::AlreadyAuthenticated, msg })
            }
        };
        match job {
            Ok(job) => self.sessions[index].job = Some(Box::new(job)),
            Err(fault) => self.refuse(index, name, fault),
        }
    }

    /// Does at once what is short, if the session has not had much at once; what is left waits for a turn.
    pub(super) fn start_work(&mut self, index: usize, now: Instant) {
        let session = &mut self.sessions[index];
        let mut units = Units::new(WORK_AT_ONCE_UNITS.saturating_sub(session.spent));
        if units.left() == 0 && session.job.is_none() {
            session.job = Some(Box::new(Job::rest()));
        }
        if units.left() == 0 || self.advance(index, &mut units, now) == Progress::More {
            self.line_up(index);
        } else {
            self.sessions[index].spent += units.spent();
        }
    }

    /// Enters a new subscription into the session and the topic's list; nothing is sent yet.
    pub(super) fn add(
        &mut self,
        index: usize,
        topic: &Arc<Topic>,
        (channel, form): (Channel, Form),
        delivery: Delivery,
    ) {
        let name = theirs(form.dialect(), topic.symbol()).unwrap_or_else(|| topic.symbol());
        let local = self.topics.join(topic, (channel, form, name), self.intake.shard());
        let sent = local.seen[channel.index()];
        if topic.is_removed() {
            // Between the search and now: nothing comes of it any more.
            self.intake.removed.push_back(topic.id());
            self.intake.lane.wake();
        }
        let session = &mut self.sessions[index];
        let streams = delivery.streams();
        session.statuses += usize::from(matches!(delivery, Delivery::Control));
        let key = (topic.id(), channel, form);
        let sub = session.subs.insert(Subscription {
            topic: topic.id(),
            channel,
            form,
            delivery,
            place: 0,
            sent,
            gap: None,
            queued: 0,
        });
        let who = Subscriber { session: u32::try_from(index).unwrap_or(u32::MAX), sub };
        session.subs[sub].place = self.topics.add(key, streams, who);
        self.metrics.subscribed(channel, 1);
    }

    /// Takes a subscription out of the topic's list and the session. What still waits for it in the outbox must be
    /// purged by the caller before the slot is used again.
    pub(super) fn remove(&mut self, index: usize, key: SubKey) -> Option<SubIndex> {
        let session = &mut self.sessions[index];
        let (sub, gone) = session.subs.remove(key)?;
        session.statuses -= usize::from(matches!(gone.delivery, Delivery::Control));
        if let Some(timer) = gone.delivery.timer() {
            self.sessions.forget_time(timer, index, sub);
        }
        self.take_place(key, gone.delivery.streams(), gone.place);
        self.topics.leave(key, self.intake.shard());
        self.metrics.subscribed(key.1, -1);
        Some(sub)
    }

    /// Takes a subscriber out of its list; the one that takes its place there is told.
    fn take_place(&mut self, key: SubKey, streams: bool, place: u32) {
        if let Some(moved) = self.topics.take(key, streams, place) {
            self.sessions[moved.session as usize].subs[moved.sub].place = place;
        }
    }

    /// Forgets what a session wants. Its subscriptions end now as far as they are few, the others in turns.
    pub(super) fn unsubscribe_all(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        (session.job, session.requests, session.is_behind) = (None, None, false);
        session.patterns = Vec::new();
        session.outbox.drop_data();
        if let Some(recheck) = session.access.take().and_then(|access| access.recheck) {
            recheck.finish();
        }
        self.followers.remove(index);
        if self.part_some(index, &mut Units::new(WORK_AT_ONCE_UNITS)) == Progress::More {
            self.line_up(index);
        }
    }

    /// Gives a subscription another delivery without a hole or a repeat.
    pub(super) fn change(&mut self, index: usize, sub: SubIndex, wanted: Delivery) {
        let config = std::rc::Rc::clone(&self.config);
        let Subscription { place, ref delivery, .. } = self.sessions[index].subs[sub];
        let key @ (topic, channel, form) = self.sessions[index].subs[sub].key();
        let old = delivery.clone();
        if let Some(timer) = old.timer() {
            self.sessions.forget_time(timer, index, sub);
        }
        let streams = wanted.streams() && !matches!(old, Delivery::Control);
        if streams != old.streams() {
            self.take_place(key, old.streams(), place);
            let who = Subscriber { session: u32::try_from(index).unwrap_or(u32::MAX), sub };
            self.sessions[index].subs[sub].place = self.topics.add(key, streams, who);
        }
        let session = &mut self.sessions[index];
        let Some(local) = self.topics.get_mut(topic) else { return };
        let i = channel.index();
        let newest = local.newest(channel, form).cloned();
        if session.subs[sub].has_queued() && matches!(wanted, Delivery::Stream) {
            self.metrics.gaps[i] += session.say_queued(sub, local.name(channel, form));
        }
        let sent = session.position(sub, local.seen[i]);
        match (old, wanted) {
            (Delivery::Stream, Delivery::Stream) | (Delivery::Control, _) | (_, Delivery::Control) => {}
            (Delivery::Merge { pending, .. }, Delivery::Merge { limit, .. }) => {
                // What waited for its time goes at once: the new pace counts from there.
                if pending == Pending::Timer {
                    session.outbox.merge.push_back(sub);
                }
                let pending = match pending {
                    Pending::No | Pending::Queue => pending,
                    Pending::Socket | Pending::Timer => Pending::Socket,
                };
                session.subs[sub].delivery = Delivery::Merge { pending, limit };
            }
            (Delivery::Stream, Delivery::Merge { limit, .. }) => {
                session.become_merge(sub, limit, newest.as_ref(), sent);
            }
            (Delivery::Merge { pending, .. }, Delivery::Stream) => {
                session.outbox.merge.retain(|other| *other != sub);
                session.subs[sub].delivery = Delivery::Stream;
                session.subs[sub].sent = local.seen[i];
                // The stream starts with the newest event, if it was still to be sent.
                if let Some(newest) = newest
                    && pending != Pending::No
                    && newest.n > sent
                {
                    let last = newest.n;
                    session.subs[sub].sent = last - 1;
                    session.enqueue(sub, (&newest, newest.bytes().len()), config.stream_bytes);
                    if local.seen[i] > last {
                        // What a merge is not told: the feed lost events after the newest one.
                        let lost = Lost { from: last + 1, to: local.seen[i], why: Why::Upstream };
                        session.outbox.push_loss(sub, lost, config.stream_bytes, &mut session.subs);
                    }
                }
            }
        }
    }
}
