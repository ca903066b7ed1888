//! What a shard does with a topic that was removed: its subscribers are told that they are unsubscribed, and nothing of it
//! stays here. All that was numbered before has been handed out by then.

use super::Shard;
use crate::{
    dialect::{Reply, talk::Unsubscribed},
    hub::TopicId,
    limits::SHARD_TURN_EVENTS,
    session::{Framing, subscription::SubKey},
};

impl Shard {
    /// Forgets removed topics, as many as a turn has subscribers for, once everything before them is handed out.
    pub(super) fn forget_removed(&mut self) {
        let mut left = SHARD_TURN_EVENTS;
        while left > 0 && self.intake.is_up_to_removals() && !self.epoch.is_under_way() {
            let Some(topic) = self.intake.removed.pop_front() else { return };
            left = left.saturating_sub(1 + self.forget_topic(topic));
        }
    }

    /// Returns how many subscriptions have ended.
    fn forget_topic(&mut self, topic: TopicId) -> usize {
        let Some(local) = self.topics.get(topic) else { return 0 };
        let ending = local.subscribers();
        for (index, key) in &ending {
            self.end_subscription(*index, *key);
        }
        ending.len()
    }

    fn end_subscription(&mut self, index: usize, key: SubKey) {
        let (topic, channel, form) = key;
        let Some(sub) = self.sessions[index].subs.find(key) else { return };
        let Some(name) = self.topics.get(topic).map(|local| local.name(channel, form)) else { return };
        let session = &mut self.sessions[index];
        // What waits of it comes first, its last status above all.
        session.outbox.settle(sub);
        let _gaps = session.say_queued(sub, name);
        let Some(sub) = self.remove(index, key) else { return };
        let session = &mut self.sessions[index];
        session.outbox.purge(|other| other == sub);
        if session.framing != Framing::Poll {
            let ok = &[name];
            session.say(&Reply::Unsubscribed(Unsubscribed {
                id: None,
                channel,
                form,
                ok,
                err: &[],
                more: false,
            }));
        }
        self.touch(index);
    }
}
