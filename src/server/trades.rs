//! `GET /v1/trades/{symbol}`: the trades that a topic remembers, page by page, and the position to subscribe from.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{
    Gateway,
    query::{self, Bad},
    rest,
};
use crate::{
    dialect::native::{Code, Encoding},
    limits::{DEFAULT_TRADES_PAGE, TRADES_PAGE},
    market::{Channel, Symbol},
};

/// `?limit=100&before=18233`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    limit: Option<String>,
    before: Option<String>,
}

impl Query {
    fn limit(&self) -> Result<usize, Bad> {
        let Some(text) = self.limit.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(DEFAULT_TRADES_PAGE);
        };
        text.parse().ok().filter(|limit| TRADES_PAGE.contains(limit)).ok_or_else(|| {
            let (least, most) = (TRADES_PAGE.start(), TRADES_PAGE.end());
            Bad::parameter(format!("limit: {:?} is not a number from {least} to {most}", query::cut(text)))
        })
    }

    fn before(&self) -> Result<Option<u64>, Bad> {
        let Some(text) = self.before.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        text.parse().map(Some).map_err(|_why| {
            Bad::parameter(format!("before: {:?} is not the number of a trade", query::cut(text)))
        })
    }
}

/// The newest trades before a number, oldest first. Without a number also the position behind the newest one: a
/// subscription that starts there has no hole and no repeat.
pub(super) async fn trades(
    gateway: web::Data<Gateway>,
    symbol: web::Path<String>,
    query: Result<web::Query<Query>, actix_web::Error>,
) -> HttpResponse {
    let query = match query {
        Ok(query) => query.into_inner(),
        Err(why) => return rest::bad(&Bad::parameter(why.to_string())),
    };
    let (limit, before) = match query.limit().and_then(|limit| Ok((limit, query.before()?))) {
        Ok(both) => both,
        Err(bad) => return rest::bad(&bad),
    };
    let Some(topic) = Symbol::new(&symbol).ok().and_then(|symbol| gateway.hub.topic(symbol)) else {
        let msg = format!("symbol: {:?} is unknown", query::cut(&symbol));
        return rest::refusal(404, Code::UnknownSymbol.number(), &msg);
    };
    // One look at the ring: its last number is the head that the position tells. One trade more than asked for says
    // whether there is another page.
    let span = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let end = before.unwrap_or_else(|| topic.last(Channel::Trades).map_or(0, |newest| newest.n) + 1);
    let mut events = topic.since(Channel::Trades, end.saturating_sub(span).saturating_sub(1)).events;
    if let Some(before) = before {
        events.retain(|event| event.n < before);
    }
    let head = events.last().map_or(0, |newest| newest.n);
    let rest_of_ring = events.len().saturating_sub(limit);
    let page = &events[rest_of_ring..];
    let mut body = Vec::with_capacity(page.len() * 192 + 256);
    body.extend_from_slice(b"{\"epoch\":");
    Encoding::Json.encode_into(&gateway.hub.epoch(), &mut body);
    body.extend_from_slice(b",\"S\":");
    Encoding::Json.encode_into(&topic.symbol(), &mut body);
    if before.is_none() {
        let position = serde_json::json!({
            "epoch": gateway.hub.epoch(),
            "n": {topic.symbol().as_str(): head},
        });
        body.extend_from_slice(b",\"position\":");
        Encoding::Json.encode_into(&position, &mut body);
    }
    if rest_of_ring > 0
        && let Some(oldest) = page.first()
    {
        body.extend_from_slice(b",\"before\":");
        Encoding::Json.encode_into(&oldest.n, &mut body);
    }
    body.extend_from_slice(b",\"trades\":[");
    for (i, event) in page.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event.encoded(Encoding::Json));
    }
    body.extend_from_slice(b"]}");
    rest::fresh_json(body)
}
