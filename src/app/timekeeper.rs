//! The task that tells the hub the time: silences, takeovers, bars that no trade ends, and steps of the machine's clock.
//!
//! When it was late itself, because the process was stopped or its machine paused, it judges no client: all silences are longer by
//! the time that was lost, and what has come is read first.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    clock::Instant,
    drill,
    feed::Watch,
    hub::Hub,
    limits::{CLOCK_TICK, EXPIRE_LOOK, LATE},
    metrics::Stalled,
};

/// Tells the hub the time until it is to stop.
pub(super) async fn keep_time(hub: Arc<Hub>, watches: Vec<Watch>, stop: CancellationToken) {
    let mut keeper = Timekeeper::new(hub, watches, Instant::now());
    let mut ticks = tokio::time::interval(CLOCK_TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        drill::strike("timekeeper");
        keeper.tick(Instant::now()).await;
    }
}

struct Timekeeper {
    hub: Arc<Hub>,
    watches: Vec<Watch>,
    due: Instant,
    was_late: bool,
    /// When idle symbols are looked for again.
    expire_at: Instant,
}

impl Timekeeper {
    const fn new(hub: Arc<Hub>, watches: Vec<Watch>, now: Instant) -> Self {
        Self { hub, watches, due: now, was_late: false, expire_at: now }
    }

    async fn tick(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.due);
        self.due = now + CLOCK_TICK;
        let hub = &self.hub;
        hub.follow_clock();
        let is_late = late > LATE;
        if is_late {
            tracing::warn!(late_ms = late.as_millis(), "the gateway was held up; nobody is judged for it");
            hub.metrics().time.stalled(Stalled::Timekeeper);
            hub.excuse(late);
            self.watches.iter().for_each(|watch| watch.excuse(hub, late));
        }
        let is_first = !std::mem::replace(&mut self.was_late, is_late);
        if is_late && is_first {
            // Trades that have come and were not read yet would be late for their bars.
            return;
        }
        if !is_late {
            self.watches.iter().for_each(|watch| watch.look(hub));
        }
        // In bursts; where a lane is congested the rest has time until the next look.
        while hub.sweep() && !hub.is_congested() {
            tokio::task::yield_now().await;
        }
        if !is_late {
            while hub.check_freshness() && !hub.is_congested() {
                tokio::task::yield_now().await;
            }
            hub.check_feeds();
            if now >= self.expire_at {
                self.expire_at = now + EXPIRE_LOOK;
                let _more_next_time = hub.expire();
            }
        }
        while hub.tick_clock(hub.clock().now()) {
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        clock::Clock,
        feed::Publisher,
        hub::{FeedTerms, FreshnessLimits, HubConfig},
        market::{Channel, Interval, Print, Quote, Source, State, Symbol, Tick, Trade, UnixMicros},
        metrics::Metrics,
    };

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    struct World {
        keeper: Timekeeper,
        clock: Clock,
        publisher: Publisher,
        symbol: Symbol,
        trades: u64,
    }

    impl World {
        /// A feed that may be silent for three seconds, and its symbol's quotes too.
        fn new() -> Self {
            let clock = Clock::manual(UnixMicros(1_000 * HOUR));
            let metrics = Arc::new(Metrics::new());
            let hub = Arc::new(Hub::new(HubConfig::default(), "e".into(), clock.clone(), metrics));
            let feed = Source::new("f").unwrap();
            let limit = Some(Duration::from_secs(3));
            let fresh = FreshnessLimits { silence: limit, quotes: limit, ..FreshnessLimits::default() };
            hub.enlist(feed, FeedTerms { fresh, ..FeedTerms::default() });
            let publisher = Publisher::new(feed, Arc::clone(&hub), CancellationToken::new());
            let watch = Watch::new(feed, publisher.health(), Duration::from_secs(3));
            let symbol = Symbol::new("A").unwrap();
            let keeper = Timekeeper::new(hub, vec![watch], Instant::now());
            Self { keeper, clock, publisher, symbol, trades: 0 }
        }

        /// A trade without a time at its source, and a quote.
        fn says(&mut self) {
            let (symbol, source, tr) = (self.symbol, self.publisher.name(), self.clock.now());
            self.trades += 1;
            let mut ticks = vec![
                Tick::Trade(Trade {
                    symbol,
                    price: "1".parse().unwrap(),
                    size: "1".parse().unwrap(),
                    side: None,
                    id: None,
                    source,
                    te: None,
                    tr,
                    print: Print::default(),
                }),
                Tick::Quote(Quote { symbol, bid: None, ask: None, source, te: None, tr, is_snapshot: false }),
            ];
            self.publisher.publish(&mut ticks);
        }

        /// Seconds pass, in which the source speaks or does not.
        async fn pass(&mut self, seconds: u64, speaks: bool) {
            for quarter in 0..seconds * 4 {
                tokio::time::advance(CLOCK_TICK).await;
                self.clock.pass(SECOND / 4);
                if speaks && quarter % 2 == 0 {
                    self.says();
                }
                self.keeper.tick(Instant::now()).await;
            }
        }

        /// The process is stopped, and goes on.
        async fn stop(&mut self, time: Duration) {
            tokio::time::advance(time).await;
            self.clock.pass(i64::try_from(time.as_micros()).unwrap());
            self.keeper.tick(Instant::now()).await;
        }

        fn state(&self) -> State {
            self.keeper.hub.topic(self.symbol).unwrap().state()
        }

        /// Starts of the final bars of a second.
        fn bars(&self) -> Vec<i64> {
            let topic = self.keeper.hub.topic(self.symbol).unwrap();
            let events = topic.since(Channel::Bars(Interval::Second), 0).events;
            let starts = events.iter().filter(|event| event.body.is_final_bar()).map(|event| {
                let crate::market::Body::Bar(bar) = &event.body else { panic!("a bar") };
                bar.start.0
            });
            starts.collect()
        }

        fn metric(&self, line: &str) -> u64 {
            let text = String::from_utf8(self.keeper.hub.metrics().render().unwrap()).unwrap();
            let found = text.lines().find_map(|have| have.strip_prefix(line)).unwrap_or("0");
            found.trim().parse().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_makes_nothing_late_and_nobody_mute() {
        for steps in [vec![-HOUR], vec![2 * HOUR, -2 * HOUR], vec![-HOUR, HOUR], vec![30 * HOUR]] {
            let mut world = World::new();
            world.pass(5, true).await;
            for step in &steps {
                world.clock.step(*step);
                let before = world.bars().len();
                world.pass(20, true).await;
                let bars = world.bars();
                assert!(bars.len() - before >= 17, "{steps:?}: bars go on: {bars:?}");
                assert!(bars.is_sorted_by(|a, b| a < b), "{steps:?}: bars never go back: {bars:?}");
                assert_eq!(world.state(), State::Live, "{steps:?}");
            }
            let late = "tickcast_excluded_trades_total{channel=\"bars.1s\",reason=\"late\"}";
            assert_eq!(world.metric(late), 0, "{steps:?}");
            let (back, forward) = steps.iter().partition::<Vec<i64>, _>(|step| **step < 0);
            for (direction, count) in [("back", back.len()), ("forward", forward.len())] {
                let name = format!("tickcast_clock_steps_total{{direction=\"{direction}\"}}");
                assert_eq!(world.metric(&name), count as u64, "{steps:?}");
            }
            // Silence is noticed as ever, whatever the clock says.
            world.pass(5, false).await;
            assert_eq!(world.state(), State::Stale, "{steps:?}");
            world.pass(1, true).await;
            assert_eq!(world.state(), State::Live, "{steps:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_stopped_takes_nobody_for_silent_on_return() {
        let mut world = World::new();
        world.pass(5, true).await;
        for hours in 1..4 {
            world.stop(Duration::from_secs(3_600 * hours)).await;
            assert_eq!(world.state(), State::Live, "what has come is read first");
            world.pass(3, true).await;
            assert_eq!(world.state(), State::Live);
        }
        assert_eq!(world.metric("tickcast_stalls_total{task=\"timekeeper\"}"), 3);
        // It has the rest of its time after a stop, and no more.
        world.pass(2, false).await;
        world.stop(Duration::from_secs(60)).await;
        assert_eq!(world.state(), State::Live);
        world.pass(2, false).await;
        assert_eq!(world.state(), State::Stale);
    }

    #[tokio::test(start_paused = true)]
    async fn trades_that_came_during_a_stop_are_not_late_for_their_bars() {
        let mut world = World::new();
        world.pass(5, true).await;
        world.says();
        let forming = world.clock.now().0;
        let had = world.bars().len();
        world.stop(Duration::from_secs(600)).await;
        assert_eq!(world.bars().len(), had, "its bar waits for what came");
        let mut late = vec![Tick::Trade(Trade {
            symbol: world.symbol,
            price: "1".parse().unwrap(),
            size: "1".parse().unwrap(),
            side: None,
            id: None,
            source: world.publisher.name(),
            te: Some(UnixMicros(forming)),
            tr: world.clock.now(),
            print: Print::default(),
        })];
        world.publisher.publish(&mut late);
        assert_eq!(world.metric("tickcast_excluded_trades_total{channel=\"bars.1s\",reason=\"late\"}"), 0);
        world.pass(2, false).await;
        assert_eq!(world.bars().len(), had + 1);
    }
}
