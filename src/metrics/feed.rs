//! The families of a feed, with its name filled in.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use crate::market::{Channel, PrintRule, Tick};

/// Kinds of what cannot be read: every value of the label, present with 0 from the start.
pub(super) const PARSE_KINDS: &[&str] = &[
    "shape", "number", "symbol", "time", "long", "side", "source", "columns", "cut_off", "envelope",
    "record", "oversize",
];

/// One feed's handles.
#[derive(Debug, Clone)]
pub struct FeedMetrics {
    pub(super) name: String,
    pub(super) messages: IntCounter,
    pub(super) ticks: [IntCounter; Channel::FED_COUNT],
    pub(super) ignored: IntCounterVec,
    pub(super) partial: [IntCounter; PrintRule::COUNT],
    pub(super) parse_errors: IntCounterVec,
    pub(super) restarts: IntCounterVec,
    pub(super) up: IntGauge,
    pub(super) last_tick: IntGauge,
}

impl FeedMetrics {
    /// One frame, line or record read.
    pub fn message(&self) {
        self.messages.inc();
    }

    /// Counts frames, lines or records read.
    pub fn messages(&self, count: u64) {
        self.messages.inc_by(count);
    }

    /// Ticks about to be published.
    pub fn ticks(&self, ticks: &[Tick]) {
        let mut counts = [0_u64; Channel::FED_COUNT];
        for tick in ticks.iter().filter(|tick| !matches!(tick, Tick::Loss(_))) {
            counts[tick.channel().index()] += 1;
            if let Tick::Trade(trade) = tick
                && let Some(rule) = trade.print.rule
            {
                self.partial[rule.index()].inc();
            }
        }
        for (counter, count) in self.ticks.iter().zip(counts) {
            counter.inc_by(count);
        }
    }

    /// When ticks were last published, in seconds since the Unix epoch.
    pub fn last_tick(&self, seconds: i64) {
        self.last_tick.set(seconds);
    }

    /// One frame passed over by a rule.
    pub fn ignored(&self, rule: &str) {
        self.ignored.with_label_values(&[&self.name, rule]).inc();
    }

    /// Counts frames passed over by a rule.
    pub fn ignored_by(&self, rule: &str, count: u64) {
        self.ignored.with_label_values(&[&self.name, rule]).inc_by(count);
    }

    /// One frame that could not be read; returns how many of that kind there are.
    pub fn parse_error(&self, kind: &str) -> u64 {
        let counter = self.parse_errors.with_label_values(&[self.name.as_str(), kind]);
        counter.inc();
        counter.get()
    }

    /// One more start.
    pub fn restart(&self, reason: &str) {
        self.restarts.with_label_values(&[self.name.as_str(), reason]).inc();
    }

    /// Why the feed may be started again: these read 0 from now on.
    pub fn restart_reasons(&self, reasons: impl IntoIterator<Item = &'static str>) {
        for reason in reasons {
            let _at_zero = self.restarts.with_label_values(&[self.name.as_str(), reason]);
        }
    }

    /// By which rules frames may be passed over: these read 0 from now on.
    pub fn ignored_rules(&self, rules: impl IntoIterator<Item = &'static str>) {
        for rule in rules {
            let _at_zero = self.ignored.with_label_values(&[self.name.as_str(), rule]);
        }
    }

    /// Whether the feed runs.
    pub fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }
}
