//! What a shard knows of the topics that its sessions listen to.

use std::{rc::Rc, sync::Arc};

use crate::{
    hub::{Event, Topic, TopicId},
    market::Channel,
    session::subscription::Shared,
};

/// One subscriber in a topic's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) struct Subscriber {
    pub(in crate::session) session: usize,
    pub(in crate::session) sub: usize,
}

/// One topic as its shard sees it.
#[derive(Debug)]
pub(in crate::session) struct View {
    pub(in crate::session) topic: Arc<Topic>,
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
    pub(in crate::session) fn newest(&self, topic: TopicId, channel: Channel) -> Option<&Event> {
        self.get(topic)?.newest[channel.index()].as_ref().map(|event| &***event)
    }

    /// The view of a topic; made, and the hub told, when there is none yet.
    pub(super) fn join(&mut self, topic: &Arc<Topic>, shard: usize) -> &mut View {
        let index = topic.id().index();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index].get_or_insert_with(|| {
            let now = topic.join(shard);
            Box::new(View {
                topic: Arc::clone(topic),
                seen: now.heads,
                newest: now.last.map(|event| event.map(Rc::new)),
                subscribers: [const { Vec::new() }; Channel::COUNT],
            })
        })
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
        let list = &mut view.subscribers[channel.index()];
        list.swap_remove(place);
        let moved = list.get(place).copied();
        if list.is_empty() {
            *list = Vec::new();
            if view.subscribers.iter().all(Vec::is_empty) {
                // What is in the lane already is skipped when it comes: there is no view, or one with newer numbers.
                view.topic.set_interest(shard, false);
                self.0[topic.index()] = None;
            }
        }
        moved
    }

    /// Every topic listened to.
    pub(super) fn iter(&self) -> impl Iterator<Item = &View> {
        self.0.iter().flatten().map(|view| &**view)
    }
}
