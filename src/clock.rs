//! Wall and monotonic time as one value that components are handed, so that tests can hand them another.
//!
//! Only this file reads the wall clock. Monotonic time is tokio's, which tests can pause.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::UNIX_EPOCH,
};

pub use tokio::time::Instant;

use crate::market::UnixMicros;

/// Where the time comes from. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until it is [set](Self::set).
    #[must_use]
    pub fn manual(start: UnixMicros) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// Moves a manual clock; does nothing to the machine's.
    pub fn set(&self, time: UnixMicros) {
        if let Source::Manual(now) = &self.0 {
            now.store(time.0, Ordering::Relaxed);
        }
    }

    /// Wall time.
    #[must_use]
    pub fn now(&self) -> UnixMicros {
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else asks")]
                let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                UnixMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Manual(now) => UnixMicros(now.load(Ordering::Relaxed)),
        }
    }

    /// Monotonic time.
    #[must_use]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_set() {
        let clock = Clock::manual(UnixMicros(5));
        let twin = clock.clone();
        assert_eq!(twin.now(), UnixMicros(5));
        clock.set(UnixMicros(9));
        assert_eq!(twin.now(), UnixMicros(9));
    }
}
