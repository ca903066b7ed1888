//! What clients ask for.

use std::sync::Arc;

use super::{
    SessionKey, Shard,
    answers::Answer,
    tally::{ANY_OP, NO_OP, OK},
    views::Subscriber,
};
use crate::{
    clock::Instant,
    dialect::native::{
        Code, CommandId, Fault, Op, Pattern, Refused, Subscribe, Target, Unsubscribed, parse_command,
    },
    hub::{Topic, TopicId},
    limits::{COMMAND_BURST, MAX_REFUSED_COMMANDS},
    market::{Channel, Symbol},
    session::{
        CloseReason, Flood,
        subscription::{Delivery, Following, Lost, Pending, SubIndex, Subscription, Why},
    },
};

/// What the targets of a command come to.
struct Resolved {
    topics: Vec<Arc<Topic>>,
    patterns: Vec<Pattern>,
    refused: Vec<Refused>,
}

impl Shard {
    /// Carries out one message of a client.
    pub fn command(&mut self, key: SessionKey, message: &[u8], now: Instant) {
        let per_second = self.config.commands_per_second;
        let Some(session) = self.get(key) else { return };
        if session.closing.is_some() {
            return;
        }
        let command = parse_command(message, session.encoding());
        if !session.commands.take(now, per_second, COMMAND_BURST.max(per_second)) {
            session.refused_in_a_row += 1;
            if session.refused_in_a_row > MAX_REFUSED_COMMANDS {
                self.close(key, CloseReason::RateLimited(Flood::Commands), now);
                return;
            }
            let id = command.map_or_else(|fault| fault.id, |command| command.id);
            let msg = format!("more than {per_second} commands a second: this one was not carried out");
            self.refuse(key.index, ANY_OP, Fault { id, code: Code::TooManyCommands, msg });
        } else {
            session.refused_in_a_row = 0;
            match command {
                Ok(command) => self.carry_out(key.index, command.id, command.op, now),
                Err(fault) => self.refuse(key.index, NO_OP, fault),
            }
        }
        self.touch(key.index);
        self.wake_dirty();
    }

    fn carry_out(&mut self, index: usize, id: Option<CommandId>, op: Op, now: Instant) {
        let name = op.as_str();
        let result = match op {
            Op::Subscribe(wanted) => self.subscribe(index, id, &wanted, now),
            Op::Update(wanted) => {
                self.update(index, id, &wanted, now);
                Ok(())
            }
            Op::Unsubscribe { channel, targets } => {
                self.unsubscribe(index, id, channel, targets);
                Ok(())
            }
            Op::List => {
                self.answer_list(index, id);
                Ok(())
            }
            Op::Info => {
                self.answer_info(index, id, now);
                Ok(())
            }
            Op::Ping => {
                self.answer_ping(index, id);
                Ok(())
            }
            Op::Auth => {
                let msg = "authentication is off: everybody may read".to_owned();
                Err(Fault { id, code: Code::AlreadyAuthenticated, msg })
            }
        };
        match result {
            Ok(()) => self.tally.command(name, OK),
            Err(fault) => self.refuse(index, name, fault),
        }
    }

    fn resolve(&self, targets: &[Target]) -> Resolved {
        let mut resolved = Resolved { topics: Vec::new(), patterns: Vec::new(), refused: Vec::new() };
        for target in targets {
            match target {
                Target::One(symbol) => match self.hub.topic(*symbol) {
                    Some(topic) => resolved.topics.push(topic),
                    None => resolved.refused.push(Refused {
                        symbol: symbol.to_string(),
                        code: Code::UnknownSymbol,
                        msg: "unknown symbol".into(),
                    }),
                },
                Target::All(pattern) => {
                    resolved.patterns.push(*pattern);
                    let topics = self.hub.topics_since(0);
                    resolved
                        .topics
                        .extend(topics.into_iter().filter(|topic| pattern.matches(&topic.symbol())));
                }
                Target::Bad(text, why) => resolved.refused.push(Refused {
                    symbol: text.clone(),
                    code: Code::UnknownSymbol,
                    msg: format!("not a symbol: it {why}"),
                }),
            }
        }
        resolved.topics.sort_by_key(|topic| topic.id());
        resolved.topics.dedup_by_key(|topic| topic.id());
        resolved
    }

    pub(super) fn subscribe(
        &mut self,
        index: usize,
        id: Option<CommandId>,
        wanted: &Subscribe,
        now: Instant,
    ) -> Result<(), Fault> {
        let channel = wanted.channel;
        if !self.hub.offers(channel) {
            let msg = format!("channel: {} is not computed here", channel.as_str());
            return Err(Fault { id, code: Code::UnknownChannel, msg });
        }
        if self.followers.is_empty() {
            // Before the symbols are looked up: one that becomes known meanwhile is then found twice, not never.
            self.known_topics = self.hub.topic_count();
        }
        let resolved = self.resolve(&wanted.targets);
        if let Some(since) = &wanted.since {
            self.catch_up(since, channel, &resolved.topics);
        }
        let most = self.config.symbols_per_session;
        let session = &mut self.sessions[index];
        let known = |topic: &&Arc<Topic>| session.subs.find(topic.id(), channel).is_some();
        let new = resolved.topics.iter().filter(|topic| !known(topic)).count();
        if session.subs.len() + new > most || session.following.len() + resolved.patterns.len() > most {
            let have = session.subs.len();
            let msg = format!(
                "{new} more would be over the limit of {most} subscriptions ({have} now): nothing done"
            );
            return Err(Fault { id, code: Code::SymbolLimit, msg });
        }
        for pattern in resolved.patterns {
            let following = Following {
                channel,
                pattern,
                mode: wanted.mode,
                max_rate: wanted.max_rate,
                snapshot: wanted.snapshot,
            };
            session.following.retain(|old| old.channel != channel || old.pattern != pattern);
            session.following.push(following);
            if !self.followers.contains(&index) {
                self.followers.push(index);
            }
            if let Some(track) = &mut session.track {
                track.known = self.known_topics;
            }
        }
        let mut answer = Answer::new("subscribed", channel, self.sessions[index].encoding(), now)
            .refusing(resolved.refused);
        for topic in &resolved.topics {
            if self.sessions[index].subs.find(topic.id(), channel).is_some() {
                self.accept(index, topic.id(), None, &mut answer);
            } else {
                let delivery = Delivery::new(channel, wanted.mode, wanted.max_rate, now);
                self.add(index, topic, channel, delivery);
                self.position(index, topic, wanted, &mut answer);
            }
        }
        let epoch = self.hub.epoch().to_owned();
        answer.say(&mut self.sessions[index], id, &epoch);
        Ok(())
    }

    /// Enters a new subscription into the session and the topic's list; nothing is sent yet.
    pub(super) fn add(&mut self, index: usize, topic: &Arc<Topic>, channel: Channel, delivery: Delivery) {
        let view = self.views.join(topic, channel, self.lane.index());
        let list = &mut view.subscribers[channel.index()];
        let session = &mut self.sessions[index];
        let streams = matches!(delivery, Delivery::Stream);
        session.statuses += usize::from(matches!(delivery, Delivery::Control));
        let sub = session.subs.insert(Subscription {
            topic: topic.id(),
            channel,
            delivery,
            place: u32::try_from(list.len()).unwrap_or(u32::MAX),
            sent: view.seen[channel.index()],
            gap: None,
            queued: 0,
        });
        list.push(Subscriber { session: u32::try_from(index).unwrap_or(u32::MAX), sub, streams });
        self.tally.subscribed(channel, 1);
    }

    /// Takes a subscription out of the topic's list and the session. What still waits for it in the outbox must be
    /// purged by the caller before the slot is used again.
    fn remove(&mut self, index: usize, topic: TopicId, channel: Channel) -> Option<SubIndex> {
        let session = &mut self.sessions[index];
        let (sub, gone) = session.subs.remove(topic, channel)?;
        session.statuses -= usize::from(matches!(gone.delivery, Delivery::Control));
        if let Some(timer) = gone.delivery.timer() {
            self.timers.remove(&(timer, index, sub));
        }
        if let Some(moved) = self.views.remove(topic, channel, gone.place as usize, self.lane.index()) {
            self.sessions[moved.session as usize].subs[moved.sub].place = gone.place;
        }
        self.tally.subscribed(channel, -1);
        Some(sub)
    }

    /// Forgets everything that a session has subscribed to.
    pub(super) fn unsubscribe_all(&mut self, index: usize) {
        // From the end, where taking one out moves none.
        let all: Vec<_> =
            self.sessions[index].subs.iter().rev().map(|sub| (sub.topic, sub.channel)).collect();
        for (topic, channel) in all {
            self.remove(index, topic, channel);
        }
        let session = &mut self.sessions[index];
        session.outbox.purge(session.encoding(), |_| true);
        session.following = Vec::new();
        self.followers.retain(|follower| *follower != index);
    }

    fn unsubscribe(&mut self, index: usize, id: Option<CommandId>, channel: Channel, targets: Vec<Target>) {
        let mut refused = Vec::new();
        let mut ok: Vec<Symbol> = Vec::new();
        let mut gone = std::collections::HashSet::new();
        let mut drop_one = |shard: &mut Self, topic: TopicId, symbol: Symbol| {
            shard.remove(index, topic, channel).is_some_and(|sub| {
                ok.push(symbol);
                gone.insert(sub)
            })
        };
        for target in targets {
            match target {
                Target::One(symbol) => {
                    let topic = self.hub.topic(symbol).map(|topic| topic.id());
                    if !topic.is_some_and(|topic| drop_one(self, topic, symbol)) {
                        let code = if topic.is_some() { Code::BadParameter } else { Code::UnknownSymbol };
                        let msg = if topic.is_some() { "not subscribed" } else { "unknown symbol" };
                        refused.push(Refused { symbol: symbol.to_string(), code, msg: msg.into() });
                    }
                }
                Target::All(pattern) => {
                    let session = &mut self.sessions[index];
                    session.following.retain(|old| old.channel != channel || old.pattern != pattern);
                    let views = &self.views;
                    let matching: Vec<_> = session
                        .subs
                        .iter()
                        .filter(|sub| sub.channel == channel)
                        .filter_map(|sub| Some((sub.topic, views.get(sub.topic)?.topic.symbol())))
                        .filter(|(_, symbol)| pattern.matches(symbol))
                        .collect();
                    for (topic, symbol) in matching {
                        drop_one(self, topic, symbol);
                    }
                }
                Target::Bad(text, why) => refused.push(Refused {
                    symbol: text,
                    code: Code::UnknownSymbol,
                    msg: format!("not a symbol: it {why}"),
                }),
            }
        }
        let session = &mut self.sessions[index];
        session.outbox.purge(session.encoding(), |sub| gone.contains(&sub));
        if session.following.is_empty() {
            self.followers.retain(|follower| *follower != index);
        }
        session.say(&Unsubscribed { id, channel, ok: &ok, err: &refused });
    }

    fn update(&mut self, index: usize, id: Option<CommandId>, wanted: &Subscribe, now: Instant) {
        let channel = wanted.channel;
        let resolved = self.resolve(&wanted.targets);
        let mut answer =
            Answer::new("updated", channel, self.sessions[index].encoding(), now).refusing(resolved.refused);
        for following in &mut self.sessions[index].following {
            if following.channel == channel && resolved.patterns.contains(&following.pattern) {
                following.mode = wanted.mode;
                following.max_rate = wanted.max_rate;
            }
        }
        for topic in &resolved.topics {
            match self.sessions[index].subs.find(topic.id(), channel) {
                Some(sub) => {
                    self.change(index, sub, Delivery::new(channel, wanted.mode, wanted.max_rate, now));
                    self.accept(index, topic.id(), None, &mut answer);
                }
                // A pattern means what is subscribed of it.
                None if !resolved.patterns.is_empty() => {}
                None => answer.refuse(topic.symbol(), Code::BadParameter, "not subscribed"),
            }
        }
        let epoch = self.hub.epoch().to_owned();
        answer.say(&mut self.sessions[index], id, &epoch);
    }

    /// Gives a subscription another delivery without a hole or a repeat.
    fn change(&mut self, index: usize, sub: SubIndex, wanted: Delivery) {
        let config = std::rc::Rc::clone(&self.config);
        let session = &mut self.sessions[index];
        let Subscription { topic, channel, place, ref delivery, .. } = session.subs[sub];
        let old = delivery.clone();
        if let Some(timer) = old.timer() {
            self.timers.remove(&(timer, index, sub));
        }
        let Some(view) = self.views.get_mut(topic) else { return };
        let i = channel.index();
        let newest = view.newest[i].clone();
        let is_bars = matches!(channel, Channel::Bars(_));
        if session.subs[sub].merges_bars() && matches!(wanted, Delivery::Stream) {
            self.tally.gaps[i] += session.say_final_bars(sub, view.topic.symbol());
        }
        let sent = session.position(sub, view.seen[i]);
        view.subscribers[i][place as usize].streams =
            matches!((&old, &wanted), (Delivery::Merge { .. } | Delivery::Stream, Delivery::Stream));
        match (old, wanted) {
            (Delivery::Stream, Delivery::Stream) | (Delivery::Control, _) | (_, Delivery::Control) => {}
            (Delivery::Merge { pending, .. }, Delivery::Merge { pace, .. }) => {
                // What waited for its time goes at once: the new pace counts from there.
                if pending == Pending::Timer {
                    session.outbox.merge.push_back(sub);
                }
                let pending = match pending {
                    Pending::No | Pending::Bars => pending,
                    Pending::Socket | Pending::Timer => Pending::Socket,
                };
                session.subs[sub].delivery = Delivery::Merge { pending, pace };
            }
            (Delivery::Stream, Delivery::Merge { pace, .. }) if is_bars => {
                let forming = newest.is_some_and(|newest| newest.n > sent && !newest.is_final_bar());
                session.merge_bars(sub, pace, forming, sent);
            }
            (Delivery::Stream, Delivery::Merge { pace, .. }) => {
                // The queued events and gaps are all older than the newest one, which stands for them now.
                session.outbox.purge(session.encoding(), |other| other == sub);
                session.subs[sub].gap = None;
                session.subs[sub].sent = sent;
                let behind = newest.is_some_and(|newest| newest.n > sent);
                let pending = if behind { Pending::Socket } else { Pending::No };
                if behind {
                    session.outbox.merge.push_back(sub);
                }
                session.subs[sub].delivery = Delivery::Merge { pending, pace };
            }
            (Delivery::Merge { pending, .. }, Delivery::Stream) => {
                session.outbox.merge.retain(|other| *other != sub);
                session.subs[sub].delivery = Delivery::Stream;
                session.subs[sub].sent = view.seen[i];
                // The stream starts with the newest event, if it was still to be sent.
                if let Some(newest) = newest
                    && pending != Pending::No
                    && newest.n > sent
                {
                    let last = newest.n;
                    session.subs[sub].sent = last - 1;
                    session.enqueue(sub, &newest, &config);
                    if view.seen[i] > last {
                        // What a merge is not told: the feed lost events after the newest one.
                        let lost = Lost { from: last + 1, to: view.seen[i], why: Why::Upstream };
                        let cap = (session.encoding(), config.stream_bytes);
                        session.outbox.push_loss(sub, lost, cap, &mut session.subs);
                    }
                }
            }
        }
    }
}
