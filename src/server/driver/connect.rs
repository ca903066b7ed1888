//! What a client asks for with its upgrade: the subprotocol, and options in the address.

use std::time::Duration;

use actix_http::header::{self, HeaderMap};
use actix_web::http::StatusCode;
use serde::Deserialize;

use crate::{
    dialect::Encoding,
    limits::FLUSH_MS_RANGE,
    server::{admit, gateway::Gateway, parameters, refusal::Refusal},
};

/// Subprotocols, by preference.
pub(crate) const PROTOCOLS: [(&str, Encoding); 2] =
    [("tickcast.v1.msgpack", Encoding::MsgPack), ("tickcast.v1.json", Encoding::Json)];

/// What a client asks for in its URL.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectOptions {
    /// Time between two writes.
    pub(crate) flush: Option<Duration>,
    /// Whether the session is told of another numbering instead of being closed.
    pub(crate) resync: bool,
}

/// What a client may ask for in the URL of a session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    flush_ms: Option<String>,
    resync: Option<String>,
}

/// Checks what an upgrade request asks for and does not depend on how the bytes travel.
pub(crate) fn vet(query: Option<&str>, gateway: &Gateway) -> Result<ConnectOptions, Refusal> {
    admit::open(gateway)?;
    let options = parameters::read(query.unwrap_or_default()).and_then(|query: Query| options(&query));
    options.map_err(|refusal| refusal.counted("parameter"))
}

fn options(query: &Query) -> Result<ConnectOptions, Refusal> {
    let resync = match query.resync.as_deref() {
        None | Some("0") => false,
        Some("1") => true,
        Some(text) => {
            let found = parameters::cut(text);
            return Err(Refusal::parameter(format!("resync={found}: expected 0 or 1")));
        }
    };
    let Some(text) = &query.flush_ms else { return Ok(ConnectOptions { resync, flush: None }) };
    let millis = text.parse().ok().filter(|millis| FLUSH_MS_RANGE.contains(millis)).ok_or_else(|| {
        let (least, most) = (FLUSH_MS_RANGE.start(), FLUSH_MS_RANGE.end());
        let found = parameters::cut(text);
        Refusal::parameter(format!("flush_ms={found}: expected whole milliseconds from {least} to {most}"))
    })?;
    Ok(ConnectOptions { flush: Some(Duration::from_millis(millis)), resync })
}

/// The encoding of a subprotocol.
pub(crate) fn encoding(chosen: Option<&str>) -> Encoding {
    let named = PROTOCOLS.iter().find(|(name, _)| chosen == Some(*name));
    named.map_or(Encoding::Json, |(_, encoding)| *encoding)
}

/// The first subprotocol that the client offers and the gateway speaks; none when none is offered.
pub(crate) fn subprotocol(headers: &HeaderMap) -> Result<Option<&'static str>, Refusal> {
    let values = || headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let offered = || values().flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim);
    let known = offered().find_map(|name| PROTOCOLS.iter().find(|(known, _)| *known == name));
    if known.is_some() || offered().all(str::is_empty) {
        return Ok(known.map(|(name, _)| *name));
    }
    let first = parameters::cut(offered().find(|name| !name.is_empty()).unwrap_or_default());
    let names = PROTOCOLS.map(|(name, _)| name).join(", ");
    let msg = format!("Sec-WebSocket-Protocol: {first:?} is unknown, there are {names}");
    Err(Refusal::new(StatusCode::BAD_REQUEST, 416, msg).counted("handshake"))
}

#[cfg(test)]
mod tests {
    use actix_http::header::HeaderValue;

    use super::*;

    #[test]
    fn what_a_url_asks_for() {
        let options = |text: &str| parameters::read(text).and_then(|query: Query| options(&query));
        assert_eq!(options(""), Ok(ConnectOptions::default()));
        assert_eq!(
            options("_=b&flush_ms=20"),
            Ok(ConnectOptions { flush: Some(Duration::from_millis(20)), resync: false })
        );
        for (text, resync) in [("resync=1", true), ("resync=0", false)] {
            assert_eq!(options(text), Ok(ConnectOptions { flush: None, resync }));
        }
        for bad in [
            "resync=",
            "resync=2",
            "resync=true",
            "flush_ms=",
            "flush_ms=-1",
            "flush_ms=1.5",
            "flush_ms=1001",
        ] {
            assert!(options(bad).unwrap_err().msg.starts_with(bad), "{bad}");
        }
        for (bad, name) in
            [("a=b", "`a`"), ("flush_ms=1&flush=2", "`flush`"), ("flush_ms=1&flush_ms=2", "`flush_ms`")]
        {
            assert!(options(bad).unwrap_err().msg.contains(name), "{bad}");
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
