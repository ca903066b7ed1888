//! The subscriptions of one session, found by what they are of, or by their position.

use std::{
    collections::BTreeMap,
    ops::{Bound, Index, IndexMut},
};

use slab::Slab;

use super::subscription::{SubIndex, SubKey, Subscription};

/// The subscriptions of one session: coming and going costs one of many no more than one of few.
#[derive(Debug, Default)]
pub(super) struct Subs {
    all: Slab<Subscription>,
    order: BTreeMap<SubKey, SubIndex>,
}

impl Subs {
    /// Adds one; there is none of that key yet.
    pub(super) fn insert(&mut self, sub: Subscription) -> SubIndex {
        let key = sub.key();
        let position = to_index(self.all.insert(sub));
        let before = self.order.insert(key, position);
        debug_assert!(before.is_none(), "subscribed twice");
        position
    }

    /// Where the subscription is.
    pub(super) fn find(&self, key: SubKey) -> Option<SubIndex> {
        self.order.get(&key).copied()
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, key: SubKey) -> Option<(SubIndex, Subscription)> {
        let position = self.order.remove(&key)?;
        Some((position, self.all.remove(position as usize)))
    }

    /// All, in the order of topic, channel and form.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.order.values().map(|position| &self[*position])
    }

    /// Those behind one, in the order of topic, channel and form: a walk goes on behind the last that it saw.
    pub(super) fn behind(&self, last: Option<SubKey>) -> impl Iterator<Item = &Subscription> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((from, Bound::Unbounded)).map(|(_, position)| &self[*position])
    }

    /// Where each is, and what it is of.
    pub(super) fn places(&self) -> impl Iterator<Item = (SubKey, SubIndex)> {
        self.order.iter().map(|(key, place)| (*key, *place))
    }

    /// What the last one is of.
    pub(super) fn last(&self) -> Option<SubKey> {
        self.order.last_key_value().map(|(key, _)| *key)
    }

    /// The one at that position, if there is one.
    pub(super) fn get_mut(&mut self, position: SubIndex) -> Option<&mut Subscription> {
        self.all.get_mut(position as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
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
