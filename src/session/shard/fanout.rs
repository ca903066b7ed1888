//! From the lane to the outboxes.

use std::{rc::Rc, sync::Arc};

use super::Shard;
use crate::{
    clock::Instant,
    hub::{Event, Topic},
    limits::SHARD_TURN_EVENTS,
    market::{Channel, MustDeliver},
    session::{
        state::Offered,
        subscription::{LocalEvent, Lost, Why},
    },
};

impl Shard {
    /// Takes everything out of the lane, once all that was taken before is handed out. After a lap the shard catches up
    /// from the topics: the lane's events come first, as far as they reached, then what the topics remember, then a gap
    /// for what they do not, all of it in turns. What comes meanwhile waits in the lane.
    pub fn drain_lane(&mut self) {
        let skipped = self.intake.drain();
        if skipped > 0 {
            self.metrics.lapped(skipped);
        }
    }

    /// Hands out up to a turn's worth of events and wakes the sessions they went to. Returns whether events are left.
    pub fn fan_out(&mut self) -> bool {
        let now = self.hub.instant();
        for _ in 0..SHARD_TURN_EVENTS {
            let Some(event) = self.intake.next() else { break };
            self.deliver(event, now);
        }
        if let Some(place) = self.intake.resync_place() {
            self.intake.resync = self.resynchronise(place, now);
        }
        self.follow_new_topics();
        self.metrics.flush();
        self.wake_dirty();
        self.sessions.pacer.worked(now, self.hub.instant());
        if self.intake.is_empty() {
            self.intake.release();
            return false;
        }
        true
    }

    /// One event to every subscriber here. Events that a resynchronisation handed out already are passed over.
    fn deliver(&mut self, event: Arc<Event>, now: Instant) {
        let channel = event.channel().index();
        let Some(local) = self.topics.get_mut(event.topic) else { return };
        if !local.joined[channel] || event.n <= local.seen[channel] {
            return;
        }
        debug_assert_eq!(event.n, local.seen[channel] + 1, "a lane has neither hole nor reorder");
        local.seen[channel] = event.n;
        let event = LocalEvent::new(event);
        let is_loss = event.is_loss();
        if !is_loss {
            local.newest[channel] = Some(Rc::clone(&event));
        }
        for subscriber in &local.subscribers[channel] {
            let index = subscriber.session as usize;
            let session = &mut self.sessions[index];
            let dropped = if subscriber.streams {
                session.enqueue(subscriber.sub, &event, &self.config)
            } else if is_loss {
                // A merge has the newest event anyway: it is not told what it would not have been shown.
                continue;
            } else if !event.is_replaceable() && session.subs[subscriber.sub].merges() {
                session.offer_whole(subscriber.sub, &event, &self.config)
            } else {
                match session.offer(subscriber.sub, &event, now) {
                    Offered::Queued => 0,
                    Offered::Merged => {
                        self.metrics.merged[channel] += 1;
                        continue;
                    }
                    Offered::Timer => {
                        self.sessions.keep_time(index, subscriber.sub);
                        continue;
                    }
                }
            };
            if dropped > 0 {
                self.metrics.gapped[channel] += dropped;
            }
            self.sessions.mark(index);
        }
        if is_loss {
            let told = local.subscribers[channel].iter().filter(|subscriber| subscriber.streams);
            self.metrics.gaps[channel] += told.count() as u64;
        }
    }

    /// Brings the topics listened to up to date from the hub's memory, from a place on and as many as a turn has. Returns
    /// the next place, if there is one.
    fn resynchronise(&mut self, mut place: usize, now: Instant) -> Option<usize> {
        let mut left = SHARD_TURN_EVENTS;
        while left > 0 {
            let found = self.topics.behind(place)?;
            let (topic, joined, seen) = (Arc::clone(&found.topic), found.joined, found.seen);
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
        for subscriber in local.subscribers[channel.index()].iter().filter(|one| one.streams || merges) {
            let index = subscriber.session as usize;
            let session = &mut self.sessions[index];
            if let Some(dropped) = session.lose(subscriber.sub, topic.symbol(), lost, &self.config) {
                self.metrics.gapped[channel.index()] += dropped;
                self.metrics.overloaded[channel.index()] += lost.to - lost.from + 1;
                self.metrics.gaps[channel.index()] += u64::from(channel == Channel::Status);
                self.sessions.mark(index);
            }
        }
    }

    /// Moves paced events and held sessions whose time has come, and writes to them.
    pub(super) fn fire_timers(&mut self) {
        let now = self.hub.instant();
        self.sessions.fire_timers(now);
        self.sessions.release_held(now);
        self.wake_dirty();
        self.sessions.pacer.worked(now, self.hub.instant());
    }
}
