//! All topics: by symbol for those who publish, by number for those who keep positions, and by name for those who ask for a
//! prefix. Refuses to know what a topic does.

use std::{borrow::Borrow, collections::BTreeMap, ops::Bound, sync::Arc};

use dashmap::{DashMap, Entry};
use parking_lot::RwLock;

use super::{HubError, Topic, TopicId, topic_id::Slots};
use crate::{limits::MAX_TOPICS, market::Symbol};

/// Every topic of a hub.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_symbol: DashMap<Symbol, Arc<Topic>>,
    by_number: RwLock<ByNumber>,
    /// In the order of their names: a prefix is a range of it, and a walk goes on behind the last name that it saw.
    by_name: RwLock<BTreeMap<Name, Arc<Topic>>>,
}

/// In the order of their numbers, which is that in which they became known.
#[derive(Debug, Default)]
struct ByNumber {
    topics: Vec<Arc<Topic>>,
    /// The number of the next one.
    next: u32,
}

impl ByNumber {
    fn place(&self, number: u32) -> usize {
        self.topics.partition_point(|topic| topic.id().number() < number)
    }
}

/// A symbol, ordered as its text is, so that a text can be looked for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Symbol);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

impl Topics {
    pub(super) fn get(&self, symbol: Symbol) -> Option<Arc<Topic>> {
        self.by_symbol.get(&symbol).map(|topic| Arc::clone(&topic))
    }

    /// The topic of a symbol, and whether it was made only now: with that number, which no topic has, or the next one.
    pub(super) fn get_or_make<E: From<HubError>>(
        &self,
        symbol: Symbol,
        number: Option<u32>,
        slots: &Slots,
        make: impl FnOnce(TopicId) -> Result<Topic, E>,
    ) -> Result<(Arc<Topic>, bool), E> {
        let free = match self.by_symbol.entry(symbol) {
            Entry::Occupied(known) => return Ok((Arc::clone(known.get()), false)),
            Entry::Vacant(free) => free,
        };
        let by_number = &mut *self.by_number.write();
        let number = number.unwrap_or(by_number.next);
        let next = number.checked_add(1).filter(|_| by_number.topics.len() < MAX_TOPICS);
        let next = next.ok_or(HubError::TooManyTopics)?;
        let place = by_number.place(number);
        debug_assert!(
            by_number.topics.get(place).is_none_or(|topic| topic.id().number() != number),
            "a number is given once"
        );
        let topic = Arc::new(make(slots.take(number))?);
        by_number.next = by_number.next.max(next);
        by_number.topics.insert(place, Arc::clone(&topic));
        self.by_name.write().insert(Name(symbol), Arc::clone(&topic));
        free.insert(Arc::clone(&topic));
        Ok((topic, true))
    }

    /// Forgets a topic if `may_go` says so, while no other one of its symbol can be made. Returns it then.
    pub(super) fn remove(&self, symbol: Symbol, may_go: impl FnOnce(&Topic) -> bool) -> Option<Arc<Topic>> {
        let Entry::Occupied(known) = self.by_symbol.entry(symbol) else { return None };
        if !may_go(known.get()) {
            return None;
        }
        let by_number = &mut *self.by_number.write();
        let place = by_number.place(known.get().id().number());
        by_number.topics.remove(place);
        self.by_name.write().remove(symbol.as_str());
        Some(known.remove())
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.read().topics.len()
    }

    /// The number that the next topic gets: those that are known have lower ones.
    pub(super) fn next(&self) -> u32 {
        self.by_number.read().next
    }

    /// Numbers below that one were given before.
    pub(super) fn go_on_from(&self, number: u32) {
        let by_number = &mut *self.by_number.write();
        by_number.next = by_number.next.max(number);
    }

    /// The next topic gets that number, also where it was given before: in another numbering.
    pub(super) fn set_next(&self, number: u32) {
        self.by_number.write().next = number;
    }

    pub(super) fn at(&self, number: u32) -> Option<Arc<Topic>> {
        let by_number = self.by_number.read();
        by_number.topics.get(by_number.place(number)).filter(|topic| topic.id().number() == number).cloned()
    }

    /// At most `most` topics from that number on.
    pub(super) fn since(&self, number: u32, most: usize) -> Vec<Arc<Topic>> {
        let by_number = self.by_number.read();
        by_number.topics[by_number.place(number)..].iter().take(most).cloned().collect()
    }

    /// At most `most` of those that `wanted` tells, looked for in all.
    pub(super) fn some(&self, most: usize, wanted: impl Fn(&Topic) -> bool) -> Vec<Arc<Topic>> {
        self.by_number.read().topics.iter().filter(|topic| wanted(topic)).take(most).cloned().collect()
    }

    /// At most `most` topics whose names begin with `prefix`, in the order of the names, behind that one.
    pub(super) fn named(&self, prefix: &str, behind: Option<&Symbol>, most: usize) -> Vec<Arc<Topic>> {
        let from = match behind.map(Symbol::as_str) {
            // A name before the first that has the prefix.
            Some(behind) if behind < prefix => Bound::Included(prefix),
            Some(behind) => Bound::Excluded(behind),
            None => Bound::Included(prefix),
        };
        let by_name = self.by_name.read();
        let all = by_name.range::<str, _>((from, Bound::Unbounded));
        let named = all.take_while(|(name, _)| name.0.as_str().starts_with(prefix));
        named.take(most).map(|(_, topic)| Arc::clone(topic)).collect()
    }
}
