//! Caps of the process: its log, its end, and the files that its commands write.

use std::time::Duration;

/// Bytes of log lines that wait for stderr. A line for which there is no room is dropped and counted.
pub const LOG_QUEUE_BYTES: usize = 1024 * 1024;

/// A stderr that says "not now" is asked again after this long.
pub const LOG_RETRY: Duration = Duration::from_millis(10);

/// How long the end of a process waits for its last log lines to be written. Later: it ends without them.
pub const LOG_FLUSH: Duration = Duration::from_secs(1);

/// How long feeds and timekeeper have to end when they are told to. Later: they are dropped, and the end goes on.
pub const FEED_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long each save may take when a part of the gateway has failed, the one before the goodbyes and the last one.
/// Later: the end goes on, and the next run has another epoch.
pub const FAULT_SAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The goodbyes are spread over this long when a part of the gateway has failed and `server.drain_ms` is longer. A worker
/// whose shard has failed says none: its connections are cut.
pub const FAULT_DRAIN: Duration = Duration::from_secs(1);

/// How long after a frame came `record` has it in the file at the latest. What came later is lost with a killed process.
pub const RECORD_FLUSH: Duration = Duration::from_secs(1);

/// How many ticks `simulate` writes between two flushes. What came after the last one is lost with a killed process.
pub const SIMULATE_FLUSH_TICKS: u64 = 65_536;

/// Requests of other threads (evict, grants, info, list) that wait for one shard. One more is refused with an error that says so.
pub const SHARD_MAILBOX: usize = 64;

/// Sessions, or subscriptions of one session, that a shard tells of in one answer to another thread; the rest is for the next
/// request.
pub const INSPECT_PAGE: usize = 256;
