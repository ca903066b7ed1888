//! The opening handshake of RFC 6455, section 4.2.1, the same for both drivers.

use actix_http::{
    RequestHead, ResponseBuilder,
    header::{self, HeaderMap, HeaderName},
    ws,
};
use actix_web::http::{Method, StatusCode, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::connect;
use crate::server::{refusal, refusal::Refusal};

/// Tells a client to ask for the upgrade (RFC 9110, section 15.5.22).
const UPGRADE: (&str, &str) = ("upgrade", "websocket");

/// Checks a handshake. Returns the subprotocol that both sides speak.
///
/// # Errors
/// The answer that refuses it, with what was wrong.
pub(crate) fn verify(head: &RequestHead) -> Result<Option<&'static str>, Refusal> {
    let headers = &head.headers;
    if head.method != Method::GET && head.method != Method::HEAD {
        return Err(refusal::wrong_method(refusal::ALLOW_GET).counted("handshake"));
    }
    // RFC 9110, section 7.8: in HTTP/1.0 the header means nothing.
    let is_offer = head.method == Method::GET && head.version >= Version::HTTP_11;
    if !is_offer || !has_token(headers, &header::UPGRADE, "websocket") {
        let refusal = refused(
            StatusCode::UPGRADE_REQUIRED,
            "this is a WebSocket: ask for Upgrade: websocket by HTTP/1.1",
        );
        return Err(refusal.with(&[UPGRADE]));
    }
    if !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(refused(StatusCode::BAD_REQUEST, "Connection: Upgrade is missing"));
    }
    match headers.get(header::SEC_WEBSOCKET_VERSION) {
        Some(version) if version.as_bytes() == b"13" => {}
        Some(_) => {
            let refusal =
                refused(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version: only 13 is spoken here");
            return Err(refusal.with(&[UPGRADE, ("sec-websocket-version", "13")]));
        }
        None => return Err(refused(StatusCode::BAD_REQUEST, "Sec-WebSocket-Version: 13 is missing")),
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY);
    let key = keys.next().and_then(|key| STANDARD.decode(key.as_bytes()).ok());
    if key.is_none_or(|key| key.len() != 16) || keys.next().is_some() {
        return Err(refused(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key: expected 16 bytes in base64, once"));
    }
    let is_empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0");
    if !is_empty || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(refused(StatusCode::BAD_REQUEST, "a request for an upgrade has no body"));
    }
    let mut offers = headers.get_all(header::UPGRADE);
    if !offers.any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket")) {
        // One of several offers, in a line of more than HEAD_LINE_BYTES: the HTTP library took it for no upgrade.
        return Err(refused(StatusCode::BAD_REQUEST, "Upgrade: send websocket alone").with(&[UPGRADE]));
    }
    connect::subprotocol(headers)
}

/// The head of the answer that accepts a handshake which was verified.
pub(crate) fn accept(head: &RequestHead, protocol: Option<&str>) -> ResponseBuilder {
    let mut response = ws::handshake_response(head);
    if let Some(protocol) = protocol {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, protocol));
    }
    response
}

fn refused(status: StatusCode, msg: impl Into<String>) -> Refusal {
    Refusal::new(status, 400, msg).counted("handshake")
}

/// Whether a header that is a list has that token, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use actix_http::{header::HeaderValue, test::TestRequest};
    use actix_web::ResponseError as _;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn status(change: &[(&'static str, &'static str)]) -> Result<Option<&'static str>, u16> {
        let mut request = TestRequest::default();
        let usual = [
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let is_changed = |name: &str| change.iter().any(|(changed, _)| *changed == name);
        for (name, value) in usual.iter().filter(|(name, _)| !is_changed(name)).chain(change) {
            if !value.is_empty() {
                request.append_header((*name, HeaderValue::from_static(value)));
            }
        }
        verify(request.finish().head()).map_err(|refusal| refusal.status_code().as_u16())
    }

    #[test]
    fn a_handshake_is_what_rfc_6455_says() {
        for (change, expected) in [
            (&[][..], Ok(None)),
            (&[("upgrade", "WebSocket")], Ok(None)),
            (&[("upgrade", "h2c"), ("upgrade", "websocket")], Ok(None)),
            (&[("connection", "keep-alive, UPGRADE")], Ok(None)),
            (&[("connection", "keep-alive"), ("connection", "upgrade")], Ok(None)),
            (&[("sec-websocket-protocol", "x, tickcast.v1.json")], Ok(Some("tickcast.v1.json"))),
            (&[("sec-websocket-protocol", "x")], Err(400)),
            (&[("content-length", "0")], Ok(None)),
            (&[("content-length", "5")], Err(400)),
            (&[("upgrade", "")], Err(426)),
            (&[("upgrade", "websockets")], Err(426)),
            (&[("upgrade", "h2c, websocket")], Err(400)),
            (&[("connection", "keep-alive")], Err(400)),
            (&[("sec-websocket-version", "")], Err(400)),
            (&[("sec-websocket-version", "12")], Err(426)),
            (&[("sec-websocket-key", "")], Err(400)),
            (&[("sec-websocket-key", "abc")], Err(400)),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZR==")], Err(400)),
            (&[("sec-websocket-key", KEY), ("sec-websocket-key", KEY)], Err(400)),
        ] {
            assert_eq!(status(change), expected, "{change:?}");
        }
    }
}
