//! What a shard knows of the topics that its sessions listen to.

use std::sync::Arc;

use crate::{
    hub::{Topic, TopicId},
    market::Channel,
    session::subscription::{EventRef, LocalEvent, SubIndex},
};

/// One subscriber in a topic's list. It says all that fan-out to a stream needs, so that the subscription itself,
/// which is one of very many, is not fetched from memory for each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) session: u32,
    pub(super) sub: SubIndex,
    pub(super) streams: bool,
}

/// One topic as its shard sees it.
#[derive(Debug)]
pub(super) struct LocalTopic {
    /// The topic's: here, so that an event need not look into the topic to find that it is one's of its slot.
    id: TopicId,
    pub(super) topic: Arc<Topic>,
    /// Whether the channel has subscribers here; without, its numbers mean nothing.
    pub(super) joined: [bool; Channel::COUNT],
    /// Number of the newest event that the shard has handed out.
    pub(super) seen: [u64; Channel::COUNT],
    pub(super) newest: [Option<EventRef>; Channel::COUNT],
    pub(super) subscribers: [Vec<Subscriber>; Channel::COUNT],
}

/// The topics with at least one subscriber here, by their slots.
#[derive(Debug, Default)]
pub(super) struct LocalTopics(Vec<Option<Box<LocalTopic>>>);

impl LocalTopics {
    pub(super) fn get_mut(&mut self, topic: TopicId) -> Option<&mut LocalTopic> {
        self.0.get_mut(topic.slot())?.as_deref_mut().filter(|local| local.id == topic)
    }

    pub(super) fn get(&self, topic: TopicId) -> Option<&LocalTopic> {
        self.0.get(topic.slot())?.as_deref().filter(|local| local.id == topic)
    }

    /// The newest event that the shard has handed out.
    pub(super) fn newest(&self, topic: TopicId, channel: Channel) -> Option<&EventRef> {
        self.get(topic)?.newest[channel.index()].as_ref()
    }

    /// A topic with that channel joined; made, and the hub told, when it is not yet.
    pub(super) fn join(&mut self, topic: &Arc<Topic>, channel: Channel, shard: usize) -> &mut LocalTopic {
        let index = topic.id().slot();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        let local = self.0[index].get_or_insert_with(|| {
            Box::new(LocalTopic {
                id: topic.id(),
                topic: Arc::clone(topic),
                joined: [false; Channel::COUNT],
                seen: [0; Channel::COUNT],
                newest: [const { None }; Channel::COUNT],
                subscribers: [const { Vec::new() }; Channel::COUNT],
            })
        });
        let i = channel.index();
        if !local.joined[i] {
            let (head, last) = topic.join(shard, channel);
            local.joined[i] = true;
            local.seen[i] = head;
            local.newest[i] = last.map(LocalEvent::new);
        }
        local
    }

    /// Removes a subscriber from its list. Returns the one that took its place there, if any.
    pub(super) fn remove(
        &mut self,
        topic: TopicId,
        channel: Channel,
        place: usize,
        shard: usize,
    ) -> Option<Subscriber> {
        let local = self.get_mut(topic)?;
        let i = channel.index();
        let list = &mut local.subscribers[i];
        list.swap_remove(place);
        let moved = list.get(place).copied();
        if list.is_empty() {
            // What is in the lane already is passed over when it comes: the channel is not joined, or its numbers
            // start later.
            *list = Vec::new();
            local.topic.part(shard, channel);
            local.joined[i] = false;
            local.newest[i] = None;
            if !local.joined.contains(&true) {
                self.0[topic.slot()] = None;
            }
        }
        moved
    }

    /// The first topic listened to in that slot or behind it.
    pub(super) fn behind(&self, place: usize) -> Option<&LocalTopic> {
        self.0.get(place..)?.iter().flatten().map(|local| &**local).next()
    }
}
