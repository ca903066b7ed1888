//! What the gateway says besides events.

use super::{Code, CommandId, Mode, Pattern};
use crate::{
    dialect::Form,
    market::{Channel, Source, State, Symbol, UnixMicros},
};

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
    /// Whether new values come at all, of any symbol.
    Source(SourceReply<'a>),
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

/// Whether new values come at all.
#[derive(Debug)]
pub struct SourceReply<'a> {
    /// `live`, or what the values are while none come.
    pub state: State,
    /// Since when none come.
    pub since: Option<UnixMicros>,
    /// What is missing then.
    pub why: Option<&'a str>,
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
