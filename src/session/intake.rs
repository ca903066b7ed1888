//! What comes to a shard from the hub: its lane, and the burst that was taken out of it and is not handed out yet.

use std::{collections::VecDeque, sync::Arc};

use crate::hub::{Event, Lane, TopicId};

/// Events that an idle shard keeps room for.
const IDLE_BURST: usize = 4_096;

/// A lane and what was taken out of it.
pub(super) struct Intake {
    pub(super) lane: Arc<Lane>,
    burst: VecDeque<Arc<Event>>,
    /// After a lap: the place from which topics are still to be brought up to date.
    pub(super) resync: Option<usize>,
    /// Topics that were removed, to be forgotten behind all that is not handed out yet.
    pub(super) removed: VecDeque<TopicId>,
}

impl Intake {
    pub(super) const fn new(lane: Arc<Lane>) -> Self {
        Self { lane, burst: VecDeque::new(), resync: None, removed: VecDeque::new() }
    }

    /// The shard's number.
    pub(super) fn shard(&self) -> usize {
        self.lane.index()
    }

    /// Takes everything out of the lane, once all that was taken before is handed out. Returns how many events did not
    /// fit into the lane: after such a lap all topics are visited.
    pub(super) fn drain(&mut self) -> u64 {
        if !self.is_empty() {
            // What came later waits its turn behind what is not handed out yet.
            self.lane.wake();
            return 0;
        }
        let drained = self.lane.drain(&mut self.burst);
        if drained.skipped > 0 {
            self.resync = Some(0);
        }
        self.removed.extend(drained.removed);
        drained.skipped
    }

    /// Forgets everything that came and was not handed out.
    pub(super) fn discard(&mut self) {
        self.burst.clear();
        self.removed.extend(self.lane.drain(&mut self.burst).removed);
        self.burst.clear();
        self.resync = None;
    }

    /// The next event of the burst.
    pub(super) fn next(&mut self) -> Option<Arc<Event>> {
        self.burst.pop_front()
    }

    /// The place from which topics are visited, when the burst before it is handed out.
    pub(super) fn resync_place(&self) -> Option<usize> {
        self.resync.filter(|_| self.burst.is_empty())
    }

    /// Whether everything is handed out that came before the topics that were removed.
    pub(super) fn is_up_to_removals(&self) -> bool {
        self.burst.is_empty() && self.resync.is_none()
    }

    /// Whether everything is handed out.
    pub(super) fn is_empty(&self) -> bool {
        self.burst.is_empty() && self.resync.is_none() && self.removed.is_empty()
    }

    /// A lane's worth of room is not kept for the quiet times after a burst.
    pub(super) fn release(&mut self) {
        if self.burst.capacity() > IDLE_BURST {
            self.burst = VecDeque::new();
        }
    }
}
