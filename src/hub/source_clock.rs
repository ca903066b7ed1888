//! What is known of a source's clock: how far it is behind the gateway's, learned from the ticks that tell their time.
//!
//! The smallest of the recent differences between receipt and source time is the two clocks' difference and the shortest way.
//! One stamp that is far off says nothing: each difference counts as the middle one of three. Computed from ticks alone,
//! in their order, so that a restart, a replay and a second gateway come to the same. It decides how the source's time goes on
//! while no trade comes, and which stamps are believed; a believed trade's bar is the one of its own time.

use serde::{Deserialize, Serialize};

use crate::{
    limits::{CLOCK_WINDOW, MAX_CLOCK_AHEAD, MAX_STAMP_AHEAD, RECORDED_AFTER},
    market::UnixMicros,
};

/// A source's clock as one symbol's ticks tell it. All in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceClock {
    /// The newest differences, the newest last.
    recent: [i64; 3],
    /// How many there have been, three at most.
    known: u8,
    /// How far the source's time is behind the gateway's; negative when it is ahead.
    offset: i64,
    /// The smallest of the window under way and of the one before, and how many differences are in the former.
    lows: (i64, i64),
    filled: u32,
}

impl SourceClock {
    /// Of a source that has told no time yet.
    pub(super) const UNKNOWN: Self =
        Self { recent: [0; 3], known: 0, offset: 0, lows: (i64::MAX, i64::MAX), filled: 0 };

    /// What format 1 of the store knew: how far the newest trade was ahead of its receipt.
    pub(super) fn of_newest(ahead: i64) -> Self {
        let mut clock = Self::UNKNOWN;
        clock.learn(ahead.saturating_neg());
        clock
    }

    /// A tick that told its time was received.
    pub(super) fn note(&mut self, te: UnixMicros, tr: UnixMicros) {
        self.learn(tr.0.saturating_sub(te.0));
    }

    fn learn(&mut self, difference: i64) {
        // Of a time that no clock can be ahead by, only its receipt is known.
        let difference = if difference < -MAX_CLOCK_AHEAD { 0 } else { difference };
        let [_, second, third] = self.recent;
        self.recent = [second, third, difference];
        self.known = (self.known + 1).min(3);
        let middle = match self.known {
            1 => difference,
            // One of the two may be far off: clocks are rather right than wrong.
            2 if third.unsigned_abs() < difference.unsigned_abs() => third,
            2 => difference,
            _ => {
                let mut sorted = self.recent;
                sorted.sort_unstable();
                sorted[1]
            }
        };
        if self.known < 3 || middle > RECORDED_AFTER {
            // A recording goes on as fast as it is played: its newest difference is the only one that holds.
            (self.offset, self.lows, self.filled) = (middle, Self::UNKNOWN.lows, 0);
            return;
        }
        self.lows.0 = self.lows.0.min(middle);
        self.filled += 1;
        self.offset = self.lows.0.min(self.lows.1);
        if self.filled >= CLOCK_WINDOW {
            (self.lows, self.filled) = ((i64::MAX, self.lows.0), 0);
        }
    }

    /// The gateway's clock has jumped forward by so much: the source's has not.
    pub(super) fn jumped(&mut self, by: i64) {
        if self.known == 0 {
            return;
        }
        let later = |difference: i64| {
            if difference == i64::MAX { difference } else { difference.saturating_add(by) }
        };
        self.recent = self.recent.map(later);
        self.offset = later(self.offset);
        self.lows = (later(self.lows.0), later(self.lows.1));
    }

    /// How far the source's time is behind the gateway's, if that is known; negative when it is ahead.
    pub(super) const fn offset(&self) -> Option<i64> {
        if self.known == 0 { None } else { Some(self.offset) }
    }

    /// The source's time, when that is the gateway's.
    pub(super) const fn source(&self, now: UnixMicros) -> UnixMicros {
        UnixMicros(now.0.saturating_sub(self.offset))
    }

    /// The gateway's time, when that is the source's.
    pub(super) const fn gateway(&self, source: UnixMicros) -> UnixMicros {
        UnixMicros(source.0.saturating_add(self.offset))
    }

    /// How far the source's clock is surely ahead of the gateway's. What is behind may be a long way and no clock's fault.
    pub(super) fn ahead(&self) -> i64 {
        if self.known < 3 { 0 } else { self.offset.saturating_neg().max(0) }
    }

    /// Whether a tick can have that time at its source: it is not far ahead of what the source's clock says.
    pub(super) fn believes(&self, te: UnixMicros, tr: UnixMicros) -> bool {
        let most = if self.known < 3 { MAX_CLOCK_AHEAD } else { MAX_STAMP_AHEAD };
        te.0.saturating_sub(tr.0) <= self.ahead().saturating_add(most)
    }

    /// Whether that is what ticks can come to; what was read from a file may be anything.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.known <= 3 && self.filled < CLOCK_WINDOW && self.offset >= -MAX_CLOCK_AHEAD
    }
}

impl Default for SourceClock {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000;
    const YEAR: i64 = 31_536_000 * SECOND;
    const NOW: i64 = 1_790_000_000 * SECOND;

    /// After ticks that are received each second with these differences.
    fn after(differences: impl IntoIterator<Item = i64>) -> SourceClock {
        let mut clock = SourceClock::UNKNOWN;
        for (i, difference) in differences.into_iter().enumerate() {
            let tr = NOW + i64::try_from(i).unwrap() * SECOND;
            clock.note(UnixMicros(tr - difference), UnixMicros(tr));
        }
        clock
    }

    #[test]
    fn the_offset_is_the_smallest_of_recent_differences() {
        let way = [80_000, 50_000, 900_000, 60_000, 70_000, 2_000_000, 90_000, 55_000, 70_000];
        for skew in [0, 30 * SECOND, -30 * SECOND, -59 * SECOND, 5 * SECOND] {
            let clock = after(way.map(|way| way + skew));
            let offset = clock.offset().unwrap() - skew;
            assert!((50_000..=80_000).contains(&offset), "{offset} at {skew}");
            assert_eq!(clock.ahead(), (-skew - offset).max(0));
        }
    }

    #[test]
    fn one_stamp_far_off_says_nothing_wherever_it_is() {
        for far in
            [30 * SECOND, -30 * SECOND, -50 * SECOND, YEAR, -YEAR, -61 * SECOND, 40 * YEAR, -200 * YEAR]
        {
            for place in 0..10 {
                let differences = (0..12).map(|i| if i == place { far } else { 50_000 + i });
                let clock = after(differences);
                let offset = clock.offset().unwrap();
                assert!((50_000..50_012).contains(&offset), "{offset} with {far} at {place}");
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_is_followed() {
        let steps = |from: i64, to: i64, count: usize| {
            after((0..200).map(move |_| from).chain((0..count).map(move |_| to))).offset().unwrap()
        };
        assert_eq!(steps(50_000, -30 * SECOND, 2), -30 * SECOND, "forward at the second tick");
        assert_eq!(steps(-30 * SECOND, 50_000, 10), -30 * SECOND);
        let window = usize::try_from(CLOCK_WINDOW).unwrap();
        assert_eq!(steps(-30 * SECOND, 50_000, 2 * window + 2), 50_000, "back after the window");
        let mut clock = after([50_000; 20]);
        clock.jumped(7_200 * SECOND);
        assert_eq!(clock.offset(), Some(7_200 * SECOND + 50_000), "ours was");
        clock.note(UnixMicros(NOW), UnixMicros(NOW + 7_200 * SECOND + 60_000));
        assert_eq!(clock.offset(), Some(7_200 * SECOND + 50_000));
    }

    #[test]
    fn recordings_are_followed_at_any_speed() {
        for per_second in [SECOND / 10, SECOND / 2, SECOND, 50 * SECOND, 3_600 * SECOND] {
            let clock = after((0..500).map(|i| 2 * YEAR + i * (SECOND - per_second)));
            let newest = 2 * YEAR + 499 * (SECOND - per_second);
            let step = (SECOND - per_second).abs();
            assert!((clock.offset().unwrap() - newest).abs() <= step, "{per_second}");
        }
    }

    #[test]
    fn what_is_believed() {
        let late = |ahead: i64, clock: SourceClock| clock.believes(UnixMicros(NOW + ahead), UnixMicros(NOW));
        let unknown = SourceClock::UNKNOWN;
        assert!(
            late(-YEAR, unknown) && late(MAX_CLOCK_AHEAD, unknown) && !late(MAX_CLOCK_AHEAD + 1, unknown)
        );
        let right = after([50_000; 9]);
        assert!(late(-YEAR, right) && late(MAX_STAMP_AHEAD, right) && !late(MAX_STAMP_AHEAD + 1, right));
        let fast = after([-30 * SECOND; 9]);
        assert!(late(30 * SECOND, fast) && late(30 * SECOND + MAX_STAMP_AHEAD, fast));
        assert!(!late(31 * SECOND + MAX_STAMP_AHEAD, fast));
        // A way of minutes is no clock: who comes without it is believed all the same.
        let slow = after([300 * SECOND; 9]);
        assert!(late(0, slow) && late(-300 * SECOND, slow));
    }

    proptest! {
        /// What is known follows from the ticks and the jumps of the gateway's clock, in their order: neither from when it
        /// is asked nor from a stop in between, over which it is saved.
        #[test]
        fn the_same_inputs_come_to_the_same_offset(
            inputs in prop::collection::vec((any::<bool>(), -YEAR..YEAR, 0..YEAR, any::<bool>()), 0..300),
        ) {
            let (mut one, mut other) = (SourceClock::UNKNOWN, SourceClock::UNKNOWN);
            for (is_tick, difference, at, is_restarted) in inputs {
                for clock in [&mut one, &mut other] {
                    if is_tick {
                        clock.note(UnixMicros(NOW + at - difference), UnixMicros(NOW + at));
                    } else {
                        clock.jumped(difference.abs());
                    }
                }
                let _ = (other.offset(), other.ahead(), other.source(UnixMicros(at)));
                if is_restarted {
                    other = rmp_serde::from_slice(&rmp_serde::to_vec(&other).unwrap()).unwrap();
                }
                prop_assert_eq!(one, other);
                prop_assert_eq!(one.offset(), other.offset());
            }
        }

        #[test]
        fn nothing_overflows_and_what_came_of_it_is_sound(ticks in prop::collection::vec(any::<(i64, i64)>(), 0..300)) {
            let mut clock = SourceClock::UNKNOWN;
            for (te, tr) in ticks {
                clock.note(UnixMicros(te), UnixMicros(tr));
                let _ = clock.believes(UnixMicros(te), UnixMicros(tr));
                let _ = (clock.source(UnixMicros(tr)), clock.gateway(UnixMicros(te)), clock.ahead());
                prop_assert!(clock.is_sound());
            }
        }
    }
}
