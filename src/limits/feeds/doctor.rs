//! Caps of `tickcast doctor`: how long an examination takes, and how much it takes in.

use std::{ops::RangeInclusive, time::Duration};

/// `--wait` of `tickcast doctor`, in seconds: how long the first trade and quote of each symbol are waited for. Later:
/// the symbols without any are named.
pub const DOCTOR_WAIT_SECONDS: RangeInclusive<u64> = 1..=300;

/// See [`DOCTOR_WAIT_SECONDS`].
pub const DOCTOR_WAIT_DEFAULT: u64 = 15;

/// A name must be looked up within this time. Later: it counts as having no address.
pub const DOCTOR_LOOKUP: Duration = Duration::from_secs(5);

/// Symbols of the one subscription, the wrong one included. The feed's others are not asked for.
pub const DOCTOR_SYMBOLS: usize = 5;

/// The subscription must be decided within this time, whatever is asked again. Later: what is open counts as not
/// answered.
pub const DOCTOR_SUBSCRIPTION: Duration = Duration::from_secs(30);

/// Shortest time over which the pace is measured once something came.
pub const DOCTOR_PACE: Duration = Duration::from_secs(3);

/// Latencies that are kept for their median. Those of later ticks are left out.
pub const DOCTOR_LATENCIES: usize = 100_000;

/// How far the machine's clock may be off by the venue's, which tells whole seconds. Further: a warning, since latencies
/// and freshness are wrong by as much.
pub const DOCTOR_CLOCK_OFF: Duration = Duration::from_secs(2);

/// Further: a failure, since the times of ticks are then no longer believed ([`crate::limits::MAX_CLOCK_AHEAD`]).
pub const DOCTOR_CLOCK_WRONG: Duration = Duration::from_secs(60);

/// A certificate that ends within this time is warned of.
pub const DOCTOR_CERTIFICATE_ENDS: Duration = Duration::from_secs(7 * 86_400);

/// Names of symbols in one line of the report. Of more, their number is told.
pub const DOCTOR_NAMES: usize = 10;

/// Longest certificate that is read for its names, in bytes. Of a longer one nothing is told.
pub const DOCTOR_CERTIFICATE_BYTES: usize = 16 * 1024;
