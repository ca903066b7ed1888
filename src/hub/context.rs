//! What all topics of a hub share: sizes, and handles of metrics.

use prometheus::{IntCounter, IntGauge};

use super::{
    HubConfig,
    derive::{Channels, Excluded, Uncorrected},
    input::{Input, Tap},
    topic_id::Slots,
};
use crate::{
    market::{Channel, Interval},
    metrics::{Metrics, Switches},
};

/// What all topics share: sizes, and handles of metrics.
#[derive(Debug)]
pub(super) struct TopicContext {
    pub(super) config: HubConfig,
    pub(super) slots: Slots,
    /// Where inputs go besides.
    pub(super) tap: Option<Tap>,
    /// Whether tickers and bars are computed.
    pub(super) derives: bool,
    pub(super) topics: IntGauge,
    pub(super) topics_removed: IntCounter,
    pub(super) events: [IntCounter; Channel::COUNT],
    /// Trades that are no part of a derived value, by reason and place in [`Channel::DERIVED`].
    excluded: [[IntCounter; Channel::DERIVED.len()]; Excluded::COUNT],
    /// Derived values that a correction does not reach, likewise.
    uncorrected: [[IntCounter; Channel::DERIVED.len()]; Uncorrected::COUNT],
    pub(super) bars: [IntGauge; Interval::COUNT],
    pub(super) bar_bytes: IntGauge,
    pub(super) switches: Switches,
}

impl TopicContext {
    pub(super) fn new(config: HubConfig, metrics: &Metrics) -> Self {
        Self {
            config,
            slots: Slots::default(),
            tap: None,
            derives: true,
            topics: metrics.topics.clone(),
            topics_removed: metrics.topics_removed.clone(),
            events: metrics.events(),
            excluded: Excluded::REASONS.map(|reason| metrics.derived.excluded(reason)),
            uncorrected: Uncorrected::REASONS.map(|reason| metrics.derived.uncorrected(reason)),
            bars: Interval::ALL.map(|interval| metrics.derived.bars(Channel::Bars(interval))),
            bar_bytes: metrics.derived.bar_bytes.clone(),
            switches: metrics.switches.clone(),
        }
    }

    /// Of a hub that numbers for no client: it computes nothing, and counts what its feeds do but neither symbols nor events,
    /// which the hub that serves clients counts.
    pub(super) fn of_origin(config: HubConfig, metrics: &Metrics) -> Self {
        let uncounted = Metrics::new();
        Self { derives: false, switches: metrics.switches.clone(), ..Self::new(config, &uncounted) }
    }

    /// Gives an input to the tap, if there is one.
    #[inline]
    pub(super) fn tap(&self, input: impl FnOnce() -> Input) {
        if let Some(tap) = &self.tap {
            tap.take(input());
        }
    }

    /// Counts trades that are no part of a derived value, by reason.
    pub(super) fn count_excluded(&self, excluded: &[Channels; Excluded::COUNT]) {
        count(&self.excluded, excluded);
    }

    /// Counts derived values that a correction does not reach, by reason.
    pub(super) fn count_uncorrected(&self, uncorrected: &[Channels; Uncorrected::COUNT]) {
        count(&self.uncorrected, uncorrected);
    }
}

fn count(counters: &[[IntCounter; Channel::DERIVED.len()]], reasons: &[Channels]) {
    for (counters, channels) in counters.iter().zip(reasons).filter(|(_, channels)| !channels.is_empty()) {
        for (counter, channel) in counters.iter().zip(Channel::DERIVED) {
            counter.inc_by(u64::from(channels.contains(channel)));
        }
    }
}
