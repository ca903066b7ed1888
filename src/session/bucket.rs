//! A token bucket: a burst at once, a rate over the long run.

use std::time::Duration;

use crate::clock::Instant;

/// A rate with a burst, kept as the time at which the bucket would be full again.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    full_at: Instant,
    /// Time for which whatever came could not be read, and so came at once.
    excused: Duration,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { full_at: now, excused: Duration::ZERO }
    }

    /// Takes one token if there is one.
    pub fn take(&mut self, now: Instant, per_second: u32, burst: u32) -> bool {
        let token = Duration::from_secs(1) / per_second.max(1);
        let full_at = self.full_at.max(now) + token;
        let fits = full_at - now <= token * burst.max(1);
        if fits {
            self.full_at = full_at;
        } else if let Some(rest) = self.excused.checked_sub(token) {
            self.excused = rest;
            return true;
        }
        fits
    }

    /// Whether all tokens are there.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// The gateway was held up for `late`: what came at the rate in that time fits.
    pub fn excuse(&mut self, late: Duration) {
        self.excused = late;
    }

    /// Takes parts of tokens that were spent already, also when there are none left: they are paid with time.
    pub(super) fn owe(&mut self, now: Instant, per_second: u32, (parts, of): (usize, usize)) {
        let token =
            u64::try_from((Duration::from_secs(1) / per_second.max(1)).as_nanos()).unwrap_or(u64::MAX);
        let (parts, of) = (parts as u64, (of as u64).max(1));
        self.full_at = self.full_at.max(now) + Duration::from_nanos(token.saturating_mul(parts) / of);
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
        let mut owing = Bucket::new(start);
        owing.owe(start, 10, (25, 5));
        assert!(!owing.take(start, 10, 5), "five tokens were spent otherwise");
        assert!(owing.take(later, 10, 5));
        bucket.excuse(Duration::from_secs(1));
        assert_eq!((0..100).filter(|_| bucket.take(later, 10, 5)).count(), 10, "once");
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..100).filter(|_| bucket.take(much_later, 10, 5)).count(), 5);
    }
}
