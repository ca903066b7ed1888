//! The families of feeds that read Redis, with the feed's name filled in.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Why ticks may be missing: every value of the label.
pub const REDIS_HOLES: [&str; 3] = ["reconnect", "trimmed", "renewed"];

/// All of them.
#[derive(Debug)]
pub(super) struct RedisFamilies {
    holes: IntCounterVec,
    lost: IntCounterVec,
    repeated: IntCounterVec,
    behind: IntGaugeVec,
}

impl RedisFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let family =
                IntCounterVec::new(Opts::new(name, help), labels).expect("the name and labels are valid");
            registry.register(Box::new(family.clone())).expect("the name is used once");
            family
        };
        let behind = Opts::new(
            "tickcast_redis_behind_entries",
            "Entries of the feed's streams that are still to be read.",
        );
        let behind = IntGaugeVec::new(behind, &["feed"]).expect("the name and labels are valid");
        registry.register(Box::new(behind.clone())).expect("the name is used once");
        Self {
            holes: counters(
                "tickcast_redis_holes_total",
                "Times after which ticks of a feed may be missing.",
                &["feed", "reason"],
            ),
            lost: counters(
                "tickcast_redis_lost_entries_total",
                "Entries of streams that were trimmed or deleted before they were read.",
                &["feed"],
            ),
            repeated: counters(
                "tickcast_redis_repeated_ticks_total",
                "Ticks that were not published because they had been before, or were older than that.",
                &["feed"],
            ),
            behind,
        }
    }

    /// The handles of one feed.
    pub(super) fn feed(&self, name: &str, is_stream: bool) -> RedisMetrics {
        RedisMetrics {
            holes: REDIS_HOLES.map(|reason| self.holes.with_label_values(&[name, reason])),
            lost: self.lost.with_label_values(&[name]),
            repeated: self.repeated.with_label_values(&[name]),
            behind: is_stream.then(|| self.behind.with_label_values(&[name])),
        }
    }
}

/// One feed's handles.
#[derive(Debug)]
pub struct RedisMetrics {
    holes: [IntCounter; 3],
    /// Entries that are known to be lost.
    pub lost: IntCounter,
    /// Ticks that came before.
    pub repeated: IntCounter,
    behind: Option<IntGauge>,
}

impl RedisMetrics {
    /// Ticks may be missing, for one of [`REDIS_HOLES`].
    pub fn hole(&self, reason: &str) {
        let counters = REDIS_HOLES.iter().zip(&self.holes);
        counters.filter(|(name, _)| **name == reason).for_each(|(_, counter)| counter.inc());
    }

    /// Entries that are still to be read.
    pub fn behind(&self, entries: u64) {
        if let Some(gauge) = &self.behind {
            gauge.set(i64::try_from(entries).unwrap_or(i64::MAX));
        }
    }
}
