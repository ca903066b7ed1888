//! The token of a leader: a counter, which rises with each change of the lead, and random bits below it.
//!
//! The random bits are for a Redis that has forgotten its counter: two nodes that count on from what each remembers never get the
//! same token, so never write the same id.

/// Random bits of a term.
const RANDOM_BITS: u32 = 20;

/// The largest counter that a script of Redis, which counts in floating point, still counts exactly; terms fit into 64 bits.
const MOST: u64 = 1 << 43;

/// The term of that counter.
pub(super) fn of(counter: u64, random: u64) -> u64 {
    (counter.min(MOST) << RANDOM_BITS) | low_bits(random)
}

/// The random bits in a term.
pub(super) fn low_bits(term: u64) -> u64 {
    term & ((1 << RANDOM_BITS) - 1)
}

/// The counter in a term.
pub(super) fn counter(term: u64) -> u64 {
    term >> RANDOM_BITS
}

/// Random bits for a term.
pub(super) fn random() -> u64 {
    u64::from(rand::random::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_counter_is_a_later_term_whatever_the_random_bits_are() {
        assert!(of(2, 0) > of(1, u64::MAX));
        assert_eq!(counter(of(77, random())), 77);
        assert_eq!(counter(of(MOST, u64::MAX)), MOST);
        assert!(of(u64::MAX, u64::MAX) >= of(MOST, 0));
    }
}
