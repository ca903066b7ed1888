//! What an allowed page of another origin is told (Fetch standard, "CORS protocol"), so that its browser lets it read the
//! answer.
//!
//! The origin is named as it was sent, never as `*`, and credentials are never allowed: there is no authentication, so
//! there are none to send.

use actix_http::{
    RequestHead,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use actix_web::http::Method;

use crate::limits::PREFLIGHT_SECONDS;

/// Headers of answers that a page may read besides the ones that it always may.
const EXPOSED: &str = "ETag, Retry-After, Allow, Accept-Encoding";

/// Headers that a page may send: those that mean something here, and those that libraries put there.
const ACCEPTED: &str = "Accept, Cache-Control, Content-Type, If-None-Match, Last-Event-ID, X-Requested-With";

/// Whether a browser asks if its page may send a request.
pub(crate) fn is_preflight(head: &RequestHead) -> bool {
    head.method == Method::OPTIONS && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds to an answer what browsers want to know. Every answer depends on the origin: others are refused.
pub(crate) fn tell(headers: &mut HeaderMap, page: Option<&HeaderValue>, is_preflight: bool) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(page) = page else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page.clone());
    if !is_preflight {
        put(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        return;
    }
    if let Some(methods) = headers.get(header::ALLOW).cloned() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        put(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, ACCEPTED);
        put(headers, header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
