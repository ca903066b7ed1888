//! The subscriptions of one session, found by what they are of, or by their position.

use std::ops::{Index, IndexMut};

use slab::Slab;

use super::subscription::{SubIndex, Subscription};
use crate::{hub::TopicId, market::Channel};

/// The subscriptions of one session: small when there is one, quick when there are thousands.
#[derive(Debug, Default)]
pub(super) struct Subs {
    all: Slab<Subscription>,
    /// Positions in the order of topic and channel.
    order: Vec<(TopicId, Channel, SubIndex)>,
}

impl Subs {
    /// Adds one; there is none of that topic and channel yet.
    pub(super) fn insert(&mut self, sub: Subscription) -> SubIndex {
        let key = (sub.topic, sub.channel);
        let position = to_index(self.all.insert(sub));
        match self.place(key.0, key.1) {
            Ok(_) => debug_assert!(false, "subscribed twice"),
            Err(place) => self.order.insert(place, (key.0, key.1, position)),
        }
        position
    }

    /// Where the subscription is.
    pub(super) fn find(&self, topic: TopicId, channel: Channel) -> Option<SubIndex> {
        self.place(topic, channel).ok().map(|place| self.order[place].2)
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, topic: TopicId, channel: Channel) -> Option<(SubIndex, Subscription)> {
        let place = self.place(topic, channel).ok()?;
        let (.., position) = self.order.remove(place);
        Some((position, self.all.remove(position as usize)))
    }

    /// All, in the order of topic and channel.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Subscription> {
        self.order.iter().map(|(.., position)| &self[*position])
    }

    /// The one at that position, if there is one.
    pub(super) fn get_mut(&mut self, position: SubIndex) -> Option<&mut Subscription> {
        self.all.get_mut(position as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn place(&self, topic: TopicId, channel: Channel) -> Result<usize, usize> {
        self.order.binary_search_by_key(&(topic, channel), |(topic, channel, _)| (*topic, *channel))
    }
}

impl Index<SubIndex> for Subs {
    type Output = Subscription;

    fn index(&self, position: SubIndex) -> &Subscription {
        &self.all[position as usize]
    }
}

impl IndexMut<SubIndex> for Subs {
    fn index_mut(&mut self, position: SubIndex) -> &mut Subscription {
        &mut self.all[position as usize]
    }
}

/// Positions are smaller than [`MAX_TOPICS`](crate::limits::MAX_TOPICS) times the channels.
fn to_index(position: usize) -> SubIndex {
    SubIndex::try_from(position).unwrap_or(SubIndex::MAX)
}
