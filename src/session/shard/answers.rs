//! What clients are told.

use std::sync::Arc;

use super::Shard;
use crate::{
    clock::Instant,
    dialect::{
        Code, CommandId, Fault, Reply, Since, Subscribe,
        talk::{Accepted, ErrorReply, Info, InfoQueue, Pong},
    },
    hub::{Event, Remembered, Topic, TopicId},
    limits::RECOVERY_BYTES,
    market::{Body, Channel, LossWhy, MustDeliver, Symbol, Tick},
    session::{
        answer::Answer,
        queue::Streamed,
        shard_metrics::REFUSED,
        subscription::{Delivery, Lost, PatternSubscription, Subscription, Why},
        symbols::theirs,
        units::{JOIN, Progress, RECOVER, Units},
    },
};

/// Symbols that became known, and are matched with the patterns of a session at one go.
const FOLLOW_STEP: usize = 256;

/// The losses after the newest value, `after` some number and up to `seen`, as one.
fn lost_between(topic: &Topic, channel: Channel, after: u64, seen: u64) -> Lost {
    let newest = topic.since(channel, after).events.into_iter().rfind(|event| event.n <= seen);
    let by_venue = newest.is_some_and(
        |event| matches!(&event.body, Body::Tick(Tick::Loss(loss)) if loss.why == LossWhy::Venue),
    );
    let why = if by_venue { Why::Venue } else { Why::Upstream };
    Lost { from: after + 1, to: seen, why }
}

/// Where a new subscription starts.
enum Start {
    /// With these missed events.
    Recovered(Vec<Arc<Event>>),
    /// With nothing but losses: the client has the newest value.
    Lost(Lost),
    /// With the newest event, and a gap from that number on where the client had a position.
    Fresh(Option<u64>),
}

impl Shard {
    pub(super) fn refuse(&mut self, index: usize, op: &str, fault: Fault) {
        let Fault { id, code, msg } = fault;
        let error = ErrorReply { id, code, msg: &msg, retry: code.retry() };
        self.sessions[index].say(&Reply::Error(error));
        self.metrics.command(op, REFUSED);
        self.metrics.limited(code, || self.subject(index));
    }

    /// Adds what a subscription is now to the answer.
    pub(super) fn accept(
        &mut self,
        index: usize,
        topic: TopicId,
        recovered: Option<bool>,
        answer: &mut Answer,
    ) {
        let session = &self.sessions[index];
        let Some(place) = session.subs.find((topic, answer.channel, answer.form)) else { return };
        let Some(local) = self.topics.get(topic) else { return };
        let n = session.position(place, local.seen[answer.channel.index()]);
        self.accept_at(index, (topic, n), recovered, answer);
    }

    /// Likewise, where the answer begins at that number.
    fn accept_at(
        &self,
        index: usize,
        (topic, n): (TopicId, u64),
        recovered: Option<bool>,
        answer: &mut Answer,
    ) {
        let session = &self.sessions[index];
        let Some(place) = session.subs.find((topic, answer.channel, answer.form)) else { return };
        let Some(local) = self.topics.get(topic) else { return };
        let sub = &session.subs[place];
        let accepted = Accepted {
            symbol: local.name(answer.channel, answer.form),
            n,
            mode: sub.delivery.mode(),
            max_rate: sub.delivery.max_rate(),
            recovered,
        };
        answer.ok.push(accepted);
    }

    /// Starts a new subscription: with what the client missed, or with the newest event. In the answer numbers never
    /// fall, and what comes last in it is where the subscription stands. Returns units of work besides those for any
    /// subscription.
    pub(super) fn position(
        &mut self,
        index: usize,
        topic: &Arc<Topic>,
        wanted: &Subscribe,
        answer: &mut Answer,
    ) -> usize {
        let start = self.start(index, topic, wanted, answer);
        let recovered = wanted.since.as_ref().map(|_| !matches!(start, Start::Fresh(_)));
        match start {
            Start::Recovered(events) => {
                self.accept(index, topic.id(), recovered, answer);
                let name = self.name(topic, answer);
                events.iter().for_each(|event| answer.push(event, name));
                return events.len() * RECOVER;
            }
            Start::Lost(lost) => {
                self.accept(index, topic.id(), recovered, answer);
                self.write_gap(index, topic, lost, answer);
            }
            Start::Fresh(from) => self.start_fresh(index, topic, (wanted, from), answer),
        }
        0
    }

    /// Starts with the newest event, behind a gap `from` some number on. What was lost after the newest event, which is
    /// no value and has numbers of its own, is told after it.
    fn start_fresh(
        &mut self,
        index: usize,
        topic: &Arc<Topic>,
        (wanted, from): (&Subscribe, Option<u64>),
        answer: &mut Answer,
    ) {
        let channel = wanted.channel;
        let key = (topic.id(), channel, wanted.form);
        let Some(sub) = self.sessions[index].subs.find(key) else { return };
        let seen = self.topics.get(topic.id()).map_or(0, |local| local.seen[channel.index()]);
        let snapshot = self.topics.newest(key).filter(|_| wanted.snapshot).cloned();
        let stands = snapshot.as_ref().map_or(seen, |newest| newest.n.min(seen));
        self.accept_at(index, (topic.id(), stands), wanted.since.as_ref().map(|_| false), answer);
        // A number that was not given yet is not missing: a client that is told so would pass its event over.
        if let Some(from) = from.filter(|from| *from <= stands) {
            self.metrics.not_recoverable(channel, stands - from + 1);
            self.write_gap(index, topic, Lost { from, to: stands, why: Why::NotRecoverable }, answer);
        }
        let Some(newest) = snapshot else { return };
        answer.messages().push(newest.bytes());
        match &mut self.sessions[index].subs[sub].delivery {
            Delivery::Merge { limit: Some(limit), .. } => limit.next = answer.now + limit.interval,
            Delivery::Stream if stands < seen => {
                let lost = lost_between(topic, channel, stands, seen);
                self.write_gap(index, topic, lost, answer);
            }
            Delivery::Merge { .. } | Delivery::Stream | Delivery::Control => {}
        }
    }

    /// What the answer's dialect calls a symbol that it subscribes to.
    fn name(&self, topic: &Topic, answer: &Answer) -> Symbol {
        let local = self.topics.get(topic.id());
        local.map_or_else(|| topic.symbol(), |local| local.name(answer.channel, answer.form))
    }

    /// Adds the gap of a subscription to the answer.
    fn write_gap(&mut self, index: usize, topic: &Topic, lost: Lost, answer: &mut Answer) {
        let name = self.name(topic, answer);
        let session = &mut self.sessions[index];
        if let Some(sub) = session.subs.find((topic.id(), answer.channel, answer.form)) {
            session.write_gap(session.subs[sub].gap(name, lost), answer.messages());
        }
    }

    fn start(&self, index: usize, topic: &Arc<Topic>, wanted: &Subscribe, answer: &mut Answer) -> Start {
        let Some(Since { epoch, n, new_from, names_removed }) = &wanted.since else {
            return Start::Fresh(None);
        };
        let channel = wanted.channel;
        let seen = self.topics.get(topic.id()).map_or(0, |local| local.seen[channel.index()]);
        let is_new = new_from.is_some_and(|from| topic.id().number() >= from);
        let position = match n.get(&topic.symbol()) {
            Some(position) => *position,
            // It may be one of those that were removed, and have come back.
            None if *names_removed && topic.base() > 0 => return Start::Fresh(Some(1)),
            None if is_new => topic.base(),
            None => return Start::Fresh(None),
        };
        if **epoch != *self.hub.epoch() || position > seen {
            // Numbers of another incarnation say nothing about this one's.
            return Start::Fresh(Some(1));
        }
        if position < topic.base() {
            // The number of an earlier topic of that symbol, which was removed with what the client has missed of it.
            return Start::Fresh(Some(position + 1));
        }
        let session = &self.sessions[index];
        let sub = session.subs.find((topic.id(), channel, wanted.form)).map(|sub| &session.subs[sub]);
        let merges = sub.is_some_and(Subscription::merges);
        let keeps = channel.must_deliver() != MustDeliver::None;
        // Nothing fits any more, so nothing is looked up.
        let is_full = answer.recovered >= RECOVERY_BYTES && (!merges || keeps);
        let nothing = || Remembered { events: Vec::new(), forgotten: u64::MAX };
        let Remembered { mut events, forgotten } =
            if is_full { nothing() } else { topic.since(channel, position) };
        events.retain(|event| event.n <= seen);
        if merges && !keeps {
            // A merge promises the newest event only, and a loss is none.
            events.retain(|event| !event.is_loss());
            return Start::Recovered(events.pop().into_iter().collect());
        }
        // What must be delivered is all there; what lies between was merged away.
        let complete = if merges { forgotten <= position } else { events.len() as u64 == seen - position };
        if complete && answer.takes(&events, self.name(topic, answer)) {
            return Start::Recovered(events);
        }
        let has_newest =
            self.topics.newest((topic.id(), channel, wanted.form)).is_none_or(|newest| newest.n <= position);
        if has_newest && position < seen {
            return Start::Lost(lost_between(topic, channel, position, seen));
        }
        Start::Fresh(Some(position + 1))
    }

    /// Sessions that follow a pattern look at the symbols that became known since, each in its turn.
    pub(super) fn follow_new_topics(&mut self) {
        for index in self.followers.behind(self.hub.next_topic()) {
            self.sessions[*index].is_behind = true;
            self.sessions.line_up(*index);
        }
    }

    /// Matches a session's patterns with the symbols that became known since, as far as the units go.
    pub(super) fn follow_some(&mut self, index: usize, units: &mut Units, now: Instant) -> Progress {
        let patterns = std::mem::take(&mut self.sessions[index].patterns);
        let mut progress = Progress::More;
        while units.left() >= JOIN && !self.sessions[index].outbox.is_paused() {
            let known = self.sessions[index].known;
            let topics = self.hub.topics_since(known, (units.left() / JOIN).min(FOLLOW_STEP));
            units.spend(topics.len() * (1 + patterns.len() / 8) + 1);
            for pattern in &patterns {
                self.follow_pattern(index, pattern, &topics, (units, now));
            }
            self.sessions[index].known = topics.last().map_or(known, |last| last.id().number() + 1);
            if topics.is_empty() {
                self.sessions[index].is_behind = false;
                progress = Progress::Idle;
                break;
            }
        }
        self.sessions[index].patterns = patterns;
        if self.sessions[index].outbox.is_paused() { Progress::Idle } else { progress }
    }

    fn follow_pattern(
        &mut self,
        index: usize,
        pattern: &PatternSubscription,
        topics: &[Arc<Topic>],
        (units, now): (&mut Units, Instant),
    ) {
        let &PatternSubscription { channel, form, mode, max_rate, snapshot, .. } = pattern;
        let most = self.config.symbols_per_session;
        let mut answer = Answer::new(false, (channel, form), self.sessions[index].protocol(), now);
        let wanted = Subscribe { channel, form, targets: Vec::new(), mode, max_rate, snapshot, since: None };
        for topic in topics.iter().filter(|topic| pattern.pattern.matches(&topic.symbol())) {
            if self.sessions[index].subs.find((topic.id(), channel, form)).is_some()
                || theirs(form.dialect(), topic.symbol()).is_none()
                || !self.may_have(index, topic, channel)
            {
                continue;
            }
            let session = &mut self.sessions[index];
            if session.subs.len() >= most {
                if !session.following_full {
                    session.following_full = true;
                    let code = Code::SymbolLimit;
                    let msg = format!(
                        "a pattern matches more symbols than the limit of {most}: it grows no further"
                    );
                    let error = ErrorReply { id: None, code, msg: &msg, retry: code.retry() };
                    session.say(&Reply::Error(error));
                    self.touch(index);
                }
                break;
            }
            self.add(index, topic, (channel, form), Delivery::new(channel, mode, max_rate, now));
            units.spend(JOIN + self.position(index, topic, &wanted, &mut answer));
        }
        if answer.len() > 0 {
            answer.say(&mut self.sessions[index], None, &self.hub.epoch(), false);
            self.touch(index);
        }
    }

    pub(super) fn answer_info(&mut self, index: usize, id: Option<CommandId>, now: Instant) {
        let info = self.info(index, id, now);
        self.sessions[index].say(&Reply::Info(info));
    }

    /// How a session is doing.
    pub(super) fn info(&self, index: usize, id: Option<CommandId>, now: Instant) -> Info {
        let session = &self.sessions[index];
        let oldest = session.outbox.stream.iter().find_map(|entry| match entry {
            Streamed::Event { event, .. } => Some(event.received),
            Streamed::Gap { .. } => None,
        });
        let outbox = &session.outbox;
        let queue = InfoQueue {
            control: outbox.control().count(),
            stream: outbox.stream.len(),
            stream_bytes: outbox.stream.bytes(),
            merge: outbox.merge.len(),
        };
        let micros = |rtt: std::time::Duration| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        Info {
            id,
            session: session.name(&self.node),
            queue,
            lag_ms: oldest.map_or(0, |received| micros(now - received) / 1_000),
            delivered: session.counts.delivered,
            merged: session.counts.merged,
            dropped: session.counts.dropped,
            rtt_us: session.liveness.rtt().map(micros),
        }
    }

    pub(super) fn answer_ping(&mut self, index: usize, id: Option<CommandId>) {
        let time = self.hub.clock().now();
        self.sessions[index].say(&Reply::Pong(Pong { id, time }));
    }
}
