//! From the lane to the outboxes.

use std::{rc::Rc, sync::Arc};

use super::Shard;
use crate::{
    clock::Instant,
    dialect::Encoding,
    hub::{Event, Topic},
    limits::SHARD_TURN_EVENTS,
    market::{Channel, MustDeliver},
    session::{
        SessionConfig,
        local_topics::{Audience, Subscriber},
        sessions::Sessions,
        shard_metrics::ShardMetrics,
        state::Offered,
        subscription::{EventRef, LocalEvent, Lost, Why},
    },
};

/// What handing out touches of a shard.
type Hands<'a> = (&'a mut Sessions, &'a mut ShardMetrics, &'a SessionConfig);

/// One event in one form to those who get it.
fn hand_out((sessions, metrics, config): Hands<'_>, audience: &Audience, event: &EventRef, now: Instant) {
    let i = event.channel_index();
    if !audience.streams.is_empty() {
        let (whole, cap) = ((event, event.bytes().len()), config.stream_bytes);
        for subscriber in &audience.streams {
            let dropped = sessions.enqueue(*subscriber, whole, cap);
            if dropped > 0 {
                metrics.gapped[i] += dropped;
            }
        }
    }
    if event.is_loss() {
        // A merge has the newest event anyway: it is not told what it would not have been shown.
        return;
    }
    for &Subscriber { session, sub } in &audience.others {
        let index = session as usize;
        let session = &mut sessions[index];
        if !event.is_replaceable() && session.subs[sub].merges() {
            metrics.gapped[i] += session.offer_whole(sub, event, config);
        } else {
            match session.offer(sub, event, now) {
                Offered::Queued => {}
                Offered::Merged => {
                    metrics.merged[i] += 1;
                    continue;
                }
                Offered::Timer => {
                    sessions.keep_time(index, sub);
                    continue;
                }
            }
        }
        sessions.mark(index);
    }
}

impl Shard {
    /// Takes everything out of the lane, once all that was taken before is handed out. After a lap the shard catches up
    /// from the topics: the lane's events come first, as far as they reached, then what the topics remember, then a gap
    /// for what they do not, all of it in turns. What comes meanwhile waits in the lane.
    pub fn drain_lane(&mut self) {
        if self.is_changing_epoch() {
            return;
        }
        let skipped = self.intake.drain();
        if skipped > 0 {
            self.metrics.lapped(skipped);
        }
    }

    /// Hands out up to a turn's worth of events and wakes the sessions they went to. Returns whether events are left.
    pub fn fan_out(&mut self) -> bool {
        let now = self.hub.instant();
        self.change_epoch(now);
        self.tell_source();
        for _ in 0..SHARD_TURN_EVENTS {
            let Some(event) = self.intake.next() else { break };
            self.deliver(event, now);
        }
        if let Some(place) = self.intake.resync_place() {
            self.intake.resync = self.resynchronise(place, now);
        }
        self.forget_removed();
        self.follow_new_topics();
        self.metrics.flush();
        self.wake_dirty();
        self.sessions.pacer.worked(now, self.hub.instant());
        if self.intake.is_empty() && !self.epoch.is_under_way() && !self.source.is_under_way() {
            self.intake.release();
            return false;
        }
        true
    }

    /// One event to every subscriber here. Events that a resynchronisation handed out already are passed over.
    fn deliver(&mut self, event: Arc<Event>, now: Instant) {
        let channel = event.channel();
        let Some(local) = self.topics.get_mut(event.topic) else { return };
        let i = channel.index();
        let Some(audiences) = &mut local.audiences[i] else { return };
        if event.n <= local.seen[i] {
            return;
        }
        debug_assert_eq!(event.n, local.seen[i] + 1, "a lane has neither hole nor reorder");
        local.seen[i] = event.n;
        let mut told = 0;
        let Self { sessions, metrics, config, .. } = self;
        for encoding in Encoding::ALL {
            let audience = &audiences.native[encoding.index()];
            if audience.is_empty() {
                continue;
            }
            let event = LocalEvent::native(Arc::clone(&event), encoding);
            if !event.is_loss() {
                local.newest[i][encoding.index()] = Some(Rc::clone(&event));
            }
            told += audience.streams.len();
            hand_out((sessions, metrics, config), audience, &event, now);
        }
        for foreign in &mut audiences.foreign {
            let event = LocalEvent::new(Arc::clone(&event), foreign.form, foreign.name);
            if event.bytes().is_empty() {
                // It has no word for what it must not pass over in silence.
                foreign.audience.streams.iter().for_each(|one| sessions.end_untold(one.session as usize));
                continue;
            }
            if !event.is_loss() {
                foreign.newest = Some(Rc::clone(&event));
            }
            told += foreign.audience.streams.len();
            hand_out((sessions, metrics, config), &foreign.audience, &event, now);
        }
        if event.is_loss() {
            metrics.gaps[i] += told as u64;
        }
    }

    /// Brings the topics listened to up to date from the hub's memory, from a place on and as many as a turn has. Returns
    /// the next place, if there is one.
    fn resynchronise(&mut self, mut place: usize, now: Instant) -> Option<usize> {
        let mut left = SHARD_TURN_EVENTS;
        while left > 0 {
            let found = self.topics.behind(place)?;
            let (topic, seen) = (Arc::clone(&found.topic), found.seen);
            let joined = Channel::ALL.map(|channel| found.is_joined(channel));
            place = topic.id().slot() + 1;
            left -= 1;
            for channel in Channel::ALL.into_iter().filter(|channel| joined[channel.index()]) {
                let mut next = seen[channel.index()] + 1;
                let remembered = topic.since(channel, seen[channel.index()]);
                left = left.saturating_sub(remembered.events.len());
                for event in remembered.events {
                    if event.n > next {
                        let lost = Lost { from: next, to: event.n - 1, why: Why::Overload };
                        self.lose(&topic, channel, lost, next <= remembered.forgotten);
                    }
                    next = event.n + 1;
                    if let Some(local) = self.topics.get_mut(topic.id()) {
                        local.seen[channel.index()] = event.n - 1;
                    }
                    self.deliver(event, now);
                }
            }
        }
        Some(place)
    }

    /// Tells the subscribers; those that merge only when something was lost that is never merged away.
    fn lose(&mut self, topic: &Topic, channel: Channel, lost: Lost, also_merges: bool) {
        let Some(local) = self.topics.get(topic.id()) else { return };
        let merges = also_merges || channel.must_deliver() == MustDeliver::Every;
        let Some(audiences) = &local.audiences[channel.index()] else { return };
        let native = audiences.native.iter().map(|audience| (audience, topic.symbol()));
        let all = native.chain(audiences.foreign.iter().map(|foreign| (&foreign.audience, foreign.name)));
        let Self { sessions, metrics, config, .. } = self;
        for (audience, name) in all {
            let others = audience.others.iter().filter(|_| merges);
            for subscriber in audience.streams.iter().chain(others) {
                let index = subscriber.session as usize;
                if let Some(dropped) = sessions[index].lose(subscriber.sub, name, lost, config) {
                    metrics.gapped[channel.index()] += dropped;
                    metrics.overloaded[channel.index()] += lost.to - lost.from + 1;
                    metrics.gaps[channel.index()] += u64::from(channel == Channel::Status);
                    sessions.mark(index);
                }
            }
        }
    }

    /// When something is due.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.sessions.next_timer().into_iter().chain(self.ahead.next_look()).min()
    }

    /// Moves paced events and held sessions whose time has come, and writes to them.
    pub(super) fn fire_timers(&mut self) {
        let now = self.hub.instant();
        self.sessions.fire_timers(now);
        self.sessions.release_held(now);
        self.look_at_waiting(now);
        self.wake_dirty();
        self.sessions.pacer.worked(now, self.hub.instant());
    }
}
