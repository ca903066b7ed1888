//! The name of a topic: a number that is never given twice, and a slot for tables.

use parking_lot::Mutex;

/// Which topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId {
    number: u32,
    slot: u32,
}

impl TopicId {
    /// The number that the topic keeps for as long as the epoch lasts: positions of clients and the store have it. Topics
    /// that became known later have higher ones, and that of a removed topic is not given again.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Position in tables that have one entry for each topic. It is used again when a topic is removed and nothing holds
    /// it any more, so that tables do not grow with what once was there: an entry is the topic's only if it has its
    /// number too.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }
}

/// The slots of a hub's topics.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<(Vec<u32>, u32)>);

impl Slots {
    /// The id of that number, in a free slot.
    pub(super) fn take(&self, number: u32) -> TopicId {
        let (free, next) = &mut *self.0.lock();
        let slot = free.pop().unwrap_or_else(|| {
            *next += 1;
            *next - 1
        });
        TopicId { number, slot }
    }

    /// Nothing holds that topic any more.
    pub(super) fn give_back(&self, id: TopicId) {
        self.0.lock().0.push(id.slot);
    }
}
