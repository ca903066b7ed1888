//! When to play recorded moments.
//!
//! Recorded clocks are not trusted: played time never goes back, and only forward steps cause a wait. Pauses are not
//! shortened: at speed 1 an hour without ticks takes an hour.

use std::time::Duration;

use crate::{clock::Instant, limits::REPLAY_JITTER, market::UnixMicros};

/// How fast a recording is played.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speed {
    /// A multiple of the recorded speed; within [`REPLAY_SPEED`](crate::limits::REPLAY_SPEED).
    Times(f64),
    /// Without any pause.
    Max,
}

/// The state of a pass through the recording.
#[derive(Debug)]
pub(super) struct Playback {
    speed: Speed,
    /// When the first moment was played, and the latest recorded time so far.
    since: Option<(Instant, i64)>,
    /// Recorded time played so far, in microseconds.
    elapsed: u64,
}

impl Playback {
    pub(super) const fn new(speed: Speed) -> Self {
        Self { speed, since: None, elapsed: 0 }
    }

    /// When the moment recorded at `at` is due, to the millisecond and never early, so that moments of one
    /// millisecond go out together. `None`: at once.
    pub(super) fn due(&mut self, at: Option<UnixMicros>, now: Instant) -> Option<Instant> {
        let (Speed::Times(times), Some(UnixMicros(at))) = (self.speed, at) else { return None };
        let (start, latest) = self.since.get_or_insert((now, at));
        let step = at.saturating_sub(*latest);
        if step > 0 {
            self.elapsed = self.elapsed.saturating_add(step.unsigned_abs());
            *latest = at;
        } else if u128::from(step.unsigned_abs()) > REPLAY_JITTER.as_micros() {
            *latest = at;
        }
        let played = Duration::from_micros(self.elapsed).div_f64(times);
        let whole = played.as_nanos().div_ceil(1_000_000);
        Some(*start + Duration::from_millis(u64::try_from(whole).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dues(speed: Speed, at: &[i64]) -> Vec<Option<u128>> {
        let now = Instant::now();
        let mut pace = Playback::new(speed);
        at.iter().map(|at| pace.due(Some(UnixMicros(*at)), now).map(|due| (due - now).as_millis())).collect()
    }

    #[tokio::test]
    async fn moments_are_spaced_as_recorded_divided_by_the_speed() {
        let at = [5_000_000, 5_000_400, 5_001_000, 5_100_000, 3_605_100_000];
        assert_eq!(dues(Speed::Times(1.0), &at), [0, 1, 1, 100, 3_600_100].map(Some));
        assert_eq!(dues(Speed::Times(50.0), &at), [0, 1, 1, 2, 72_002].map(Some));
        assert_eq!(dues(Speed::Times(0.5), &at), [0, 1, 2, 200, 7_200_200].map(Some));
        assert_eq!(dues(Speed::Max, &at), [None; 5]);
    }

    #[tokio::test]
    async fn clocks_that_step_back_wait_for_nothing_and_lose_nothing() {
        let jitter = [5_000_000, 5_100_000, 5_050_000, 5_090_000, 5_110_000];
        assert_eq!(dues(Speed::Times(1.0), &jitter), [0, 100, 100, 100, 110].map(Some));
        let reset = [9_000_000, 9_100_000, 1_000_000, 1_050_000];
        assert_eq!(dues(Speed::Times(1.0), &reset), [0, 100, 100, 150].map(Some));
        assert_eq!(Playback::new(Speed::Times(1.0)).due(None, Instant::now()), None);
    }
}
