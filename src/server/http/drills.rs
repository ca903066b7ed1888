//! Orders of tests: `POST /test/fail/{task}`, that task fails next, and `POST /test/renumber/{epoch}`, the numbering is another
//! one. In test builds only; what the gateway does then is the release's.

use actix_web::{HttpResponse, web};

use crate::{drill, server::gateway::Gateway};

/// A task is to fail.
pub(crate) async fn fail(task: web::Path<String>) -> HttpResponse {
    drill::arm(&task);
    HttpResponse::NoContent().finish()
}

/// Another epoch begins.
pub(crate) async fn renumber(epoch: web::Path<String>, gateway: web::Data<Gateway>) -> HttpResponse {
    gateway.hub.renumber(epoch.into_inner());
    HttpResponse::NoContent().finish()
}
