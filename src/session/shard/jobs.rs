//! Commands that name symbols, carried out part by part. Each part is one answer, made in one turn: what it tells of is
//! subscribed, changed or ended with it, so that no event comes before or behind its answer that should not.

use std::collections::HashSet;

use super::Shard;
use crate::{
    clock::Instant,
    dialect::{
        Code, CommandId, Fault, Form, Pattern, Reply, Subscribe, Target,
        talk::{List, Listed, Unsubscribed},
    },
    limits::{ANSWER_SYMBOLS, SESSION_PATTERNS},
    market::Channel,
    session::{
        answer::Answer,
        job::{Job, Stage, Step, What},
        search::{Search, UNKNOWN_SYMBOL},
        shard_metrics::OK,
        subscription::{Delivery, PatternSubscription},
        symbols::theirs,
        units::{JOIN, PART, Units},
    },
};

impl Shard {
    /// A subscribe, of which the session may have `most` subscriptions then.
    pub(super) fn subscribe(
        &mut self,
        index: usize,
        id: Option<CommandId>,
        mut wanted: Subscribe,
        most: usize,
    ) -> Result<Job, Fault> {
        let channel = wanted.channel;
        if !self.hub.offers(channel) {
            let msg = format!("channel: {} is not computed here", channel.as_str());
            return Err(Fault { id, code: Code::UnknownChannel, msg });
        }
        let search = Search::everywhere((channel, wanted.form), std::mem::take(&mut wanted.targets));
        let session = &mut self.sessions[index];
        let what = (channel, wanted.form);
        let follows = |it| session.patterns.iter().any(|old| old.of() == what && old.pattern == it);
        let new = search.patterns.iter().filter(|pattern| !follows(**pattern)).count();
        let have = session.patterns.len();
        if have + new > SESSION_PATTERNS {
            let limit = format!("the limit of {SESSION_PATTERNS} patterns ({have} now)");
            let msg = format!("{new} more would be over {limit}: nothing done");
            return Err(Fault { id, code: Code::SymbolLimit, msg });
        }
        if have == 0 {
            // Before the symbols are looked for: one that becomes known meanwhile is then found twice, not never.
            session.known = self.hub.next_topic();
        }
        let stage = if self.may_be_ahead(&wanted) { Stage::Arrival } else { Stage::Search };
        Ok(Job::new(id, What::Subscribe { wanted, most }, stage, search))
    }

    pub(super) fn update(&mut self, index: usize, id: Option<CommandId>, mut wanted: Subscribe) -> Job {
        let search = Search::of_own((wanted.channel, wanted.form), std::mem::take(&mut wanted.targets));
        for pattern in &mut self.sessions[index].patterns {
            if pattern.of() == (wanted.channel, wanted.form) && search.patterns.contains(&pattern.pattern) {
                pattern.mode = wanted.mode;
                pattern.max_rate = wanted.max_rate;
            }
        }
        Job::new(id, What::Update(wanted), Stage::Search, search)
    }

    pub(super) fn unsubscribe(
        &mut self,
        index: usize,
        id: Option<CommandId>,
        what: (Channel, Form),
        targets: Vec<Target>,
    ) -> Job {
        let search = Search::of_own(what, targets);
        let patterns = &mut self.sessions[index].patterns;
        patterns.retain(|old| old.of() != what || !search.patterns.contains(&old.pattern));
        if patterns.is_empty() {
            self.followers.remove(index);
        }
        Job::new(id, What::Unsubscribe(what.0, what.1), Stage::Search, search)
    }

    /// Goes on with a job, as far as the units go.
    pub(super) fn go_on(
        &mut self,
        index: usize,
        job: &mut Job,
        units: &mut Units,
        now: Instant,
    ) -> Result<Step, Fault> {
        if self.must_wait_for_symbols(job, units, now) {
            return Ok(Step::Waits);
        }
        if job.stage == Stage::Search && !self.searched(index, job, units)? {
            return Ok(Step::More);
        }
        if !self.caught_up(job, units) {
            return Ok(Step::More);
        }
        if self.must_wait_for_events(job, units, now) {
            return Ok(Step::Waits);
        }
        // A part that has begun is made to its end: it waits for a turn that is long enough.
        let begins = job.topics.len().min(ANSWER_SYMBOLS) * JOIN <= units.left() || units.spent() == 0;
        let done = match job.what {
            What::Rest | What::Arrival(_) => true,
            What::List if units.left() < ANSWER_SYMBOLS && self.sessions[index].subs.len() > units.left() => {
                false
            }
            What::List => self.list_part(index, job, units),
            _ if !begins => false,
            What::Unsubscribe(channel, form) => self.unsubscribe_part(index, job, (channel, form), units),
            What::Subscribe { .. } | What::Update(_) => self.subscribe_part(index, job, units, now),
        };
        if done && !matches!(job.what, What::Rest | What::Arrival(_)) {
            self.metrics.command(job.name(), OK);
        }
        Ok(if done { Step::Done } else { Step::More })
    }

    /// Goes on with the search. Returns whether it is over.
    fn searched(&mut self, index: usize, job: &mut Job, units: &mut Units) -> Result<bool, Fault> {
        let have = self.sessions[index].subs.len();
        let most = match job.what {
            What::Subscribe { most, .. } => most,
            What::Update(_) | What::Unsubscribe(..) | What::List | What::Arrival(_) | What::Rest => {
                usize::MAX
            }
        };
        let room = most.saturating_sub(have);
        if !self.symbols.catch_up(job.search.form.dialect(), &self.hub, units) {
            return Ok(false);
        }
        if !self.search(index, &mut job.search, room, units) {
            return Ok(false);
        }
        if job.search.new > room {
            let msg =
                format!("more would be over the limit of {most} subscriptions ({have} now): nothing done");
            return Err(Fault { id: job.id.clone(), code: Code::SymbolLimit, msg });
        }
        let topics = std::mem::take(&mut job.search.topics);
        job.stage = Stage::Act;
        if let What::Subscribe { wanted, .. } = &job.what {
            self.follow(index, wanted, &job.search.patterns);
            if let Some(since) = &wanted.since {
                units.spend(topics.len() / 4);
                if self.is_behind(since, wanted.channel, &topics) {
                    job.stage = Stage::CatchUp { drained: false };
                }
            }
        }
        job.topics = topics.into_iter();
        job.refused = std::mem::take(&mut job.search.refused).into_iter();
        Ok(true)
    }

    /// The session gets the symbols of these patterns, also those to come.
    fn follow(&mut self, index: usize, wanted: &Subscribe, patterns: &[Pattern]) {
        let &Subscribe { channel, form, mode, max_rate, snapshot, .. } = wanted;
        let session = &mut self.sessions[index];
        for pattern in patterns.iter().copied() {
            session.patterns.retain(|old| old.of() != (channel, form) || old.pattern != pattern);
            session.patterns.push(PatternSubscription { channel, form, pattern, mode, max_rate, snapshot });
        }
        if !session.patterns.is_empty() {
            session.is_behind |= session.known < self.hub.next_topic();
            self.followers.add(index);
        }
    }

    /// A client that comes from another shard may be ahead of this one: it takes in what waits in the lane, in which
    /// everything is that any shard has handed out. Returns whether it has.
    fn caught_up(&mut self, job: &mut Job, units: &mut Units) -> bool {
        let Stage::CatchUp { drained } = job.stage else { return true };
        units.spend(units.left());
        if !self.fan_out() {
            if drained {
                job.stage = Stage::Ahead;
            } else {
                self.drain_lane();
                job.stage = Stage::CatchUp { drained: true };
            }
        }
        false
    }

    fn subscribe_part(&mut self, index: usize, job: &mut Job, units: &mut Units, now: Instant) -> bool {
        let (is_update, wanted) = match &job.what {
            What::Subscribe { wanted, .. } => (false, wanted),
            What::Update(wanted) => (true, wanted),
            What::Unsubscribe(..) | What::List | What::Arrival(_) | What::Rest => return true,
        };
        let (channel, form) = (wanted.channel, wanted.form);
        let refused = job.refused.by_ref().take(ANSWER_SYMBOLS).collect();
        let protocol = self.sessions[index].protocol();
        let mut answer =
            Answer::new(is_update, (channel, form), protocol, now).refusing(refused).recovered(job.recovered);
        while answer.len() < ANSWER_SYMBOLS
            && (units.left() > 0 || answer.len() == 0)
            && let Some(topic) = job.topics.next()
        {
            // What is queued is looked through for where the subscription stands.
            let queue = &self.sessions[index].outbox;
            units.spend(JOIN + (queue.stream.len() + queue.merge.len()) / 256);
            let sub = self.sessions[index].subs.find((topic.id(), channel, form));
            match (&job.what, sub) {
                (What::Update(wanted), Some(sub)) => {
                    self.change(index, sub, Delivery::new(channel, wanted.mode, wanted.max_rate, now));
                    self.accept(index, topic.id(), None, &mut answer);
                }
                (What::Update(_), None) => {}
                (_, Some(_)) => self.accept(index, topic.id(), None, &mut answer),
                // The grants have changed since it was found.
                (_, None) if !self.may_have(index, &topic, channel) => {
                    let name = theirs(form.dialect(), topic.symbol()).unwrap_or_else(|| topic.symbol());
                    answer.refuse(name, Code::UnknownSymbol, UNKNOWN_SYMBOL);
                }
                (_, None) => {
                    let delivery = Delivery::new(channel, wanted.mode, wanted.max_rate, now);
                    self.add(index, &topic, (channel, form), delivery);
                    units.spend(self.position(index, &topic, wanted, &mut answer));
                }
            }
        }
        job.recovered = answer.recovered_bytes();
        let more = job.topics.len() > 0 || job.refused.len() > 0;
        answer.say(&mut self.sessions[index], job.id.clone(), &self.hub.epoch(), more);
        !more
    }

    fn unsubscribe_part(
        &mut self,
        index: usize,
        job: &mut Job,
        (channel, form): (Channel, Form),
        units: &mut Units,
    ) -> bool {
        let (mut ok, mut gone) = (Vec::new(), HashSet::new());
        for topic in job.topics.by_ref().take(ANSWER_SYMBOLS) {
            units.spend(PART);
            if let Some(sub) = self.remove(index, (topic.id(), channel, form)) {
                ok.extend(theirs(form.dialect(), topic.symbol()));
                gone.insert(sub);
            }
        }
        let err: Vec<_> = job.refused.by_ref().take(ANSWER_SYMBOLS).collect();
        let more = job.topics.len() > 0 || job.refused.len() > 0;
        let session = &mut self.sessions[index];
        session.outbox.purge(|sub| gone.contains(&sub));
        let (id, ok, err) = (job.id.clone(), &ok, &err);
        session.say(&Reply::Unsubscribed(Unsubscribed { id, channel, form, ok, err, more }));
        !more
    }

    fn list_part(&mut self, index: usize, job: &mut Job, units: &mut Units) -> bool {
        let session = &mut self.sessions[index];
        let topics = &self.topics;
        let mut subscriptions = Vec::new();
        for sub in session.subs.behind(job.listed).take(ANSWER_SYMBOLS) {
            job.listed = Some(sub.key());
            subscriptions.extend(topics.get(sub.topic).map(|local| Listed {
                channel: sub.channel,
                form: sub.form,
                symbol: local.name(sub.channel, sub.form),
                mode: sub.delivery.mode(),
                max_rate: sub.delivery.max_rate(),
            }));
        }
        units.spend(subscriptions.len());
        let more = session.subs.behind(job.listed).next().is_some();
        let patterns = session.patterns.iter().filter(|_| !more);
        let patterns = patterns.map(|pattern| (pattern.channel, pattern.pattern)).collect();
        session.say(&Reply::List(List { id: job.id.clone(), subscriptions, patterns, more }));
        !more
    }
}
