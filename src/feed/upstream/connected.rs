//! A feed while it is connected: frames in, requests out, changing demand, and the planned change of connection.

use std::{future::pending, sync::Arc, time::Duration};

use super::{
    Upstream, UpstreamPlan,
    broken::Break,
    first_values::Answer,
    intake::Origin,
    link::{Link, LinkUpdate},
    network::HeldUp,
    requests::Requests,
    socket::Received,
    successor::{Arrival, Successor},
};
use crate::{
    clock::Instant,
    dialect::ProductList,
    drill,
    feed::Publisher,
    market::{LossWhy, State},
    metrics::UpstreamMetrics,
};

/// How it ended without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkExit {
    /// The gateway stops.
    Cancelled,
    /// There is no demand.
    Idle,
}

/// A feed with its connection.
pub(super) struct Connected<'a> {
    feed: &'a mut Upstream,
    plan: Arc<UpstreamPlan>,
    out: &'a Publisher,
    metrics: UpstreamMetrics,
    link: Link,
    successor: Option<Successor>,
    rotate_at: Option<Instant>,
    update: LinkUpdate,
    is_offline: bool,
    /// While a second connection has its time.
    held_up: Option<HeldUp>,
}

enum LinkEvent {
    Cancelled,
    Demand,
    Time,
    List(ProductList),
    Frame(Result<Received, Break>),
    Successor(Arrival),
    FirstValues(Answer),
}

impl<'a> Connected<'a> {
    pub(super) fn new(feed: &'a mut Upstream, out: &'a Publisher, link: Link) -> Self {
        let plan = Arc::clone(&feed.plan);
        let rotate_at = plan.rotate_after.map(|after| link.opened + after);
        let metrics = out.upstream_metrics();
        metrics.connections.set(1);
        Self {
            feed,
            plan,
            out,
            metrics,
            link,
            successor: None,
            rotate_at,
            update: LinkUpdate::default(),
            is_offline: false,
            held_up: None,
        }
    }

    /// Works until the connection breaks, demand ends, or the gateway stops.
    pub(super) async fn run(mut self) -> Result<LinkExit, Break> {
        let left = self.work().await;
        self.measure();
        if let Some(why) = self.link.complaint(&self.plan) {
            tracing::warn!(feed = %self.out.name(), "{why}");
        }
        self.metrics.connections.set(0);
        self.metrics.subscriptions.set(0);
        // Publish what came before the break.
        self.digest();
        self.feed.intake.interrupt(self.link.requests.symbols(), LossWhy::Reconnect);
        self.feed.first_values.clear();
        if let Some(successor) = self.successor.take() {
            successor.abandon();
        }
        if left.is_ok() {
            self.link.close();
        }
        left
    }

    async fn work(&mut self) -> Result<LinkExit, Break> {
        loop {
            if self.feed.desired.symbols().is_empty() {
                return Ok(LinkExit::Idle);
            }
            self.link.decide(&mut self.update);
            self.digest();
            let broken = match self.link.sweep(&self.plan).await {
                Ok(Duration::ZERO) => None,
                Ok(late) => {
                    self.held_up(late);
                    None
                }
                Err(broken) => Some(broken),
            };
            self.tend_successor().await;
            self.ask_first_values();
            self.measure();
            if let Some(broken) = broken {
                self.succeed_now(broken)?;
                continue;
            }
            let happened = self.wait().await;
            match happened {
                LinkEvent::Cancelled => return Ok(LinkExit::Cancelled),
                LinkEvent::Demand => self.follow(),
                LinkEvent::Time => self.time(),
                LinkEvent::List(list) => self.listed(list).await,
                LinkEvent::Frame(frame) => {
                    drill::strike("feed");
                    let read = self.link.read(frame, &self.plan, self.out, &mut self.update).await;
                    self.digest();
                    if let Err(broken) = read {
                        self.succeed_now(broken)?;
                    }
                }
                LinkEvent::Successor(arrival) => self.arrived(arrival).await,
                LinkEvent::FirstValues(answer) => self.first_values(answer),
            }
        }
    }

    /// The gateway did not run for a time: nothing is released or declared lost because of it.
    fn held_up(&mut self, late: Duration) {
        let (feed, late_ms) = (self.out.name(), late.as_millis());
        tracing::warn!(%feed, late_ms, "the feed was held up; its venue is not judged for it");
        self.out.count_stall();
        self.feed.desired.excuse(late);
    }

    async fn wait(&mut self) -> LinkEvent {
        let mut wake = self.link.next(&self.plan);
        let others = [
            self.feed.desired.next(),
            self.rotate_at.filter(|_| self.successor.is_none()),
            self.successor.as_ref().map(|successor| successor.next(&self.plan)),
            self.feed.first_values.next(&self.plan, Instant::now()),
            self.held_up.as_ref().map(HeldUp::next),
        ];
        for other in others.into_iter().flatten() {
            wake = wake.min(other);
        }
        let Upstream { demand, lists, first_values, .. } = &mut *self.feed;
        let arrival = async {
            match &mut self.successor {
                Some(successor) => successor.arrival().await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.out.cancelled() => LinkEvent::Cancelled,
            () = demand.woken() => LinkEvent::Demand,
            list = super::next_list(lists) => LinkEvent::List(list),
            () = tokio::time::sleep_until(wake) => LinkEvent::Time,
            frame = self.link.frame() => LinkEvent::Frame(frame),
            arrival = arrival => LinkEvent::Successor(arrival),
            answer = first_values.arrival() => LinkEvent::FirstValues(answer),
        }
    }

    /// Publishes the connection's ticks, and applies what else it brought.
    fn digest(&mut self) {
        let Self { feed, plan, out, metrics, link, update, .. } = self;
        let wanted = feed.desired.symbols();
        if std::mem::take(&mut update.is_alive) && link.requests.on().next().is_some() {
            out.alive_for(link.requests.on());
        }
        feed.intake
            .take((plan, out, metrics), &mut update.ticks, Origin::Link, |ours| wanted.contains(&ours));
        feed.intake.mark((out, metrics), update.marks.drain(..));
        if let Some(why) = update.unreadable.take() {
            feed.intake.interrupt(link.requests.symbols(), why);
        }
        if !update.on.is_empty() {
            out.connected();
            if plan.first_values.is_some() {
                feed.first_values.expect(update.on.iter().copied(), Instant::now());
            }
            out.change_state(
                update.on.drain(..),
                &[State::Stale, State::Closed],
                State::Live,
                "subscribed at the venue again",
            );
        }
        for (symbol, words) in update.refused.drain(..) {
            tracing::warn!(feed = %out.name(), %symbol, "refused by the venue: {words}");
            let from = [State::Pending, State::Stale, State::Live];
            out.change_state([symbol], &from, State::Closed, "the venue refuses the symbol");
        }
        let is_full = !update.without_place.is_empty();
        if is_full {
            feed.desired.without_place(update.without_place.drain(..), Instant::now());
        }
        if let Some(online) = update.online.take()
            && online == self.is_offline
        {
            self.is_offline = !online;
            let symbols = link.requests.symbols();
            let why = "the venue says that it does not trade normally";
            if online {
                out.change_state(symbols, &[State::Halted], State::Live, "the venue trades normally again");
            } else {
                out.change_state(symbols, &[State::Live, State::Pending], State::Halted, why);
            }
        }
        if std::mem::take(&mut update.shutdown) {
            tracing::info!(feed = %out.name(), "the venue announces the end of the connection");
            self.rotate_at = Some(Instant::now());
        }
        if is_full {
            self.follow();
        }
    }

    /// Asks for the first quotes of symbols of which the stream has brought none.
    fn ask_first_values(&mut self) {
        let Upstream { first_values, intake, desired, .. } = &mut *self.feed;
        let has_quote = |symbol| !desired.symbols().contains(&symbol) || intake.has_quote(symbol);
        first_values.ask(&self.plan, self.out, has_quote);
    }

    fn first_values(&mut self, answer: Answer) {
        let quotes = self.feed.first_values.take(answer, &self.plan, self.out);
        let Self { feed, plan, out, metrics, .. } = self;
        let wanted = feed.desired.symbols();
        feed.intake.first_values((plan, out, metrics), quotes, |ours| wanted.contains(&ours));
    }

    /// Applies changed demand to the connections.
    fn follow(&mut self) {
        let (asked, released) = self.feed.settle(self.out);
        // Release first, to make room.
        self.each_link(|requests| {
            released.iter().for_each(|symbol| requests.release(*symbol));
            asked.iter().for_each(|symbol| requests.want(*symbol));
        });
    }

    /// Updates the metrics of requests and confirmed symbols.
    fn measure(&mut self) {
        let own = self.link.requests.changes();
        let others = self.successor.as_mut().and_then(Successor::link).map(|link| link.requests.changes());
        for changes in [Some(own), others].into_iter().flatten() {
            self.metrics.subscribes.inc_by(changes.subscribes);
            self.metrics.unsubscribes.inc_by(changes.unsubscribes);
        }
        if own.confirmed {
            self.subscribed();
        }
    }

    fn subscribed(&self) {
        let confirmed = self.link.requests.confirmed();
        self.metrics.subscriptions.set(i64::try_from(confirmed).unwrap_or(i64::MAX));
    }

    fn each_link(&mut self, tell: impl Fn(&mut Requests)) {
        tell(&mut self.link.requests);
        if let Some(link) = self.successor.as_mut().and_then(Successor::link) {
            tell(&mut link.requests);
        }
    }

    /// The venue's product list came.
    async fn listed(&mut self, list: ProductList) {
        let gone = self.feed.found(self.out, list).await;
        self.each_link(|requests| gone.iter().for_each(|symbol| requests.forget(*symbol)));
        self.follow();
    }

    fn time(&mut self) {
        self.follow();
        let now = Instant::now();
        if self.successor.is_none() && self.rotate_at.is_some_and(|at| now >= at) {
            tracing::info!(feed = %self.out.name(), "a new connection is to take over");
            self.rotate_at = None;
            self.metrics.connections.set(2);
            self.successor = Some(Successor::start(&self.plan, self.feed.desired.symbols()));
        }
    }

    async fn arrived(&mut self, arrival: Arrival) {
        let Some(successor) = &mut self.successor else { return };
        let wanted = self.feed.desired.symbols();
        if let Err(why) = successor.take(arrival, &self.plan, self.out, wanted).await {
            self.give_up(&why);
        }
    }

    async fn tend_successor(&mut self) {
        let Some(successor) = &mut self.successor else {
            self.held_up = None;
            return;
        };
        let now = Instant::now();
        let late = self.held_up.get_or_insert_with(|| HeldUp::new(now)).look(now);
        if !late.is_zero() {
            successor.excuse(late);
        }
        match successor.sweep(&self.plan).await {
            Ok(false) => {}
            Ok(true) => {
                if self.take_over() {
                    tracing::info!(feed = %self.out.name(), "the new connection has taken over");
                    self.metrics.rotated.inc();
                }
            }
            Err(why) => self.give_up(&why),
        }
    }

    /// The old connection goes on; another attempt is made later.
    fn give_up(&mut self, why: &str) {
        tracing::warn!(feed = %self.out.name(), "the new connection is given up, the old one goes on: {why}");
        self.measure();
        self.metrics.rotation_failed.inc();
        self.metrics.connections.set(1);
        if let Some(successor) = self.successor.take() {
            successor.abandon();
        }
        self.rotate_at = Some(Instant::now() + self.plan.retry.1);
    }

    /// The successor becomes the connection in use. Returns whether there is one that can.
    fn take_over(&mut self) -> bool {
        self.measure();
        let Some((link, mut kept)) = self.successor.take().and_then(Successor::into_parts) else {
            return false;
        };
        let old = std::mem::replace(&mut self.link, link);
        old.close();
        let Self { feed, plan, out, metrics, .. } = self;
        let wanted = feed.desired.symbols();
        feed.intake.take((plan, out, metrics), &mut kept, Origin::Successor, |ours| wanted.contains(&ours));
        metrics.connections.set(1);
        self.subscribed();
        if self.plan.first_values.is_some() {
            // What it confirmed before it took over was not seen here.
            self.feed.first_values.expect(self.link.requests.on(), Instant::now());
        }
        self.rotate_at = self.plan.rotate_after.map(|after| self.link.opened + after);
        true
    }

    /// The connection broke: the successor takes its place, if it is there already.
    fn succeed_now(&mut self, broken: Break) -> Result<(), Break> {
        let symbols: Vec<_> = self.link.requests.symbols().collect();
        self.feed.intake.interrupt(symbols, LossWhy::Reconnect);
        if !self.take_over() {
            return Err(broken);
        }
        tracing::warn!(feed = %self.out.name(), "the new connection has taken over early: {broken}");
        self.out.metrics().restart(broken.reason.as_str());
        Ok(())
    }
}
