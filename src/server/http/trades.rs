//! `GET /v1/trades/{symbol}`: the trades that a topic remembers, page by page, and the position to subscribe from.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{
    history::{self, About},
    rest,
};
use crate::{
    limits::{DEFAULT_TRADES_PAGE, TRADES_PAGE},
    server::{
        gateway::Gateway,
        parameters::{Bad, Parameters},
    },
};

/// `?limit=100&before=18233`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<String>,
    before: Option<String>,
}

impl Query {
    fn page(&self) -> Result<(Option<u64>, usize), Bad> {
        let limit = history::limit(self.limit.as_ref(), &TRADES_PAGE, DEFAULT_TRADES_PAGE)?;
        Ok((history::before(self.before.as_ref())?, limit))
    }
}

/// The newest trades before a number, oldest first. Without a number also the position behind the newest one: a
/// subscription that starts there has no hole and no repeat.
pub(crate) async fn trades(
    gateway: web::Data<Gateway>,
    symbol: web::Path<String>,
    Parameters(query): Parameters<Query>,
) -> HttpResponse {
    let (before, limit) = match query.and_then(|query| query.page()) {
        Ok(page) => page,
        Err(bad) => return rest::bad(&bad),
    };
    let Some(topic) = history::topic(&gateway, &symbol) else { return history::unknown(&symbol) };
    let about = About {
        epoch: gateway.hub.epoch(),
        symbol: topic.symbol(),
        interval: None,
        is_first: before.is_none(),
    };
    history::answer(&about, "trades", &topic.trades(before, limit))
}
