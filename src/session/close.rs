//! Every way a session can end, in one table. The range of the code tells the client whether to come back:
//! 40xx not unchanged, 41xx with backoff, 42xx now or after `after_ms`; RFC 6455 codes where they fit.

use std::time::Duration;

use super::Refusal;
use crate::{
    dialect::Encoding,
    limits::{RECONNECT_SPREAD, RENUMBER_SPREAD},
};

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client closed with a code, or without one (1005); it is echoed.
    Client(u16),
    /// The connection went away without a close frame.
    Disconnected,
    /// The client broke RFC 6455.
    Protocol(Violation),
    /// A binary message on a JSON session, or the other way round; the session's encoding.
    Unsupported(Encoding),
    /// A text message or a close reason that is not UTF-8.
    NotUtf8(Text),
    /// A message larger than the limit, or in too many pieces.
    TooLarge(Excess),
    /// Too many sessions, of the gateway or of the client's address.
    ConnectionLimit(Refusal),
    /// Went on after many refused commands, or flooded with pings.
    RateLimited(Flood),
    /// The socket took nothing for the stall timeout.
    Slow,
    /// No byte from the client for the ping interval and the pong timeout.
    NoPong,
    /// The control queue overflowed.
    Overloaded,
    /// The gateway is stopping.
    Draining,
    /// The numbering is another one, and the session did not ask to be told so.
    Renumbered,
}

/// What of RFC 6455 a client broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A frame without a mask (section 5.1).
    Unmasked,
    /// A reserved bit without an extension (section 5.2).
    ReservedBits,
    /// An opcode that means nothing (section 5.2).
    Opcode,
    /// A length with its first bit set (section 5.2).
    Length,
    /// A control frame in fragments (section 5.5).
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    LongControl,
    /// A continuation of nothing (section 5.4).
    Continuation,
    /// A new message within another one's fragments (section 5.4).
    Interleaved,
    /// A close frame of one byte (section 5.5.1).
    CloseLength,
    /// A close code that is never sent (section 7.4).
    CloseCode,
}

impl Violation {
    /// Every violation.
    pub const ALL: [Self; 10] = [
        Self::Unmasked,
        Self::ReservedBits,
        Self::Opcode,
        Self::Length,
        Self::FragmentedControl,
        Self::LongControl,
        Self::Continuation,
        Self::Interleaved,
        Self::CloseLength,
        Self::CloseCode,
    ];

    const fn text(self) -> &'static str {
        match self {
            Self::Unmasked => "protocol error: a frame without a mask",
            Self::ReservedBits => "protocol error: a reserved bit is set, and no extension was agreed on",
            Self::Opcode => "protocol error: a frame with an unknown opcode",
            Self::Length => "protocol error: a frame of more than 2^63 bytes",
            Self::FragmentedControl => "protocol error: a control frame in fragments",
            Self::LongControl => "protocol error: a control frame of more than 125 bytes",
            Self::Continuation => "protocol error: a continuation without a message before it",
            Self::Interleaved => "protocol error: a new message before the last fragment of the one before",
            Self::CloseLength => "protocol error: a close frame of one byte",
            Self::CloseCode => "protocol error: a close frame with a code that must not be sent",
        }
    }
}

/// Which text was not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Text {
    /// A text message.
    Message,
    /// The reason in a close frame.
    Reason,
}

/// What of a message was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Excess {
    /// Its bytes.
    Bytes,
    /// Its fragments.
    Fragments,
}

/// What came too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flood {
    /// Commands, after many were refused.
    Commands,
    /// Ping frames.
    Pings,
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
    pub const ALL: [Self; 13] = [
        Self::Client(1000),
        Self::Disconnected,
        Self::Protocol(Violation::Unmasked),
        Self::Unsupported(Encoding::Json),
        Self::NotUtf8(Text::Message),
        Self::TooLarge(Excess::Bytes),
        Self::ConnectionLimit(Refusal::Gateway),
        Self::RateLimited(Flood::Commands),
        Self::Slow,
        Self::NoPong,
        Self::Overloaded,
        Self::Draining,
        Self::Renumbered,
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
            Self::Protocol(violation) => (1002, violation.text(), "protocol_error", false),
            Self::Unsupported(encoding) => (1003, wrong_kind(encoding), "unsupported", false),
            Self::NotUtf8(Text::Message) => (1007, "a text message that is not UTF-8", "not_utf8", false),
            Self::NotUtf8(Text::Reason) => (1007, "a close reason that is not UTF-8", "not_utf8", false),
            Self::TooLarge(Excess::Bytes) => {
                (1009, "a message of more bytes than limits.frame_bytes", "too_large", false)
            }
            Self::TooLarge(Excess::Fragments) => {
                (1009, "a message in too many fragments", "too_large", false)
            }
            Self::ConnectionLimit(Refusal::Gateway) => {
                (4005, "too many connections to this gateway", "connection_limit", false)
            }
            Self::ConnectionLimit(Refusal::Address) => {
                (4005, "too many connections from this address", "connection_limit", false)
            }
            Self::RateLimited(Flood::Commands) => {
                (4102, "too many commands after others were refused", "rate_limited", true)
            }
            Self::RateLimited(Flood::Pings) => (4102, "too many ping frames", "rate_limited", true),
            Self::Slow => {
                (4103, "too slow: the socket took nothing for session.stall_timeout_ms", "slow", true)
            }
            Self::NoPong => {
                (4104, "no sign of life for session.ping_ms and session.pong_timeout_ms", "no_pong", true)
            }
            Self::Overloaded => (4105, "too many answers wait: session.control_messages", "overloaded", true),
            Self::Draining => (4201, "draining", "draining", true),
            Self::Renumbered => (4202, "renumbered: numbers of before mean nothing now", "renumbered", true),
        };
        Frame { code, text, label, reconnect }
    }

    /// Whether a `bye` message goes before the close frame: the gateway's own reasons, not RFC 6455's.
    #[must_use]
    pub const fn says_bye(self) -> bool {
        self.frame().code >= 4000 && !matches!(self, Self::Client(_))
    }

    /// Over which time clients that all leave for this reason are asked to come back.
    #[must_use]
    pub const fn spread(self) -> Option<Duration> {
        match self {
            Self::Draining => Some(RECONNECT_SPREAD),
            Self::Renumbered => Some(RENUMBER_SPREAD),
            Self::Client(_)
            | Self::Disconnected
            | Self::Protocol(_)
            | Self::Unsupported(_)
            | Self::NotUtf8(_)
            | Self::TooLarge(_)
            | Self::ConnectionLimit(_)
            | Self::RateLimited(_)
            | Self::Slow
            | Self::NoPong
            | Self::Overloaded => None,
        }
    }

    /// Whether an operator should see it in the log: the gateway's own decision about this client. A refused session has had
    /// its line already, and a drain or a new numbering has one for all.
    #[must_use]
    pub const fn is_notable(self) -> bool {
        !matches!(
            self,
            Self::Client(_)
                | Self::Disconnected
                | Self::ConnectionLimit(_)
                | Self::Draining
                | Self::Renumbered
        )
    }

    /// Whether the client could not be reached: the goodbye gets little time.
    #[must_use]
    pub const fn is_eviction(self) -> bool {
        matches!(self, Self::Slow | Self::NoPong | Self::Overloaded)
    }
}

const fn wrong_kind(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "a binary message on a session in JSON",
        Encoding::MsgPack => "a text message on a session in MessagePack",
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
        }
    }

    #[test]
    fn the_text_of_a_close_names_its_cause_and_fits_into_a_frame() {
        let details = [
            CloseReason::Unsupported(Encoding::MsgPack),
            CloseReason::NotUtf8(Text::Reason),
            CloseReason::TooLarge(Excess::Fragments),
            CloseReason::ConnectionLimit(Refusal::Address),
            CloseReason::RateLimited(Flood::Pings),
        ];
        let violations = Violation::ALL.map(CloseReason::Protocol);
        let all: HashSet<_> = CloseReason::ALL.into_iter().chain(details).chain(violations).collect();
        let told: Vec<_> =
            all.iter().map(|reason| reason.frame().text).filter(|text| !text.is_empty()).collect();
        assert_eq!(told.iter().collect::<HashSet<_>>().len(), all.len() - 2, "all but what the client ended");
        assert!(told.iter().all(|text| text.len() <= 123), "RFC 6455, section 5.5");
    }
}
