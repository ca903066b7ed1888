//! How old events are when they are written: a histogram that a thread counts for by itself before.
//!
//! A shard observes an age for every write. The library's histogram for one thread looks through its bounds as floating
//! point and takes one age at a time, a fifth of what a write of one event costs; this one takes many of the same age.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus::{
    core::{Collector, Desc},
    proto,
};

/// Upper bounds of the buckets, in microseconds, and as Prometheus has them, in seconds.
const BOUNDS: [(u64, f64); 17] = [
    (100, 0.000_1),
    (250, 0.000_25),
    (500, 0.000_5),
    (1_000, 0.001),
    (2_500, 0.002_5),
    (5_000, 0.005),
    (10_000, 0.01),
    (25_000, 0.025),
    (50_000, 0.05),
    (100_000, 0.1),
    (250_000, 0.25),
    (500_000, 0.5),
    (1_000_000, 1.0),
    (2_500_000, 2.5),
    (5_000_000, 5.0),
    (10_000_000, 10.0),
    (30_000_000, 30.0),
];

/// One more than there are bounds: the last bucket has none.
const BUCKETS: usize = BOUNDS.len() + 1;

/// A histogram of ages, shared by those who count for it.
#[derive(Debug, Clone)]
pub struct Latency(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    desc: Desc,
    buckets: [AtomicU64; BUCKETS],
    /// Sum of all ages, in microseconds.
    sum: AtomicU64,
}

/// What one thread has counted since it last carried it over.
#[derive(Debug)]
pub struct LocalLatency {
    to: Latency,
    buckets: [u64; BUCKETS],
    sum: u64,
}

impl Latency {
    /// An empty one.
    ///
    /// # Errors
    /// When the name is none.
    pub(super) fn new(name: &str, help: &str) -> prometheus::Result<Self> {
        let desc = Desc::new(name.into(), help.into(), Vec::new(), std::collections::HashMap::new())?;
        let buckets = array::from_fn(|_| AtomicU64::new(0));
        Ok(Self(Arc::new(Buckets { desc, buckets, sum: AtomicU64::new(0) })))
    }

    /// For one thread.
    #[must_use]
    pub fn local(&self) -> LocalLatency {
        LocalLatency { to: self.clone(), buckets: [0; BUCKETS], sum: 0 }
    }
}

impl LocalLatency {
    /// Counts `times` times an age; one beyond half a million years counts as that.
    #[inline]
    pub fn observe(&mut self, age: Duration, times: u64) {
        let micros = age.as_secs().saturating_mul(1_000_000).saturating_add(age.subsec_micros().into());
        let count = &mut self.buckets[bucket(micros)];
        *count = count.saturating_add(times);
        self.sum = self.sum.saturating_add(micros.saturating_mul(times));
    }

    /// Carries over what was counted.
    pub fn flush(&mut self) {
        for (count, to) in self.buckets.iter_mut().zip(&self.to.0.buckets) {
            if *count > 0 {
                to.fetch_add(std::mem::take(count), Ordering::Relaxed);
            }
        }
        if self.sum > 0 {
            self.to.0.sum.fetch_add(std::mem::take(&mut self.sum), Ordering::Relaxed);
        }
    }
}

/// The first bucket whose bound an age does not exceed.
#[inline]
fn bucket(micros: u64) -> usize {
    // Most are young.
    BOUNDS.iter().position(|(bound, _)| micros <= *bound).unwrap_or(BOUNDS.len())
}

impl Collector for Latency {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let Buckets { desc, buckets, sum } = &*self.0;
        let mut below = 0;
        let mut rows = Vec::with_capacity(BOUNDS.len());
        for ((_, bound), count) in BOUNDS.iter().zip(buckets) {
            below += count.load(Ordering::Relaxed);
            let mut row = proto::Bucket::default();
            row.set_upper_bound(*bound);
            row.set_cumulative_count(below);
            rows.push(row);
        }
        let all = below + buckets[BOUNDS.len()].load(Ordering::Relaxed);
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(rows);
        histogram.set_sample_count(all);
        histogram.set_sample_sum(Duration::from_micros(sum.load(Ordering::Relaxed)).as_secs_f64());
        let mut metric = proto::Metric::default();
        metric.set_histogram(histogram);
        let mut family = proto::MetricFamily::default();
        family.set_name(desc.fq_name.clone());
        family.set_help(desc.help.clone());
        family.set_field_type(proto::MetricType::HISTOGRAM);
        family.set_metric(vec![metric]);
        vec![family]
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder as _, HistogramOpts, Registry, TextEncoder};

    use super::*;

    fn text(registry: &Registry) -> String {
        let mut out = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_reads_as_the_librarys_own_histogram() {
        let (ours, theirs) = (Registry::new(), Registry::new());
        let latency = Latency::new("age_seconds", "Ages.").unwrap();
        ours.register(Box::new(latency.clone())).unwrap();
        let bounds = BOUNDS.map(|(_, seconds)| seconds).to_vec();
        let reference =
            prometheus::Histogram::with_opts(HistogramOpts::new("age_seconds", "Ages.").buckets(bounds))
                .unwrap();
        theirs.register(Box::new(reference.clone())).unwrap();
        assert_eq!(text(&ours), text(&theirs), "also when nothing was counted");
        let mut local = latency.local();
        let edges = BOUNDS.iter().flat_map(|(micros, _)| [*micros, micros + 1]);
        for (i, micros) in edges.chain([0, 31_000_000]).enumerate() {
            let times = u64::try_from(i % 3).unwrap() * 8;
            local.observe(Duration::from_micros(micros), times);
            (0..times).for_each(|_| reference.observe(Duration::from_micros(micros).as_secs_f64()));
        }
        local.flush();
        local.flush();
        let counts = |text: String| {
            text.lines().filter(|line| !line.contains("_sum")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(counts(text(&ours)), counts(text(&theirs)));
        let sum = latency.0.sum.load(Ordering::Relaxed);
        let apart = Duration::from_micros(sum).abs_diff(Duration::from_secs_f64(reference.get_sample_sum()));
        assert!(apart < Duration::from_millis(1), "{apart:?}");
    }

    #[test]
    fn seconds_and_microseconds_say_the_same() {
        for (micros, seconds) in BOUNDS {
            assert_eq!(Duration::from_micros(micros), Duration::from_secs_f64(seconds));
        }
    }

    #[test]
    fn no_age_overflows() {
        let mut local = Latency::new("a", "A.").unwrap().local();
        local.observe(Duration::MAX, u64::MAX);
        local.observe(Duration::MAX, 1);
        assert_eq!(local.sum, u64::MAX);
    }
}
