//! How far feeds have read sources that keep what they say, such as streams of Redis: for the store, so that a restart reads on
//! from there. The hub carries them and knows nothing of what they mean.

use parking_lot::Mutex;

use super::Hub;
use crate::market::Source;

/// How far a feed has read one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePosition {
    /// The feed.
    pub feed: Source,
    /// Its name of the source.
    pub key: String,
    /// Everything up to here is published.
    pub done: String,
    /// Nothing behind this is published.
    pub upto: String,
}

/// Those of all feeds. As many as their definitions name sources.
#[derive(Debug, Default)]
pub(super) struct SourcePositions(Mutex<Vec<SourcePosition>>);

impl Hub {
    /// Every position.
    #[must_use]
    pub fn source_positions(&self) -> Vec<SourcePosition> {
        self.source_positions.0.lock().clone()
    }

    /// How far a feed has read a source, if that is known.
    #[must_use]
    pub fn source_position(&self, feed: Source, key: &str) -> Option<SourcePosition> {
        let all = self.source_positions.0.lock();
        all.iter().find(|position| position.feed == feed && position.key == key).cloned()
    }

    /// Sets how far a feed has read a source.
    pub fn set_source_position(&self, position: SourcePosition) {
        let mut all = self.source_positions.0.lock();
        match all.iter_mut().find(|known| known.feed == position.feed && known.key == position.key) {
            Some(known) => *known = position,
            None => all.push(position),
        }
    }
}
