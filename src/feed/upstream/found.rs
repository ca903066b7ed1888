//! Applies a product list to a feed: declares new symbols, closes those that are gone, tells halts.

use super::{Upstream, catalogue::Changes};
use crate::{
    clock::Instant,
    dialect::ProductList,
    feed::Publisher,
    limits::MAX_BURST_TICKS,
    market::{State, Symbol},
};

/// States of a symbol that is neither closed nor halted.
const OPEN: &[State] = &[State::Pending, State::Live, State::Stale];

impl Upstream {
    /// Takes a list. Returns the symbols that are gone at the venue.
    ///
    /// # Cancel safety
    /// If the future is dropped, some symbols may not have been told.
    pub(super) async fn found(&mut self, out: &Publisher, list: ProductList) -> Vec<Symbol> {
        let Some(catalogue) = &mut self.catalogue else { return Vec::new() };
        let mut names = self.plan.names().as_ref().clone();
        let changes = catalogue.take(&mut names, list.products);
        if !changes.found.is_empty() {
            *self.plan.names.write() = std::sync::Arc::new(names);
        }
        if let Some(why) = list.complaint {
            let (feed, skipped) = (out.name(), list.skipped);
            tracing::info!(%feed, skipped, "entries of the product list are left out, the first because {why}");
        }
        report(out, &changes, list.skipped);
        for some in changes.found.chunks(MAX_BURST_TICKS) {
            if let Err(why) = out.declare(some.iter().copied()) {
                tracing::warn!(feed = %out.name(), "not all of what was found can be had: {why}");
                break;
            }
            // There may be thousands, and other feeds share this thread.
            tokio::task::yield_now().await;
        }
        out.describe(changes.steps);
        self.follow(out, &changes.found);
        self.follow(out, &changes.reopened);
        let why = "the venue lists it again";
        out.change_state(changes.reopened, &[State::Closed], State::Pending, why);
        for (symbol, word) in changes.halted {
            out.tell_state([symbol], OPEN, State::Halted, format!("the venue says {word:?}"));
        }
        for symbol in changes.resumed {
            // Without a subscription nothing is known of its trading state.
            let is_on = self.desired.symbols().contains(&symbol);
            let state = if is_on { State::Live } else { State::Stale };
            out.change_state([symbol], &[State::Halted], state, "the venue trades it again");
        }
        for symbol in &changes.closed {
            self.desired.forget(*symbol);
        }
        let states = [State::Pending, State::Live, State::Stale, State::Halted];
        let why = "it is no longer in the venue's product list";
        out.change_state(changes.closed.iter().copied(), &states, State::Closed, why);
        changes.closed
    }

    /// Subscribes to new symbols: on demand, or at once.
    fn follow(&mut self, out: &Publisher, symbols: &[Symbol]) {
        if self.plan.is_on_demand {
            return out.watch(symbols.iter().copied(), &self.demand);
        }
        let now = Instant::now();
        let asked = symbols.iter().filter(|symbol| self.desired.update(**symbol, true, now));
        self.asked.extend(asked);
    }
}

fn report(out: &Publisher, changes: &Changes, unreadable: usize) {
    let metrics = out.upstream_metrics();
    let left_out = [unreadable, changes.unnamed.len(), changes.collisions.len(), changes.without_room];
    metrics.products(changes.matched, left_out);
    let feed = out.name();
    if !changes.found.is_empty() || !changes.closed.is_empty() {
        let (found, closed, matched) = (changes.found.len(), changes.closed.len(), changes.matched);
        tracing::info!(%feed, found, closed, matched, "the venue's product list");
    }
    for (theirs, ours) in changes.collisions.iter().take(10) {
        tracing::warn!(%feed, "{theirs} is left out: another product is {ours} already; give it a name in names");
    }
    if let Some(first) = changes.unnamed.first() {
        let count = changes.unnamed.len();
        tracing::info!(%feed, "{count} products have no name of ours, {first:?} is one; give it one in names");
    }
    if changes.without_room > 0 {
        tracing::warn!(%feed, "{} products are left out: there is no room for more", changes.without_room);
    }
}
