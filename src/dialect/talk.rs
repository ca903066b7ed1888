//! What sessions and dialects say to each other: requests of clients and replies to them, in no dialect's words.
//!
//! Symbols in them have the dialect's names: a session translates them by its index.

use std::collections::HashMap;

use arrayvec::ArrayString;
use serde::Serialize;

use super::{Encoding, Form, Packing};
use crate::{
    limits::MAX_SYMBOL_LEN,
    market::{Channel, Source, Symbol, SymbolError, UnixMicros},
};

/// Kinds of errors, with the numbers of tickcast's own protocol and of refusals over HTTP.
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
    /// The number.
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

/// What a client calls its command; echoed in the answer with its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CommandId {
    /// A number.
    Number(i64),
    /// A text of at most 36 characters.
    Text(Box<str>),
}

/// One thing that a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What the client calls it.
    pub id: Option<CommandId>,
    /// What it asks for.
    pub op: Op,
}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Start to receive.
    Subscribe(Subscribe),
    /// Stop to receive.
    Unsubscribe {
        /// Of which channel.
        channel: Channel,
        /// In which form.
        form: Form,
        /// Of which symbols.
        targets: Vec<Target>,
    },
    /// Change how something subscribed is delivered.
    Update(Subscribe),
    /// What is subscribed?
    List,
    /// How is the session doing?
    Info,
    /// Are you there?
    Ping,
    /// Authentication, which this gateway does not ask for.
    Auth,
}

impl Op {
    /// Every name that [`as_str`](Self::as_str) gives.
    pub const NAMES: [&str; 7] = ["subscribe", "unsubscribe", "update", "list", "info", "ping", "auth"];

    /// The name as a metric label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Update(_) => "update",
            Self::List => "list",
            Self::Info => "info",
            Self::Ping => "ping",
            Self::Auth => "auth",
        }
    }
}

/// What to subscribe and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// Which channel.
    pub channel: Channel,
    /// How its events are written.
    pub form: Form,
    /// Which symbols, as the dialect calls them.
    pub targets: Vec<Target>,
    /// How, absent for the channel's default.
    pub mode: Option<Mode>,
    /// At most that many events a second and symbol; implies merge.
    pub max_rate: Option<f64>,
    /// Whether the newest event comes with the answer.
    pub snapshot: bool,
    /// Where the client left off.
    pub since: Option<Since>,
}

/// How events are delivered to a client that cannot take all of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only the newest event of each symbol.
    Merge,
    /// Every event in order, or a gap.
    Stream,
}

/// A client's last position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The incarnation of the numbers.
    pub epoch: String,
    /// The last number of each symbol.
    pub n: HashMap<Symbol, u64>,
    /// Of symbols that are not named: those at this place or a later one, in the order in which they became known, start
    /// with their first event. Only positions say that.
    pub new_from: Option<u32>,
    /// Whether it also names symbols that were removed since: which ones is not known any more.
    pub names_removed: bool,
}

/// What an entry of `symbols` names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// One symbol.
    One(Symbol),
    /// All symbols that match, now and later.
    All(Pattern),
    /// Not a symbol: what the client wrote (cut to a bearable length) and why it is none.
    Bad(String, SymbolError),
}

/// `*` or `PREFIX*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pattern(ArrayString<MAX_SYMBOL_LEN>);

impl Pattern {
    /// All symbols that begin so.
    #[must_use]
    pub const fn of(prefix: ArrayString<MAX_SYMBOL_LEN>) -> Self {
        Self(prefix)
    }

    /// What the symbols begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// Whether the symbol is meant.
    #[must_use]
    pub fn matches(&self, symbol: &Symbol) -> bool {
        symbol.as_str().starts_with(self.0.as_str())
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}*", self.0))
    }
}

/// A command that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The command's id where it could be read.
    pub id: Option<CommandId>,
    /// Which kind of error.
    pub code: Code,
    /// What was wrong and where.
    pub msg: String,
}

/// Something that the gateway says besides events.
#[derive(Debug)]
pub enum Reply<'a> {
    /// The first of every session.
    Welcome(Welcome<'a>),
    /// Answer to subscribe and update.
    Subscribed(Subscribed<'a>),
    /// Answer to unsubscribe: nothing of these symbols follows.
    Unsubscribed(Unsubscribed<'a>),
    /// Answer to list.
    List(List),
    /// Answer to info.
    Info(Info),
    /// Answer to ping.
    Pong(Pong),
    /// A request that could not be carried out.
    Error(ErrorReply<'a>),
    /// Events that a subscription lost. A dialect without a message for it ends the session: nothing is skipped silently.
    Gap(Gap),
    /// A position that cannot be gone on from: the snapshots that follow are a new beginning.
    Resync(Resync<'a>),
    /// Said when nothing else was for a while.
    Heartbeat(Heartbeat),
    /// The last before the gateway closes.
    Goodbye(Goodbye),
}

/// Who the session is with, and what is known from the start.
#[derive(Debug)]
pub struct Welcome<'a> {
    /// Name of the session, for logs.
    pub session: &'a str,
    /// Name of the gateway.
    pub node: &'a str,
    /// Incarnation of the numbers.
    pub epoch: &'a str,
    /// The gateway's time.
    pub time: UnixMicros,
    /// Seconds between ping frames.
    pub ping_s: u64,
    /// `none`: everybody may read.
    pub auth: &'a str,
    /// Feeds whose prices are made up.
    pub simulated: &'a [Source],
    /// What the client must keep to.
    pub limits: WelcomeLimits,
}

/// What the client must keep to.
#[derive(Debug, Clone, Copy)]
pub struct WelcomeLimits {
    /// Subscriptions, counted by (symbol, channel).
    pub symbols: usize,
    /// Commands a second over the long run.
    pub commands_per_s: u32,
    /// Bytes of one message.
    pub frame_bytes: usize,
}

/// One symbol that was subscribed or updated.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// The symbol.
    pub symbol: Symbol,
    /// Live events carry higher numbers.
    pub n: u64,
    /// How it is delivered.
    pub mode: Mode,
    /// At most that many events a second.
    pub max_rate: Option<f64>,
    /// Whether everything since the client's position follows.
    pub recovered: Option<bool>,
}

/// One symbol that was not.
#[derive(Debug, Clone)]
pub struct Refused {
    /// What the client wrote.
    pub symbol: String,
    /// Which kind of error.
    pub code: Code,
    /// Why.
    pub msg: String,
}

/// What became of a subscribe or an update.
#[derive(Debug)]
pub struct Subscribed<'a> {
    /// Whether it changed what was subscribed already.
    pub is_update: bool,
    /// The request's id.
    pub id: Option<CommandId>,
    /// The channel.
    pub channel: Channel,
    /// The form of its events.
    pub form: Form,
    /// Incarnation of the numbers.
    pub epoch: &'a str,
    /// What is subscribed now.
    pub ok: &'a [Accepted],
    /// What is not.
    pub err: &'a [Refused],
    /// Whether more of the answer follows.
    pub more: bool,
}

/// What became of an unsubscribe.
#[derive(Debug)]
pub struct Unsubscribed<'a> {
    /// The request's id.
    pub id: Option<CommandId>,
    /// The channel.
    pub channel: Channel,
    /// The form of its events.
    pub form: Form,
    /// What is no longer subscribed.
    pub ok: &'a [Symbol],
    /// What was not subscribed.
    pub err: &'a [Refused],
    /// Whether more of the answer follows.
    pub more: bool,
}

/// One subscription as a list tells it.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// The channel.
    pub channel: Channel,
    /// The form of its events.
    pub form: Form,
    /// The symbol.
    pub symbol: Symbol,
    /// How it is delivered.
    pub mode: Mode,
    /// At most that many events a second.
    pub max_rate: Option<f64>,
}

/// What a session is subscribed to.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// The request's id.
    pub id: Option<CommandId>,
    /// Every subscription, or a part of them.
    pub subscriptions: Vec<Listed>,
    /// Patterns that future symbols are matched against; with the last part.
    pub patterns: Vec<(Channel, Pattern)>,
    /// Whether more of the answer follows.
    pub more: bool,
}

/// What waits for a session.
#[derive(Debug, Clone, Copy)]
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

/// A session's view of its health.
#[derive(Debug, Clone)]
pub struct Info {
    /// The request's id.
    pub id: Option<CommandId>,
    /// Name of the session.
    pub session: String,
    /// What waits.
    pub queue: InfoQueue,
    /// Age of the oldest waiting stream event, in milliseconds.
    pub lag_ms: u64,
    /// Events delivered so far.
    pub delivered: u64,
    /// Events replaced by newer ones.
    pub merged: u64,
    /// Events lost and told by gaps.
    pub dropped: u64,
    /// Last measured round trip of a ping frame, in microseconds.
    pub rtt_us: Option<u64>,
}

/// An answer to a ping.
#[derive(Debug)]
pub struct Pong {
    /// The request's id.
    pub id: Option<CommandId>,
    /// The gateway's time.
    pub time: UnixMicros,
}

/// Why a request could not be carried out.
#[derive(Debug)]
pub struct ErrorReply<'a> {
    /// The request's id.
    pub id: Option<CommandId>,
    /// Which kind of error.
    pub code: Code,
    /// What was wrong and where.
    pub msg: &'a str,
    /// Whether the same request may succeed later.
    pub retry: bool,
}

/// Lost events.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// The symbol.
    pub symbol: Symbol,
    /// The channel.
    pub channel: Channel,
    /// The form of the subscription that lost them.
    pub form: Form,
    /// First lost number.
    pub from: u64,
    /// Last lost number.
    pub to: u64,
    /// Why: `slow_client`, `overload`, `not_recoverable`, `upstream_reconnect`, `upstream_loss`.
    pub why: &'static str,
}

/// A position that means nothing here.
#[derive(Debug)]
pub struct Resync<'a> {
    /// Incarnation of the numbers from here on.
    pub epoch: &'a str,
    /// Why: `unreadable`, `other_epoch`, `too_many`.
    pub why: &'a str,
}

/// A sign of life.
#[derive(Debug)]
pub struct Heartbeat {
    /// The gateway's time.
    pub time: UnixMicros,
}

/// The reason of a close.
#[derive(Debug)]
pub struct Goodbye {
    /// The close code that follows.
    pub code: u16,
    /// What it means.
    pub msg: &'static str,
    /// Whether to come back.
    pub reconnect: bool,
    /// How long to wait before coming back.
    pub after_ms: Option<u64>,
}

/// Written messages, joined as a frame of the dialect takes them.
#[derive(Debug)]
pub struct Messages {
    encoding: Encoding,
    packing: Packing,
    bytes: Vec<u8>,
    count: u32,
    /// Where each ends, when each is a frame of its own.
    ends: Vec<usize>,
}

impl Messages {
    /// None yet.
    #[must_use]
    pub const fn new(encoding: Encoding, packing: Packing) -> Self {
        Self { encoding, packing, bytes: Vec::new(), count: 0, ends: Vec::new() }
    }

    /// How they are written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds what `write` appends as one message.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.packing == Packing::Array && self.encoding == Encoding::Json && self.count > 0 {
            self.bytes.push(b',');
        }
        write(&mut self.bytes);
        self.count += 1;
        if self.packing == Packing::One {
            self.ends.push(self.bytes.len());
        }
    }

    /// Adds one message.
    pub fn push(&mut self, message: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(message));
    }

    /// Adds others behind these.
    pub fn append(&mut self, others: &Self) {
        others.each(|count, bytes| {
            self.push(bytes);
            self.count += count - 1;
        });
    }

    /// Hands out what belongs into one frame together, and how many messages that is.
    pub fn each(&self, mut part: impl FnMut(u32, &[u8])) {
        match self.packing {
            Packing::Array if self.count > 0 => part(self.count, &self.bytes),
            Packing::Array => {}
            Packing::One => {
                let mut from = 0;
                for &end in &self.ends {
                    part(1, &self.bytes[from..end]);
                    from = end;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(messages: &Messages) -> Vec<(u32, Vec<u8>)> {
        let mut parts = Vec::new();
        messages.each(|count, bytes| parts.push((count, bytes.to_vec())));
        parts
    }

    #[test]
    fn messages_are_joined_or_apart_as_the_dialect_packs_them() {
        for (packing, expected) in [
            (Packing::Array, vec![(3, b"1,2,3".to_vec())]),
            (Packing::One, vec![(1, b"1".to_vec()), (1, b"2".to_vec()), (1, b"3".to_vec())]),
        ] {
            let mut messages = Messages::new(Encoding::Json, packing);
            assert!(parts(&messages).is_empty());
            messages.push(b"1");
            let mut others = Messages::new(Encoding::Json, packing);
            others.push(b"2");
            others.push(b"3");
            messages.append(&others);
            assert_eq!((messages.len(), parts(&messages)), (3, expected));
        }
    }
}
