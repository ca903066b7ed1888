//! Time as a value that components are handed, so that tests can hand them another.
//!
//! Two times. [`Clock::steady`] is monotonic, and what silences and pauses are measured by. [`Clock::now`] is the time of day as
//! the gateway tells it: it goes on with monotonic time and **never goes back**, whatever becomes of the machine's clock.
//! [`Clock::observe`] looks at the machine's clock and follows it: forward at once, back by going slower until the machine's
//! clock has caught up. So a step of the machine's clock is noticed in one place, and makes no time come twice.
//!
//! Only this file reads the machine's clock. Monotonic time is tokio's, which tests can pause.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use parking_lot::RwLock;
pub use tokio::time::Instant;

use crate::{
    limits::{CLOCK_SLEW, CLOCK_STEP},
    market::UnixMicros,
};

/// Where the time comes from. Cheap to clone; clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    course: RwLock<Course>,
}

#[derive(Debug)]
enum Source {
    /// The machine's, and when this one was made.
    System(Instant),
    Manual {
        wall: AtomicI64,
        steady: AtomicI64,
    },
}

/// How the time of day follows from monotonic time. All in microseconds.
#[derive(Debug, Clone, Copy)]
struct Course {
    /// A moment in monotonic time, and the time of day that it was.
    at: i64,
    base: i64,
    /// How far the time of day was ahead of the machine's clock then. It is made up for by going slower.
    ahead: i64,
    /// What the machine's clock said when it was last looked at.
    seen: i64,
}

/// The machine's clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// By how much, in microseconds; negative is back.
    pub by: i64,
    /// By how much [`Clock::now`] has jumped for it, in microseconds: never back.
    pub jumped: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::of(Source::System(Instant::now()))
    }

    /// A clock that stands still at `start` until it is [set](Self::set).
    #[must_use]
    pub fn manual(start: UnixMicros) -> Self {
        Self::of(Source::Manual { wall: AtomicI64::new(start.0), steady: AtomicI64::new(0) })
    }

    fn of(source: Source) -> Self {
        let (seen, at) = source.read();
        let course = Course { at, base: seen, ahead: 0, seen };
        Self(Arc::new(Inner { source, course: RwLock::new(course) }))
    }

    /// Lets the time of a manual clock pass until then; does nothing to the machine's. Into the past it is a
    /// [step](Self::step).
    pub fn set(&self, time: UnixMicros) {
        let by = time.0.saturating_sub(self.now().0);
        if by < 0 {
            self.step(by);
        } else {
            self.pass(by);
        }
    }

    /// Lets time pass by a manual clock, in microseconds; does nothing to the machine's.
    pub fn pass(&self, by: i64) {
        if let Source::Manual { wall, steady } = &self.0.source {
            wall.fetch_add(by, Ordering::Relaxed);
            steady.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Sets a manual clock on or back, in microseconds, while no time passes; does nothing to the machine's.
    pub fn step(&self, by: i64) {
        if let Source::Manual { wall, .. } = &self.0.source {
            wall.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// The time of day. It never goes back.
    #[must_use]
    pub fn now(&self) -> UnixMicros {
        let course = *self.0.course.read();
        UnixMicros(course.time(self.0.source.steady()))
    }

    /// How long this clock has been running, whatever became of the time of day.
    #[must_use]
    pub fn steady(&self) -> Duration {
        Duration::from_micros(self.0.source.steady().unsigned_abs())
    }

    /// Monotonic time.
    #[must_use]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Looks at the machine's clock and follows it. Returns the step that it has made since the last look, if that was one. To
    /// be called a few times a second, by one task.
    pub fn observe(&self) -> Option<Step> {
        let mut course = self.0.course.write();
        let (wall, steady) = self.0.source.read();
        let passed = steady.saturating_sub(course.at);
        let by = wall.saturating_sub(course.seen).saturating_sub(passed);
        let now = course.time(steady);
        let jumped = wall.saturating_sub(now).max(0);
        let ahead = now.saturating_sub(wall).max(0);
        *course = Course { at: steady, base: now.saturating_add(jumped), ahead, seen: wall };
        (by.unsigned_abs() >= CLOCK_STEP).then_some(Step { by, jumped })
    }

    /// Goes on from no earlier than that, which was told already. Call it before the time is told. Returns by how much
    /// the machine's clock is behind it, in microseconds.
    pub fn not_before(&self, time: UnixMicros) -> i64 {
        let mut course = self.0.course.write();
        let now = course.time(self.0.source.steady());
        let behind = time.0.saturating_sub(now).max(0);
        course.base = course.base.saturating_add(behind);
        course.ahead = course.ahead.saturating_add(behind);
        behind
    }

    /// How far the time of day is ahead of the machine's clock, which was set back, as of the last look.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        Duration::from_micros(self.0.course.read().ahead.unsigned_abs())
    }
}

impl Course {
    fn time(&self, steady: i64) -> i64 {
        let passed = steady.saturating_sub(self.at);
        self.base.saturating_add(passed).saturating_sub((passed / CLOCK_SLEW).min(self.ahead))
    }
}

impl Source {
    /// The time of day, and the time since this clock was made, in microseconds.
    fn read(&self) -> (i64, i64) {
        let wall = match self {
            Self::System(_) => {
                #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else asks")]
                let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                micros(since)
            }
            Self::Manual { wall, .. } => wall.load(Ordering::Relaxed),
        };
        (wall, self.steady())
    }

    fn steady(&self) -> i64 {
        match self {
            Self::System(start) => micros(start.elapsed()),
            Self::Manual { steady, .. } => steady.load(Ordering::Relaxed),
        }
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    #[test]
    fn a_manual_clock_stands_still_until_set() {
        let clock = Clock::manual(UnixMicros(5));
        let twin = clock.clone();
        assert_eq!(twin.now(), UnixMicros(5));
        clock.set(UnixMicros(9));
        assert_eq!((twin.now(), twin.steady()), (UnixMicros(9), Duration::from_micros(4)));
    }

    #[test]
    fn a_step_forward_is_followed_at_once_and_one_back_by_going_slower() {
        let clock = Clock::manual(UnixMicros(100 * HOUR));
        clock.pass(SECOND);
        assert_eq!(clock.observe(), None);
        clock.step(2 * HOUR);
        assert_eq!(clock.now(), UnixMicros(100 * HOUR + SECOND), "nobody has looked");
        assert_eq!(clock.observe(), Some(Step { by: 2 * HOUR, jumped: 2 * HOUR }));
        assert_eq!(clock.now(), UnixMicros(102 * HOUR + SECOND));
        clock.step(-2 * HOUR);
        assert_eq!(clock.observe(), Some(Step { by: -2 * HOUR, jumped: 0 }));
        assert_eq!(clock.now(), UnixMicros(102 * HOUR + SECOND), "no time comes twice");
        assert_eq!(clock.ahead(), Duration::from_secs(7_200));
        clock.pass(10 * SECOND);
        assert_eq!(clock.now(), UnixMicros(102 * HOUR + 10 * SECOND), "slower by a tenth");
        // And so on until it is the machine's time again.
        for _ in 0..19 {
            clock.pass(HOUR);
            assert_eq!(clock.observe(), None);
            assert!(clock.ahead() > Duration::ZERO);
        }
        clock.pass(2 * HOUR);
        clock.observe();
        assert_eq!((clock.ahead(), clock.now().0), (Duration::ZERO, 121 * HOUR + 11 * SECOND));
    }

    #[test]
    fn a_run_goes_on_behind_the_one_before() {
        let clock = Clock::manual(UnixMicros(10 * HOUR));
        assert_eq!(clock.not_before(UnixMicros(9 * HOUR)), 0);
        assert_eq!(clock.not_before(UnixMicros(11 * HOUR)), HOUR);
        assert_eq!(clock.now(), UnixMicros(11 * HOUR));
        clock.pass(10 * SECOND);
        assert_eq!(clock.observe(), None, "nobody has set the clock");
        assert_eq!((clock.now().0, clock.ahead()), (11 * HOUR + 9 * SECOND, Duration::from_secs(3_599)));
    }

    proptest! {
        #[test]
        fn time_never_goes_back(
            does in prop::collection::vec((0..4_u8, 0..3 * HOUR), 1..200),
        ) {
            let clock = Clock::manual(UnixMicros(100 * HOUR));
            let mut last = clock.now();
            for (what, by) in does {
                match what {
                    0 => clock.pass(by / 1_000),
                    1 => clock.step(by),
                    2 => clock.step(-by),
                    _ => drop(clock.observe()),
                }
                prop_assert!(clock.now() >= last);
                last = clock.now();
            }
        }
    }
}
