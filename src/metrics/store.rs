//! The families of the file that outlives a restart. They stay at zero where there is none.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

use crate::market::UnixMicros;

/// Upper bounds of the time of a save, in seconds: from a quick disk to one that is in trouble.
const SAVE_BUCKETS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// All of them.
#[derive(Debug)]
pub struct StoreMetrics {
    saves: IntCounter,
    failures: IntCounter,
    seconds: Histogram,
    bytes: IntGauge,
    last_save: IntGauge,
}

impl StoreMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let opts = HistogramOpts::new(
            "tickcast_store_save_seconds",
            "How long a save took, from the first copy to the disk's word.",
        );
        let opts = opts.buckets(SAVE_BUCKETS.to_vec());
        let counter = |name: &str, help: &str| IntCounter::new(name, help).expect("the name is valid");
        let gauge = |name: &str, help: &str| IntGauge::new(name, help).expect("the name is valid");
        let it = Self {
            saves: counter("tickcast_store_saves_total", "Saves that wrote something."),
            failures: counter(
                "tickcast_store_failures_total",
                "Saves that failed; the next one tries again.",
            ),
            seconds: Histogram::with_opts(opts).expect("the buckets rise"),
            bytes: gauge("tickcast_store_file_bytes", "Size of the file."),
            last_save: gauge(
                "tickcast_store_last_save_timestamp_seconds",
                "When the file last had everything, in seconds since the Unix epoch.",
            ),
        };
        let families: [Box<dyn prometheus::core::Collector>; 5] = [
            Box::new(it.saves.clone()),
            Box::new(it.failures.clone()),
            Box::new(it.seconds.clone()),
            Box::new(it.bytes.clone()),
            Box::new(it.last_save.clone()),
        ];
        for family in families {
            registry.register(family).expect("the name is used once");
        }
        it
    }

    /// The file has everything; `took` when something had to be written for that.
    pub fn saved(&self, took: Option<Duration>, now: UnixMicros) {
        if let Some(took) = took {
            self.saves.inc();
            self.seconds.observe(took.as_secs_f64());
        }
        self.last_save.set(now.0 / 1_000_000);
    }

    /// A save failed.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// The file's size.
    pub fn bytes(&self, bytes: u64) {
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
