//! Caps of a cluster: of the log that its nodes share, and of what they say to each other beside it.

use std::time::Duration;

/// Largest batch of the log, in bytes before compression. What does not fit goes into the next one.
pub const MAX_BATCH_BYTES: usize = 256 * 1024;

/// Batches that one read of the log brings. The rest comes with the next one.
pub const LOG_READ_BATCHES: usize = 16;

/// An ordinary call to the log must be answered within this time. Later: it failed, and its connection is given up.
pub const LOG_ANSWER: Duration = Duration::from_secs(1);

/// A call that waits must be answered this much later than it waits at the latest. Later: as with [`LOG_ANSWER`].
pub const LOG_WAIT_MARGIN: Duration = Duration::from_millis(500);

/// A node that reads from replicas and has none to read from looks for one again after this time; meanwhile it reads from the
/// master.
pub const LOG_REPLICA_LOOK: Duration = Duration::from_secs(5);

/// Sections of the log's window whose beginnings are remembered: the log is cut at one of them.
pub const WINDOW_SECTIONS: u32 = 64;

/// What a batch costs in Redis beside its bytes, for `cluster.window_bytes`.
pub const LOG_ENTRY_BYTES: usize = 64;

/// Nodes of a cluster. One more is refused the cluster: it stays unready and says so.
pub const MAX_NODES: usize = 64;

/// Longest name of a node, in bytes. Longer: the configuration is refused.
pub const MAX_NODE_NAME: usize = 48;

/// Notes of nodes that are kept. A node that was away for longer misses some: what they ask for is asked again.
pub const CLUSTER_NOTES: usize = 1_024;

/// Largest entry of the inbox, in bytes. Larger: it is not accepted.
pub const INBOX_ENTRY_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that wait in the inbox for the node that leads. At one more a push is answered with 503.
pub const INBOX_BYTES: usize = 64 * 1024 * 1024;

/// Entries of the inbox that one read brings. The rest comes with the next one.
pub const INBOX_READ_ENTRIES: usize = 16;

/// How long an `Idempotency-Key` is remembered.
pub const INBOX_KEY_TTL: Duration = Duration::from_secs(600);

/// Longest `Idempotency-Key`, in bytes. Longer: the request is refused.
pub const INBOX_KEY_BYTES: usize = 128;

/// Pieces of an image that wait to be read. The node that makes it waits before the next one.
pub const IMAGE_PIECES: usize = 8;

/// Largest piece of an image, in bytes. Larger: it is not written, and the image fails.
pub const IMAGE_PIECE_BYTES: usize = 32 * 1024 * 1024;

/// Pieces of an image that are not read for this long are removed, and so is the claim of who makes it.
pub const IMAGE_TTL: Duration = Duration::from_secs(30);

/// A node whose clock differs from the clock of Redis by more than this says so when it starts.
pub const CLUSTER_CLOCK_OFF: Duration = Duration::from_secs(1);
