//! The actix driver: `GET /v1/ws` as an ordinary request of the application, for listeners whose sockets are not
//! plain.

use std::{rc::Rc, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    Gateway, LocalShard,
    admit::{self, Wishes},
    asking::Asking,
    body::{Body, Port},
    guard::guarded,
    handshake,
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
    let address = Asking::address(request);
    let refused = |reason| gateway.hub.metrics().refuse_session(reason, address);
    let vetted = handshake::verify(request.head()).and_then(|protocol| {
        let wishes = admit::vet(request.uri().query(), gateway)?;
        Ok((protocol, wishes, Asking::of(request)?.client.ip))
    });
    let (protocol, wishes, ip) = match vetted {
        Ok(vetted) => vetted,
        Err(refusal) => {
            refused(refusal.reason);
            return refusal.response();
        }
    };
    let purpose = purpose(admit::encoding(protocol), wishes);
    let Some(gauge) = request.conn_data::<Rc<Gauge>>() else {
        return rest::refusal(500, 500, "the connection has no gauge");
    };
    let admission = gateway.connections.admit(ip).inspect_err(|limit| refused(limit.as_str()));
    let port = Rc::new(Port::new(Rc::clone(gauge), admission.is_ok()));
    let (key, most) = purpose.open(shard, &gateway.session, Rc::clone(&port) as Rc<_>, admission);
    let shard = LocalShard::clone(shard);
    let reader = Reader { shard: LocalShard::clone(&shard), key, port: Rc::clone(&port), purpose, most };
    let reading = reader.run(payload.into_inner());
    actix_rt::spawn(guarded(reading, (LocalShard::clone(&shard), key), Arc::clone(&gateway.hub)));
    let response = handshake::accept(request.head(), protocol).body(Body { shard, key, port });
    response.map_into_boxed_body().into()
}
