//! What plain HTTP may cost: work for each client address and worker, so much at once and so much a second. A request is
//! taken while its address has any left and paid when it is answered, since its cost is not known before. Probes cost
//! nothing, and publishing has limits of its own.

use std::{cell::RefCell, collections::HashMap, net::IpAddr, time::Duration};

use actix_web::{
    ResponseError as _,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web,
};

use crate::{
    clock::Instant,
    dialect::Code,
    limits::{
        HTTP_ACCOUNTS, HTTP_ACCOUNTS_SWEEP, HTTP_BURST_UNITS, HTTP_JOIN_UNITS, HTTP_REQUEST_UNITS,
        HTTP_UNITS_PER_SECOND,
    },
    server::{door::Asking, gateway::Gateway, refusal::Refusal},
    session::ClientAddress,
};

/// Probes and scrapes, and what has limits of its own.
const FREE: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/v1/publish"];

/// Bytes of an answer that are one unit of work.
const UNIT_BYTES: usize = 64;

/// Units of work of one answer: a handler puts them into the response's extensions. Behind it the answer may be compressed
/// and has no length any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent(usize);

impl Spent {
    /// For an answer of `bytes`, with `units` of work besides.
    pub(crate) const fn new(bytes: usize, units: usize) -> Self {
        Self(bytes / UNIT_BYTES + units)
    }

    /// For an answer of `bytes` from a session that began with `subscriptions`.
    pub(crate) const fn joining(bytes: usize, subscriptions: usize) -> Self {
        Self::new(bytes, subscriptions * HTTP_JOIN_UNITS)
    }
}

/// The budgets of one worker.
#[derive(Debug, Default)]
pub(crate) struct Budget(RefCell<Accounts>);

/// When each address has its whole budget again; only those that have not are kept.
#[derive(Debug, Default)]
struct Accounts {
    by: HashMap<ClientAddress, Instant>,
    /// That of all others, when there are too many.
    others: Option<Instant>,
    /// When the whole ones were last looked for: looking at all of them for every request would be a cost of its own.
    swept: Option<Instant>,
}

fn time(units: u64) -> Duration {
    Duration::from_nanos(units.saturating_mul(1_000_000_000 / HTTP_UNITS_PER_SECOND))
}

impl Accounts {
    fn account(&mut self, address: IpAddr, now: Instant) -> &mut Instant {
        let address = ClientAddress::of(address);
        if !self.by.contains_key(&address) && self.by.len() >= HTTP_ACCOUNTS {
            if self.swept.is_none_or(|swept| now >= swept + HTTP_ACCOUNTS_SWEEP) {
                self.swept = Some(now);
                self.by.retain(|_, full_at| *full_at > now);
            }
            if self.by.len() >= HTTP_ACCOUNTS {
                return self.others.get_or_insert(now);
            }
        }
        self.by.entry(address).or_insert(now)
    }

    /// How long the address has to wait before it may ask, if it has to.
    fn wait(&mut self, address: IpAddr, now: Instant) -> Option<Duration> {
        let owed = self.account(address, now).saturating_duration_since(now);
        owed.checked_sub(time(HTTP_BURST_UNITS)).filter(|wait| !wait.is_zero())
    }

    fn pay(&mut self, address: IpAddr, units: u64, now: Instant) {
        let account = self.account(address, now);
        *account = (*account).max(now) + time(units);
    }
}

/// Answers with 429 where a budget is used up, and takes what an answer has cost from it.
pub(crate) async fn pay(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let budget = request.app_data::<web::Data<Budget>>().cloned();
    let address = Asking::address(request.request());
    let (Some(budget), Some(address)) = (budget, address) else { return next.call(request).await };
    if FREE.contains(&request.path()) {
        return next.call(request).await;
    }
    let wait = budget.0.borrow_mut().wait(address, Instant::now());
    if let Some(wait) = wait {
        if let Some(gateway) = request.app_data::<web::Data<Gateway>>() {
            gateway.hub.metrics().refuse_request("budget", Some(address));
        }
        // Counted here: sessions by plain HTTP are refused as requests that cost too much.
        return Ok(request.into_response(refused(wait).error_response()));
    }
    let response = next.call(request).await?;
    let spent = response.response().extensions().get::<Spent>().map_or(0, |spent| spent.0 as u64);
    budget.0.borrow_mut().pay(address, HTTP_REQUEST_UNITS + spent, Instant::now());
    Ok(response)
}

fn refused(wait: Duration) -> Refusal {
    let msg = "this address has asked for too much: ask again later, and for less";
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyCommands.number(), msg);
    refusal.retry_after(wait.as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_has_cost_too_much_waits_and_others_do_not() {
        let mut accounts = Accounts::default();
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let now = Instant::now();
        accounts.pay(a, HTTP_BURST_UNITS, now);
        assert_eq!(accounts.wait(a, now), None);
        accounts.pay(a, 2 * HTTP_UNITS_PER_SECOND, now);
        assert_eq!(accounts.wait(a, now), Some(Duration::from_secs(2)));
        assert_eq!(accounts.wait(b, now), None);
        assert_eq!(accounts.wait(a, now + Duration::from_secs(2)), None);
    }

    #[test]
    fn subscriptions_of_polls_and_event_streams_are_paid_for() {
        assert_eq!(Spent::joining(640, 500).0, 10 + 500 * HTTP_JOIN_UNITS);
        let mut accounts = Accounts::default();
        let (a, now) = (IpAddr::from([10, 0, 0, 1]), Instant::now());
        for _ in 0..1_000 {
            accounts.pay(a, Spent::joining(0, 500).0 as u64, now);
        }
        assert!(accounts.wait(a, now).is_some(), "1,000 polls of 500 subscriptions at once are too much");
    }

    #[test]
    fn the_addresses_of_one_network_of_ipv6_are_one() {
        let mut accounts = Accounts::default();
        let now = Instant::now();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        accounts.pay(address("2001:db8:1:2::1"), 2 * HTTP_BURST_UNITS, now);
        assert!(accounts.wait(address("2001:db8:1:2:ffff::9"), now).is_some());
        assert_eq!(accounts.wait(address("2001:db8:1:3::1"), now), None);
        accounts.pay(address("::ffff:10.0.0.1"), 2 * HTTP_BURST_UNITS, now);
        assert!(accounts.wait(address("10.0.0.1"), now).is_some());
    }

    #[test]
    fn too_many_addresses_share_one_budget_and_none_is_kept_that_is_whole() {
        let mut accounts = Accounts::default();
        let now = Instant::now();
        let address = |i: usize| IpAddr::from(u32::try_from(i).unwrap().to_be_bytes());
        for i in 0..HTTP_ACCOUNTS + 100 {
            accounts.pay(address(i), HTTP_BURST_UNITS, now);
        }
        assert_eq!(accounts.by.len(), HTTP_ACCOUNTS);
        assert!(accounts.wait(address(HTTP_ACCOUNTS + 200), now).is_some(), "shared");
        let later = now + time(HTTP_BURST_UNITS) * 200;
        assert_eq!(accounts.wait(address(HTTP_ACCOUNTS + 200), later), None);
        assert_eq!(accounts.by.len(), 1);
    }
}
