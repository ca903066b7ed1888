//! Caps of connections to Redis, and of the feeds that read it.

use std::{ops::RangeInclusive, time::Duration};

/// A connection to Redis must stand within this time, with TLS and its password accepted. Later: the attempt has failed.
pub const REDIS_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a blocking read lets Redis wait for something new before it answers that there is nothing.
pub const REDIS_BLOCK: Duration = Duration::from_secs(1);

/// How much longer than it was told to block Redis may take for its answer. Later: the connection is given up.
pub const REDIS_BLOCK_MARGIN: Duration = Duration::from_millis(500);

/// How long a deadline that passed while the process stood still waits for the answer that is in the socket already.
pub const REDIS_LAST_LOOK: Duration = Duration::from_millis(20);

/// Longest answer of Redis, in bytes. Longer: the connection is given up.
pub const REDIS_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Values in one answer of Redis, nested ones included. More: the connection is given up.
pub const REDIS_ANSWER_VALUES: usize = 1_000_000;

/// Longest status, number or error that Redis may answer, in bytes. Longer: the connection is given up.
pub const REDIS_LINE_BYTES: usize = 64 * 1024;

/// A read buffer that grew over this is given back once it is empty.
pub const REDIS_BUFFER_BYTES: usize = 1024 * 1024;

/// Longest password for Redis, in bytes. Longer: the file is refused.
pub const REDIS_PASSWORD_BYTES: u64 = 4 * 1024;

/// Sentinels of one master. More: the definition is refused.
pub const REDIS_SENTINELS: usize = 16;

/// Databases of one Redis that a URL may name. A higher number is refused.
pub const REDIS_DATABASES: RangeInclusive<u32> = 0..=65_535;

/// Channels of one feed, and patterns likewise. More: the definition is refused.
pub const REDIS_CHANNELS: usize = 1_000;

/// Streams of one feed. More: the definition is refused.
pub const REDIS_STREAMS: usize = 64;

/// Longest name of a channel, pattern or stream, in bytes. Longer: the definition is refused.
pub const REDIS_NAME_BYTES: usize = 512;

/// Longest message, or payload of an entry, in bytes. Longer: skipped and counted.
pub const REDIS_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Messages that are published at one go, if there are that many. The rest comes with the next turn.
pub const REDIS_BURST_MESSAGES: usize = 256;

/// Entries that one read asks for, of all streams together. After an answer that was too long it is a quarter of it, down to one
/// of each stream, until an answer comes.
pub const REDIS_READ_ENTRIES: usize = 1_024;

/// How often a feed looks whether entries of its streams were trimmed before it read them.
pub const REDIS_CHECK_EVERY: Duration = Duration::from_secs(1);

/// Newest trades of a symbol among which a tick is looked for that may have been published before a crash.
pub const REDIS_DOUBTFUL_TRADES: usize = 1_000;

/// First and longest pause before a feed connects to its Redis again.
pub const REDIS_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
