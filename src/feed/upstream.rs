//! Live venues: one WebSocket connection a venue serves every client.
//!
//! ```text
//!  Upstream ── Connected ── Link ── Socket ── the venue
//!  over all    while one    one       TLS,
//!  attempts    is open      connection  deadlines
//!     │           └─ Successor: a second Link that takes over from the first
//!     ├─ Desired: which symbols        Requests: asking for them, within the venue's limits
//!     ├─ Intake: our names, Sequencer: no repetition, and a loss where ticks are missing
//!     └─ Lists ── fetch ── the venue's product list, over HTTPS
//!          Catalogue: what the patterns find in it
//!     └─ FirstValues ── fetch ── quotes of symbols whose stream tells changes only
//!  examine: the same way, step by step, for `tickcast doctor`
//!
//!  Socket and fetch connect by the network: proxy, both families of addresses, TLS
//! ```
//!
//! [`crate::dialect`] knows the venues' formats. The supervisor connects again after a [`Break`]; what must outlive a
//! connection is kept here. Refuses to guess: ticks that may be missing are told as a loss.

mod broken;
mod catalogue;
mod connected;
mod dated;
mod definition;
mod desired;
mod examine;
mod fetch;
mod first_values;
mod found;
mod hold;
mod intake;
mod link;
mod names;
pub mod network;
mod pacer;
mod patterns;
mod products;
mod requests;
mod secret;
mod sequencer;
mod socket;
mod strange;
mod successor;
mod symbols;
mod tap;

pub use broken::{Break, Reason};
pub use definition::{Definition, Surroundings};
pub use examine::{Finding, Outcome, Step};
pub use secret::{Credentials, Secret};
pub(in crate::feed) use sequencer::{Sequencer, Verdict};
pub use tap::{Frame, Tap, tap};

use std::{sync::Arc, time::Duration};

use parking_lot::RwLock;

use self::{
    catalogue::Catalogue,
    connected::{Connected, LinkExit},
    dated::Dated,
    desired::Desired,
    fetch::{OUTCOMES, ProductSource},
    first_values::FirstValues,
    hold::Hold,
    intake::Intake,
    link::Link,
    names::Names,
    network::{Address, Network},
    products::Lists,
    socket::Addresses,
};
use super::{Backoff, End, Feed, FeedError, Publisher};
use crate::{
    clock::{Clock, Instant},
    dialect::{ProductList, Venue},
    hub::Demand,
    market::{LossWhy, Source, State, Symbol},
};

/// What to do, checked.
#[derive(Debug)]
struct UpstreamPlan {
    venue: Venue,
    addresses: Addresses,
    /// Until when the venue wants to be left alone.
    hold: Hold,
    /// How the machine's clock stands beside the venue's.
    dated: Dated,
    clock: Clock,
    network: Network,
    /// Grows when patterns find symbols. The lock is held only to copy the pointer.
    names: RwLock<Arc<Names>>,
    product_source: Option<Arc<ProductSource>>,
    /// The address of first quotes; `None` if they are not requested.
    first_values: Option<Address>,
    /// Symbols that one connection carries.
    places: usize,
    source: Option<Source>,
    credentials: Option<Credentials>,
    needs_credentials: bool,
    is_on_demand: bool,
    linger: Duration,
    rotate_after: Option<Duration>,
    overlap: Duration,
    connect_timeout: Duration,
    answer_timeout: Duration,
    silence_timeout: Duration,
    retry: (Duration, Duration),
    tap: Option<Tap>,
}

impl UpstreamPlan {
    fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names.read())
    }
}

/// A venue as a feed.
#[derive(Debug)]
pub struct Upstream {
    plan: Arc<UpstreamPlan>,
    catalogue: Option<Catalogue>,
    lists: Option<Lists>,
    first_values: FirstValues,
    desired: Desired,
    /// Symbols that have become wanted since the last look.
    asked: Vec<Symbol>,
    /// How many symbols wait for a place, by the metric.
    waiting: usize,
    demand: Arc<Demand>,
    intake: Intake,
    has_started: bool,
}

impl Upstream {
    fn new(plan: UpstreamPlan, catalogue: Option<Catalogue>) -> Self {
        Self::over(Arc::new(plan), catalogue)
    }

    fn over(plan: Arc<UpstreamPlan>, catalogue: Option<Catalogue>) -> Self {
        Self {
            desired: Desired::new(plan.linger, plan.places),
            first_values: FirstValues::new(Backoff::new(plan.retry.0, plan.retry.1)),
            plan,
            catalogue,
            lists: None,
            asked: Vec::new(),
            waiting: 0,
            demand: Arc::default(),
            intake: Intake::default(),
            has_started: false,
        }
    }

    /// The venue.
    #[must_use]
    pub fn venue(&self) -> Venue {
        self.plan.venue
    }

    /// How its connections are made.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.plan.network
    }

    /// Where its stream is; of several the first is tried first.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        self.plan.addresses.all()
    }

    /// Where its product list is, if it asks for one.
    #[must_use]
    pub fn list_address(&self) -> Option<&Address> {
        self.plan.product_source.as_ref().map(|product_source| &product_source.url)
    }

    /// How many symbols it has so far: those of its definition, and those that were found.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.plan.names().len()
    }

    /// Whether it also looks for symbols in the venue's product list.
    #[must_use]
    pub const fn has_patterns(&self) -> bool {
        self.catalogue.is_some()
    }

    /// Subscribes to everything, with or without listeners, and hands every frame to the tap as well. Does nothing once the
    /// feed runs.
    pub fn record(&mut self, tap: Tap) {
        if let Some(plan) = Arc::get_mut(&mut self.plan) {
            plan.tap = Some(tap);
            plan.is_on_demand = false;
            // A recording holds the stream only.
            plan.first_values = None;
        }
    }

    fn start(&mut self, out: &Publisher) -> Result<(), FeedError> {
        if self.plan.needs_credentials && self.plan.credentials.is_none() {
            let why = "the venue asks for credentials, and there are none".to_owned();
            return Err(FeedError::Fatal(why));
        }
        if self.has_started {
            return Ok(());
        }
        out.metrics().restart_reasons(Reason::ALL.map(Reason::as_str));
        out.metrics().ignored_rules(self.plan.venue.rules());
        // Counters read 0 from the start.
        out.upstream_metrics().waiting(0);
        let names = self.plan.names();
        let symbols = || names.all();
        out.declare(symbols())?;
        self.has_started = true;
        if self.plan.first_values.is_some() {
            out.upstream_metrics().first_values_outcomes(&OUTCOMES);
        }
        if let Some(product_source) = &self.plan.product_source {
            self.lists = Some(Lists::start(Arc::clone(&self.plan), Arc::clone(product_source), out.clone()));
        }
        if self.plan.is_on_demand {
            out.watch(symbols(), &self.demand);
            return Ok(());
        }
        let now = Instant::now();
        for symbol in symbols() {
            self.desired.update(symbol, true, now);
        }
        Ok(())
    }

    /// Takes changed demand and releases symbols without any. Returns the symbols to subscribe and those to unsubscribe.
    fn settle(&mut self, out: &Publisher) -> (Vec<Symbol>, Vec<Symbol>) {
        let now = Instant::now();
        let mut asked = std::mem::take(&mut self.asked);
        for symbol in self.demand.take() {
            // A delisted symbol cannot be subscribed, whatever the demand.
            let is_closed = self.catalogue.as_ref().is_some_and(|catalogue| catalogue.is_closed(symbol));
            if self.desired.update(symbol, !is_closed && out.is_wanted(symbol), now) {
                asked.push(symbol);
            }
        }
        let released = self.desired.release(now);
        asked.extend(self.desired.admit());
        if !released.is_empty() {
            self.intake.interrupt(released.iter().copied(), LossWhy::Reconnect);
            let why = "nobody listens: not subscribed at the venue";
            out.change_state(released.iter().copied(), &[State::Live, State::Halted], State::Stale, why);
        }
        let away = self.desired.turned_away();
        if !away.is_empty() {
            let (feed, places) = (out.name(), self.plan.places);
            tracing::warn!(%feed, "{} symbols wait: a connection carries {places}", away.len());
            let why = "it waits for a place: the connection carries as many symbols as it can";
            out.change_state(away, &[State::Pending, State::Live, State::Stale], State::Stale, why);
        }
        if self.waiting != self.desired.waiting() {
            self.waiting = self.desired.waiting();
            out.upstream_metrics().waiting(self.waiting);
        }
        (asked, released)
    }
}

/// The next product list; never, when there are no patterns.
///
/// # Cancel safety
/// A list is not lost when the future is dropped.
async fn next_list(lists: &mut Option<Lists>) -> ProductList {
    match lists {
        Some(lists) => lists.next().await,
        None => std::future::pending().await,
    }
}

impl Feed for Upstream {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        self.start(out)?;
        loop {
            if let Some(list) = self.lists.as_mut().and_then(Lists::now) {
                self.found(out, list).await;
            }
            // The next connection asks for everything that is wanted.
            let _moves = self.settle(out);
            if self.desired.symbols().is_empty() {
                out.rests();
                let demand = Arc::clone(&self.demand);
                tokio::select! {
                    () = out.cancelled() => return Ok(End::Cancelled),
                    () = demand.woken() => {}
                    list = next_list(&mut self.lists) => {
                        self.found(out, list).await;
                    }
                }
                continue;
            }
            let plan = Arc::clone(&self.plan);
            let link = tokio::select! {
                () = out.cancelled() => return Ok(End::Cancelled),
                link = Link::open(&plan, self.desired.symbols()) => link?,
            };
            if Connected::new(self, out, link).run().await? == LinkExit::Cancelled {
                return Ok(End::Cancelled);
            }
        }
    }

    /// Symbols that the venue's list has brought stay known, and are all declared again.
    fn begin_anew(&mut self) {
        let catalogue = self.catalogue.take();
        let plan = Arc::clone(&self.plan);
        *self = Self::over(plan, catalogue);
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.plan.retry.0, self.plan.retry.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_can_be_moved_between_threads() {
        fn is_send<T: Send>() {}
        is_send::<Upstream>();
    }
}
