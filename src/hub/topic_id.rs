//! The name of a topic inside a hub.

use crate::limits::MAX_TOPICS;

/// A topic's position among all topics: dense, from 0, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(u32);

impl TopicId {
    pub(super) fn new(position: usize) -> Self {
        debug_assert!(position < MAX_TOPICS);
        Self(u32::try_from(position).unwrap_or(u32::MAX))
    }

    /// Position in tables that have one entry for each topic.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
