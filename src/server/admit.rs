//! Whether a request becomes a session, the same for both drivers and for every transport.

use actix_web::{HttpRequest, http::StatusCode};

use super::{door::Asking, gateway::Gateway, refusal::Refusal};
use crate::{dialect::Code, session::Admission};

/// Whether there may be new sessions, and new ticks.
pub(super) fn open(gateway: &Gateway) -> Result<(), Refusal> {
    if gateway.is_ready() {
        return Ok(());
    }
    let msg = "the gateway is draining: connect to another one, or later";
    Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 503, msg).counted("draining"))
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
