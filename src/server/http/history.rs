//! Shared by the resources of history: how a query says which page, and how a page is answered. Which events are
//! on a page is the hub's decision.

use std::{ops::RangeInclusive, sync::Arc};

use actix_web::{HttpResponse, http::StatusCode};

use super::fresh;
use crate::{
    dialect::{Code, Encoding},
    hub::{Page, Topic},
    market::Symbol,
    server::{gateway::Gateway, parameters, refusal::Refusal},
};

/// A parameter that is there and not empty.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// `limit`: how many events the page has at most.
pub(crate) fn limit(
    text: Option<&String>,
    range: &RangeInclusive<usize>,
    default: usize,
) -> Result<usize, Refusal> {
    let Some(text) = given(text) else { return Ok(default) };
    text.parse().ok().filter(|limit| range.contains(limit)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        Refusal::parameter(format!(
            "limit: {:?} is not a number from {least} to {most}",
            parameters::cut(text)
        ))
    })
}

/// `before`: only events with lower numbers.
pub(crate) fn before(text: Option<&String>) -> Result<Option<u64>, Refusal> {
    let Some(text) = given(text) else { return Ok(None) };
    text.parse().map(Some).map_err(|_why| {
        Refusal::parameter(format!("before: {:?} is not the number of an event", parameters::cut(text)))
    })
}

/// `from` or `to`: a time, in microseconds.
pub(crate) fn time(name: &str, text: Option<&String>) -> Result<Option<i64>, Refusal> {
    let Some(text) = given(text) else { return Ok(None) };
    text.parse().map(Some).map_err(|_why| {
        let found = parameters::cut(text);
        Refusal::parameter(format!("{name}: {found:?} is not a time in microseconds since 1970"))
    })
}

/// The topic that a path names; slashes around its symbol count only where there is such a symbol.
pub(crate) fn topic(gateway: &Gateway, name: &str) -> Result<Arc<Topic>, Refusal> {
    let topic = |name: &str| Symbol::new(name).ok().and_then(|symbol| gateway.hub.topic(symbol));
    topic(name).or_else(|| topic(name.trim_matches('/'))).ok_or_else(|| {
        let msg = format!("symbol: {:?} is unknown", parameters::cut(name));
        Refusal::new(StatusCode::NOT_FOUND, Code::UnknownSymbol.number(), msg)
    })
}

/// The head of an answer: everything but its events.
pub(crate) struct About<'a> {
    pub(crate) epoch: &'a str,
    pub(crate) symbol: Symbol,
    pub(crate) interval: Option<&'static str>,
    /// Whether it is the first page, which tells where a subscription goes on.
    pub(crate) is_first: bool,
}

/// The page as an answer, its events under `name`.
pub(crate) fn answer(about: &About<'_>, name: &str, page: &Page) -> HttpResponse {
    let mut body = Vec::with_capacity(page.events.len() * 192 + 256);
    let put = |body: &mut Vec<u8>, key: &str, value: &serde_json::Value| {
        body.extend_from_slice(if body.is_empty() { b"{" } else { b"," });
        Encoding::Json.encode_into(&key, body);
        body.push(b':');
        Encoding::Json.encode_into(value, body);
    };
    put(&mut body, "epoch", &about.epoch.into());
    put(&mut body, "S", &about.symbol.as_str().into());
    if let Some(interval) = about.interval {
        put(&mut body, "interval", &interval.into());
    }
    if about.is_first {
        let n = serde_json::json!({about.symbol.as_str(): page.position});
        put(&mut body, "position", &serde_json::json!({"epoch": about.epoch, "n": n}));
    }
    if page.has_older
        && let Some(oldest) = page.events.first()
    {
        put(&mut body, "before", &oldest.n.into());
    }
    body.push(b',');
    Encoding::Json.encode_into(&name, &mut body);
    body.extend_from_slice(b":[");
    for (i, event) in page.events.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.encoded(Encoding::Json));
    }
    body.extend_from_slice(b"]}");
    fresh::json(body)
}
