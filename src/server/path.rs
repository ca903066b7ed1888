//! Paths as clients and proxies write them.

use std::borrow::Cow;

use actix_web::{
    dev::ServiceRequest,
    http::uri::{PathAndQuery, Uri},
};

/// Where the rest of a path is a symbol, which may have slashes of its own.
const SYMBOLS: [&str; 2] = ["/v1/trades/", "/v1/bars/"];

/// Where the WebSocket is, which one of the drivers takes.
pub(super) const SOCKET: &str = "/v1/ws";

/// Where test builds send messages back.
pub(super) const ECHO: &str = "/test/echo";

/// Whether there is a WebSocket at a path.
pub(super) fn is_socket(path: &str) -> bool {
    path == SOCKET || (cfg!(feature = "test-endpoints") && path == ECHO)
}

/// Whether a path is of the interface, whose answers pages of other origins may be allowed to read.
pub(super) fn is_api(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// Whether a request for that path becomes a session.
pub(super) fn is_session(path: &str) -> bool {
    is_socket(path) || matches!(path, "/v1/sse" | "/v1/poll")
}

/// Whether load balancers ask there, by whatever name they have for this machine.
pub(super) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// The path without doubled slashes and without one at its end, and with letters and digits as they are (RFC 3986, section
/// 6.2.2): the router takes `/%761/symbols` for `/v1/symbols`, and what is judged must be what is answered. A symbol
/// stays as it is.
pub(super) fn plain(path: &str) -> Cow<'_, str> {
    let is_plain = !path.contains("//") && !path.contains('%') && (path.len() == 1 || !path.ends_with('/'));
    if is_plain || !path.starts_with('/') {
        return Cow::Borrowed(path);
    }
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(segment) = rest.strip_prefix('/') {
        let end = segment.find('/').unwrap_or(segment.len());
        let (segment, after) = segment.split_at(end);
        rest = after;
        if segment.is_empty() {
            continue;
        }
        plain.push('/');
        decode(segment, &mut plain);
        let is_symbol = |start: &&str| start.strip_suffix('/') == Some(plain.as_str());
        if SYMBOLS.iter().any(is_symbol) && rest.len() > 1 {
            plain.push_str(rest);
            return Cow::Owned(plain);
        }
    }
    if plain.is_empty() {
        plain.push('/');
    }
    Cow::Owned(plain)
}

/// Adds a segment in which characters that need no encoding have none.
fn decode(segment: &str, plain: &mut String) {
    let mut parts = segment.split('%');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[2..]);
            }
            None => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
}

/// Gives a request its plain path, before it is routed.
pub(super) fn make_plain(request: &mut ServiceRequest) {
    let Cow::Owned(path) = plain(request.path()) else { return };
    let mut parts = request.uri().clone().into_parts();
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let Ok(target) = PathAndQuery::try_from(target) else { return };
    parts.path_and_query = Some(target);
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_encoding_count_only_inside_a_symbol() {
        for (path, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/healthz", "/healthz"),
            ("/healthz/", "/healthz"),
            ("//v1///symbols//", "/v1/symbols"),
            ("/v1/ws/", "/v1/ws"),
            ("//v1/ws", "/v1/ws"),
            ("/v1/trades/EUR/USD", "/v1/trades/EUR/USD"),
            ("//v1//trades/EUR//USD/", "/v1/trades/EUR//USD/"),
            ("/v1/trades//EUR/USD", "/v1/trades//EUR/USD"),
            ("/v1/bars/BTC-USD/", "/v1/bars/BTC-USD/"),
            ("//v1/bars/EUR%2FUSD", "/v1/bars/EUR%2FUSD"),
            ("/v1/trades/", "/v1/trades"),
            ("/v1/trades//", "/v1/trades//"),
            ("/v1/tradesman//x", "/v1/tradesman/x"),
            ("/%761/symbols", "/v1/symbols"),
            ("/v1/%50ublis%68", "/v1/Publish"),
            ("/v1%2Fsymbols/%", "/v1%2Fsymbols/%"),
            ("/%2576%zz%+1%7", "/%2576%zz%+1%7"),
            ("/v1/tr%61des/%41%2FB", "/v1/trades/%41%2FB"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(plain(path), expected, "{path}");
        }
    }
}
