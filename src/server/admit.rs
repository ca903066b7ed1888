//! Whether a request becomes a session, the same for both drivers and for every road.

use std::time::Duration;

use actix_http::header::{self, HeaderMap};
use actix_web::HttpRequest;

use super::Gateway;
use crate::{
    dialect::native::{Code, Encoding},
    limits::FLUSH_MS_RANGE,
    session::Admission,
};

/// Subprotocols, by preference.
pub(super) const PROTOCOLS: [(&str, Encoding); 2] =
    [("tickcast.v1.msgpack", Encoding::MsgPack), ("tickcast.v1.json", Encoding::Json)];

/// An answer over plain HTTP instead of a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The protocol's error code.
    pub(super) code: u16,
    pub(super) msg: String,
    /// Label of the metric.
    pub(super) reason: &'static str,
}

/// What a client asks for in its URL.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Time between two writes.
    pub(super) flush: Option<Duration>,
}

/// Checks what does not depend on how the bytes travel.
pub(super) fn vet(headers: &HeaderMap, query: Option<&str>, gateway: &Gateway) -> Result<Wishes, Refusal> {
    if !gateway.is_ready() {
        let msg = "the gateway is draining: connect to another one, or later".into();
        return Err(Refusal { status: 503, code: 503, msg, reason: "draining" });
    }
    check_origin(headers, &gateway.server.origins).map_err(|origin| Refusal {
        status: 403,
        code: 416,
        msg: format!("Origin {origin:?} is not allowed: see server.origins"),
        reason: "origin",
    })?;
    wishes(query.unwrap_or_default()).map_err(|msg| Refusal {
        status: 400,
        code: 416,
        msg,
        reason: "parameter",
    })
}

/// Parameters that are not ours are the affair of whoever put them there: proxies, caches, other clients.
fn wishes(query: &str) -> Result<Wishes, String> {
    let mut wishes = Wishes::default();
    for pair in query.split('&') {
        if let Some(value) = pair.strip_prefix("flush_ms=") {
            let millis = value.parse().ok().filter(|millis| FLUSH_MS_RANGE.contains(millis));
            let millis = millis.ok_or_else(|| {
                let value: String = value.chars().take(20).collect();
                let (least, most) = (FLUSH_MS_RANGE.start(), FLUSH_MS_RANGE.end());
                format!("flush_ms={value}: expected whole milliseconds from {least} to {most}")
            })?;
            wishes.flush = Some(Duration::from_millis(millis));
        }
    }
    Ok(wishes)
}

/// A place for the session of a request that is no upgrade, or the answer that refuses it: here a client can see why.
pub(super) fn admit(request: &HttpRequest, gateway: &Gateway) -> Result<Admission, Refusal> {
    let admitted = vet(request.headers(), None, gateway).and_then(|_wishes| {
        let Some(peer) = request.peer_addr() else {
            let msg = "the connection has no address".into();
            return Err(Refusal { status: 500, code: 500, msg, reason: "handshake" });
        };
        gateway.census.admit(peer.ip()).map_err(|limit| {
            let (code, msg) = (Code::ConnectionLimit.number(), "too many connections".into());
            Refusal { status: 503, code, msg, reason: limit.as_str() }
        })
    });
    if let Err(refusal) = &admitted {
        let address = request.peer_addr().map(|peer| peer.ip());
        gateway.hub.metrics().refuse_session(refusal.reason, address);
    }
    admitted
}

/// The encoding of the subprotocol that the answer names.
pub(super) fn encoding(chosen: Option<&[u8]>) -> Encoding {
    let named = PROTOCOLS.iter().find(|(name, _)| chosen == Some(name.as_bytes()));
    named.map_or(Encoding::Json, |(_, encoding)| *encoding)
}

/// The first subprotocol that the client offers and the gateway speaks.
pub(super) fn subprotocol(headers: &HeaderMap) -> Option<&'static str> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    offered
        .flat_map(|value| value.split(','))
        .find_map(|name| PROTOCOLS.iter().find(|(known, _)| *known == name.trim()).map(|(known, _)| *known))
}

/// A browser's request must come from the gateway's own pages or from an allowed origin; other clients send none.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), String> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("?");
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = origin.split_once("://").map(|(_, host)| host);
    if (host.is_some() && host == own) || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    Err(origin.chars().take(100).collect())
}

#[cfg(test)]
mod tests {
    use actix_http::header::HeaderValue;

    use super::*;

    #[test]
    fn origins() {
        let check = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8080"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            check_origin(&headers, &["https://app.example.com".into()])
        };
        assert!(check(None).is_ok());
        assert!(check(Some("http://127.0.0.1:8080")).is_ok());
        assert!(check(Some("https://app.example.com")).is_ok());
        assert!(check(Some("http://evil.example.com")).is_err());
        assert!(check(Some("null")).is_err());
    }

    #[test]
    fn what_a_url_asks_for() {
        assert_eq!(wishes(""), Ok(Wishes::default()));
        assert_eq!(wishes("a=b&flush_ms=20"), Ok(Wishes { flush: Some(Duration::from_millis(20)) }));
        for bad in ["flush_ms=", "flush_ms=-1", "flush_ms=1.5", "flush_ms=1001"] {
            assert!(wishes(bad).unwrap_err().starts_with(bad), "{bad}");
        }
    }

    #[test]
    fn subprotocols() {
        let choose = |offered: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for offer in offered {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer));
            }
            subprotocol(&headers)
        };
        assert_eq!(choose(&[]), None);
        assert_eq!(choose(&["other"]), None);
        assert_eq!(choose(&["other, tickcast.v1.json"]), Some("tickcast.v1.json"));
        assert_eq!(choose(&["other", "tickcast.v1.msgpack,tickcast.v1.json"]), Some("tickcast.v1.msgpack"));
    }
}
