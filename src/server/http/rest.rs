//! Plain answers: what exists, health, metrics, the documents of the interface.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web,
};
use serde::Serialize;

use crate::{
    hub::SourceWord,
    market::{Source, State, UnixMicros},
    server::{
        gateway::Gateway,
        member::FeedNow,
        parameters::{NoParameters, Parameters},
        readiness::Readiness,
        refusal::{self, Refusal},
    },
};

/// What this interface is, for machines.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// What the messages of the streams are, for machines.
const ASYNCAPI: &str = include_str!("../../../docs/asyncapi.json");

pub(crate) async fn openapi(_none: Parameters<NoParameters>) -> HttpResponse {
    document(OPENAPI)
}

pub(crate) async fn asyncapi(_none: Parameters<NoParameters>) -> HttpResponse {
    document(ASYNCAPI)
}

fn document(text: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text)
}

pub(crate) async fn not_found(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    if *request.method() == Method::OPTIONS && request.path() == "*" {
        // RFC 9110, section 9.3.7: about the server as a whole.
        return Ok(HttpResponse::NoContent().insert_header((header::ALLOW, refusal::ALLOW_ALL)).finish());
    }
    if *request.method() == Method::CONNECT {
        return Err(refusal::wrong_method(refusal::ALLOW_ALL));
    }
    let path: String = request.path().chars().take(100).collect();
    Err(Refusal::new(StatusCode::NOT_FOUND, 404, format!("nothing at {path:?}")))
}

pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

pub(crate) async fn readyz(gateway: web::Data<Gateway>) -> HttpResponse {
    let readiness = gateway.readiness.get();
    let mut response =
        if readiness == Readiness::Ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.content_type("text/plain; charset=utf-8").body(format!("{}\n", readiness.as_str()))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

pub(crate) async fn feedz(gateway: web::Data<Gateway>) -> HttpResponse {
    #[derive(Serialize)]
    struct Feed<'a> {
        name: Source,
        kind: &'a str,
        /// Whether its prices are made up.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        simulated: bool,
        state: State,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_tick: Option<UnixMicros>,
        #[serde(skip_serializing_if = "Option::is_none")]
        age_ms: Option<i64>,
        /// The symbols whose source it is, by state.
        symbols: BTreeMap<&'static str, i64>,
        /// Symbols that it carries while another feed is their source.
        #[serde(skip_serializing_if = "is_none")]
        standby: usize,
        /// How often it broke off, and why the last time.
        #[serde(skip_serializing_if = "Option::is_none")]
        breaks: Option<Breaks<'a>>,
    }
    #[derive(Serialize)]
    struct Breaks<'a> {
        count: u64,
        last: &'a str,
    }
    #[derive(Serialize)]
    struct Feeds<'a> {
        /// Why nothing new comes of any, while that is so.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<&'a SourceWord>,
        feeds: Vec<Feed<'a>>,
    }
    let now = gateway.hub.clock().now();
    let states = gateway.hub.states();
    let (told, word) = (gateway.feeds_now(), gateway.hub.source_word());
    let feeds = told.iter().map(|feed| {
        let &FeedNow { name, ref kind, state, last_tick, standby, ref breaks, .. } = feed;
        let age_ms = last_tick.map(|last| (now.0 - last.0) / 1_000);
        let of_feed = states.iter().filter(|(other, ..)| *other == name);
        let symbols = of_feed.map(|(_, state, count)| (state.as_str(), *count)).collect();
        let breaks = breaks.as_ref().map(|(count, last)| Breaks { count: *count, last });
        let simulated = feed.is_simulated();
        Feed { name, kind, simulated, state, last_tick, age_ms, symbols, standby, breaks }
    });
    HttpResponse::Ok().json(Feeds { source: word.as_deref(), feeds: feeds.collect() })
}

pub(crate) async fn metrics(gateway: web::Data<Gateway>) -> Result<HttpResponse, Refusal> {
    gateway.hub.metrics().symbols(&gateway.hub.states());
    gateway.hub.metrics().time.offsets(&gateway.hub.offsets());
    for feed in &gateway.feeds {
        if let Some(last) = feed.health.last_tick() {
            gateway.hub.metrics().feed(feed.name.as_str()).last_tick(last.0 / 1_000_000);
        }
    }
    let text = gateway.hub.metrics().render();
    let text = text.map_err(|why| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 500, why.to_string()))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
