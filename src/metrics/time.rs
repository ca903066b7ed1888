//! The families of clocks: stalls of this process, steps of the machine's clock, and clocks of venues that differ.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// All of them.
#[derive(Debug, Clone)]
pub struct TimeMetrics {
    stalls: [IntCounter; Stalled::ALL.len()],
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
        Self { stalls: Stalled::ALL.map(|task| stalls.with_label_values(&[task.as_str()])) }
    }

    /// Something was held up.
    pub fn stalled(&self, what: Stalled) {
        self.stalls[what as usize].inc();
    }
}
