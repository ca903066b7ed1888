//! Replies as messages of the protocol: what stands in them, under which key and in which order.

use serde::{Serialize, Serializer};

use crate::{
    dialect::{Code, CommandId, Encoding, Mode, Pattern, Refused, talk},
    market::{Channel, Source, State, Symbol, UnixMicros},
};

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

/// A list whose entries are written as others.
struct Each<'a, T, M>(&'a [T], fn(&'a T) -> M);

impl<T, M: Serialize> Serialize for Each<'_, T, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

/// A message type whose first key is `T` with a fixed value.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? = $kind:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Serialize)]
        #[serde(tag = "T", rename = $kind)]
        struct $name $(<$life>)? {
            $($(#[$field_doc])* $field: $type,)*
        }
    };
}

message! {
    Welcome<'a> = "welcome" {
        proto: u32,
        session: &'a str,
        node: &'a str,
        epoch: &'a str,
        time: UnixMicros,
        ping_s: u64,
        auth: &'a str,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        simulated: &'a [Source],
        limits: WelcomeLimits,
    }
}

#[derive(Serialize)]
struct WelcomeLimits {
    symbols: usize,
    commands_per_s: u32,
    frame_bytes: usize,
}

#[derive(Serialize)]
struct AcceptedEntry {
    #[serde(rename = "S")]
    symbol: Symbol,
    n: u64,
    mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
}

#[derive(Serialize)]
struct RefusedEntry<'a> {
    #[serde(rename = "S")]
    symbol: &'a str,
    code: Code,
    msg: &'a str,
}

#[derive(Serialize)]
struct Subscribed<'a> {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a CommandId>,
    channel: Channel,
    epoch: &'a str,
    ok: Each<'a, talk::Accepted, AcceptedEntry>,
    err: Each<'a, Refused, RefusedEntry<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

message! {
    Unsubscribed<'a> = "unsubscribed" {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
        channel: Channel,
        ok: &'a [Symbol],
        err: Each<'a, Refused, RefusedEntry<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    }
}

#[derive(Serialize)]
struct ListedEntry {
    channel: Channel,
    #[serde(rename = "S")]
    symbol: Symbol,
    mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_rate: Option<f64>,
}

message! {
    List<'a> = "list" {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
        subscriptions: Each<'a, talk::Listed, ListedEntry>,
        patterns: &'a [(Channel, Pattern)],
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    }
}

#[derive(Serialize)]
struct InfoQueue {
    control: usize,
    stream: usize,
    stream_bytes: usize,
    merge: usize,
}

message! {
    Info<'a> = "info" {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
        session: &'a str,
        queue: InfoQueue,
        lag_ms: u64,
        delivered: u64,
        merged: u64,
        dropped: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        rtt_us: Option<u64>,
    }
}

message! {
    Pong<'a> = "pong" {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
        time: UnixMicros,
    }
}

message! {
    ErrorReply<'a> = "error" {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
        code: Code,
        msg: &'a str,
        retry: bool,
    }
}

message! {
    /// Also the event that stands for a loss.
    Gap = "gap" {
        #[serde(rename = "S")]
        symbol: Symbol,
        channel: Channel,
        from: u64,
        to: u64,
        why: &'static str,
    }
}

message! {
    Resync<'a> = "resync" {
        epoch: &'a str,
        why: &'a str,
    }
}

message! {
    SourceReply<'a> = "source" {
        state: State,
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<UnixMicros>,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
    }
}

message! {
    Heartbeat = "hb" {
        time: UnixMicros,
    }
}

message! {
    Bye<'a> = "bye" {
        code: u16,
        msg: &'a str,
        reconnect: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        after_ms: Option<u64>,
    }
}

const fn accepted(one: &talk::Accepted) -> AcceptedEntry {
    let talk::Accepted { symbol, n, mode, max_rate, recovered } = *one;
    AcceptedEntry { symbol, n, mode, max_rate, recovered }
}

fn refused(one: &Refused) -> RefusedEntry<'_> {
    RefusedEntry { symbol: &one.symbol, code: one.code, msg: &one.msg }
}

const fn listed(one: &talk::Listed) -> ListedEntry {
    let talk::Listed { channel, symbol, mode, max_rate, .. } = *one;
    ListedEntry { channel, symbol, mode, max_rate }
}

/// A gap, which an event that stands for a loss is written as, too.
pub(super) fn encode_gap(gap: &talk::Gap, encoding: Encoding, bytes: &mut Vec<u8>) {
    let talk::Gap { symbol, channel, from, to, why, .. } = *gap;
    encoding.encode_into(&Gap { symbol, channel, from, to, why }, bytes);
}

/// Appends a reply as one message, without the array around it.
pub(super) fn encode_reply(reply: &talk::Reply<'_>, encoding: Encoding, bytes: &mut Vec<u8>) {
    use talk::Reply;
    match reply {
        Reply::Welcome(it) => encoding.encode_into(&welcome(it), bytes),
        Reply::Subscribed(it) => encoding.encode_into(&subscribed(it), bytes),
        Reply::Unsubscribed(talk::Unsubscribed { id, channel, ok, err, more, .. }) => {
            let (id, err) = (id.as_ref(), Each(err, refused));
            encoding.encode_into(&Unsubscribed { id, channel: *channel, ok, err, more: *more }, bytes);
        }
        Reply::List(talk::List { id, subscriptions, patterns, more }) => {
            let (id, subscriptions) = (id.as_ref(), Each(subscriptions, listed));
            encoding.encode_into(&List { id, subscriptions, patterns, more: *more }, bytes);
        }
        Reply::Info(it) => encoding.encode_into(&info(it), bytes),
        Reply::Pong(it) => encoding.encode_into(&Pong { id: it.id.as_ref(), time: it.time }, bytes),
        Reply::Error(talk::ErrorReply { id, code, msg, retry }) => {
            encoding.encode_into(&ErrorReply { id: id.as_ref(), code: *code, msg, retry: *retry }, bytes);
        }
        Reply::Gap(gap) => encode_gap(gap, encoding, bytes),
        Reply::Resync(talk::Resync { epoch, why }) => encoding.encode_into(&Resync { epoch, why }, bytes),
        Reply::Source(talk::SourceReply { state, since, why }) => {
            encoding.encode_into(&SourceReply { state: *state, since: *since, why: *why }, bytes);
        }
        Reply::Heartbeat(it) => encoding.encode_into(&Heartbeat { time: it.time }, bytes),
        Reply::Goodbye(talk::Goodbye { code, msg, reconnect, after_ms }) => {
            let (code, reconnect, after_ms) = (*code, *reconnect, *after_ms);
            encoding.encode_into(&Bye { code, msg, reconnect, after_ms }, bytes);
        }
    }
}

const fn welcome<'a>(it: &talk::Welcome<'a>) -> Welcome<'a> {
    let talk::WelcomeLimits { symbols, commands_per_s, frame_bytes } = it.limits;
    Welcome {
        proto: 1,
        session: it.session,
        node: it.node,
        epoch: it.epoch,
        time: it.time,
        ping_s: it.ping_s,
        auth: it.auth,
        simulated: it.simulated,
        limits: WelcomeLimits { symbols, commands_per_s, frame_bytes },
    }
}

fn subscribed<'a>(it: &'a talk::Subscribed<'_>) -> Subscribed<'a> {
    Subscribed {
        kind: if it.is_update { "updated" } else { "subscribed" },
        id: it.id.as_ref(),
        channel: it.channel,
        epoch: it.epoch,
        ok: Each(it.ok, accepted),
        err: Each(it.err, refused),
        more: it.more,
    }
}

fn info(it: &talk::Info) -> Info<'_> {
    let talk::InfoQueue { control, stream, stream_bytes, merge } = it.queue;
    Info {
        id: it.id.as_ref(),
        session: &it.session,
        queue: InfoQueue { control, stream, stream_bytes, merge },
        lag_ms: it.lag_ms,
        delivered: it.delivered,
        merged: it.merged,
        dropped: it.dropped,
        rtt_us: it.rtt_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(reply: &talk::Reply<'_>, encoding: Encoding) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_reply(reply, encoding, &mut bytes);
        bytes
    }

    #[test]
    fn the_type_comes_first_in_both_encodings() {
        let pong = talk::Reply::Pong(talk::Pong { id: Some(CommandId::Number(3)), time: UnixMicros(9) });
        assert_eq!(bytes(&pong, Encoding::Json), br#"{"T":"pong","id":3,"time":9}"#);
        assert_eq!(&bytes(&pong, Encoding::MsgPack)[..8], b"\x83\xa1T\xa4pong");
        let source = talk::SourceReply { state: State::Stale, since: Some(UnixMicros(7)), why: Some("w") };
        assert_eq!(
            bytes(&talk::Reply::Source(source), Encoding::Json),
            br#"{"T":"source","state":"stale","since":7,"why":"w"}"#
        );
        let (code, msg) = (Code::TooManyCommands, "slow down");
        let error = talk::Reply::Error(talk::ErrorReply { id: None, code, msg, retry: true });
        assert_eq!(
            bytes(&error, Encoding::Json),
            br#"{"T":"error","code":429,"msg":"slow down","retry":true}"#
        );
    }
}
