//! Limits of topics and of their numbering.

use std::time::Duration;

/// How many channels a symbol has: `market` checks that it is so.
pub const CHANNELS: usize = 11;

/// A client that is closed because the numbering is another one is told to come back after a random time of up to this
/// long: all clients of all workers are, and each gets its snapshots again.
pub const RENUMBER_SPREAD: Duration = Duration::from_secs(10);

/// Longest `why` of a status, in bytes. A longer one, of a venue, a producer or an error, is cut and ends with `…`.
pub const MAX_STATUS_WHY: usize = 200;
