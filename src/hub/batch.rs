//! One call of the hub: the lanes that events go to, and what to emit at its end.

use std::{sync::Arc, time::Duration};

use super::{Lane, context::TopicContext, failover::Reason};
use crate::{
    clock::Instant,
    market::{Channel, Source, Symbol, UnixMicros},
};

/// When something happens, by each of the clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) received: Instant,
    pub(super) now: UnixMicros,
    pub(super) steady: Duration,
}

/// Events go to the lanes at once; wakes and counts come once at the end.
pub(super) struct PublishBatch<'a> {
    pub(super) lanes: &'a [Option<Arc<Lane>>],
    pub(super) received: Instant,
    /// The same as time of day.
    pub(super) now: UnixMicros,
    /// The same as the clock's steady time, which silences are measured by.
    pub(super) steady: Duration,
    /// Bits of the lanes that got an event.
    pub(super) touched: u64,
    /// Events that were made.
    pub(super) made: [u64; Channel::COUNT],
    /// Ticks that are dropped: another feed is their symbol's source.
    pub(super) standby: u64,
    switches: Vec<Switch>,
}

/// Symbols whose source changed in the same way, and one of them.
#[derive(Debug)]
struct Switch {
    from: Source,
    to: Source,
    reason: Reason,
    count: u64,
    first: Symbol,
}

impl<'a> PublishBatch<'a> {
    pub(super) const fn new(lanes: &'a [Option<Arc<Lane>>], times: Times) -> Self {
        let Times { received, now, steady } = times;
        let made = [0; Channel::COUNT];
        Self { lanes, received, now, steady, touched: 0, made, standby: 0, switches: Vec::new() }
    }

    /// A symbol's source is another feed from now on.
    pub(super) fn switched(&mut self, symbol: Symbol, from: Source, to: Source, reason: Reason) {
        let same = |it: &&mut Switch| (it.from, it.to, it.reason) == (from, to, reason);
        match self.switches.iter_mut().find(same) {
            Some(switch) => switch.count += 1,
            None => self.switches.push(Switch { from, to, reason, count: 1, first: symbol }),
        }
    }

    /// How many events were made.
    pub(super) fn events(&self) -> usize {
        usize::try_from(self.made.iter().sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// Counts the events and wakes the shards.
    pub(super) fn end(mut self, context: &TopicContext) {
        for (counter, made) in context.events.iter().zip(self.made) {
            if made > 0 {
                counter.inc_by(made);
            }
        }
        for Switch { from, to, reason, count, first } in self.switches {
            context.switches.count(from.as_str(), to.as_str(), reason.as_str(), count);
            let reason = reason.as_str();
            tracing::warn!(%from, %to, reason, symbols = count, "another feed is the source of {first} and those like it");
        }
        while self.touched != 0 {
            let index = self.touched.trailing_zeros() as usize;
            self.touched &= self.touched - 1;
            if let Some(Some(lane)) = self.lanes.get(index) {
                lane.wake();
            }
        }
    }
}
