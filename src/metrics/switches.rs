//! The families of symbols that several feeds carry.

use prometheus::{IntCounterVec, Opts, Registry};

/// All of them. A feed that shares no symbol is no member.
#[derive(Debug, Clone)]
pub struct Switches {
    switches: IntCounterVec,
    standby: IntCounterVec,
}

impl Switches {
    pub(super) fn new(registry: &Registry) -> Self {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let family =
                IntCounterVec::new(Opts::new(name, help), labels).expect("the name and labels are valid");
            registry.register(Box::new(family.clone())).expect("the name is used once");
            family
        };
        Self {
            switches: counters(
                "tickcast_feed_switches_total",
                "Symbols whose source became another feed.",
                &["from", "to", "reason"],
            ),
            standby: counters(
                "tickcast_feed_standby_ticks_total",
                "Ticks that went nowhere, because another feed is their symbol's source.",
                &["feed"],
            ),
        }
    }

    /// These two carry a symbol: what may happen between them reads 0 from now on.
    pub fn pair(&self, one: &str, other: &str, reasons: &[&str]) {
        for (from, to) in [(one, other), (other, one)] {
            let _at_zero = self.standby.with_label_values(&[from]);
            for reason in reasons {
                let _at_zero = self.switches.with_label_values(&[from, to, *reason]);
            }
        }
    }

    /// Counts symbols that have another source.
    pub fn count(&self, from: &str, to: &str, reason: &str, symbols: u64) {
        self.switches.with_label_values(&[from, to, reason]).inc_by(symbols);
    }

    /// Counts ticks of a feed that went nowhere.
    pub fn standby(&self, feed: &str, ticks: u64) {
        self.standby.with_label_values(&[feed]).inc_by(ticks);
    }
}
