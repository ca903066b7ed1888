//! Paths as clients and proxies write them.

use std::borrow::Cow;

use actix_web::{
    dev::ServiceRequest,
    http::uri::{PathAndQuery, Uri},
};

/// Where the rest of a path is a symbol, which may have slashes of its own.
const SYMBOLS: [&str; 2] = ["/v1/trades/", "/v1/bars/"];

/// Whether a path is of the interface, whose answers pages of other origins may be allowed to read.
pub(super) fn is_api(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// Whether what is answered there is a session.
pub(super) fn is_session(path: &str) -> bool {
    matches!(path, "/v1/ws" | "/v1/sse" | "/v1/poll")
}

/// Whether load balancers ask there, by whatever name they have for this machine.
pub(super) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// The path without doubled slashes and without one at its end; a symbol stays as it is.
pub(super) fn plain(path: &str) -> Cow<'_, str> {
    let is_plain = !path.contains("//") && (path.len() == 1 || !path.ends_with('/'));
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
        plain.push_str(segment);
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
    fn slashes_count_only_inside_a_symbol() {
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
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(plain(path), expected, "{path}");
        }
    }
}
