//! Caps of what one connection may hold, and of how many there are.

use std::{ops::RangeInclusive, time::Duration};

/// Bytes of later requests that are read while one is answered. More wait in the socket.
pub const READ_AHEAD_BYTES: usize = 8 * 1024;

/// Bytes of one line of a head that wait for the end of the line. Of a longer one no list of upgrades is read.
pub const HEAD_LINE_BYTES: usize = 8 * 1024;

/// Bytes at most of one subscription in what an event stream opens with: its result and its newest event. The whole of it,
/// with [`RECOVERY_BYTES`](super::RECOVERY_BYTES) for each channel, is held until it is complete: a refusal can no longer be
/// told behind its beginning.
pub const OPENING_SUBSCRIPTION_BYTES: usize = 1_024;

/// A request's body must be complete within this time from the end of its head. Later: 408 and the connection is closed.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that carry no session: scrapes, probes, pages, requests. At one more an idle one of the address that has
/// most gives way; if all of those are the newcomer's own and busy, it is closed at once.
pub const PLAIN_CONNECTIONS: usize = 4_096;

/// Connections that one address may have beyond `limits.connections_per_ip` while none of them is idle, so that it can be
/// told why it gets no session, and be probed.
pub const ADDRESS_ROOM: usize = 8;

/// Descriptors that are left to feeds, files and listeners when the system allows fewer than there may be connections.
pub const SPARE_DESCRIPTORS: usize = 128;

/// Connections of one address that have completed neither a handshake nor a request. One more is closed at once.
pub const DEFAULT_UNPROVEN_PER_ADDRESS: usize = 256;

/// `limits.accepts_per_second`: connections a second of one address, and as many at once; zero is no limit. One more is
/// closed at once.
pub const ACCEPTS_PER_SECOND_RANGE: RangeInclusive<u32> = 0..=1_000_000;

/// Addresses without a connection whose rate is remembered. At more those that have rested are forgotten, or all.
pub const FORGOTTEN_ADDRESSES: usize = 100_000;

/// Memory for bodies of requests that are being read, in bytes: of all clients, and of one address. A body that needs
/// more: 503, and nothing of it counts.
pub const BODIES_BYTES: usize = 64 << 20;
/// See [`BODIES_BYTES`].
pub const BODIES_BYTES_PER_ADDRESS: usize = 8 << 20;

/// What a connection is given at the end of its time, so that bytes that have arrived meanwhile are read before it is judged.
pub const LAST_LOOK: Duration = Duration::from_millis(10);
