//! What a session knows of its driver.

use crate::clock::Instant;

/// The way a session's bytes leave, as the session sees it. All calls are made on the shard's own thread.
pub trait Transport {
    /// Something waits in the outbox: ask for it as soon as the socket can take bytes.
    fn wake(&self);

    /// The control lane has drained: commands may be read again.
    fn resume(&self);

    /// Since when the socket has taken nothing although bytes were offered; `None` while it takes them.
    fn blocked_since(&self) -> Option<Instant>;

    /// End the connection now, whatever waits.
    fn cut(&self);
}
