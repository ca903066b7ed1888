//! When what waits is written: at once, or, when the shard is busy, at most once in a while for each session.
//!
//! A write costs far more than the events in it. The first event after a pause goes at once. While events keep coming
//! they share writes: each waits for the end of the interval, which begins with the write before or, when that is over,
//! with the first event that waits. A pause is an interval in which nothing came. While the shard has time the interval
//! is zero and no session waits; it grows as the shard gets busy, up to the configured one. A client may fix its own.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    clock::Instant,
    limits::{PACE_LOAD_PERCENT, PACE_WINDOW},
};

/// The sessions that are held back, and how long they are.
#[derive(Debug)]
pub(super) struct FlushPacer {
    start: Instant,
    /// Sessions by the millisecond in which they may be written to again.
    held: BTreeMap<u64, Vec<usize>>,
    /// An empty list that keeps its room.
    spare: Vec<usize>,
    window: Instant,
    busy: Duration,
    /// Share of the last window in which the shard was busy, in percent.
    load: u32,
    /// Longest time without a look at new events, in this window and in the last one.
    longest: Duration,
    turn: Duration,
}

impl FlushPacer {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            start: now,
            held: BTreeMap::new(),
            spare: Vec::new(),
            window: now,
            busy: Duration::ZERO,
            load: 0,
            longest: Duration::ZERO,
            turn: Duration::ZERO,
        }
    }

    /// The shard worked from `began` until `now`.
    pub(super) fn worked(&mut self, began: Instant, now: Instant) {
        self.busy += now - began;
        self.longest = self.longest.max(now - began);
        let window = now - self.window;
        if window >= PACE_WINDOW {
            let busy = self.busy.as_micros() * 100 / window.as_micros().max(1);
            // Half of it is what was: one odd window does not change the pace.
            self.load = self.load.midpoint(u32::try_from(busy).unwrap_or(100).min(100));
            self.window = now;
            self.busy = Duration::ZERO;
            self.turn = std::mem::take(&mut self.longest);
        }
    }

    /// How long a session waits after a write when the longest wait is `most`. What comes during a long turn waits for
    /// its end anyway, half of it on average, and shares the next writes: that counts.
    pub(super) fn hold(&self, most: Duration) -> Duration {
        let (low, high) = PACE_LOAD_PERCENT;
        let wanted = most * self.load.clamp(low, high).saturating_sub(low) / (high - low);
        wanted.saturating_sub(self.turn / 2)
    }

    /// Holds a session until `due`.
    pub(super) fn push(&mut self, due: Instant, index: usize) {
        let millis = u64::try_from((due - self.start).as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        let spare = &mut self.spare;
        self.held.entry(millis).or_insert_with(|| std::mem::take(spare)).push(index);
    }

    /// Hands out the sessions of the first time that has come, if one has.
    pub(super) fn pop_due(&mut self, now: Instant, mut each: impl FnMut(usize)) -> bool {
        if self.next().is_none_or(|due| due > now) {
            return false;
        }
        let Some((_, mut due)) = self.held.pop_first() else { return false };
        due.drain(..).for_each(&mut each);
        self.spare = due;
        true
    }

    /// When the first held session may be written to.
    pub(super) fn next(&self) -> Option<Instant> {
        self.held.first_key_value().map(|(millis, _)| self.start + Duration::from_millis(*millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_while_there_is_time_and_everybody_while_there_is_none() {
        let start = Instant::now();
        let mut pacer = FlushPacer::new(start);
        let most = Duration::from_millis(10);
        assert_eq!(pacer.hold(most), Duration::ZERO);
        let mut now = start;
        let turn = Duration::from_millis(1);
        let busy = |pacer: &mut FlushPacer, now: &mut Instant, turn: Duration| {
            for _ in 0..20 * PACE_WINDOW.as_micros() / turn.as_micros() {
                pacer.worked(*now, *now + turn);
                *now += turn;
            }
        };
        busy(&mut pacer, &mut now, turn);
        assert_eq!(pacer.hold(most), most - turn / 2);
        busy(&mut pacer, &mut now, most * 2);
        assert_eq!(pacer.hold(most), Duration::ZERO, "long turns are wait enough");
        // Busy for a tenth of the time.
        for _ in 0..20 {
            pacer.worked(now, now + PACE_WINDOW / 10);
            pacer.worked(now + PACE_WINDOW, now + PACE_WINDOW);
            now += PACE_WINDOW;
        }
        assert_eq!(pacer.hold(most), Duration::ZERO);
    }

    #[test]
    fn a_session_is_due_in_the_millisecond_after_its_time() {
        let start = Instant::now();
        let mut pacer = FlushPacer::new(start);
        assert_eq!(pacer.next(), None);
        pacer.push(start + Duration::from_micros(2_001), 7);
        pacer.push(start + Duration::from_micros(9_000), 8);
        assert_eq!(pacer.next(), Some(start + Duration::from_millis(3)));
    }
}
