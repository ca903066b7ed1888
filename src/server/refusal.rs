//! An answer over plain HTTP instead of what was asked for, the same for both drivers. Handlers return it with `?`.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;

use crate::dialect::Code;

/// Seconds after which a client that was refused for a passing reason may come back.
const RETRY_AFTER: u64 = 1;

/// Methods of resources that are read, and of those that are written.
pub(super) const ALLOW_GET: &str = "GET, HEAD, OPTIONS";
pub(super) const ALLOW_POST: &str = "POST, OPTIONS";
/// Those of the server as a whole.
pub(super) const ALLOW_ALL: &str = "GET, HEAD, POST, OPTIONS";

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    /// The protocol's error code.
    pub(super) code: u16,
    pub(super) msg: String,
    /// Label of the metric, if it is counted.
    reason: Option<&'static str>,
    /// Seconds after which the client may ask again.
    retry_after: Option<u64>,
    /// What the status asks for besides.
    headers: &'static [(&'static str, &'static str)],
}

impl Refusal {
    /// For an error code of the protocol that is also a status of HTTP, or near to one.
    pub(super) fn new(status: StatusCode, code: u16, msg: impl Into<String>) -> Self {
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER);
        Self { status, code, msg: msg.into(), reason: None, retry_after, headers: &[] }
    }

    /// What was asked for makes no sense.
    pub(super) fn bad(code: Code, msg: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code.number(), msg)
    }

    /// A parameter of the address is wrong. The message begins with its name.
    pub(super) fn parameter(msg: impl Into<String>) -> Self {
        Self::bad(Code::BadParameter, msg)
    }

    /// It counts under that reason; [`Door::count`](super::door::Door::count) does so in one place.
    pub(super) fn counted(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    pub(super) fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The label of the metric, if it is counted.
    pub(super) const fn reason(&self) -> Option<&'static str> {
        self.reason
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.msg)
    }
}

impl std::error::Error for Refusal {}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// The answer: the protocol's code, and what was wrong.
    fn error_response(&self) -> HttpResponse {
        #[derive(Serialize)]
        struct Body<'a> {
            code: u16,
            msg: &'a str,
        }
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::REQUEST_TIMEOUT {
            // What is left of the request would be taken for the next one.
            response.force_close();
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
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
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, 400, format!("the method here is {allow}")).with(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_the_answer_of_a_handler() {
        let full = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 503, "draining").counted("draining");
        for (refusal, status, retry) in [
            (Refusal::parameter("limit: \"x\" is no number"), 400, None),
            (full.clone(), 503, Some("1")),
            (full.retry_after(7), 503, Some("7")),
            (wrong_method(ALLOW_POST), 405, None),
        ] {
            let response = actix_web::Error::from(refusal.clone()).error_response();
            assert_eq!(response.status().as_u16(), status, "{refusal}");
            let header = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
            assert_eq!(header, retry, "{refusal}");
            let allow = response.headers().get(header::ALLOW).map(|value| value.to_str().unwrap());
            assert_eq!(allow, (status == 405).then_some(ALLOW_POST), "{refusal}");
        }
    }
}
