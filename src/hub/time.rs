//! What becomes of the hub when its clock is set, or when it was held up.

use std::time::Duration;

use super::Hub;
use crate::market::Source;

impl Hub {
    /// Follows the machine's clock, and tells when that was set. To be called a few times a second, by one task.
    pub fn follow_clock(&self) {
        let step = self.clock.observe();
        let ahead = self.clock.ahead();
        let time = &self.metrics.time;
        time.ahead(ahead);
        let Some(step) = step else { return };
        if step.jumped > 0 {
            self.all_topics().iter().for_each(|topic| topic.jumped(step.jumped));
        }
        time.stepped(step.by < 0);
        let (by_ms, ahead_ms) = (step.by / 1_000, ahead.as_millis());
        if step.by < 0 {
            tracing::warn!(
                by_ms,
                ahead_ms,
                "the machine's clock was set back: the gateway's goes on, and a tenth slower until they are the same"
            );
        } else {
            tracing::warn!(by_ms, ahead_ms, "the machine's clock was set forward, or the machine slept");
        }
    }

    /// How far the time of each feed's symbols is behind the gateway's at least, in microseconds, where that is known.
    #[must_use]
    pub fn offsets(&self) -> Vec<(Source, i64)> {
        let mut offsets: Vec<(Source, i64)> = Vec::new();
        for topic in self.all_topics() {
            let Some(offset) = topic.offset() else { continue };
            let feed = topic.feed();
            match offsets.iter_mut().find(|(name, _)| *name == feed) {
                Some((_, least)) => *least = offset.min(*least),
                None => offsets.push((feed, offset)),
            }
        }
        offsets
    }

    /// The gateway was held up for `late`: no symbol counts as silent for it, and no feed as lost.
    pub fn excuse(&self, late: Duration) {
        let now = (self.clock.instant(), self.clock.steady());
        self.all_topics().iter().for_each(|topic| topic.excuse(late, now));
    }
}
