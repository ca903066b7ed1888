//! An answer over plain HTTP instead of what was asked for, the same for both drivers.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use serde::Serialize;

/// Seconds after which a client that was refused for a passing reason may come back.
const RETRY_AFTER: &str = "1";

/// Methods of what is read, and of what is written.
pub(super) const ALLOW_GET: &str = "GET, HEAD, OPTIONS";
pub(super) const ALLOW_POST: &str = "POST, OPTIONS";
/// Those of the server as a whole.
pub(super) const ALLOW_ALL: &str = "GET, HEAD, POST, OPTIONS";

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The protocol's error code.
    pub(super) code: u16,
    /// Label of the metric.
    pub(super) reason: &'static str,
    pub(super) msg: String,
    /// What the status asks for besides.
    pub(super) headers: &'static [(&'static str, &'static str)],
}

impl Refusal {
    pub(super) fn new(status: u16, code: u16, reason: &'static str, msg: impl Into<String>) -> Self {
        Self { status, code, reason, msg: msg.into(), headers: &[] }
    }

    pub(super) fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    /// The answer: the protocol's code, and what was wrong.
    pub(super) fn response(&self) -> HttpResponse {
        #[derive(Serialize)]
        struct Body<'a> {
            code: u16,
            msg: &'a str,
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response: HttpResponseBuilder = HttpResponse::build(status);
        if status == StatusCode::REQUEST_TIMEOUT {
            // What is left of the request would be taken for the next one.
            response.force_close();
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        }
        for header in self.headers {
            response.insert_header(*header);
        }
        response.json(Body { code: self.code, msg: &self.msg })
    }
}

/// The answer to a method that a resource does not have.
pub(super) fn wrong_method(allow: &'static str) -> Refusal {
    let headers: &[_] = match allow {
        ALLOW_GET => &[("allow", ALLOW_GET)],
        ALLOW_POST => &[("allow", ALLOW_POST)],
        _ => &[("allow", ALLOW_ALL)],
    };
    Refusal::new(405, 400, "handshake", format!("the method here is {allow}")).with(headers)
}
