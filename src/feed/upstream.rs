//! Live venues: one WebSocket connection a venue serves every client.
//!
//! ```text
//!  Upstream ── Connected ── Link ── Socket ── the venue
//!  over all    while one    one       TLS,
//!  attempts    is open      connection  deadlines
//!     │           └─ Successor: a second Link that takes over from the first
//!     ├─ Wanted: which symbols        Requests: asking for them, within the venue's limits
//!     └─ Intake: our names, Order: no repetition, and a loss where ticks are missing
//! ```
//!
//! The venue's words are [`crate::dialect`]'s business. The supervisor connects again after a [`Break`]; everything
//! that must outlive a connection is kept here. Refuses to guess: ticks that may be missing are told as a loss.

mod broken;
mod connected;
mod definition;
mod intake;
mod link;
mod names;
mod order;
mod requests;
mod secret;
mod socket;
mod successor;
mod tap;
mod wanted;

pub use broken::{Break, Reason};
pub use definition::Definition;
pub use secret::{Credentials, Secret};
pub use tap::{Frame, Tap, tap};

use std::{sync::Arc, time::Duration};

use self::{
    connected::{Connected, Left},
    intake::Intake,
    link::Link,
    names::Names,
    socket::{Address, Tls},
    wanted::Wanted,
};
use super::{Backoff, End, Feed, FeedError, Publisher};
use crate::{
    clock::Instant,
    dialect::Venue,
    hub::Demand,
    market::{Source, Symbol},
};

/// What is to be done, checked.
#[derive(Debug)]
struct Plan {
    venue: Venue,
    address: Address,
    tls: Tls,
    names: Names,
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

/// A venue as a feed.
#[derive(Debug)]
pub struct Upstream {
    plan: Arc<Plan>,
    wanted: Wanted,
    demand: Arc<Demand>,
    intake: Intake,
    has_started: bool,
}

impl Upstream {
    fn new(plan: Plan) -> Self {
        Self {
            wanted: Wanted::new(plan.linger),
            plan: Arc::new(plan),
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

    /// How many symbols it has.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.plan.names.len()
    }

    /// Subscribes to everything, whoever listens, and hands every frame to the tap as well. Does nothing once the
    /// feed runs.
    pub fn record(&mut self, tap: Tap) {
        if let Some(plan) = Arc::get_mut(&mut self.plan) {
            plan.tap = Some(tap);
            plan.is_on_demand = false;
        }
    }

    fn start(&mut self, out: &Publisher) -> Result<(), FeedError> {
        if self.plan.needs_credentials && self.plan.credentials.is_none() {
            let why = "the venue asks for credentials, and there are none".to_owned();
            return Err(FeedError::Fatal(why));
        }
        let symbols = || self.plan.names.all();
        out.declare(symbols())?;
        if self.has_started {
            return Ok(());
        }
        self.has_started = true;
        if self.plan.is_on_demand {
            out.watch(symbols(), &self.demand);
            return Ok(());
        }
        let now = Instant::now();
        for symbol in self.plan.names.all() {
            self.wanted.update(symbol, true, now);
        }
        Ok(())
    }

    /// Takes changed wishes. Returns the symbols that are to be subscribed now and were not.
    fn look(&mut self, out: &Publisher) -> Vec<Symbol> {
        let now = Instant::now();
        let mut new = Vec::new();
        for symbol in self.demand.take() {
            if self.wanted.update(symbol, out.is_wanted(symbol), now) {
                new.push(symbol);
            }
        }
        new
    }
}

impl Feed for Upstream {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        self.start(out)?;
        loop {
            self.look(out);
            // What nobody wants any more was told as lost with the connection.
            let _released = self.wanted.release(Instant::now());
            if self.wanted.symbols().is_empty() {
                tokio::select! {
                    () = out.cancelled() => return Ok(End::Cancelled),
                    () = self.demand.woken() => {}
                }
                continue;
            }
            let plan = Arc::clone(&self.plan);
            let link = tokio::select! {
                () = out.cancelled() => return Ok(End::Cancelled),
                link = Link::open(&plan, self.wanted.symbols()) => link?,
            };
            if Connected::new(self, out, link).run().await? == Left::Cancelled {
                return Ok(End::Cancelled);
            }
        }
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
