//! Sums and quotients without a binary float and without a silently lost digit.
//!
//! A decimal holds 28 digits and rounds what does not fit; a sum of products of two of them needs more. Here 38 digits
//! are held, and what does not fit is refused.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::limits::MAX_DECIMAL_SCALE;

/// A number of units of 10 to the power of minus `scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Exact {
    units: i128,
    scale: u32,
}

impl Exact {
    pub(super) const ZERO: Self = Self { units: 0, scale: 0 };

    pub(super) const fn of(decimal: Decimal) -> Self {
        Self { units: decimal.mantissa(), scale: decimal.scale() }
    }

    pub(super) fn product(a: Decimal, b: Decimal) -> Option<Self> {
        Some(Self { units: a.mantissa().checked_mul(b.mantissa())?, scale: a.scale() + b.scale() })
    }

    /// The sum, with the finer scale of both.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Some(Self { units: self.at(scale)?.checked_add(other.at(scale)?)?, scale })
    }

    /// The difference, with the finer scale of both.
    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { units: other.units.checked_neg()?, ..other })
    }

    pub(super) fn times(self, factor: i128) -> Option<Self> {
        Some(Self { units: self.units.checked_mul(factor)?, ..self })
    }

    /// Whether sums and products of decimals can come to it; what was read from a file may be anything.
    pub(super) const fn is_sound(self) -> bool {
        self.scale <= 2 * MAX_DECIMAL_SCALE
    }

    /// Whether it is such a number and not below zero.
    pub(super) const fn is_amount(self) -> bool {
        self.is_sound() && self.units >= 0
    }

    pub(super) const fn is_zero(self) -> bool {
        self.units == 0
    }

    /// The same number as a decimal of the same scale, if one holds it.
    pub(super) fn decimal(self) -> Option<Decimal> {
        Decimal::try_from_i128_with_scale(self.units, self.scale).ok()
    }

    /// The quotient, exact to half a unit of its last digit at that scale; a half goes to the even digit.
    pub(super) fn divided_by(self, divisor: Self, scale: u32) -> Option<Decimal> {
        let (mut above, mut below) = (self.units.unsigned_abs(), divisor.units.unsigned_abs());
        if below == 0 {
            return None;
        }
        // Powers of ten that make the integer quotient one of units of the wanted scale.
        let mut digits = scale + divisor.scale;
        if digits < self.scale {
            below = below.checked_mul(10_u128.checked_pow(self.scale - digits)?)?;
            digits = self.scale;
        }
        digits -= self.scale;
        if let Some(shifted) = 10_u128.checked_pow(digits).and_then(|power| above.checked_mul(power)) {
            (above, digits) = (shifted, 0);
        }
        let (mut quotient, mut rest) = (above / below, above % below);
        // Where the shifted number does not fit, one digit at a time.
        for _ in 0..digits {
            let shifted = rest.checked_mul(10)?;
            quotient = quotient.checked_mul(10)?.checked_add(shifted / below)?;
            rest = shifted % below;
        }
        let up = match rest.cmp(&(below - rest)) {
            Ordering::Less => false,
            Ordering::Equal => quotient % 2 == 1,
            Ordering::Greater => true,
        };
        let units = i128::try_from(quotient.checked_add(u128::from(up))?).ok()?;
        let units = if (self.units < 0) == (divisor.units < 0) { units } else { -units };
        Self { units, scale }.decimal()
    }

    fn at(self, scale: u32) -> Option<i128> {
        self.units.checked_mul(10_i128.checked_pow(scale - self.scale)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Exact {
        Exact::of(Decimal::from_str_exact(text).unwrap())
    }

    fn quotient(a: &str, b: &str, scale: u32) -> Option<String> {
        of(a).divided_by(of(b), scale).map(|quotient| quotient.to_string())
    }

    #[test]
    fn quotients_are_rounded_once_and_half_to_even() {
        assert_eq!(quotient("1", "3", 4).unwrap(), "0.3333");
        assert_eq!(quotient("2", "3", 4).unwrap(), "0.6667");
        assert_eq!(quotient("-2.00", "3", 0).unwrap(), "-1");
        assert_eq!(quotient("0.125", "1", 2).unwrap(), "0.12");
        assert_eq!(quotient("0.375", "1", 2).unwrap(), "0.38");
        assert_eq!(quotient("0.12500000001", "1.000", 2).unwrap(), "0.13");
        assert_eq!(quotient("1", "0.00", 2), None);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let large = "79228162514264337593543950335";
        assert_eq!(Exact::product(of(large).decimal().unwrap(), of(large).decimal().unwrap()), None);
        assert_eq!(of(large).plus(of("0.0000000000000000001")), None);
        assert_eq!(of(large).plus(of("1")).unwrap().decimal(), None);
        assert_eq!(quotient(large, "0.1", 4), None);
    }

    proptest! {
        #[test]
        fn the_quotient_is_the_nearest(a in -1_000_000_000_000_i64..1_000_000_000_000, b in 1_i64..1_000_000, s in 0_u32..9, t in 0_u32..9, scale in 0_u32..9) {
            let (above, below) = (Decimal::new(a, s), Decimal::new(b, t));
            let got = Exact::of(above).divided_by(Exact::of(below), scale).unwrap();
            prop_assert_eq!(got.scale(), scale);
            // |got * below - above| is at most half a unit of the quotient's last digit times below.
            let off = (got * below - above).abs() * Decimal::TWO;
            prop_assert!(off <= below * Decimal::new(1, scale), "{} / {} = {}", above, below, got);
        }
    }
}
