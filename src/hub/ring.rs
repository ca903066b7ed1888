//! The last events of one channel, up to a limit, in the order of their numbers.

use std::{collections::VecDeque, sync::Arc};

use super::Event;

/// A bounded memory; the oldest event goes for a new one.
#[derive(Debug)]
pub(super) struct Ring {
    capacity: usize,
    events: VecDeque<Arc<Event>>,
    /// Number of the newest event that has gone; 0 when none has.
    forgotten: u64,
}

impl Ring {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { capacity, events: VecDeque::new(), forgotten: 0 }
    }

    /// Remembers an event. Returns whether the ring holds one more than before.
    pub(super) fn push(&mut self, event: &Arc<Event>) -> bool {
        debug_assert!(self.events.back().is_none_or(|last| last.n < event.n), "numbers rise");
        if self.capacity == 0 {
            self.forgotten = event.n;
            return false;
        }
        let full = self.events.len() >= self.capacity;
        if full && let Some(oldest) = self.events.pop_front() {
            self.forgotten = oldest.n;
        }
        self.events.push_back(Arc::clone(event));
        !full
    }

    /// Puts an event in the place of the one with its number, if that is still there. Returns whether it is.
    pub(super) fn replace(&mut self, event: &Arc<Event>) -> bool {
        let place = self.events.binary_search_by_key(&event.n, |known| known.n);
        place.is_ok_and(|place| {
            self.events[place] = Arc::clone(event);
            true
        })
    }

    /// Starts behind events that have gone already.
    pub(super) fn forget_until(&mut self, n: u64) {
        debug_assert!(self.events.is_empty(), "before the first event");
        self.forgotten = n;
    }

    /// The events after that number.
    pub(super) fn since(&self, seen: u64) -> impl Iterator<Item = &Arc<Event>> {
        self.events.range(self.events.partition_point(|event| event.n <= seen)..)
    }

    /// Every event, the oldest first.
    pub(super) const fn events(&self) -> &VecDeque<Arc<Event>> {
        &self.events
    }

    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}
