//! The pause before a feed is started again: doubling, bounded, always with jitter.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// Doubling pauses between two bounds. Cannot be built with bounds the wrong way round.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempt: u32,
}

impl Backoff {
    /// From `first` on, never over `longest` (which is raised to `first` when it is shorter).
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest: longest.max(first), attempt: 0 }
    }

    /// The next pause: between half of the present step and the whole, by `random`.
    pub fn next(&mut self, random: &mut impl Rng) -> Duration {
        let step =
            self.first.saturating_mul(1_u32.checked_shl(self.attempt).unwrap_or(u32::MAX)).min(self.longest);
        self.attempt = self.attempt.saturating_add(1);
        let half = step / 2;
        half + random.random_range(Duration::ZERO..=half)
    }

    /// A pause of the longest step, which is also the next one's.
    pub fn longest(&mut self, random: &mut impl Rng) -> Duration {
        self.attempt = u32::BITS;
        self.next(random)
    }

    /// Starts from the first step again.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;

    use super::*;

    proptest! {
        #[test]
        fn stays_between_its_bounds_and_starts_over(first in 1_u64..1_000, longest in 1_u64..60_000, seed: u64) {
            let (first, longest) = (Duration::from_millis(first), Duration::from_millis(longest));
            let mut backoff = Backoff::new(first, longest);
            let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let ceiling = longest.max(first);
            for attempt in 0..40_u32 {
                let step = first.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(ceiling);
                let pause = backoff.next(&mut random);
                prop_assert!(pause >= step / 2 && pause <= step, "{pause:?} at step {step:?}");
            }
            prop_assert!(backoff.longest(&mut random) >= ceiling / 2);
            backoff.reset();
            prop_assert!(backoff.next(&mut random) <= first);
        }
    }
}
