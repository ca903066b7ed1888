//! What a shard knows of the topics that its sessions listen to.

use std::sync::Arc;

use crate::{
    hub::{Topic, TopicId},
    market::Channel,
    session::subscription::{Local, Shared, SubIndex},
};

/// One subscriber in a topic's list. It says all that fan-out to a stream needs, so that the subscription itself,
/// which is one of very many, is not fetched from memory for each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) struct Subscriber {
    pub(in crate::session) session: u32,
    pub(in crate::session) sub: SubIndex,
    pub(in crate::session) streams: bool,
}

/// One topic as its shard sees it.
#[derive(Debug)]
pub(in crate::session) struct View {
    pub(in crate::session) topic: Arc<Topic>,
    /// Whether the channel has subscribers here; without, its numbers mean nothing.
    pub(in crate::session) joined: [bool; Channel::COUNT],
    /// Number of the newest event that the shard has handed out.
    pub(in crate::session) seen: [u64; Channel::COUNT],
    pub(in crate::session) newest: [Option<Shared>; Channel::COUNT],
    pub(in crate::session) subscribers: [Vec<Subscriber>; Channel::COUNT],
}

/// The topics with at least one subscriber here, by topic id.
#[derive(Debug, Default)]
pub(in crate::session) struct Views(Vec<Option<Box<View>>>);

impl Views {
    pub(in crate::session) fn get_mut(&mut self, topic: TopicId) -> Option<&mut View> {
        self.0.get_mut(topic.index())?.as_deref_mut()
    }

    pub(in crate::session) fn get(&self, topic: TopicId) -> Option<&View> {
        self.0.get(topic.index())?.as_deref()
    }

    /// The newest event that the shard has handed out.
    pub(in crate::session) fn newest(&self, topic: TopicId, channel: Channel) -> Option<&Shared> {
        self.get(topic)?.newest[channel.index()].as_ref()
    }

    /// The view of a topic with that channel joined; made, and the hub told, when it is not yet.
    pub(super) fn join(&mut self, topic: &Arc<Topic>, channel: Channel, shard: usize) -> &mut View {
        let index = topic.id().index();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        let view = self.0[index].get_or_insert_with(|| {
            Box::new(View {
                topic: Arc::clone(topic),
                joined: [false; Channel::COUNT],
                seen: [0; Channel::COUNT],
                newest: [const { None }; Channel::COUNT],
                subscribers: [const { Vec::new() }; Channel::COUNT],
            })
        });
        let i = channel.index();
        if !view.joined[i] {
            let (head, last) = topic.join(shard, channel);
            view.joined[i] = true;
            view.seen[i] = head;
            view.newest[i] = last.map(Local::new);
        }
        view
    }

    /// Removes a subscriber from its list. Returns the one that took its place there, if any.
    pub(super) fn remove(
        &mut self,
        topic: TopicId,
        channel: Channel,
        place: usize,
        shard: usize,
    ) -> Option<Subscriber> {
        let view = self.get_mut(topic)?;
        let i = channel.index();
        let list = &mut view.subscribers[i];
        list.swap_remove(place);
        let moved = list.get(place).copied();
        if list.is_empty() {
            // What is in the lane already is passed over when it comes: the channel is not joined, or its numbers
            // start later.
            *list = Vec::new();
            view.topic.part(shard, channel);
            view.joined[i] = false;
            view.newest[i] = None;
            if !view.joined.contains(&true) {
                self.0[topic.index()] = None;
            }
        }
        moved
    }

    /// The first topic listened to at that place or behind it.
    pub(super) fn behind(&self, place: usize) -> Option<&View> {
        self.0.get(place..)?.iter().flatten().map(|view| &**view).next()
    }
}
