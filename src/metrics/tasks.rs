//! The family of long-lived tasks that ended unasked.

use prometheus::{IntCounterVec, Opts, Registry};

/// What a long-lived task can be, as a label.
const TASKS: &[&str] = &["feed", "timekeeper", "saver", "shard", "server", "session", "cluster"];

/// How one can end unasked, as a label.
const REASONS: &[&str] = &["panic", "error", "ended", "stuck"];

/// The counter of tasks that ended unasked.
#[derive(Debug, Clone)]
pub struct TaskFailures(IntCounterVec);

impl TaskFailures {
    pub(super) fn new(registry: &Registry) -> Self {
        let opts = Opts::new("tickcast_task_failures_total", "Long-lived tasks that ended unasked.");
        let family = IntCounterVec::new(opts, &["task", "reason"]).expect("the name and labels are valid");
        registry.register(Box::new(family.clone())).expect("the name is used once");
        for task in TASKS {
            for reason in REASONS {
                family.with_label_values(&[task, reason]);
            }
        }
        Self(family)
    }

    /// A task of that kind has ended for that reason.
    pub fn count(&self, task: &str, reason: &str) {
        self.0.with_label_values(&[task, reason]).inc();
    }
}
