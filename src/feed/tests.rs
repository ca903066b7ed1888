//! What subscribers of the status channel are told, by any speaker and however often.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{End, Feed, FeedError, Publisher, Watch, supervise, upstream::Reason};
use crate::{
    clock::Clock,
    hub::{FeedTerms, FreshnessLimits, Hub, HubConfig},
    market::{Channel, Quote, Source, State, Status, Symbol, Tick, UnixMicros},
    metrics::Metrics,
};

/// A hub and a feed with three symbols, of which the first has had a quote.
struct Desk {
    clock: Clock,
    hub: Arc<Hub>,
    publisher: Publisher,
    watch: Watch,
    stop: CancellationToken,
    now: i64,
}

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

const START: i64 = 1_700_000_000_000_000;

impl Desk {
    fn new() -> Self {
        let clock = Clock::manual(UnixMicros(START));
        let metrics = Arc::new(Metrics::new());
        let hub = Arc::new(Hub::new(HubConfig::default(), "e".into(), clock.clone(), metrics));
        let (feed, stop) = (Source::new("f").unwrap(), CancellationToken::new());
        let fresh = FreshnessLimits { quotes: Some(Duration::from_secs(30)), ..FreshnessLimits::default() };
        hub.enlist(feed, FeedTerms { fresh, ..FeedTerms::default() });
        let publisher = Publisher::new(feed, Arc::clone(&hub), stop.clone());
        let watch = Watch::new(feed, publisher.health(), Duration::from_secs(5));
        publisher.declare(["HEARD", "NEVER", "GONE"].map(symbol)).unwrap();
        let mut desk = Self { clock, hub, publisher, watch, stop, now: START };
        desk.quote();
        desk.publisher.change_state([symbol("GONE")], &[State::Pending], State::Closed, "delisted");
        desk
    }

    fn after(&mut self, seconds: i64) {
        self.now += seconds * 1_000_000;
        self.clock.set(UnixMicros(self.now));
    }

    fn quote(&mut self) {
        let (symbol, source, tr) = (symbol("HEARD"), self.publisher.name(), UnixMicros(self.now));
        let quote = Quote { symbol, bid: None, ask: None, source, te: None, tr, is_snapshot: false };
        self.publisher.publish(&mut vec![Tick::Quote(quote)]);
    }

    /// How many statuses there were of a symbol, and the newest.
    fn status(&self, name: &str) -> (u64, Status) {
        let event = self.hub.topic(symbol(name)).unwrap().last(Channel::Status).unwrap();
        (event.n, event.status().unwrap().clone())
    }
}

/// Everything that makes up a status by itself, as something that happens again and again while its cause lasts.
type Producer = (&'static str, fn(&mut Desk), State);

const PRODUCERS: &[Producer] = &[
    ("the supervisor, at each attempt", |desk| desk.publisher.lost("the source broke off"), State::Stale),
    ("the supervisor, at the end", |desk| desk.publisher.ended("the source has ended"), State::Closed),
    (
        "the watch over the whole feed",
        |desk| {
            desk.after(6);
            desk.watch.look(&desk.hub);
            // A flapping line: what is said once more is not news, as long as nothing came.
            desk.publisher.health().lives(desk.clock.steady());
        },
        State::Stale,
    ),
    (
        "the limits of a channel",
        |desk| {
            desk.after(31);
            desk.hub.check_freshness();
        },
        State::Stale,
    ),
    (
        "a venue that halts",
        |desk| desk.publisher.tell_state([symbol("HEARD")], ANY, State::Halted, "the venue says \"BREAK\""),
        State::Halted,
    ),
    (
        "a product list without the symbol",
        |desk| desk.publisher.change_state([symbol("HEARD")], ANY, State::Closed, "not listed any more"),
        State::Closed,
    ),
    (
        "a symbol that is let go, or waits for a place",
        |desk| desk.publisher.change_state([symbol("HEARD")], ANY, State::Stale, "it waits for a place"),
        State::Stale,
    ),
    ("ticks that come", Desk::quote, State::Live),
];

const ANY: &[State] = &[State::Pending, State::Live, State::Stale, State::Halted, State::Closed];

#[test]
fn each_retry_told_every_subscriber_the_same_state_again() {
    for (who, happens, state) in PRODUCERS {
        let mut desk = Desk::new();
        desk.after(1);
        happens(&mut desk);
        let (n, first) = desk.status("HEARD");
        assert_eq!(first.state, *state, "{who}");
        let others: Vec<_> = ["NEVER", "GONE"].map(|name| desk.status(name).0).into();
        for _ in 0..20 {
            desk.after(1);
            happens(&mut desk);
        }
        assert_eq!(desk.status("HEARD"), (n, first), "{who}: said again without news");
        assert_eq!(others, ["NEVER", "GONE"].map(|name| desk.status(name).0), "{who}");
    }
}

#[test]
fn another_cause_is_told_with_the_time_at_which_the_state_began() {
    let mut desk = Desk::new();
    desk.after(1);
    desk.publisher.lost("the source broke off");
    let (n, first) = desk.status("HEARD");
    assert_eq!(first.since, UnixMicros(START + 1_000_000));
    desk.after(9);
    desk.publisher.change_state([symbol("HEARD")], ANY, State::Stale, "nobody listens");
    let (next, second) = desk.status("HEARD");
    assert_eq!((next, second.since, &*second.why), (n + 1, first.since, "nobody listens"));
    // A state that ended and came back began anew.
    desk.after(1);
    desk.quote();
    desk.after(1);
    let began = desk.clock.now();
    desk.publisher.lost("the source broke off");
    assert_eq!(desk.status("HEARD").1.since, began);
}

#[test]
fn a_loss_of_the_feed_made_stale_what_was_never_received_or_is_closed() {
    let mut desk = Desk::new();
    let before = desk.status("GONE");
    desk.publisher.lost("the source broke off");
    let (_, never) = desk.status("NEVER");
    assert_eq!((never.state, &*never.why), (State::Pending, "the source broke off"));
    assert_eq!(never.since, UnixMicros(START), "it is pending since it is known");
    assert_eq!(desk.status("GONE"), before);
    desk.quote();
    let (_, never) = desk.status("NEVER");
    assert_eq!((never.state, &*never.why), (State::Pending, "nothing received yet"));
    assert_eq!(desk.status("GONE"), before);
    assert_eq!(desk.status("HEARD").1.state, State::Live);
}

/// A source that fails in these ways, one attempt after the other.
struct Failing(VecDeque<FeedError>);

impl Feed for Failing {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        match self.0.pop_front() {
            Some(error) => Err(error),
            None => {
                out.cancelled().await;
                Ok(End::Cancelled)
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_never_connected_said_that_its_source_broke_off() {
    let broken = |reason: Reason| FeedError::Upstream(reason.because("dns, 203.0.113.7, attempt 3"));
    let attempts = [
        broken(Reason::Connect),
        broken(Reason::ConnectTimeout),
        FeedError::Broken(io::ErrorKind::ConnectionRefused.into()),
        broken(Reason::Dropped),
    ];
    let mut desk = Desk::new();
    // Another feed, which never had anything.
    let (feed, stop) = (Source::new("other").unwrap(), desk.stop.clone());
    let publisher = Publisher::new(feed, Arc::clone(&desk.hub), stop);
    publisher.declare([symbol("FAR")]).unwrap();
    let (before, _) = desk.status("FAR");
    let run = tokio::spawn(supervise(Failing(attempts.into()), publisher));
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        desk.after(10);
    }
    let (n, status) = desk.status("FAR");
    assert_eq!(n, before + 1, "one status for all attempts");
    assert_eq!(status.state, State::Pending);
    assert_eq!(&*status.why, "could not connect yet: the source cannot be reached");
    assert_eq!(status.since, UnixMicros(START));
    desk.stop.cancel();
    run.await.unwrap();
}

#[test]
fn a_feed_that_let_go_on_purpose_was_warned_of_for_its_silence() {
    let mut desk = Desk::new();
    desk.publisher.rests();
    desk.after(3_600);
    desk.watch.look(&desk.hub);
    assert_eq!(desk.status("HEARD").1.state, State::Live, "what it let go its own status tells");
    assert_eq!(desk.publisher.health().state(), State::Live);
    // Awake again, it is held to its limit.
    desk.publisher.connected();
    desk.after(6);
    desk.watch.look(&desk.hub);
    assert_eq!(desk.status("HEARD").1.state, State::Stale);
}
