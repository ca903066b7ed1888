//! `GET /v1/symbols`: what exists, page by page in the order of the symbols.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use super::{budget::Spent, history, source};
use crate::{
    dialect::Encoding,
    hub::Topic,
    limits::{HTTP_TURN_SYMBOLS, SYMBOLS_PAGE},
    market::{Increments, Price, Size, Source, State, Symbol},
    server::{
        gateway::Gateway,
        member::FeedNow,
        parameters::{self, Parameters},
        refusal::Refusal,
    },
};

/// `?limit=1000&after=BTC-USD`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<String>,
    after: Option<String>,
}

impl Query {
    fn page(&self) -> Result<(usize, Option<Symbol>), Refusal> {
        let limit = history::limit(self.limit.as_ref(), &SYMBOLS_PAGE, *SYMBOLS_PAGE.end())?;
        let after = self.after.as_deref().filter(|text| !text.is_empty());
        let after = after.map(Symbol::new).transpose().map_err(|why| {
            let found = parameters::cut(self.after.as_deref().unwrap_or_default());
            Refusal::parameter(format!("after: {found:?} is not a symbol: it {why}"))
        })?;
        Ok((limit, after))
    }
}

#[derive(Serialize)]
struct Carrying {
    name: Source,
    state: State,
}

#[derive(Serialize)]
struct Known<'a> {
    #[serde(rename = "S")]
    symbol: Symbol,
    feed: Source,
    state: State,
    /// Those that carry it, when there are several; the preferred one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    feeds: Vec<Carrying>,
    /// What moves the source's quotes, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    quotes_from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tick_size: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lot_size: Option<Size>,
}

impl<'a> Known<'a> {
    fn of(topic: &Topic, views: &'a [FeedNow]) -> Self {
        let Increments { tick: tick_size, lot: lot_size } = topic.increments();
        let mut feeds = topic.feeds();
        if feeds.len() == 1 {
            feeds.clear();
        }
        let feeds = feeds.into_iter().map(|(name, state)| Carrying { name, state }).collect();
        let (feed, state) = (topic.feed(), topic.state());
        let quotes_from =
            views.iter().find(|view| view.name == feed).and_then(|view| view.quotes_from.as_deref());
        Self { symbol: topic.symbol(), feed, state, feeds, quotes_from, tick_size, lot_size }
    }
}

pub(crate) async fn symbols(
    gateway: web::Data<Gateway>,
    Parameters(query): Parameters<Query>,
) -> Result<HttpResponse, Refusal> {
    let (limit, mut after) = query.page()?;
    let feeds = gateway.feeds_now();
    let mut body = Vec::new();
    body.extend_from_slice(b"{\"epoch\":");
    Encoding::Json.encode_into(&&*gateway.hub.epoch(), &mut body);
    source::append(&gateway.hub, &mut body);
    body.extend_from_slice(b",\"symbols\":[");
    let mut count = 0;
    let mut has_more = true;
    while has_more && count < limit {
        let step = (limit - count).min(HTTP_TURN_SYMBOLS);
        // One more than are told: whether there are any behind.
        let topics = gateway.hub.topics_named("", after.as_ref(), step + 1);
        has_more = topics.len() > step;
        for topic in topics.iter().take(step) {
            if count > 0 {
                body.push(b',');
            }
            Encoding::Json.encode_into(&Known::of(topic, &feeds), &mut body);
            (count, after) = (count + 1, Some(topic.symbol()));
        }
        yield_now().await;
    }
    body.push(b']');
    if let Some(last) = after.filter(|_| has_more) {
        body.extend_from_slice(b",\"after\":");
        Encoding::Json.encode_into(&last, &mut body);
    }
    body.push(b'}');
    let spent = Spent::new(body.len(), count);
    let mut response = HttpResponse::Ok().content_type("application/json").body(body);
    response.extensions_mut().insert(spent);
    Ok(response)
}
