//! The actix driver: `GET /v1/ws` as an ordinary request of the application, for listeners whose sockets are not
//! plain.

use std::{rc::Rc, sync::Arc};

use actix_web::{
    FromRequest as _, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody as _},
    http::header,
    web,
};

use super::{
    Gateway, LocalShard,
    admit::{self, Wishes},
    body::{Body, Port},
    guard::guarded,
    line::Gauge,
    reader::{Purpose, Reader},
    rest,
};
use crate::dialect::native::Encoding;

/// Upgrades a connection and opens its session.
pub(super) async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    shard: web::Data<LocalShard>,
) -> HttpResponse {
    accept(&request, payload, &gateway, &shard, Purpose::Commands).await
}

/// The way of every WebSocket endpoint: refusals, handshake, session. `purpose` is told the encoding of the chosen
/// subprotocol.
pub(super) async fn accept(
    request: &HttpRequest,
    payload: web::Payload,
    gateway: &Gateway,
    shard: &LocalShard,
    purpose: impl FnOnce(Encoding, Wishes) -> Purpose,
) -> HttpResponse {
    let address = request.peer_addr().map(|peer| peer.ip());
    let refused = |reason| gateway.hub.metrics().refuse_session(reason, address);
    let wishes = match admit::vet(request.headers(), request.uri().query(), gateway) {
        Ok(wishes) => wishes,
        Err(refusal) => {
            refused(refusal.reason);
            return rest::refusal(refusal.status, refusal.code, &refusal.msg);
        }
    };
    // actix-ws does the handshake and owns the response; what the client sends is read by the session's own reader,
    // which judges frames by their headers.
    let Ok(nothing) = web::Payload::from_request(request, &mut actix_web::dev::Payload::None).await else {
        return rest::refusal(400, 400, "not a WebSocket upgrade");
    };
    let names = admit::PROTOCOLS.map(|(name, _)| name);
    let (response, _session, _messages) = match actix_ws::handle_with_protocols(request, nothing, &names) {
        Ok(upgraded) => upgraded,
        Err(why) => {
            refused("handshake");
            return why.as_response_error().error_response();
        }
    };
    let chosen = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL).map(header::HeaderValue::as_bytes);
    let purpose = purpose(admit::encoding(chosen), wishes);
    let (Some(gauge), Some(peer)) = (request.conn_data::<Rc<Gauge>>(), request.peer_addr()) else {
        return rest::refusal(500, 500, "the connection has no address");
    };
    let admission = match gateway.census.admit(peer.ip()) {
        Ok(admission) => Some(admission),
        Err(limit) => {
            refused(limit.as_str());
            None
        }
    };
    let port = Rc::new(Port::new(Rc::clone(gauge)));
    let (key, most) = purpose.open(shard, &gateway.session, Rc::clone(&port) as Rc<_>, admission);
    let shard = LocalShard::clone(shard);
    let reader = Reader { shard: LocalShard::clone(&shard), key, port: Rc::clone(&port), purpose, most };
    let reading = reader.run(payload.into_inner());
    actix_rt::spawn(guarded(reading, (LocalShard::clone(&shard), key), Arc::clone(&gateway.hub)));
    // actix-ws' own body is a queue of which nobody holds the other end: only what it says of the response stays.
    response.map_body(|_head, inner| -> BoxBody { Body { shard, key, port, size: inner.size() }.boxed() })
}
