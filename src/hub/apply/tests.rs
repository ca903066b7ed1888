//! A second hub that is fed what entered the numbering of a first one.

use std::{mem::take, sync::Arc, time::Duration};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::{
    clock::Clock,
    hub::{
        Event, FailoverTimes, FeedTerms, FreshnessLimits, HubConfig, Image, Numbered, RingImage, SavedMark,
        SourceClock, Topic,
    },
    market::{
        Change, Channel, Correction, Level, Loss, LossWhy, Print, Quote, Source, State, Symbol, Tick, Trade,
        TradeId, UnixMicros,
    },
    metrics::Metrics,
};

const SECOND: i64 = 1_000_000;
const SYMBOLS: usize = 3;

/// What happens to the first hub; who listens differs.
#[derive(Debug, Clone)]
enum Happens {
    Trade { feed: usize, symbol: usize, price: u32, late: i64 },
    Quote { feed: usize, symbol: usize, price: u32 },
    Lost { feed: usize, symbol: usize },
    Busted { feed: usize, symbol: usize, back: u64 },
    Passes(i64),
    Jumps(i64),
    Down(usize),
    Back(usize),
    Idles,
    Listens { second: bool, symbol: usize, channel: usize, starts: bool },
}

fn happens() -> impl Strategy<Value = Happens> {
    let (feed, symbol) = (0..2_usize, 0..SYMBOLS);
    prop_oneof![
        8 => (feed.clone(), symbol.clone(), 1..200_u32, -70 * SECOND..90 * SECOND)
            .prop_map(|(feed, symbol, price, late)| Happens::Trade { feed, symbol, price, late }),
        3 => (feed.clone(), symbol.clone(), 1..200_u32)
            .prop_map(|(feed, symbol, price)| Happens::Quote { feed, symbol, price }),
        1 => (feed.clone(), symbol.clone()).prop_map(|(feed, symbol)| Happens::Lost { feed, symbol }),
        1 => (feed.clone(), symbol.clone(), 0..6_u64)
            .prop_map(|(feed, symbol, back)| Happens::Busted { feed, symbol, back }),
        4 => (1..7_000_000_i64).prop_map(Happens::Passes),
        1 => (60 * SECOND..7_200 * SECOND).prop_map(Happens::Jumps),
        1 => feed.clone().prop_map(Happens::Down),
        1 => feed.prop_map(Happens::Back),
        1 => Just(Happens::Idles),
        3 => (any::<bool>(), symbol, 0..Channel::COUNT, any::<bool>())
            .prop_map(|(second, symbol, channel, starts)| Happens::Listens { second, symbol, channel, starts }),
    ]
}

/// A bid that is 40 ms old.
fn quote((symbol, source): (Symbol, Source), bid: Option<Level>, tr: UnixMicros) -> Quote {
    let te = Some(UnixMicros(tr.0 - 40_000));
    Quote { symbol, bid, ask: None, source, te, tr, is_snapshot: false }
}

fn feed(i: usize) -> Source {
    Source::new(["first", "second"][i]).unwrap()
}

fn symbol(i: usize) -> Symbol {
    Symbol::new(&format!("S{i}")).unwrap()
}

/// The hub with feeds, the one that hears what it recorded, and what was recorded since.
struct Pair {
    clock: Clock,
    first: Hub,
    second: Hub,
    recorded: Arc<Mutex<Vec<Input>>>,
    trades: u64,
}

impl Pair {
    /// The first hub was started again after all that happened `before`, unless that is nothing.
    fn new(before: Vec<Happens>) -> Self {
        let mut earlier = Self::at(Clock::manual(UnixMicros(20_000 * 86_400 * SECOND)));
        if before.is_empty() {
            return earlier;
        }
        before.into_iter().for_each(|one| earlier.happens(one));
        let images = earlier.first.all_topics().iter().map(|topic| remembered(topic)).collect();
        let pair = Self { trades: earlier.trades, ..Self::at(earlier.clock.clone()) };
        pair.first.restore(images, earlier.first.numbering(), &[feed(0)]).unwrap();
        pair
    }

    fn at(clock: Clock) -> Self {
        let at_once = FailoverTimes { grace: Duration::ZERO, hold: Duration::ZERO };
        let config = HubConfig { trades_per_symbol: 40, bars: 5, failover: at_once, ..HubConfig::default() };
        let hub = |clock: &Clock| Hub::new(config, "e".into(), clock.clone(), Arc::new(Metrics::new()));
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let tap = Arc::clone(&recorded);
        let first = hub(&clock).tapped(move |input| tap.lock().push(input));
        // Its own clock is years behind, and stands still.
        let second = hub(&Clock::manual(UnixMicros(7)));
        for i in 0..2 {
            let fresh = FreshnessLimits {
                quotes: Some(Duration::from_secs(5)),
                age: Some(Duration::from_secs(60)),
                ..FreshnessLimits::default()
            };
            first.enlist(
                feed(i),
                FeedTerms {
                    fresh,
                    preference: u32::try_from(i).unwrap(),
                    expires: Some(Duration::from_secs(30)),
                },
            );
            first.feed_is_up(feed(i));
        }
        for hub in [&first, &second] {
            let _lane = hub.open_lane().unwrap();
        }
        Self { clock, first, second, recorded, trades: 0 }
    }

    fn happens(&mut self, happens: Happens) {
        let now = self.clock.now();
        let told = |tick: Tick, i: usize| self.first.publish(feed(i), [tick]);
        match happens {
            Happens::Trade { feed: i, symbol: s, price, late } => {
                self.trades += 1;
                let trade = Trade {
                    symbol: symbol(s),
                    price: format!("{}.{:02}", price / 10, price % 10).parse().unwrap(),
                    size: "0.5".parse().unwrap(),
                    side: None,
                    id: Some(TradeId::Number(self.trades)),
                    source: feed(i),
                    te: (late % 5 != 0).then_some(UnixMicros(now.0 - late)),
                    tr: now,
                    print: Print::default(),
                };
                told(Tick::Trade(trade), i);
            }
            Happens::Quote { feed: i, symbol: s, price } => {
                let bid = Some(Level { price: format!("{price}").parse().unwrap(), size: None });
                told(Tick::Quote(quote((symbol(s), feed(i)), bid, now)), i);
            }
            Happens::Lost { feed: i, symbol: s } => {
                let (channel, why) = (Channel::Trades, LossWhy::Venue);
                told(Tick::Loss(Loss { symbol: symbol(s), channel, why, events: Some(2) }), i);
            }
            Happens::Busted { feed: i, symbol: s, back } => {
                let correction = Correction {
                    symbol: symbol(s),
                    id: TradeId::Number(self.trades.saturating_sub(back)),
                    source: feed(i),
                    change: Change::Busted { price: None, size: None },
                    te: None,
                    tr: now,
                    of: None,
                };
                told(Tick::Correction(Box::new(correction)), i);
            }
            Happens::Passes(by) => {
                self.clock.pass(by);
                self.look();
            }
            Happens::Jumps(by) => {
                self.clock.step(by);
                self.look();
            }
            Happens::Down(i) => self.first.set_feed_state(feed(i), State::Stale, "gone"),
            Happens::Back(i) => self.first.feed_is_back(feed(i)),
            Happens::Idles => {
                self.clock.pass(20 * SECOND);
                self.first.expire();
            }
            Happens::Listens { second, symbol: s, channel, starts } => {
                let hub = if second { &self.second } else { &self.first };
                let Some(topic) = hub.topic(symbol(s)) else { return };
                if starts {
                    let _newest = topic.join(0, Channel::ALL[channel]);
                } else {
                    topic.part(0, Channel::ALL[channel]);
                }
            }
        }
    }

    /// What the timekeeper does.
    fn look(&self) {
        self.first.follow_clock();
        while self.first.sweep() {}
        while self.first.check_freshness() {}
        self.first.check_feeds();
        while self.first.tick_clock(self.clock.now()) {}
    }

    fn follow(&self) {
        let inputs = take(&mut *self.recorded.lock());
        self.second.apply(inputs).unwrap();
    }
}

/// All that a topic remembers, as it comes back from a file.
fn remembered(topic: &Topic) -> Image<Numbered> {
    let one = |event: Arc<Event>| Numbered::from(&*event);
    let ring = |ring: RingImage<Arc<Event>>| RingImage {
        forgotten: ring.forgotten,
        events: ring.events.into_iter().map(one).collect(),
    };
    let image = topic.image(&SavedMark::NOTHING, true).unwrap();
    Image {
        id: image.id,
        base: image.base,
        symbol: image.symbol,
        feed: image.feed,
        heads: image.heads,
        last: image.last.map(|event| event.map(one)),
        lost: image.lost.map(|event| event.map(one)),
        trades: ring(image.trades),
        trades_changed: image.trades_changed,
        corrections: ring(image.corrections),
        bars: image.bars.map(ring),
        computed: image.computed,
        minutes: image.minutes,
        is_absent: image.is_absent,
        clock: image.clock,
    }
}

/// Everything that a hub says of a symbol.
fn says(hub: &Hub, symbol: usize) -> Vec<String> {
    let topic = hub.topic(self::symbol(symbol)).unwrap();
    let channels = Channel::ALL.into_iter().flat_map(|channel| {
        let remembered = topic.since(channel, 0);
        let events = remembered.events.into_iter().map(|event| format!("{} {:?}", event.n, event.body));
        let newest = topic.last(channel).map(|event| format!("newest {} {:?}", event.n, event.body));
        [format!("{channel:?} {}", remembered.forgotten)]
            .into_iter()
            .chain(events)
            .chain(newest)
            .collect::<Vec<_>>()
    });
    let (id, base, highest) = (topic.id().number(), topic.base(), topic.highest());
    let (feed, state) = (topic.feed(), topic.state());
    [format!("{id} of {feed} {state:?}, from {base} to {highest}")].into_iter().chain(channels).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn another_hub_with_other_listeners_gives_the_same_numbers(
        before in prop_oneof![Just(Vec::new()), prop::collection::vec(happens(), 1..120)],
        all in prop::collection::vec(happens(), 1..250),
        every in 1..40_usize,
    ) {
        let mut pair = Pair::new(before);
        for (i, one) in all.into_iter().enumerate() {
            pair.happens(one);
            if i % every == 0 {
                pair.follow();
            }
        }
        pair.follow();
        prop_assert_eq!(pair.first.next_topic(), pair.second.next_topic());
        prop_assert_eq!(pair.first.numbering(), pair.second.numbering());
        prop_assert_eq!(pair.first.topic_count(), pair.second.topic_count());
        for i in (0..SYMBOLS).filter(|i| pair.first.topic(symbol(*i)).is_some()) {
            prop_assert_eq!(says(&pair.first, i), says(&pair.second, i), "S{}", i);
        }
    }
}

#[test]
fn the_source_of_another_hub_is_followed_and_a_ninth_feed_takes_the_place_of_the_last_source() {
    let Pair { second: hub, .. } = Pair::at(Clock::manual(UnixMicros(7)));
    let name = |i: usize| Source::new(&format!("f{i}")).unwrap();
    hub.apply([Input::Symbol(symbol(0), name(0))]).unwrap();
    let topic = hub.topic(symbol(0)).unwrap();
    for i in [1, 0, 2, 3, 4, 5, 6, 7, 8, 0] {
        hub.apply([Input::Source(symbol(0), name(i), SourceClock::default())]).unwrap();
        assert_eq!(topic.feed(), name(i));
        assert!(topic.feeds().len() <= crate::limits::MAX_FEEDS_PER_SYMBOL);
    }
    assert_eq!(
        hub.apply([Input::Source(symbol(1), name(0), SourceClock::default())]),
        Ok(()),
        "it is not there"
    );
}
