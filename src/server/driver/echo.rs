//! `/test/echo`: what comes goes back. For the conformance suite, in test builds only: everything between the socket
//! and the command is that of `/v1/ws`, so that what passes here is true there; only messages may be larger.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{actix::accept, endpoint::Endpoint};
use crate::server::{
    gateway::{Gateway, LocalShard},
    refusal::Refusal,
};

/// Upgrades a connection and opens a session that echoes.
pub(crate) async fn echo(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    shard: web::Data<LocalShard>,
) -> Result<HttpResponse, Refusal> {
    accept(&request, payload, &gateway, &shard, |_encoding, _wishes| Endpoint::Echo).await
}
