//! Limits of topics and of their numbering.

use std::{ops::RangeInclusive, time::Duration};

/// How many channels a symbol has: `market` checks that it is so.
pub const CHANNELS: usize = 11;

/// A client that is closed because the numbering is another one is told to come back after a random time of up to this
/// long: all clients of all workers are, and each gets its snapshots again.
pub const RENUMBER_SPREAD: Duration = Duration::from_secs(10);

/// Longest `why` of a status, in bytes. A longer one, of a venue, a producer or an error, is cut and ends with `…`.
pub const MAX_STATUS_WHY: usize = 200;

/// `expire_ms` of a push feed: how long a symbol that came with a tick stays without another one. A week, so that neither
/// a weekend nor holidays remove what is traded.
pub const DEFAULT_EXPIRE_MS: u64 = 7 * 24 * 3_600 * 1_000;

/// `expire_ms`.
pub const EXPIRE_MS_RANGE: RangeInclusive<u64> = 1_000..=366 * 24 * 3_600 * 1_000;

/// Idle symbols that are removed at one look, so that shards need not forget many at once. The others go at the next one.
pub const EXPIRE_BURST: usize = 100;

/// Time between two looks for idle symbols: each goes through all symbols.
pub const EXPIRE_LOOK: Duration = Duration::from_secs(1);
