//! All topics: by symbol for those who publish, by position for those who keep numbers of them, and by name for those
//! who ask for a prefix. Refuses to know what a topic does.

use std::{borrow::Borrow, collections::BTreeMap, ops::Bound, sync::Arc};

use dashmap::{DashMap, Entry};
use parking_lot::RwLock;

use super::{HubError, Topic, TopicId};
use crate::{limits::MAX_TOPICS, market::Symbol};

/// Every topic of a hub.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_symbol: DashMap<Symbol, Arc<Topic>>,
    by_id: RwLock<Vec<Arc<Topic>>>,
    /// In the order of their names: a prefix is a range of it, and a walk goes on behind the last name that it saw.
    by_name: RwLock<BTreeMap<Name, Arc<Topic>>>,
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

    /// The topic of a symbol, and whether it was made only now.
    pub(super) fn get_or_make<E: From<HubError>>(
        &self,
        symbol: Symbol,
        make: impl FnOnce(TopicId) -> Result<Topic, E>,
    ) -> Result<(Arc<Topic>, bool), E> {
        let free = match self.by_symbol.entry(symbol) {
            Entry::Occupied(known) => return Ok((Arc::clone(known.get()), false)),
            Entry::Vacant(free) => free,
        };
        let mut by_id = self.by_id.write();
        if by_id.len() >= MAX_TOPICS {
            return Err(HubError::TooManyTopics.into());
        }
        let topic = Arc::new(make(TopicId::new(by_id.len()))?);
        by_id.push(Arc::clone(&topic));
        self.by_name.write().insert(Name(symbol), Arc::clone(&topic));
        free.insert(Arc::clone(&topic));
        Ok((topic, true))
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.read().len()
    }

    pub(super) fn at(&self, position: usize) -> Option<Arc<Topic>> {
        self.by_id.read().get(position).cloned()
    }

    /// At most `most` topics from that position on.
    pub(super) fn since(&self, position: usize, most: usize) -> Vec<Arc<Topic>> {
        self.by_id.read().iter().skip(position).take(most).cloned().collect()
    }

    /// At most `most` of those that `wanted` tells, looked for in all.
    pub(super) fn some(&self, most: usize, wanted: impl Fn(&Topic) -> bool) -> Vec<Arc<Topic>> {
        self.by_id.read().iter().filter(|topic| wanted(topic)).take(most).cloned().collect()
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
