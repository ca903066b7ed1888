//! `GET /v1/trades/{symbol}`: the trades that a topic remembers, page by page, and the position to subscribe from.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::history::{self, About};
use crate::{
    limits::{DEFAULT_TRADES_PAGE, TRADES_PAGE},
    server::{gateway::Gateway, parameters::Parameters, refusal::Refusal},
};

/// `?limit=100&before=18233`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<String>,
    before: Option<String>,
}

impl Query {
    fn page(&self) -> Result<(Option<u64>, usize), Refusal> {
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
) -> Result<HttpResponse, Refusal> {
    let (before, limit) = query.page()?;
    let topic = history::topic(&gateway, &symbol)?;
    let about = About {
        epoch: &gateway.hub.epoch(),
        symbol: topic.symbol(),
        interval: None,
        is_first: before.is_none(),
    };
    Ok(history::answer(&about, "trades", &topic.trades(before, limit)))
}
