//! The roads beside the stream: newest values, what exists, health, metrics, and the page.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::Gateway;
use crate::{
    dialect::native::Encoding,
    limits::SNAPSHOT_SYMBOLS,
    market::{Channel, Source, State, Symbol, UnixMicros},
};

/// The page at `/` when the dashboard is not built in.
const PAGE: &str = include_str!("../../web/plain/index.html");

/// What the page may do: talk to its own gateway, and nothing else.
const PAGE_POLICY: &str = "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self' ws: wss:; img-src data:";

/// Adds the routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(page))
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/feedz", web::get().to(feedz))
        .route("/metrics", web::get().to(metrics))
        .route("/v1/symbols", web::get().to(symbols))
        .route("/v1/snapshot", web::get().to(snapshot))
        .default_service(web::to(not_found));
}

/// An error as JSON: the protocol's code and what was wrong.
pub(super) fn refusal(status: u16, code: u16, msg: &str) -> HttpResponse {
    #[derive(Serialize)]
    struct Refusal<'a> {
        code: u16,
        msg: &'a str,
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).json(Refusal { code, msg })
}

async fn not_found(request: actix_web::HttpRequest) -> HttpResponse {
    let path: String = request.path().chars().take(100).collect();
    refusal(404, 404, &format!("nothing at {path:?}"))
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", PAGE_POLICY))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("cache-control", "no-cache"))
        .body(PAGE)
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

async fn readyz(gateway: web::Data<Gateway>) -> HttpResponse {
    if gateway.is_ready() {
        HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body("draining\n")
    }
}

async fn feedz(gateway: web::Data<Gateway>) -> HttpResponse {
    #[derive(Serialize)]
    struct Feed {
        name: Source,
        kind: &'static str,
        state: State,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_tick: Option<UnixMicros>,
        #[serde(skip_serializing_if = "Option::is_none")]
        age_ms: Option<i64>,
        /// Its symbols by state.
        symbols: BTreeMap<&'static str, i64>,
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
            Feed { name: feed.name, kind: feed.kind, state: feed.health.state(), last_tick, age_ms, symbols }
        })
        .collect();
    HttpResponse::Ok().json(Feeds { feeds })
}

async fn metrics(gateway: web::Data<Gateway>) -> HttpResponse {
    gateway.hub.metrics().symbols(&gateway.hub.states());
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

async fn symbols(gateway: web::Data<Gateway>) -> HttpResponse {
    #[derive(Serialize)]
    struct Known {
        #[serde(rename = "S")]
        symbol: Symbol,
        feed: Source,
        state: State,
    }
    #[derive(Serialize)]
    struct Symbols<'a> {
        epoch: &'a str,
        symbols: Vec<Known>,
    }
    let mut symbols: Vec<_> = gateway
        .hub
        .topics_since(0)
        .iter()
        .map(|topic| Known { symbol: topic.symbol(), feed: topic.feed(), state: topic.state() })
        .collect();
    symbols.sort_by_key(|known| known.symbol);
    HttpResponse::Ok().json(Symbols { epoch: gateway.hub.epoch(), symbols })
}

/// `?symbols=BTC-USD,ETH-*&channels=quotes,trades`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    symbols: Option<String>,
    channels: Option<String>,
}

async fn snapshot(
    gateway: web::Data<Gateway>,
    wanted: Result<web::Query<Wanted>, actix_web::Error>,
) -> HttpResponse {
    let wanted = match wanted {
        Ok(wanted) => wanted.into_inner(),
        Err(why) => return refusal(400, 416, &why.to_string()),
    };
    let mut channels = Vec::new();
    for name in wanted.channels.as_deref().unwrap_or("trades,quotes").split(',') {
        match Channel::parse(name).filter(|channel| gateway.hub.offers(*channel)) {
            Some(channel) if !channels.contains(&channel) => channels.push(channel),
            Some(_) => {}
            None => return refusal(400, 415, &format!("channels: {:?} is unknown", cut(name))),
        }
    }
    let mut topics = Vec::new();
    let mut unknown = Vec::new();
    for text in wanted.symbols.as_deref().unwrap_or("*").split(',') {
        if let Some(prefix) = text.strip_suffix('*') {
            let all = gateway.hub.topics_since(0);
            topics.extend(all.into_iter().filter(|topic| topic.symbol().as_str().starts_with(prefix)));
        } else {
            match Symbol::new(text).ok().and_then(|symbol| gateway.hub.topic(symbol)) {
                Some(topic) => topics.push(topic),
                None => unknown.push(cut(text)),
            }
        }
    }
    topics.sort_by_key(|topic| topic.symbol());
    topics.dedup_by_key(|topic| topic.id());
    if topics.len() + unknown.len() > SNAPSHOT_SYMBOLS {
        let msg = format!("symbols: {} match, at most {SNAPSHOT_SYMBOLS} are answered at once", topics.len());
        return refusal(400, 405, &msg);
    }
    let mut body = Vec::with_capacity(256 * topics.len() * channels.len() + 128);
    body.extend_from_slice(b"{\"epoch\":");
    Encoding::Json.encode_into(&gateway.hub.epoch(), &mut body);
    body.extend_from_slice(b",\"time\":");
    Encoding::Json.encode_into(&gateway.hub.clock().now(), &mut body);
    body.extend_from_slice(b",\"unknown\":");
    Encoding::Json.encode_into(&unknown, &mut body);
    body.extend_from_slice(b",\"events\":[");
    let mut first = true;
    for topic in &topics {
        for event in channels.iter().filter_map(|channel| topic.last(*channel)) {
            if !first {
                body.push(b',');
            }
            first = false;
            body.extend_from_slice(event.encoded(Encoding::Json));
        }
    }
    body.extend_from_slice(b"]}");
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("cache-control", "no-store"))
        .body(body)
}

fn cut(text: &str) -> String {
    text.chars().take(crate::limits::MAX_SYMBOL_LEN).collect()
}
