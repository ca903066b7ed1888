//! Feeds whose prices are made up, which every client is told. One list for all shards: a gateway that follows another one
//! learns of that one's feeds while it runs.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::market::Source;

/// The feeds of now; clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Simulated(Arc<RwLock<Arc<[Source]>>>);

impl Simulated {
    /// Replaces them.
    pub fn set(&self, feeds: impl IntoIterator<Item = Source>) {
        let feeds = feeds.into_iter().collect();
        *self.0.write() = feeds;
    }

    /// Their names.
    #[must_use]
    pub fn get(&self) -> Arc<[Source]> {
        Arc::clone(&self.0.read())
    }
}

impl FromIterator<Source> for Simulated {
    fn from_iter<I: IntoIterator<Item = Source>>(feeds: I) -> Self {
        let all = Self::default();
        all.set(feeds);
        all
    }
}

impl PartialEq for Simulated {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Simulated {}
