//! The actix driver: `GET /v1/ws` as an ordinary request of the application, for listeners whose sockets are not
//! plain.

use std::{rc::Rc, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    body::{Body, BodyTransport},
    connect::{self, ConnectOptions},
    endpoint::Endpoint,
    guard::guarded,
    handshake,
    reader::Reader,
    stream::ConnState,
};
use crate::{
    dialect::Encoding,
    server::{
        door::Asking,
        gateway::{Gateway, LocalShard},
        refusal::Refusal,
    },
};

/// Upgrades a connection and opens its session.
pub(crate) async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    shard: web::Data<LocalShard>,
) -> Result<HttpResponse, Refusal> {
    accept(&request, payload, &gateway, &shard, Endpoint::Commands).await
}

/// The way of every WebSocket endpoint: refusals, handshake, session. `endpoint` is told the encoding of the chosen
/// subprotocol.
pub(crate) async fn accept(
    request: &HttpRequest,
    payload: web::Payload,
    gateway: &Gateway,
    shard: &LocalShard,
    endpoint: impl FnOnce(Encoding, ConnectOptions) -> Endpoint,
) -> Result<HttpResponse, Refusal> {
    let protocol = handshake::verify(request.head())?;
    let options = connect::vet(request.uri().query(), gateway)?;
    let ip = Asking::of(request)?.client.ip;
    let endpoint = endpoint(connect::encoding(protocol), options);
    let conn = ConnState::of(request)?;
    let refused = |reason| gateway.hub.metrics().refuse_session(reason, Some(ip));
    let admission = gateway.connections.admit(ip).inspect_err(|limit| refused(limit.as_str()));
    let transport = Rc::new(BodyTransport::new(Rc::clone(conn), admission.is_ok()));
    let (key, most) = endpoint.open(shard, &gateway.session, Rc::clone(&transport) as Rc<_>, admission);
    let shard = LocalShard::clone(shard);
    let reader =
        Reader { shard: LocalShard::clone(&shard), key, transport: Rc::clone(&transport), endpoint, most };
    let reading = reader.run(payload.into_inner());
    actix_rt::spawn(guarded(reading, (LocalShard::clone(&shard), key), Arc::clone(&gateway.hub)));
    let response = handshake::accept(request.head(), protocol).body(Body { shard, key, transport });
    Ok(response.map_into_boxed_body().into())
}
