//! The families of the process: its log is one, however many gateways are in it.

use std::sync::LazyLock;

use prometheus::{IntCounter, Registry};

/// This process's counters. Every [`Metrics`](super::Metrics) shows them.
static PROCESS: LazyLock<ProcessMetrics> = LazyLock::new(|| {
    let counter = |name, help| IntCounter::new(name, help).expect("the name is valid");
    ProcessMetrics {
        log_lines_dropped: counter(
            "tickcast_log_lines_dropped_total",
            "Log lines that nobody took in time, or that could not be written.",
        ),
        panics: counter("tickcast_panics_total", "Panics of any thread or task."),
    }
});

/// What the process counts beside its gateways.
#[derive(Debug, Clone)]
pub struct ProcessMetrics {
    /// Log lines that were never written.
    pub log_lines_dropped: IntCounter,
    /// Panics of any thread or task.
    pub panics: IntCounter,
}

impl ProcessMetrics {
    /// Those of this process.
    #[must_use]
    pub fn get() -> &'static Self {
        &PROCESS
    }

    pub(super) fn register(registry: &Registry) {
        for counter in [&PROCESS.log_lines_dropped, &PROCESS.panics] {
            registry.register(Box::new(counter.clone())).expect("the name is used once");
        }
    }
}
