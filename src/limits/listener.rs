//! Caps of what one connection may hold, and of how many there are.

use std::time::Duration;

/// Bytes of later requests that are read while one is answered. More wait in the socket.
pub const READ_AHEAD_BYTES: usize = 8 * 1024;

/// A request's body must be complete within this time from the end of its head. Later: 408 and the connection is closed.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);
