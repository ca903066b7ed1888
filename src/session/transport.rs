//! What a session knows of its driver.

use std::time::Duration;

use crate::clock::Instant;

/// How frames get into a connection right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// The shard writes them.
    Open,
    /// The socket is full: the driver fetches them when there is room again.
    Full,
    /// The driver fetches them when it is woken.
    Pull,
}

/// The way a session's bytes leave, as the session sees it. All calls are made on the shard's own thread.
pub trait Transport {
    /// Whether the shard may write, or is to leave it to the driver.
    fn write_mode(&self) -> WriteMode {
        WriteMode::Pull
    }

    /// Writes whole frames; called only while the [mode](Self::write_mode) is `Open`. What the socket does not take at once is
    /// the driver's to keep.
    fn write(&self, _frames: &[u8]) {}

    /// Something waits in the outbox: ask for it as soon as the socket can take bytes.
    fn wake(&self);

    /// The control queue has drained: commands may be read again.
    fn resume(&self);

    /// Since when the socket has taken nothing although bytes were offered; `None` while it takes them.
    fn blocked_since(&self) -> Option<Instant>;

    /// The gateway itself was held up for `late`, which does not count as blocked.
    fn excuse(&self, _late: Duration) {}

    /// End the connection now, whatever waits.
    fn cut(&self);
}
