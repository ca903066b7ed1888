//! Answers that are old as soon as they were read: no cache may keep them.

use actix_web::{HttpResponse, HttpResponseBuilder};

use super::budget::Spent;

/// Such an answer in JSON.
pub(crate) fn json(body: Vec<u8>) -> HttpResponse {
    let spent = Spent::new(body.len(), 0);
    let mut response = head().body(body);
    response.extensions_mut().insert(spent);
    response
}

/// What comes before it.
pub(crate) fn head() -> HttpResponseBuilder {
    let mut head = HttpResponse::Ok();
    head.content_type("application/json").insert_header(("cache-control", "no-store"));
    head
}
