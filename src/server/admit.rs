//! Whether a request becomes a session, the same for both drivers and for every transport.

use actix_web::HttpRequest;

use super::{door::Asking, gateway::Gateway, refusal::Refusal};
use crate::{dialect::native::Code, session::Admission};

/// Whether there may be new sessions, and new ticks.
pub(super) fn open(gateway: &Gateway) -> Result<(), Refusal> {
    if gateway.is_ready() {
        return Ok(());
    }
    Err(Refusal::new(503, 503, "draining", "the gateway is draining: connect to another one, or later"))
}

/// A place for the session of a request that is no upgrade, or the answer that refuses it: here a client can see why.
pub(super) fn admit(request: &HttpRequest, gateway: &Gateway) -> Result<Admission, Refusal> {
    let admitted = open(gateway).and_then(|()| {
        let asking = Asking::of(request)?;
        gateway.connections.admit(asking.client.ip).map_err(|limit| {
            let code = Code::ConnectionLimit.number();
            Refusal::new(503, code, limit.as_str(), "too many connections")
        })
    });
    if let Err(refusal) = &admitted {
        gateway.hub.metrics().refuse_session(refusal.reason, Asking::address(request));
    }
    admitted
}
