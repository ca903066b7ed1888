//! `POST /test/fail/{task}`: that task fails next. In test builds only; what the gateway does then is the release's.

use actix_web::{HttpResponse, web};

use crate::drill;

/// Takes the order.
pub(crate) async fn fail(task: web::Path<String>) -> HttpResponse {
    drill::arm(&task);
    HttpResponse::NoContent().finish()
}
