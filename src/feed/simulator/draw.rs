//! Random draws that are the same on every machine.
//!
//! Logarithms and cosines of the platform's C library may differ in the last bit, and `rand_distr` uses them as soon
//! as any dependency asks num-traits for `std`. So the few distributions of a market are computed here from uniform
//! draws with `libm`, which is compiled from the same source everywhere; the four operations and square roots are
//! exact by IEEE 754.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    reason = "distributions are real-valued; what leaves as a count is whole"
)]

use std::f64::consts::TAU;

use rand::{Rng, RngExt as _};

/// An exponential draw with mean 1; at most 37, as a uniform draw has 53 bits.
pub(super) fn exponential(random: &mut impl Rng) -> f64 {
    // The draw is under 1, so the logarithm is of a number above 0.
    -libm::log(1.0 - random.random::<f64>())
}

/// A normal draw with mean 0 and variance 1 (Box and Muller's).
pub(super) fn normal(random: &mut impl Rng) -> f64 {
    let radius = (2.0 * exponential(random)).sqrt();
    radius * libm::cos(TAU * random.random::<f64>())
}

/// Whole numbers from 0 on, each step up less likely by the same factor: an exponential draw, rounded down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometric {
    /// Mean of the exponential draw whose whole part has the wanted mean.
    scale: f64,
}

impl Geometric {
    /// With that mean, at least 0.
    ///
    /// The whole part of an exponential of mean `scale` has the mean `1 / (e^(1/scale) - 1)`; this is its inverse. A
    /// mean of 0 becomes a scale of 0.
    pub(super) fn new(mean: f64) -> Self {
        Self { scale: 1.0 / libm::log1p(1.0 / mean) }
    }

    pub(super) fn draw(self, random: &mut impl Rng) -> i64 {
        (exponential(random) * self.scale) as i64
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const DRAWS: i32 = 200_000;

    #[test]
    fn distributions_have_their_means_and_variances() {
        let random = &mut ChaCha8Rng::seed_from_u64(1);
        let mean = |draw: &mut dyn FnMut() -> f64| (0..DRAWS).map(|_| draw()).sum::<f64>() / f64::from(DRAWS);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.02, "{found} {expected}");
        near(mean(&mut || exponential(random)), 1.0);
        near(mean(&mut || normal(random)), 0.0);
        near(mean(&mut || normal(random).powi(2)), 1.0);
        for expected in [0.0, 0.5, 1.0, 4.0] {
            let geometric = Geometric::new(expected);
            let draw = &mut || f64::from(i32::try_from(geometric.draw(random)).unwrap());
            let found = mean(draw);
            assert!((found - expected).abs() <= expected * 0.02, "{found} {expected}");
        }
    }
}
