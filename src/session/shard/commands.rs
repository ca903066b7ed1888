//! What clients ask for.

use std::sync::Arc;

use super::Shard;
use crate::{
    clock::Instant,
    dialect::native::{Code, CommandId, Fault, Op, parse_command},
    hub::{Topic, TopicId},
    limits::{COMMAND_BURST, MAX_REFUSED_COMMANDS, REFUSED_COMMAND_BYTES, WORK_AT_ONCE_UNITS},
    market::Channel,
    session::SessionKey,
    session::{
        CloseReason, Flood,
        job::Job,
        local_topics::Subscriber,
        shard_metrics::{ANY_OP, NO_OP, OK},
        subscription::{Delivery, Lost, Pending, SubIndex, Subscription, Why},
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
            let (encoding, is_short) = (session.encoding(), message.len() <= REFUSED_COMMAND_BYTES);
            let command = is_short.then(|| parse_command(message, encoding));
            let id = command.and_then(|it| it.map_or_else(|fault| fault.id, |command| command.id));
            let msg = format!("more than {per_second} commands a second: this one was not carried out");
            self.refuse(index, ANY_OP, Fault { id, code: Code::TooManyCommands, msg });
        } else {
            session.refused_in_a_row = 0;
            let units = COMMAND + message.len() / 64;
            session.spent += units;
            match parse_command(message, session.encoding()) {
                Ok(command) => self.carry_out(index, command.id, command.op, now),
                Err(fault) => self.refuse(index, NO_OP, fault),
            }
            self.charge(index, units, now);
            self.start_work(index, now);
        }
        self.touch(index);
        self.wake_dirty();
    }

    fn carry_out(&mut self, index: usize, id: Option<CommandId>, op: Op, now: Instant) {
        let name = op.as_str();
        let most = self.config.symbols_per_session;
        let job = match op {
            Op::Subscribe(wanted) => self.subscribe(index, id, wanted, most),
            Op::Update(wanted) => Ok(self.update(index, id, wanted)),
            Op::Unsubscribe { channel, targets } => Ok(self.unsubscribe(index, id, channel, targets)),
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
    pub(super) fn add(&mut self, index: usize, topic: &Arc<Topic>, channel: Channel, delivery: Delivery) {
        let local = self.topics.join(topic, channel, self.intake.shard());
        let list = &mut local.subscribers[channel.index()];
        let session = &mut self.sessions[index];
        let streams = matches!(delivery, Delivery::Stream);
        session.statuses += usize::from(matches!(delivery, Delivery::Control));
        let sub = session.subs.insert(Subscription {
            topic: topic.id(),
            channel,
            delivery,
            place: u32::try_from(list.len()).unwrap_or(u32::MAX),
            sent: local.seen[channel.index()],
            gap: None,
            queued: 0,
        });
        list.push(Subscriber { session: u32::try_from(index).unwrap_or(u32::MAX), sub, streams });
        self.metrics.subscribed(channel, 1);
    }

    /// Takes a subscription out of the topic's list and the session. What still waits for it in the outbox must be
    /// purged by the caller before the slot is used again.
    pub(super) fn remove(&mut self, index: usize, topic: TopicId, channel: Channel) -> Option<SubIndex> {
        let session = &mut self.sessions[index];
        let (sub, gone) = session.subs.remove(topic, channel)?;
        session.statuses -= usize::from(matches!(gone.delivery, Delivery::Control));
        if let Some(timer) = gone.delivery.timer() {
            self.sessions.forget_time(timer, index, sub);
        }
        if let Some(moved) = self.topics.remove(topic, channel, gone.place as usize, self.intake.shard()) {
            self.sessions[moved.session as usize].subs[moved.sub].place = gone.place;
        }
        self.metrics.subscribed(channel, -1);
        Some(sub)
    }

    /// Forgets what a session wants. Its subscriptions end now as far as they are few, the others in turns.
    pub(super) fn unsubscribe_all(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        (session.job, session.is_behind) = (None, false);
        session.patterns = Vec::new();
        session.outbox.drop_data(session.encoding());
        self.followers.remove(index);
        if self.part_some(index, &mut Units::new(WORK_AT_ONCE_UNITS)) == Progress::More {
            self.line_up(index);
        }
    }

    /// Gives a subscription another delivery without a hole or a repeat.
    pub(super) fn change(&mut self, index: usize, sub: SubIndex, wanted: Delivery) {
        let config = std::rc::Rc::clone(&self.config);
        let Subscription { topic, channel, place, ref delivery, .. } = self.sessions[index].subs[sub];
        let old = delivery.clone();
        if let Some(timer) = old.timer() {
            self.sessions.forget_time(timer, index, sub);
        }
        let session = &mut self.sessions[index];
        let Some(local) = self.topics.get_mut(topic) else { return };
        let i = channel.index();
        let newest = local.newest[i].clone();
        if session.subs[sub].has_queued() && matches!(wanted, Delivery::Stream) {
            self.metrics.gaps[i] += session.say_queued(sub, local.topic.symbol());
        }
        let sent = session.position(sub, local.seen[i]);
        local.subscribers[i][place as usize].streams =
            matches!((&old, &wanted), (Delivery::Merge { .. } | Delivery::Stream, Delivery::Stream));
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
                    session.enqueue(sub, &newest, &config);
                    if local.seen[i] > last {
                        // What a merge is not told: the feed lost events after the newest one.
                        let lost = Lost { from: last + 1, to: local.seen[i], why: Why::Upstream };
                        let cap = (session.encoding(), config.stream_bytes);
                        session.outbox.push_loss(sub, lost, cap, &mut session.subs);
                    }
                }
            }
        }
    }
}
