//! Whether a request becomes a session, the same for both drivers and for every transport.

use actix_web::{HttpRequest, http::StatusCode};

use super::{door::Asking, gateway::Gateway, readiness::Readiness, refusal::Refusal};
use crate::{dialect::Code, session::Admission};

/// Whether there may be new sessions, and new ticks.
pub(super) fn open(gateway: &Gateway) -> Result<(), Refusal> {
    let (msg, reason) = match gateway.readiness.get() {
        Readiness::Ready => return Ok(()),
        Readiness::Draining => ("the gateway is draining: connect to another one, or later", "draining"),
        Readiness::Starting => ("the gateway is starting: connect to another one, or later", "starting"),
        Readiness::Feeding => ("the gateway takes no clients: connect to another one", "starting"),
    };
    Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 503, msg).counted(reason))
}

/// A place for the session of a request that is no upgrade, or the answer that refuses it: here a client can see why.
pub(super) fn admit(request: &HttpRequest, gateway: &Gateway) -> Result<Admission, Refusal> {
    open(gateway)?;
    let asking = Asking::of(request)?;
    gateway.connections.admit(asking.client.ip).map_err(|limit| {
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, Code::ConnectionLimit.number());
        Refusal::new(status, code, "too many connections").counted(limit.as_str())
    })
}
