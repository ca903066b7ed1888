//! What the gateway says besides events.

use serde::{Serialize, Serializer};

use super::{CommandId, Mode, Pattern};
use crate::market::{Channel, Source, Symbol, UnixMicros};

/// Kinds of errors, with the numbers of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Not a command.
    Syntax,
    /// Authentication is off, so everybody is authenticated.
    AlreadyAuthenticated,
    /// More subscriptions than a session may have.
    SymbolLimit,
    /// More sessions than the gateway, or one address, may have.
    ConnectionLimit,
    /// No such symbol.
    UnknownSymbol,
    /// No such channel.
    UnknownChannel,
    /// A parameter that cannot be.
    BadParameter,
    /// Too many commands a second.
    TooManyCommands,
}

impl Code {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Syntax => 400,
            Self::AlreadyAuthenticated => 403,
            Self::SymbolLimit => 405,
            Self::ConnectionLimit => 406,
            Self::UnknownSymbol => 414,
            Self::UnknownChannel => 415,
            Self::BadParameter => 416,
            Self::TooManyCommands => 429,
        }
    }

    /// Whether the same command may succeed later.
    #[must_use]
    pub const fn retry(self) -> bool {
        matches!(self, Self::ConnectionLimit | Self::UnknownSymbol | Self::TooManyCommands)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

/// A message type whose first key is `T` with a fixed value.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? = $kind:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Serialize)]
        #[serde(tag = "T", rename = $kind)]
        pub struct $name $(<$life>)? {
            $($(#[$field_doc])* pub $field: $type,)*
        }
    };
}

message! {
    /// The first message of every session.
    Welcome<'a> = "welcome" {
        /// Version of the protocol.
        proto: u32,
        /// Name of the session, for logs.
        session: &'a str,
        /// Name of the gateway.
        node: &'a str,
        /// Incarnation of the numbers.
        epoch: &'a str,
        /// The gateway's time.
        time: UnixMicros,
        /// Seconds between ping frames.
        ping_s: u64,
        /// `none`: everybody may read.
        auth: &'a str,
        /// Feeds whose prices are made up.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        simulated: &'a [Source],
        /// What the client must keep to.
        limits: WelcomeLimits,
    }
}

/// What the client must keep to.
#[derive(Debug, Serialize)]
pub struct WelcomeLimits {
    /// Subscriptions, counted by (symbol, channel).
    pub symbols: usize,
    /// Commands a second over the long run.
    pub commands_per_s: u32,
    /// Bytes of one message.
    pub frame_bytes: usize,
}

/// One symbol that was subscribed or updated.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Accepted {
    /// The symbol.
    #[serde(rename = "S")]
    pub symbol: Symbol,
    /// Live events carry higher numbers.
    pub n: u64,
    /// How it is delivered.
    pub mode: Mode,
    /// At most that many events a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<f64>,
    /// Whether everything since the client's position follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
}

/// One symbol that was not.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// What the client wrote.
    #[serde(rename = "S")]
    pub symbol: String,
    /// Which kind of error.
    pub code: Code,
    /// Why.
    pub msg: String,
}

/// Answer to `subscribe` and `update` (`T` tells which).
#[derive(Debug, Serialize)]
pub struct Subscribed<'a> {
    /// `subscribed` or `updated`.
    #[serde(rename = "T")]
    pub kind: &'static str,
    /// The command's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// The channel.
    pub channel: Channel,
    /// Incarnation of the numbers.
    pub epoch: &'a str,
    /// What is subscribed now.
    pub ok: &'a [Accepted],
    /// What is not.
    pub err: &'a [Refused],
    /// Whether more of the answer follows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

message! {
    /// Answer to `unsubscribe`: nothing of these symbols follows.
    Unsubscribed<'a> = "unsubscribed" {
        /// The command's id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
        /// The channel.
        channel: Channel,
        /// What is no longer subscribed.
        ok: &'a [Symbol],
        /// What was not subscribed.
        err: &'a [Refused],
        /// Whether more of the answer follows.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    }
}

/// One subscription as `list` tells it.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The channel.
    pub channel: Channel,
    /// The symbol.
    #[serde(rename = "S")]
    pub symbol: Symbol,
    /// How it is delivered.
    pub mode: Mode,
    /// At most that many events a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<f64>,
}

message! {
    /// Answer to `list`.
    Listing = "list" {
        /// The command's id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
        /// Every subscription.
        subscriptions: Vec<Listed>,
        /// Patterns that future symbols are matched against.
        patterns: Vec<(Channel, Pattern)>,
        /// Whether more of the answer follows.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    }
}

/// What waits for a session.
#[derive(Debug, Serialize)]
pub struct InfoQueue {
    /// Replies and status events.
    pub control: usize,
    /// Events in the stream queue.
    pub stream: usize,
    /// Their bytes.
    pub stream_bytes: usize,
    /// Subscriptions with a merged event pending.
    pub merge: usize,
}

message! {
    /// Answer to `info`: the session's own view of its health.
    Info<'a> = "info" {
        /// The command's id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
        /// Name of the session.
        session: &'a str,
        /// What waits.
        queue: InfoQueue,
        /// Age of the oldest waiting stream event, in milliseconds.
        lag_ms: u64,
        /// Events delivered so far.
        delivered: u64,
        /// Events replaced by newer ones.
        merged: u64,
        /// Events lost and told by gaps.
        dropped: u64,
        /// Last measured round trip of a ping frame, in microseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        rtt_us: Option<u64>,
    }
}

message! {
    /// Answer to `ping`.
    Pong = "pong" {
        /// The command's id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
        /// The gateway's time.
        time: UnixMicros,
    }
}

message! {
    /// A command that could not be carried out.
    ErrorReply<'a> = "error" {
        /// The command's id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
        /// Which kind of error.
        code: Code,
        /// What was wrong and where.
        msg: &'a str,
        /// Whether the same command may succeed later.
        retry: bool,
    }
}

/// Events that a stream lost.
#[derive(Debug, Serialize)]
pub struct Gap {
    /// Always `gap`.
    #[serde(rename = "T")]
    pub kind: &'static str,
    /// The symbol.
    #[serde(rename = "S")]
    pub symbol: Symbol,
    /// The channel.
    pub channel: Channel,
    /// First lost number.
    pub from: u64,
    /// Last lost number.
    pub to: u64,
    /// Why: `slow_client`, `overload`, `not_recoverable`.
    pub why: &'static str,
}

message! {
    /// A position that cannot be gone on from: the snapshots that follow are a new beginning.
    Resync<'a> = "resync" {
        /// Incarnation of the numbers from here on.
        epoch: &'a str,
        /// Why: `unreadable`, `other_epoch`, `too_many`.
        why: &'a str,
    }
}

message! {
    /// Sent when nothing else was for a while; browsers cannot see ping frames.
    Heartbeat = "hb" {
        /// The gateway's time.
        time: UnixMicros,
    }
}

message! {
    /// The last message before the gateway closes.
    Bye<'a> = "bye" {
        /// The close code that follows.
        code: u16,
        /// What it means.
        msg: &'a str,
        /// Whether to come back.
        reconnect: bool,
        /// How long to wait before coming back.
        #[serde(skip_serializing_if = "Option::is_none")]
        after_ms: Option<u64>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::native::Encoding;

    #[test]
    fn the_type_comes_first_in_both_encodings() {
        let pong = Pong { id: Some(CommandId::Number(3)), time: UnixMicros(9) };
        assert_eq!(Encoding::Json.encode(&pong), br#"{"T":"pong","id":3,"time":9}"#);
        assert_eq!(&Encoding::MsgPack.encode(&pong)[..8], b"\x83\xa1T\xa4pong");
        let error = ErrorReply { id: None, code: Code::TooManyCommands, msg: "slow down", retry: true };
        assert_eq!(
            Encoding::Json.encode(&error),
            br#"{"T":"error","code":429,"msg":"slow down","retry":true}"#
        );
    }
}
