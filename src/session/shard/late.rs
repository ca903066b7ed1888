//! Whether a shard is late: its process was stopped, its machine paused, or its thread held up for longer than a sweep.
//!
//! A client cannot help that. What it has sent meanwhile is read before it is judged, and every deadline of every session moves
//! by the lost time. Refuses to judge: it only says how late the shard is.

use std::time::Duration;

use super::Shard;
use crate::{clock::Instant, metrics::Stalled};

/// When the next sweep is due, and whether something was late since the last one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweeps {
    every: Duration,
    due: Instant,
    was_late: bool,
}

impl Sweeps {
    pub(super) fn new(now: Instant, every: Duration) -> Self {
        Self { every, due: now + every, was_late: false }
    }

    /// How late the next sweep is, when it is later than a whole sweep. Tells each delay once.
    fn notice(&mut self, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(self.due);
        if late <= self.every {
            return None;
        }
        self.due = now;
        self.was_late = true;
        Some(late)
    }

    /// A sweep begins. Returns whether it may judge: it is in time, and so was everything since the one before.
    fn begin(&mut self, now: Instant) -> bool {
        self.due = now + self.every;
        !std::mem::take(&mut self.was_late)
    }
}

impl Shard {
    /// Looks whether the shard was held up, and moves every deadline by the time that was lost. Cheap while it was not.
    pub(super) fn excuse(&mut self, now: Instant) {
        let Some(late) = self.sweeps.notice(now) else { return };
        for (_, session) in self.sessions.iter_mut() {
            session.excuse(late, now);
        }
        let late_ms = late.as_millis();
        tracing::warn!(
            late_ms,
            sessions = self.sessions.len(),
            "a worker was held up; nobody is judged for it"
        );
        self.hub.metrics().time.stalled(Stalled::Worker);
    }

    /// A sweep begins. Returns whether it may judge sessions by their silence.
    pub(super) fn begin_sweep(&mut self, now: Instant) -> bool {
        self.excuse(now);
        self.sweeps.begin(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(100);

    #[test]
    fn a_sweep_that_missed_its_successor_is_late_once() {
        let start = Instant::now();
        let mut sweeps = Sweeps::new(start, EVERY);
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(sweeps.notice(at(199)), None, "a little late is in time");
        assert!(sweeps.begin(at(199)));
        assert_eq!(sweeps.notice(at(5_000)), Some(Duration::from_millis(5_000 - 299)));
        assert_eq!(sweeps.notice(at(5_050)), None, "told once");
        assert!(!sweeps.begin(at(5_060)), "it was late, whoever noticed");
        assert!(sweeps.begin(at(5_160)));
    }
}
