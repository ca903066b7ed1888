//! A hub that feeds publish to and no client hears: what enters its numbering goes to other gateways, this one's serving hub
//! among them, and they number it.
//!
//! It chooses sources and judges freshness as any hub does, and remembers the newest values only: no histories, tickers or
//! bars. Its own numbers mean nothing to anyone.

use std::sync::Arc;

use super::{
    FailoverTimes, Hub, HubConfig, Numbered, RestoreError, batch::PublishBatch, context::TopicContext,
};
use crate::{
    clock::Clock,
    market::{Intervals, Source},
    metrics::Metrics,
};

impl Hub {
    /// A hub for feeds alone, empty. What its feeds do is counted; symbols and events are not, since the serving hub counts
    /// them. Then it is [tapped](Self::tapped), its feeds are [enlisted](Self::enlist), and it
    /// [takes over](Self::take_over).
    #[must_use]
    pub fn origin(failover: FailoverTimes, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let config = HubConfig {
            trades_per_symbol: 0,
            bars: 0,
            intervals: std::iter::empty().collect::<Intervals>(),
            failover,
            ..HubConfig::default()
        };
        let context = TopicContext::of_origin(config, &metrics);
        Self::with_context(context, "origin".to_owned(), clock, metrics)
    }

    /// Goes on where another gateway has led until now: from the symbols, sources and states of the hub that serves clients,
    /// which has applied all that the other one said. Nothing of that is told again.
    ///
    /// `interrupted` feeds cannot tell by themselves what they missed meanwhile: streams of the symbols whose source they are
    /// hear of one loss, at once.
    ///
    /// # Errors
    /// When there are more symbols than a hub takes; then it must not be used.
    pub fn take_over(&self, serving: &Self, interrupted: &[Source]) -> Result<(), RestoreError> {
        let mut batch = PublishBatch::new(&[], self.times());
        for topic in serving.all_topics() {
            let image = topic.newest().map(|event| Numbered::from(&*event));
            let topic = self.restore_topic(image, batch.received)?;
            let feeds = topic.feeds();
            if feeds.len() > 1 {
                feeds.iter().for_each(|(feed, _)| self.pair(&topic, *feed));
                self.contest(&topic);
            }
            topic.interrupted_of(interrupted, &mut batch);
        }
        self.go_on_from(serving.numbering());
        batch.end(&self.context);
        Ok(())
    }

    /// Whether clients of other gateways want the symbol, for whom this one has the feeds.
    pub fn set_remote_demand(&self, symbol: crate::market::Symbol, is_wanted: bool) {
        if let Some(topic) = self.topic(symbol) {
            topic.set_wanted_elsewhere(is_wanted);
        }
    }
}
