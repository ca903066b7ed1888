//! The bounded way from the hub to one shard. The hub never waits: a full lane is lapped.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Event, TopicId};

/// Events on their way to one shard.
#[derive(Debug)]
pub struct Lane {
    index: usize,
    capacity: usize,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Arc<Event>>,
    skipped: u64,
    removed: Vec<TopicId>,
}

/// What one drain found besides the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drained {
    /// Events that found the lane full since the last drain. Not zero: the shard was lapped.
    pub skipped: u64,
    /// Topics that were removed behind these events.
    pub removed: Vec<TopicId>,
}

impl Lane {
    pub(super) fn new(index: usize, capacity: usize) -> Self {
        Self { index, capacity, queue: Mutex::default(), wake: Notify::new() }
    }

    /// Which shard it leads to.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Adds an event, or counts it as skipped when the lane is full. Once one was skipped, all are until the next
    /// drain: what a shard gets is the events in order up to one point, and from there it resynchronises.
    pub(super) fn push(&self, event: &Arc<Event>) {
        let mut queue = self.queue.lock();
        if queue.skipped > 0 || queue.events.len() >= self.capacity {
            queue.skipped += 1;
        } else {
            queue.events.push_back(Arc::clone(event));
        }
    }

    /// Says that a topic is removed, whose events have all come. There is room for it in any case: it is 8 bytes, and
    /// topics are removed a few at a time.
    pub(super) fn remove(&self, topic: TopicId) {
        self.queue.lock().removed.push(topic);
    }

    /// Topics have jumped: the shard resynchronises with them as behind events that found no room.
    pub(super) fn lap(&self) {
        self.queue.lock().skipped += 1;
        self.wake();
    }

    /// Wakes the shard.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for a wake; one that came since the last wait completes at once.
    ///
    /// # Cancel safety
    /// A wake is not lost when the future is dropped.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Exchanges the waiting events for the empty buffer `into`.
    pub fn drain(&self, into: &mut VecDeque<Arc<Event>>) -> Drained {
        debug_assert!(into.is_empty(), "events of the last drain would be queued again");
        let mut queue = self.queue.lock();
        std::mem::swap(&mut queue.events, into);
        Drained { skipped: std::mem::take(&mut queue.skipped), removed: std::mem::take(&mut queue.removed) }
    }

    /// Events waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.lock().events.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
