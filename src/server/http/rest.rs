//! Plain answers: what exists, health, metrics, the documents of the interface.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{Method, header},
    web,
};
use serde::Serialize;

use super::budget::Spent;
use crate::{
    market::{Source, State, UnixMicros},
    server::{
        gateway::Gateway,
        parameters::{Bad, NoParameters, Parameters},
        refusal::{self, Refusal},
    },
};

/// What this interface is, for machines.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// What the messages of the streams are, for machines.
const ASYNCAPI: &str = include_str!("../../../docs/asyncapi.json");

/// An error as JSON: the protocol's code and what was wrong.
pub(crate) fn refusal(status: u16, code: u16, msg: &str) -> HttpResponse {
    Refusal::new(status, code, "", msg).response()
}

/// The answer to a query that cannot be.
pub(crate) fn bad(bad: &Bad) -> HttpResponse {
    refusal(400, bad.code.number(), &bad.msg)
}

/// An answer that is old as soon as it was read.
pub(crate) fn fresh_json(body: Vec<u8>) -> HttpResponse {
    let spent = Spent::new(body.len(), 0);
    let mut response = fresh_json_head().body(body);
    response.extensions_mut().insert(spent);
    response
}

/// What comes before such an answer.
pub(crate) fn fresh_json_head() -> HttpResponseBuilder {
    let mut head = HttpResponse::Ok();
    head.content_type("application/json").insert_header(("cache-control", "no-store"));
    head
}

pub(crate) async fn openapi(query: Parameters<NoParameters>) -> HttpResponse {
    document(query, OPENAPI)
}

pub(crate) async fn asyncapi(query: Parameters<NoParameters>) -> HttpResponse {
    document(query, ASYNCAPI)
}

fn document(Parameters(query): Parameters<NoParameters>, text: &'static str) -> HttpResponse {
    match query {
        Ok(NoParameters {}) => HttpResponse::Ok().content_type("application/json").body(text),
        Err(bad) => self::bad(&bad),
    }
}

pub(crate) async fn not_found(request: HttpRequest) -> HttpResponse {
    if *request.method() == Method::OPTIONS && request.path() == "*" {
        // RFC 9110, section 9.3.7: about the server as a whole.
        return HttpResponse::NoContent().insert_header((header::ALLOW, refusal::ALLOW_ALL)).finish();
    }
    if *request.method() == Method::CONNECT {
        return refusal::wrong_method(refusal::ALLOW_ALL).response();
    }
    let path: String = request.path().chars().take(100).collect();
    refusal(404, 404, &format!("nothing at {path:?}"))
}

pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

pub(crate) async fn readyz(gateway: web::Data<Gateway>) -> HttpResponse {
    if gateway.is_ready() {
        HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body("draining\n")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

pub(crate) async fn feedz(gateway: web::Data<Gateway>) -> HttpResponse {
    #[derive(Serialize)]
    struct Feed {
        name: Source,
        kind: &'static str,
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
        breaks: Option<Breaks>,
    }
    #[derive(Serialize)]
    struct Breaks {
        count: u64,
        last: &'static str,
    }
    #[derive(Serialize)]
    struct Feeds {
        feeds: Vec<Feed>,
    }
    let now = gateway.hub.clock().now();
    let states = gateway.hub.states();
    let feeds = gateway
        .feeds
        .iter()
        .map(|feed| {
            let last_tick = feed.health.last_tick();
            let age_ms = last_tick.map(|last| (now.0 - last.0) / 1_000);
            let of_feed = states.iter().filter(|(name, ..)| *name == feed.name);
            let symbols = of_feed.map(|(_, state, count)| (state.as_str(), *count)).collect();
            let standby = gateway.hub.standby(feed.name);
            let state = feed.health.state();
            let breaks = feed.health.breaks().map(|(count, last)| Breaks { count, last });
            let (name, kind, simulated) =
                (feed.name, feed.kind, gateway.session.simulated.contains(&feed.name));
            Feed { name, kind, simulated, state, last_tick, age_ms, symbols, standby, breaks }
        })
        .collect();
    HttpResponse::Ok().json(Feeds { feeds })
}

pub(crate) async fn metrics(gateway: web::Data<Gateway>) -> HttpResponse {
    gateway.hub.metrics().symbols(&gateway.hub.states());
    gateway.hub.metrics().time.offsets(&gateway.hub.offsets());
    for feed in &gateway.feeds {
        if let Some(last) = feed.health.last_tick() {
            gateway.hub.metrics().feed(feed.name.as_str()).last_tick(last.0 / 1_000_000);
        }
    }
    match gateway.hub.metrics().render() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(why) => refusal(500, 500, &why.to_string()),
    }
}
