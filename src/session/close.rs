//! Every way a session can end, in one table. The range of the code tells the client whether to come back:
//! 40xx not unchanged, 41xx with backoff, 42xx now or after `after_ms`; RFC 6455 codes where they fit.

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client closed with a code, or without one (1005); it is echoed.
    Client(u16),
    /// The connection went away without a close frame.
    Disconnected,
    /// The client broke RFC 6455.
    Protocol,
    /// A binary message on a JSON session, or the other way round.
    Unsupported,
    /// A text message or a close reason that is not UTF-8.
    NotUtf8,
    /// A message larger than the limit, or in too many pieces.
    TooLarge,
    /// Too many sessions, of the gateway or of the client's address.
    ConnectionLimit,
    /// Went on after many refused commands, or flooded with pings.
    RateLimited,
    /// The socket took nothing for the stall timeout.
    Slow,
    /// No byte from the client for the ping interval and the pong timeout.
    NoPong,
    /// The control lane overflowed.
    Overloaded,
    /// The gateway is stopping.
    Draining,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Code of the close frame.
    pub code: u16,
    /// Its text.
    pub text: &'static str,
    /// Label of the metric, and name in the log.
    pub label: &'static str,
    /// Whether the client should come back.
    pub reconnect: bool,
}

/// "No status code was present": never on the wire.
pub(super) const NO_CODE: u16 = 1005;

impl CloseReason {
    /// Every reason, for documents and tests.
    pub const ALL: [Self; 12] = [
        Self::Client(1000),
        Self::Disconnected,
        Self::Protocol,
        Self::Unsupported,
        Self::NotUtf8,
        Self::TooLarge,
        Self::ConnectionLimit,
        Self::RateLimited,
        Self::Slow,
        Self::NoPong,
        Self::Overloaded,
        Self::Draining,
    ];

    /// The client's own close frame, with the code it gave.
    #[must_use]
    pub const fn client(code: Option<u16>) -> Self {
        match code {
            Some(code) => Self::Client(code),
            None => Self::Client(NO_CODE),
        }
    }

    /// The row of this reason.
    #[must_use]
    pub const fn frame(self) -> Frame {
        let (code, text, label, reconnect) = match self {
            Self::Client(code) => (code, "", "client", false),
            Self::Disconnected => (1006, "", "disconnected", true),
            Self::Protocol => (1002, "protocol error", "protocol_error", false),
            Self::Unsupported => (1003, "wrong frame type for this encoding", "unsupported", false),
            Self::NotUtf8 => (1007, "not UTF-8", "not_utf8", false),
            Self::TooLarge => (1009, "message too large", "too_large", false),
            Self::ConnectionLimit => (4005, "too many connections", "connection_limit", false),
            Self::RateLimited => (4102, "too many commands or pings", "rate_limited", true),
            Self::Slow => (4103, "too slow: the socket took nothing", "slow", true),
            Self::NoPong => (4104, "no sign of life", "no_pong", true),
            Self::Overloaded => (4105, "too many replies waiting", "overloaded", true),
            Self::Draining => (4201, "draining", "draining", true),
        };
        Frame { code, text, label, reconnect }
    }

    /// Whether a `bye` message goes before the close frame: the gateway's own reasons, not RFC 6455's.
    #[must_use]
    pub const fn says_bye(self) -> bool {
        self.frame().code >= 4000 && !matches!(self, Self::Client(_))
    }

    /// Whether an operator should see it in the log: the gateway's own decision about this client. A refused session has had
    /// its line already, and a drain has one for all.
    #[must_use]
    pub const fn is_notable(self) -> bool {
        !matches!(self, Self::Client(_) | Self::Disconnected | Self::ConnectionLimit | Self::Draining)
    }

    /// Whether the client could not be reached: the goodbye gets little time.
    #[must_use]
    pub const fn is_eviction(self) -> bool {
        matches!(self, Self::Slow | Self::NoPong | Self::Overloaded)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_and_labels_are_unique_and_ranges_tell_the_advice() {
        let frames = CloseReason::ALL.map(CloseReason::frame);
        assert_eq!(frames.iter().map(|f| f.code).collect::<HashSet<_>>().len(), frames.len());
        assert_eq!(frames.iter().map(|f| f.label).collect::<HashSet<_>>().len(), frames.len());
        for frame in frames {
            match frame.code / 100 {
                40 => assert!(!frame.reconnect, "{frame:?}"),
                41 | 42 => assert!(frame.reconnect, "{frame:?}"),
                _ => assert!((1000..=1015).contains(&frame.code), "{frame:?}"),
            }
            assert!(frame.text.len() <= 123, "fits into a close frame");
        }
    }
}
