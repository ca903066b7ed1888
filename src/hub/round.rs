//! One call of the hub: the lanes that events go to, and what is to be said at its end.

use std::sync::Arc;

use prometheus::{IntCounter, IntGauge};

use super::{HubConfig, Lane, derive::Excluded};
use crate::{
    clock::Instant,
    market::{Channel, Interval},
    metrics::Metrics,
};

/// Events go to the lanes at once; wakes and counts come once at the end.
pub(super) struct Round<'a> {
    pub(super) lanes: &'a [Option<Arc<Lane>>],
    pub(super) received: Instant,
    /// Bits of the lanes that got an event.
    pub(super) touched: u64,
    /// Events that were made.
    pub(super) made: [u64; Channel::COUNT],
}

impl<'a> Round<'a> {
    pub(super) const fn new(lanes: &'a [Option<Arc<Lane>>], received: Instant) -> Self {
        Self { lanes, received, touched: 0, made: [0; Channel::COUNT] }
    }

    /// Counts the events and wakes the shards.
    pub(super) fn end(mut self, shared: &Shared) {
        for (counter, made) in shared.events.iter().zip(self.made) {
            if made > 0 {
                counter.inc_by(made);
            }
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

/// What all topics share: sizes, and handles of metrics.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: HubConfig,
    pub(super) events: [IntCounter; Channel::COUNT],
    /// Trades that are no part of a derived value, by reason and place in [`Channel::DERIVED`].
    pub(super) excluded: [[IntCounter; Channel::DERIVED.len()]; Excluded::COUNT],
    pub(super) bars: [IntGauge; Interval::COUNT],
    pub(super) bar_bytes: IntGauge,
}

impl Shared {
    pub(super) fn new(config: HubConfig, metrics: &Metrics) -> Self {
        Self {
            config,
            events: metrics.events(),
            excluded: Excluded::REASONS.map(|reason| metrics.excluded_trades(reason)),
            bars: Interval::ALL.map(|interval| metrics.bars(Channel::Bars(interval))),
            bar_bytes: metrics.bar_bytes.clone(),
        }
    }
}
