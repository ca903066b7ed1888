//! `GET /v1/ws`: from a request to a session.

use std::rc::Rc;

use actix_web::{
    FromRequest as _, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody as _},
    http::header,
    web,
};

use super::{
    Gateway, LocalShard,
    body::{Body, Port},
    line::Gauge,
    reader::Reader,
    rest,
};
use crate::{clock::Instant, dialect::native::Encoding};

/// Subprotocols, by preference.
const PROTOCOLS: [(&str, Encoding); 2] =
    [("tickcast.v1.msgpack", Encoding::MsgPack), ("tickcast.v1.json", Encoding::Json)];

/// Upgrades a connection and opens its session.
pub(super) async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    shard: web::Data<LocalShard>,
) -> HttpResponse {
    if !gateway.is_ready() {
        gateway.hub.metrics().sessions_refused("draining").inc();
        return rest::refusal(503, 503, "the gateway is draining: connect to another one, or later");
    }
    if let Err(origin) = check_origin(&request, &gateway.server.origins) {
        gateway.hub.metrics().sessions_refused("origin").inc();
        return rest::refusal(403, 416, &format!("Origin {origin:?} is not allowed: see server.origins"));
    }
    // actix-ws does the handshake and owns the response; what the client sends is read by the session's own reader,
    // which judges frames by their headers.
    let Ok(nothing) = web::Payload::from_request(&request, &mut actix_web::dev::Payload::None).await else {
        return rest::refusal(400, 400, "not a WebSocket upgrade");
    };
    let names = PROTOCOLS.map(|(name, _)| name);
    let (response, session, _messages) = match actix_ws::handle_with_protocols(&request, nothing, &names) {
        Ok(upgraded) => upgraded,
        Err(why) => {
            gateway.hub.metrics().sessions_refused("handshake").inc();
            return why.as_response_error().error_response();
        }
    };
    let chosen = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL).map(header::HeaderValue::as_bytes);
    let encoding = PROTOCOLS
        .iter()
        .find(|(name, _)| chosen == Some(name.as_bytes()))
        .map_or(Encoding::Json, |(_, encoding)| *encoding);
    let (Some(gauge), Some(peer)) = (request.conn_data::<Rc<Gauge>>(), request.peer_addr()) else {
        return rest::refusal(500, 500, "the connection has no address");
    };
    let admission = match gateway.census.admit(peer.ip()) {
        Ok(admission) => Some(admission),
        Err(limit) => {
            gateway.hub.metrics().sessions_refused(limit.as_str()).inc();
            None
        }
    };
    let port = Rc::new(Port::new(Rc::clone(gauge)));
    let shard = LocalShard::clone(&shard);
    let key = shard.borrow_mut().open(encoding, Rc::clone(&port) as Rc<_>, admission, Instant::now());
    let most = gateway.session.frame_bytes;
    let reader = Reader { shard: LocalShard::clone(&shard), key, port: Rc::clone(&port), encoding, most };
    actix_rt::spawn(reader.run(payload.into_inner()));
    response
        .map_body(|_head, inner| -> BoxBody { Body { shard, key, port, inner, _session: session }.boxed() })
}

/// A browser's request must come from the gateway's own pages or from an allowed origin; other clients send none.
fn check_origin(request: &HttpRequest, allowed: &[String]) -> Result<(), String> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("?");
    let own = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = origin.split_once("://").map(|(_, host)| host);
    if (host.is_some() && host == own) || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    Err(origin.chars().take(100).collect())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn origins() {
        let check = |origin: Option<&str>| {
            let mut request = TestRequest::default().insert_header((header::HOST, "127.0.0.1:8080"));
            if let Some(origin) = origin {
                request = request.insert_header((header::ORIGIN, origin));
            }
            check_origin(&request.to_http_request(), &["https://app.example.com".into()])
        };
        assert!(check(None).is_ok());
        assert!(check(Some("http://127.0.0.1:8080")).is_ok());
        assert!(check(Some("https://app.example.com")).is_ok());
        assert!(check(Some("http://evil.example.com")).is_err());
        assert!(check(Some("null")).is_err());
    }
}
