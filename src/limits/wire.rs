//! Caps of what one node of a cluster writes for the others, and of what is believed of it.

/// Entries of one batch of the log. What does not fit goes into the next one; a batch with more is damaged.
pub const MAX_BATCH_ENTRIES: usize = 16_384;

/// Feeds that one entry of the log tells of: more than a configuration takes. One with more is damaged.
pub const MAX_FEED_WORDS: usize = 1_024;

/// Longest name of an epoch, a node, a run of Redis or a kind of feed in the log, in bytes. Longer: the batch is damaged.
pub const MAX_LOG_NAME: usize = 128;

/// Topics whose state one entry of the log compares between nodes: all are compared in turn.
pub const CHECK_TOPICS: u32 = 64;

/// Topics of one slice of an image.
pub const SLICE_TOPICS: usize = 64;

/// A slice of an image that has this many trades, bars and minutes takes no further topic.
pub const SLICE_EVENTS: usize = 16_384;

/// Largest slice of an image, in bytes before compression: one topic with the longest histories fits. Larger: it is damaged.
pub const MAX_SLICE_BYTES: usize = 64 * 1024 * 1024;

/// Sums of checks that a node remembers. A leader that tells one later tells nothing.
pub const REMEMBERED_CHECKS: usize = 16;
