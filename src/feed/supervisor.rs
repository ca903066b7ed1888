//! Keeps one feed running.

use std::{any::Any, panic::AssertUnwindSafe};

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::{End, Feed, FeedError, Publisher};
use crate::limits::FEED_STABLE_AFTER;

/// Runs a feed until it has ended, failed for good, or the gateway stops; starts it again when it broke off, or
/// panicked.
///
/// # Cancel safety
/// Not meant to be dropped: stop it through the publisher's token and await it.
pub async fn supervise<F: Feed>(feed: F, out: Publisher) {
    let _feed = supervise_lent(feed, out).await;
}

/// Likewise, and gives the feed back, so that it can run against another hub: see [`Feed::begin_anew`].
///
/// # Cancel safety
/// Not meant to be dropped: stop it through the publisher's token and await it.
pub async fn supervise_lent<F: Feed>(mut feed: F, out: Publisher) -> F {
    let mut backoff = feed.backoff();
    // After a break the feed is up again when its source proves alive, not when the next attempt begins.
    out.metrics().up(true);
    loop {
        let started = Instant::now();
        // A run starts over after a panic as after any break, so the feed's state is as good as after a break.
        let ran = AssertUnwindSafe(feed.run(&out)).catch_unwind().await;
        let result = ran.unwrap_or_else(|panic| Err(FeedError::Panicked(panic_message(panic.as_ref()))));
        out.metrics().up(false);
        match result {
            Ok(End::Cancelled) => return feed,
            Ok(End::Finished) => {
                tracing::info!(feed = %out.name(), "ended");
                out.ended("the source has ended");
                return feed;
            }
            Err(error) if !error.is_retryable() => {
                tracing::error!(feed = %out.name(), "stopped for good: {error}");
                out.ended("the feed has failed");
                return feed;
            }
            Err(error) => {
                if started.elapsed() >= FEED_STABLE_AFTER {
                    backoff.reset();
                }
                let pause = if error.wants_peace() {
                    backoff.longest(&mut rand::rng())
                } else {
                    backoff.next(&mut rand::rng())
                };
                out.broke_off(error.kind());
                let pause_ms = pause.as_millis();
                if out.health().last_sign().is_some() {
                    out.lost("the source broke off");
                    tracing::warn!(feed = %out.name(), pause_ms, "broke off: {error}");
                } else {
                    out.lost(error.in_general());
                    tracing::warn!(feed = %out.name(), pause_ms, "could not connect yet: {error}");
                }
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = out.cancelled() => return feed,
                }
            }
        }
    }
}

/// The panic's message, if it is text.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "?".into())
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, io, sync::Arc, time::Duration};

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        clock::Clock,
        feed::FeedError,
        hub::{Hub, HubConfig},
        limits::FEED_BACKOFF,
        market::{Source, State, Symbol},
        metrics::Metrics,
    };

    struct Scripted(VecDeque<Result<End, FeedError>>);

    impl Feed for Scripted {
        async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
            out.declare([Symbol::new("A").unwrap()])?;
            match self.0.pop_front() {
                Some(Err(FeedError::Panicked(why))) => panic!("{why}"),
                Some(result) => result,
                None => {
                    out.cancelled().await;
                    Ok(End::Cancelled)
                }
            }
        }
    }

    fn broken() -> Result<End, FeedError> {
        Err(FeedError::Broken(io::ErrorKind::ConnectionReset.into()))
    }

    fn setup() -> (Arc<Hub>, Publisher, CancellationToken) {
        let hub =
            Arc::new(Hub::new(HubConfig::default(), "e".into(), Clock::system(), Arc::new(Metrics::new())));
        let stop = CancellationToken::new();
        let publisher = Publisher::new(Source::new("f").unwrap(), Arc::clone(&hub), stop.clone());
        (hub, publisher, stop)
    }

    #[tokio::test(start_paused = true)]
    async fn broken_feeds_come_back_with_a_pause_and_fatal_ones_do_not() {
        let (hub, publisher, _stop) = setup();
        let started = Instant::now();
        let script = [broken(), broken(), Err(FeedError::Fatal("no such file".into())), Ok(End::Finished)];
        supervise(Scripted(script.into()), publisher).await;
        assert!(started.elapsed() >= FEED_BACKOFF.0 / 2 + FEED_BACKOFF.0, "two pauses, the second doubled");
        assert_eq!(hub.topic(Symbol::new("A").unwrap()).unwrap().state(), State::Closed);
        let text = String::from_utf8(hub.metrics().render().unwrap()).unwrap();
        assert!(text.contains("tickcast_feed_restarts_total{feed=\"f\",reason=\"broken\"} 2"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_of_a_feed_is_a_break_that_is_counted_and_shown() {
        let (hub, publisher, stop) = setup();
        let health = publisher.health();
        let script = [
            Err(FeedError::Panicked("no such field".into())),
            broken(),
            Err(FeedError::Panicked("no".into())),
        ];
        let run = tokio::spawn(supervise(Scripted(script.into()), publisher));
        let text = || String::from_utf8(hub.metrics().render().unwrap()).unwrap();
        while !text().contains("tickcast_feed_restarts_total{feed=\"f\",reason=\"panic\"} 2") {
            assert!(!run.is_finished(), "the feed goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(text().contains("reason=\"broken\"} 1"), "{}", text());
        assert_eq!(health.breaks(), Some((3, "panic")));
        stop.cancel();
        run.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_ends_even_the_pause() {
        let (hub, publisher, stop) = setup();
        let run = tokio::spawn(supervise(Scripted([broken()].into()), publisher));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let topic = hub.topic(Symbol::new("A").unwrap()).unwrap();
        assert_eq!(topic.state(), State::Pending, "nothing was ever received");
        stop.cancel();
        run.await.unwrap();
    }
}
