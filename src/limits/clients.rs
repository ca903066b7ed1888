//! Caps of the command line's own clients.

use std::time::Duration;

use super::MAX_TOPICS;

/// The health check gives up after this long, in each of its steps.
pub const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// Symbols that `watch` keeps. One more is counted and not shown.
pub const WATCH_SYMBOLS: usize = MAX_TOPICS;

/// Frames that wait between the connection and the screen of `watch`; at more it reads no further, and the
/// gateway merges.
pub const WATCH_FRAMES: usize = 256;

/// Largest message that `watch` takes, in bytes (a snapshot of every symbol is one frame). Larger: it reconnects.
pub const WATCH_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// Pause between two redraws of `watch`.
pub const WATCH_REDRAW: Duration = Duration::from_millis(100);

/// How often `watch` measures the round trip.
pub const WATCH_PING: Duration = Duration::from_secs(2);

/// `watch` gives a connection up that was silent, or not established, for this long.
pub const WATCH_SILENCE: Duration = Duration::from_secs(10);

/// First and longest pause of `watch` before it connects again; a connection that lived for the longest one
/// starts over from the first.
pub const WATCH_BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Longest pause that a gateway may ask `watch` for in its goodbye.
pub const WATCH_LONGEST_AFTER: Duration = Duration::from_secs(300);
