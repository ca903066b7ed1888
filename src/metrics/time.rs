//! The families of clocks: stalls of this process, steps of the machine's clock, and clocks of venues that differ.

use std::time::Duration;

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::market::Source;

/// All of them.
#[derive(Debug, Clone)]
pub struct TimeMetrics {
    stalls: [IntCounter; Stalled::ALL.len()],
    /// Back, and forward.
    steps: [IntCounter; 2],
    ahead: Gauge,
    offsets: GaugeVec,
}

/// What was held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stalled {
    /// A worker with its sessions.
    Worker,
    /// The task that tells the hub the time.
    Timekeeper,
    /// A connection to a venue.
    Feed,
}

impl Stalled {
    const ALL: [Self; 3] = [Self::Worker, Self::Timekeeper, Self::Feed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Timekeeper => "timekeeper",
            Self::Feed => "feed",
        }
    }
}

impl TimeMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let stalls = Opts::new(
            "tickcast_stalls_total",
            "Times that a part of the gateway was held up for longer than its timers allow; nobody is judged by such a time.",
        );
        let stalls = IntCounterVec::new(stalls, &["task"]).expect("the name and labels are valid");
        registry.register(Box::new(stalls.clone())).expect("the name is used once");
        let steps = Opts::new(
            "tickcast_clock_steps_total",
            "Times that the machine's clock was set by half a second or more, or its machine slept.",
        );
        let steps = IntCounterVec::new(steps, &["direction"]).expect("the name and labels are valid");
        registry.register(Box::new(steps.clone())).expect("the name is used once");
        let ahead = Gauge::new(
            "tickcast_clock_ahead_seconds",
            "How far the gateway's time is ahead of its machine's clock, which was set back.",
        );
        let ahead = ahead.expect("the name is valid");
        registry.register(Box::new(ahead.clone())).expect("the name is used once");
        let offsets = Opts::new(
            "tickcast_feed_clock_offset_seconds",
            "How far a feed's time is behind the gateway's at least, as learned from its ticks; negative when it is ahead.",
        );
        let offsets = GaugeVec::new(offsets, &["feed"]).expect("the name and label are valid");
        registry.register(Box::new(offsets.clone())).expect("the name is used once");
        Self {
            stalls: Stalled::ALL.map(|task| stalls.with_label_values(&[task.as_str()])),
            steps: ["back", "forward"].map(|direction| steps.with_label_values(&[direction])),
            ahead,
            offsets,
        }
    }

    /// How far the time of feeds is behind the gateway's, in microseconds; those that are not named have told none.
    #[expect(
        clippy::float_arithmetic,
        clippy::cast_precision_loss,
        reason = "a time for a gauge; no price is near"
    )]
    pub fn offsets(&self, offsets: &[(Source, i64)]) {
        self.offsets.reset();
        for (feed, offset) in offsets {
            self.offsets.with_label_values(&[feed.as_str()]).set(*offset as f64 / 1e6);
        }
    }

    /// The machine's clock was set, back or forward.
    pub fn stepped(&self, back: bool) {
        self.steps[usize::from(!back)].inc();
    }

    /// So far the gateway's time is ahead of the machine's clock.
    pub fn ahead(&self, ahead: Duration) {
        self.ahead.set(ahead.as_secs_f64());
    }

    /// Something was held up.
    pub fn stalled(&self, what: Stalled) {
        self.stalls[what as usize].inc();
    }
}
