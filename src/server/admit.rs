//! Whether a request becomes a session, the same for both drivers and for every transport.

use std::time::Duration;

use actix_http::header::{self, HeaderMap};
use actix_web::HttpRequest;
use serde::Deserialize;

use super::{
    Gateway,
    asking::Asking,
    query::{self, Bad},
    refusal::Refusal,
};
use crate::{
    dialect::native::{Code, Encoding},
    limits::FLUSH_MS_RANGE,
    session::Admission,
};

/// Subprotocols, by preference.
pub(super) const PROTOCOLS: [(&str, Encoding); 2] =
    [("tickcast.v1.msgpack", Encoding::MsgPack), ("tickcast.v1.json", Encoding::Json)];

/// What a client asks for in its URL.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Time between two writes.
    pub(super) flush: Option<Duration>,
}

/// What a client may ask for in the URL of a session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    flush_ms: Option<String>,
}

/// Whether there may be new sessions, and new ticks.
pub(super) fn open(gateway: &Gateway) -> Result<(), Refusal> {
    if gateway.is_ready() {
        return Ok(());
    }
    Err(Refusal::new(503, 503, "draining", "the gateway is draining: connect to another one, or later"))
}

/// Checks what an upgrade request asks for and does not depend on how the bytes travel.
pub(super) fn vet(query: Option<&str>, gateway: &Gateway) -> Result<Wishes, Refusal> {
    open(gateway)?;
    let wishes = query::read(query.unwrap_or_default()).and_then(|query: Query| wishes(&query));
    wishes.map_err(|bad| Refusal::new(400, bad.code.number(), "parameter", bad.msg))
}

fn wishes(query: &Query) -> Result<Wishes, Bad> {
    let Some(text) = &query.flush_ms else { return Ok(Wishes::default()) };
    let millis = text.parse().ok().filter(|millis| FLUSH_MS_RANGE.contains(millis)).ok_or_else(|| {
        let (least, most) = (FLUSH_MS_RANGE.start(), FLUSH_MS_RANGE.end());
        let found = query::cut(text);
        Bad::parameter(format!("flush_ms={found}: expected whole milliseconds from {least} to {most}"))
    })?;
    Ok(Wishes { flush: Some(Duration::from_millis(millis)) })
}

/// A place for the session of a request that is no upgrade, or the answer that refuses it: here a client can see why.
pub(super) fn admit(request: &HttpRequest, gateway: &Gateway) -> Result<Admission, Refusal> {
    let admitted = open(gateway).and_then(|()| {
        let asking = Asking::of(request)?;
        gateway.connections.admit(asking.client.ip).map_err(|limit| {
            let code = Code::ConnectionLimit.number();
            Refusal::new(503, code, limit.as_str(), "too many connections")
        })
    });
    if let Err(refusal) = &admitted {
        gateway.hub.metrics().refuse_session(refusal.reason, Asking::address(request));
    }
    admitted
}

/// The encoding of a subprotocol.
pub(super) fn encoding(chosen: Option<&str>) -> Encoding {
    let named = PROTOCOLS.iter().find(|(name, _)| chosen == Some(*name));
    named.map_or(Encoding::Json, |(_, encoding)| *encoding)
}

/// The first subprotocol that the client offers and the gateway speaks; none when none is offered.
pub(super) fn subprotocol(headers: &HeaderMap) -> Result<Option<&'static str>, Refusal> {
    let values = || headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let offered = || values().flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim);
    let known = offered().find_map(|name| PROTOCOLS.iter().find(|(known, _)| *known == name));
    if known.is_some() || offered().all(str::is_empty) {
        return Ok(known.map(|(name, _)| *name));
    }
    let first = query::cut(offered().find(|name| !name.is_empty()).unwrap_or_default());
    let names = PROTOCOLS.map(|(name, _)| name).join(", ");
    let msg = format!("Sec-WebSocket-Protocol: {first:?} is unknown, there are {names}");
    Err(Refusal::new(400, 416, "handshake", msg))
}

#[cfg(test)]
mod tests {
    use actix_http::header::HeaderValue;

    use super::*;

    #[test]
    fn what_a_url_asks_for() {
        let wishes = |text: &str| query::read(text).and_then(|query: Query| wishes(&query));
        assert_eq!(wishes(""), Ok(Wishes::default()));
        assert_eq!(wishes("_=b&flush_ms=20"), Ok(Wishes { flush: Some(Duration::from_millis(20)) }));
        for bad in ["flush_ms=", "flush_ms=-1", "flush_ms=1.5", "flush_ms=1001"] {
            assert!(wishes(bad).unwrap_err().msg.starts_with(bad), "{bad}");
        }
        for (bad, name) in
            [("a=b", "`a`"), ("flush_ms=1&flush=2", "`flush`"), ("flush_ms=1&flush_ms=2", "`flush_ms`")]
        {
            assert!(wishes(bad).unwrap_err().msg.contains(name), "{bad}");
        }
    }

    #[test]
    fn a_refused_subprotocol_names_the_known_ones() {
        let choose = |offered: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for offer in offered {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer));
            }
            subprotocol(&headers).map_err(|refusal| refusal.msg)
        };
        assert_eq!(choose(&[]), Ok(None));
        assert_eq!(choose(&["", " , "]), Ok(None));
        assert_eq!(choose(&["other, tickcast.v1.json"]), Ok(Some("tickcast.v1.json")));
        let both = ["other", "tickcast.v1.msgpack,tickcast.v1.json"];
        assert_eq!(choose(&both), Ok(Some("tickcast.v1.msgpack")));
        let known = "is unknown, there are tickcast.v1.msgpack, tickcast.v1.json";
        for (unknown, name) in
            [("graphql-ws", "graphql-ws"), ("TICKCAST.V1.JSON", "TICKCAST.V1.JSON"), (",a,b", "a")]
        {
            assert_eq!(choose(&[unknown]), Err(format!("Sec-WebSocket-Protocol: {name:?} {known}")));
        }
    }
}
