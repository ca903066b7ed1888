//! Detects a feed that has fallen silent, although it may still be connected.

use std::{sync::Arc, time::Duration};

use super::Health;
use crate::{
    hub::Hub,
    market::{Source, State},
};

/// One feed under watch.
#[derive(Debug)]
pub struct Watch {
    name: Source,
    health: Arc<Health>,
    silence: Duration,
}

impl Watch {
    /// Watches a feed for `silence` without a sign of life.
    #[must_use]
    pub const fn new(name: Source, health: Arc<Health>, silence: Duration) -> Self {
        Self { name, health, silence }
    }

    /// Makes the feed's symbols stale if it has been silent for too long. Its next sign of life ends that.
    pub fn look(&self, hub: &Hub) {
        let Some(last) = self.health.last_sign() else { return };
        let silent = hub.clock().steady().saturating_sub(last);
        if silent > self.silence && self.health.falls_silent() {
            tracing::warn!(feed = %self.name, "the feed has been silent for {} ms", silent.as_millis());
            // Name the limit and not the time, so that repeated silences have the same words.
            let why = format!("the feed has been silent for more than {} ms", self.silence.as_millis());
            hub.set_feed_state(self.name, State::Stale, &why);
        }
    }

    /// The gateway was held up for so long, which does not count as silence of the feed.
    pub fn excuse(&self, hub: &Hub, late: Duration) {
        if let Some(last) = self.health.last_sign() {
            self.health.shows_life((last + late).min(hub.clock().steady()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        clock::Clock,
        feed::Publisher,
        hub::HubConfig,
        market::{Quote, Symbol, Tick, UnixMicros},
        metrics::Metrics,
    };

    #[test]
    fn silence_makes_every_symbol_stale_and_a_sign_of_life_brings_them_back() {
        let clock = Clock::manual(UnixMicros(1_000_000_000));
        let hub =
            Arc::new(Hub::new(HubConfig::default(), "e".into(), clock.clone(), Arc::new(Metrics::new())));
        let feed = Source::new("f").unwrap();
        let publisher = Publisher::new(feed, Arc::clone(&hub), CancellationToken::new());
        let watch = Watch::new(feed, publisher.health(), Duration::from_secs(5));
        let symbols = ["BUSY", "QUIET", "NEVER"].map(|name| Symbol::new(name).unwrap());
        publisher.declare(symbols).unwrap();
        let quote = |symbol, at: i64| {
            let (te, tr) = (None, UnixMicros(at));
            vec![Tick::Quote(Quote {
                symbol,
                bid: None,
                ask: None,
                source: feed,
                te,
                tr,
                is_snapshot: false,
            })]
        };
        let states = || symbols.map(|symbol| hub.topic(symbol).unwrap().state());
        let at = |second: i64| {
            let now = 1_000_000_000 + second * 1_000_000;
            clock.set(UnixMicros(now));
            now
        };
        // Nothing was ever heard: pending is not stale.
        at(60);
        watch.look(&hub);
        assert_eq!(states(), [State::Pending; 3]);
        publisher.publish(&mut quote(symbols[0], at(61)));
        publisher.publish(&mut quote(symbols[1], at(61)));
        at(66);
        watch.look(&hub);
        assert_eq!(states(), [State::Live, State::Live, State::Pending]);
        assert_eq!(publisher.health().state(), State::Live);
        at(67);
        watch.look(&hub);
        assert_eq!(
            states(),
            [State::Stale, State::Stale, State::Pending],
            "nothing was received of the last"
        );
        assert_eq!(publisher.health().state(), State::Stale);
        // A heartbeat is enough: each is as it was.
        at(68);
        publisher.alive();
        assert_eq!(states(), [State::Live, State::Live, State::Pending]);
        assert_eq!(publisher.health().state(), State::Live);
        // One busy symbol proves that the feed lives: the quiet one stays live.
        for second in 69..120 {
            publisher.publish(&mut quote(symbols[0], at(second)));
            watch.look(&hub);
        }
        assert_eq!(states(), [State::Live, State::Live, State::Pending]);
    }
}
