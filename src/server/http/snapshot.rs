//! `GET /v1/snapshot`: the newest event of each symbol and channel, for plain polling. Its tag changes with the events
//! and not with the time of the answer, so that a client that has them already gets 304.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ETag, EntityTag, Header as _, IfNoneMatch},
    web,
};
use serde::Deserialize;
use tokio::task::yield_now;

use super::{
    budget::Spent,
    query::{self, Names},
    source,
};
use crate::{
    dialect::{Code, Encoding},
    limits::{HTTP_TURN_SYMBOLS, SNAPSHOT_SYMBOLS},
    server::{gateway::Gateway, parameters::Parameters, refusal::Refusal},
};

/// `?symbols=BTC-USD,ETH-*&channels=quotes,trades`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    symbols: Option<String>,
    channels: Option<String>,
}

pub(crate) async fn snapshot(
    request: HttpRequest,
    gateway: web::Data<Gateway>,
    Parameters(query): Parameters<Query>,
) -> Result<HttpResponse, Refusal> {
    let channels = query::channels(query.channels.as_deref())?;
    let names = Names::read(query.symbols.as_deref().unwrap_or("*"))?;
    let (topics, unknown) = names.topics(&gateway.hub, SNAPSHOT_SYMBOLS).await;
    if topics.len() + unknown.len() > SNAPSHOT_SYMBOLS {
        let msg = format!("symbols: more match than the {SNAPSHOT_SYMBOLS} that are answered at once");
        return Err(Refusal::bad(Code::SymbolLimit, msg));
    }
    let looked = topics.len() * channels.len() + unknown.len();
    let mut events = Vec::new();
    for topics in topics.chunks(HTTP_TURN_SYMBOLS / channels.len().max(1)) {
        for topic in topics {
            events.extend(channels.iter().filter_map(|channel| topic.last(*channel)));
        }
        yield_now().await;
    }
    let mut hasher = DefaultHasher::new();
    let stale = gateway.hub.source_word();
    (gateway.hub.epoch(), &unknown, stale.map(|word| word.since)).hash(&mut hasher);
    for event in &events {
        (event.topic, event.channel(), event.n).hash(&mut hasher);
    }
    // Weak: the time in the answer is another each time, and so may its compression be.
    let tag = EntityTag::new_weak(format!("{:016x}", hasher.finish()));
    if has(&request, &tag) {
        let mut response = HttpResponse::NotModified()
            .insert_header(ETag(tag))
            .insert_header(("cache-control", "no-cache"))
            .finish();
        response.extensions_mut().insert(Spent::new(0, looked));
        return Ok(response);
    }
    let mut body = Vec::with_capacity(256 * events.len() + 128);
    body.extend_from_slice(b"{\"epoch\":");
    Encoding::Json.encode_into(&&*gateway.hub.epoch(), &mut body);
    body.extend_from_slice(b",\"time\":");
    Encoding::Json.encode_into(&gateway.hub.clock().now(), &mut body);
    source::append(&gateway.hub, &mut body);
    body.extend_from_slice(b",\"unknown\":");
    Encoding::Json.encode_into(&unknown, &mut body);
    body.extend_from_slice(b",\"events\":[");
    for (i, event) in events.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.encoded(Encoding::Json));
        if i % HTTP_TURN_SYMBOLS == HTTP_TURN_SYMBOLS - 1 {
            yield_now().await;
        }
    }
    body.extend_from_slice(b"]}");
    let spent = Spent::new(body.len(), looked);
    let mut response = HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(ETag(tag))
        // It may be kept, and must be asked for again before it is used.
        .insert_header(("cache-control", "no-cache"))
        .body(body);
    response.extensions_mut().insert(spent);
    Ok(response)
}

fn has(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => request.headers().contains_key("if-none-match"),
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}
