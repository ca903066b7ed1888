//! A token bucket: so many at once, so many a second over the long run.

use std::time::Duration;

use crate::clock::Instant;

/// A rate with a burst, kept as the time at which the bucket would be full again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    pub(super) const fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes one token if there is one.
    pub(super) fn take(&mut self, now: Instant, per_second: u32, burst: u32) -> bool {
        let token = Duration::from_secs(1) / per_second.max(1);
        let full_at = self.full_at.max(now) + token;
        let fits = full_at - now <= token * burst.max(1);
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let taken = (0..100).filter(|_| bucket.take(start, 10, 5)).count();
        assert_eq!(taken, 5);
        let later = start + Duration::from_millis(300);
        assert_eq!((0..100).filter(|_| bucket.take(later, 10, 5)).count(), 3);
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..100).filter(|_| bucket.take(much_later, 10, 5)).count(), 5);
    }
}
