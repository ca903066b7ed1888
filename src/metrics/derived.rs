//! The families of tickers and bars: what is kept, and the trades that do not count there or are taken back.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::market::{Channel, PrintRule};

/// All of them.
#[derive(Debug, Clone)]
pub struct DerivedMetrics {
    /// Memory of the final bars that are kept, without their encoded forms.
    pub bar_bytes: IntGauge,
    bars: IntGaugeVec,
    partial: IntCounterVec,
    excluded: IntCounterVec,
    uncorrected: IntCounterVec,
}

impl DerivedMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let family =
                IntCounterVec::new(Opts::new(name, help), labels).expect("the name and labels are valid");
            registry.register(Box::new(family.clone())).expect("the name is used once");
            family
        };
        let bars = IntGaugeVec::new(
            Opts::new("tickcast_history_bars", "Final bars that are kept for recovery and history."),
            &["channel"],
        );
        let bar_bytes = IntGauge::new(
            "tickcast_history_bars_bytes",
            "Memory of the final bars that are kept, without their encoded forms.",
        );
        let (bars, bar_bytes) = bars.ok().zip(bar_bytes.ok()).expect("the names and labels are valid");
        registry.register(Box::new(bars.clone())).expect("the name is used once");
        registry.register(Box::new(bar_bytes.clone())).expect("the name is used once");
        Self {
            bar_bytes,
            bars,
            partial: counters(
                "tickcast_feed_partial_trades_total",
                "Trades that do not count for last price, high and low, or volume, by the venue's reason.",
                &["feed", "rule"],
            ),
            excluded: counters(
                "tickcast_excluded_trades_total",
                "Trades that a ticker or a bar leaves out, by reason: late or overflow.",
                &["channel", "reason"],
            ),
            uncorrected: counters(
                "tickcast_uncorrected_values_total",
                "Tickers and bars that a correction did not reach, by reason: final, inexact or forgotten.",
                &["channel", "reason"],
            ),
        }
    }

    pub(super) fn partial(&self, feed: &str) -> [IntCounter; PrintRule::COUNT] {
        PrintRule::ALL.map(|rule| self.partial.with_label_values(&[feed, rule.as_str()]))
    }

    /// Final bars that are kept of that channel.
    #[must_use]
    pub fn bars(&self, channel: Channel) -> IntGauge {
        self.bars.with_label_values(&[channel.as_str()])
    }

    /// Trades that derived values leave out for that reason, by channel. Those of feeds leave nothing out.
    #[must_use]
    pub fn excluded(&self, reason: &str) -> [IntCounter; Channel::DERIVED.len()] {
        Channel::DERIVED.map(|channel| self.excluded.with_label_values(&[channel.as_str(), reason]))
    }

    /// Derived values that corrections do not reach for that reason, by channel.
    #[must_use]
    pub fn uncorrected(&self, reason: &str) -> [IntCounter; Channel::DERIVED.len()] {
        Channel::DERIVED.map(|channel| self.uncorrected.with_label_values(&[channel.as_str(), reason]))
    }
}
