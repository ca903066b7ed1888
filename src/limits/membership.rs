//! Limits of gateways that share one numbering: what the keys of `[cluster]` may be, and what is fixed.

use std::{ops::RangeInclusive, time::Duration};

/// Longest name of a cluster or of a node in it, in characters. Longer: the configuration is refused.
pub const CLUSTER_NAME_CHARS: usize = 32;

/// A leader that is not heard for this long is replaced, when nothing else is configured.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(3);

/// `cluster.lease_ms`. Renewed three times in it, so less would be lost to a stop of a moment.
pub const LEASE_MS_RANGE: RangeInclusive<u64> = 500..=60_000;

/// A node that hears nothing of the log for this long tells its clients that values are stale, when nothing else is
/// configured.
pub const DEFAULT_SILENCE: Duration = Duration::from_millis(1_500);

/// `cluster.silence_ms`. The log has an entry at least every 250 ms.
pub const SILENCE_MS_RANGE: RangeInclusive<u64> = 500..=60_000;

/// Batches of the log that are older than this go; a node that needs them loads an image.
pub const DEFAULT_WINDOW: Duration = Duration::from_secs(60);

/// `cluster.window_ms`.
pub const WINDOW_MS_RANGE: RangeInclusive<u64> = 5_000..=3_600_000;

/// Bytes of the log in Redis; older batches go; a node that needs them loads an image.
pub const DEFAULT_WINDOW_BYTES: u64 = 256 << 20;

/// `cluster.window_bytes`.
pub const WINDOW_BYTES_RANGE: RangeInclusive<u64> = 1 << 20..=64 << 30;

/// Bytes of ticks that wait for Redis at the leader. At more they are replaced by the newest values, and one loss for
/// each channel is told.
pub const DEFAULT_PENDING_BYTES: usize = 64 << 20;

/// `cluster.pending_bytes`.
pub const PENDING_BYTES_RANGE: RangeInclusive<usize> = 1 << 20..=16 << 30;

/// How long a node without history waits for one with history before it founds a new numbering.
pub const DEFAULT_FOUND: Duration = Duration::from_secs(10);

/// `cluster.found_ms`.
pub const FOUND_MS_RANGE: RangeInclusive<u64> = 0..=600_000;

/// A client that has seen more at another gateway waits for it this long. Later: it is answered as a client whose position
/// is ahead of the newest event.
pub const AHEAD_WAIT: Duration = Duration::from_secs(1);

/// How often such a client's gateway looks whether it has caught up.
pub const AHEAD_LOOK: Duration = Duration::from_millis(10);
