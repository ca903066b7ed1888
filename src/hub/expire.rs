//! Symbols that a producer's ticks made known, by a slip maybe, and that it sends no more: they are removed, and give back
//! what they held. A symbol that the configuration names stays, and so does one that several feeds carry.
//!
//! A symbol goes whether or not a client is subscribed to it: one that follows a pattern is subscribed to every slip there ever was. Its
//! subscribers are told `closed`, and then that they are unsubscribed.

use super::{Hub, Topic, batch::PublishBatch};
use crate::{
    limits::EXPIRE_BURST,
    market::{State, Status, Symbol},
};

/// Why an idle symbol is closed.
const WHY: &str = "no tick for the feed's expire_ms: the symbol is removed";

impl Hub {
    /// Removes symbols that were idle for longer than their feed's terms allow, at most [`EXPIRE_BURST`]; returns whether there
    /// may be more. To be called about once a second.
    pub fn expire(&self) -> bool {
        let terms = self.feed_table.read().expiring();
        if terms.is_empty() {
            return false;
        }
        let steady = self.clock.steady();
        let is_idle = |topic: &Topic| {
            topic.is_passing() && terms.iter().any(|(feed, after)| topic.is_idle(*feed, *after, steady))
        };
        let idle = self.topics.some(EXPIRE_BURST + 1, is_idle);
        let lanes = self.lanes.read();
        let mut batch = PublishBatch::new(&lanes, self.times());
        for topic in idle.iter().take(EXPIRE_BURST) {
            let may_go = |topic: &Topic| {
                // Ticks may have come, or the configuration may have named it, since it was looked at.
                let goes = is_idle(topic);
                if goes {
                    topic.close(&mut batch);
                    self.end(topic, &mut batch);
                }
                goes
            };
            if let Some(topic) = self.topics.remove(topic.symbol(), may_go) {
                tracing::info!(symbol = %topic.symbol(), feed = %topic.feed(), "an idle symbol is removed");
            }
        }
        batch.end(&self.context);
        idle.len() > EXPIRE_BURST
    }

    /// Removes the symbol that another hub has removed.
    pub(super) fn remove(&self, symbol: Symbol, batch: &mut PublishBatch<'_>) {
        let _was_there = self.topics.remove(symbol, |topic| {
            self.end(topic, batch);
            true
        });
    }

    fn end(&self, topic: &Topic, batch: &mut PublishBatch<'_>) {
        let highest = topic.end(batch);
        let mut numbering = self.numbering.lock();
        numbering.floor = numbering.floor.max(highest);
        self.context.topics.dec();
        self.context.topics_removed.inc();
    }
}

impl Topic {
    /// Tells that it is removed.
    fn close(&self, batch: &mut PublishBatch<'_>) {
        let (symbol, source, since) = (self.symbol(), self.feed(), batch.now);
        let closed = Status { symbol, state: State::Closed, source, since, why: WHY.into() };
        self.show(closed, batch);
    }
}

#[cfg(test)]
mod tests;
