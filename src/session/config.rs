//! What an operator may set about sessions.

use std::time::Duration;

use super::Simulated;
use crate::limits;

/// Limits and times of one session. All are checked where the value is built (see `config`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// Subscriptions of one session, counted by (symbol, channel).
    pub symbols_per_session: usize,
    /// Commands a second over the long run.
    pub commands_per_second: u32,
    /// Largest message from the client, in bytes.
    pub frame_bytes: usize,
    /// Bytes of events in the stream queue.
    pub stream_bytes: usize,
    /// Messages in the control queue.
    pub control_messages: usize,
    /// Time between two writes to one session while its shard is fully busy.
    pub flush: Duration,
    /// How often a ping frame is sent.
    pub ping: Duration,
    /// Silence after the ping interval that evicts.
    pub pong_timeout: Duration,
    /// Silence of the gateway that causes an `hb` message.
    pub heartbeat: Duration,
    /// How long the socket may take nothing while something waits.
    pub stall_timeout: Duration,
    /// Feeds whose prices are made up, which every client is told.
    pub simulated: Simulated,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            symbols_per_session: limits::DEFAULT_SYMBOLS_PER_SESSION,
            commands_per_second: limits::DEFAULT_COMMANDS_PER_SECOND,
            frame_bytes: limits::DEFAULT_FRAME_BYTES,
            stream_bytes: limits::DEFAULT_STREAM_BYTES,
            control_messages: limits::DEFAULT_CONTROL_MESSAGES,
            flush: limits::DEFAULT_FLUSH,
            ping: limits::DEFAULT_PING,
            pong_timeout: limits::DEFAULT_PONG_TIMEOUT,
            heartbeat: limits::DEFAULT_HEARTBEAT,
            stall_timeout: limits::DEFAULT_STALL_TIMEOUT,
            simulated: Simulated::default(),
        }
    }
}
