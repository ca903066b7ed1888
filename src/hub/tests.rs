//! What happens to a hub with feeds, for tests of hubs that follow it.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{FailoverTimes, FeedTerms, FreshnessLimits, Hub, HubConfig, Image, Numbered, SavedMark, Topic};
use crate::{
    clock::Clock,
    market::{
        Change, Channel, Correction, Level, Loss, LossWhy, Print, Quote, Source, State, Symbol, Tick, Trade,
        TradeId, UnixMicros,
    },
    metrics::Metrics,
};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const SYMBOLS: usize = 3;

/// What happens to a hub with feeds; who listens there and elsewhere differs.
#[derive(Debug, Clone)]
pub(crate) enum Happens {
    Trade { feed: usize, symbol: usize, price: u32, late: i64 },
    Quote { feed: usize, symbol: usize, price: u32 },
    Lost { feed: usize, symbol: usize },
    Busted { feed: usize, symbol: usize, back: u64 },
    Passes(i64),
    Jumps(i64),
    Down(usize),
    Back(usize),
    Idles,
    Listens { hub: usize, symbol: usize, channel: usize, starts: bool },
}

pub(crate) fn happens() -> impl Strategy<Value = Happens> {
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
        3 => (0..4_usize, symbol, 0..Channel::COUNT, any::<bool>())
            .prop_map(|(hub, symbol, channel, starts)| Happens::Listens { hub, symbol, channel, starts }),
    ]
}

/// A bid that is 40 ms old.
fn quote((symbol, source): (Symbol, Source), bid: Option<Level>, tr: UnixMicros) -> Quote {
    let te = Some(UnixMicros(tr.0 - 40_000));
    Quote { symbol, bid, ask: None, source, te, tr, is_snapshot: false }
}

pub(crate) fn feed(i: usize) -> Source {
    Source::new(["first", "second"][i]).unwrap()
}

pub(crate) fn symbol(i: usize) -> Symbol {
    Symbol::new(&format!("S{i}")).unwrap()
}

/// A hub with two feeds, and others that follow it.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) hub: Arc<Hub>,
    pub(crate) others: Vec<Arc<Hub>>,
    pub(crate) trades: u64,
}

/// Sources change at once.
pub(crate) const AT_ONCE: FailoverTimes = FailoverTimes { grace: Duration::ZERO, hold: Duration::ZERO };

/// Remembers little.
pub(crate) fn config() -> HubConfig {
    HubConfig { trades_per_symbol: 40, bars: 5, failover: AT_ONCE, ..HubConfig::default() }
}

/// A hub whose own clock is years behind, and stands still.
pub(crate) fn following() -> Arc<Hub> {
    let hub = Hub::new(config(), "e".into(), Clock::manual(UnixMicros(7)), Arc::new(Metrics::new()));
    let _lane = hub.open_lane().unwrap();
    Arc::new(hub)
}

/// The feeds are there.
pub(crate) fn enlist(hub: &Hub) {
    for i in 0..2 {
        let fresh = FreshnessLimits {
            quotes: Some(Duration::from_secs(5)),
            age: Some(Duration::from_secs(60)),
            ..FreshnessLimits::default()
        };
        let (preference, expires) = (u32::try_from(i).unwrap(), Some(Duration::from_secs(30)));
        hub.enlist(feed(i), FeedTerms { fresh, preference, expires });
        hub.feed_is_up(feed(i));
    }
    let _lane = hub.open_lane().unwrap();
}

impl World {
    pub(crate) fn happens(&mut self, happens: Happens) {
        let now = self.clock.now();
        let told = |tick: Tick, i: usize| self.hub.publish(feed(i), [tick]);
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
            Happens::Down(i) => self.hub.set_feed_state(feed(i), State::Stale, "gone"),
            Happens::Back(i) => self.hub.feed_is_back(feed(i)),
            Happens::Idles => {
                self.clock.pass(20 * SECOND);
                self.hub.expire();
            }
            Happens::Listens { hub, symbol: s, channel, starts } => {
                let hub = hub.checked_sub(1).and_then(|i| self.others.get(i)).unwrap_or(&self.hub);
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
    pub(crate) fn look(&self) {
        self.hub.follow_clock();
        while self.hub.sweep() {}
        while self.hub.check_freshness() {}
        self.hub.check_feeds();
        while self.hub.tick_clock(self.clock.now()) {}
    }
}

/// All that a topic remembers, as it comes back from a file.
pub(crate) fn remembered(topic: &Topic) -> Image<Numbered> {
    topic.image(&SavedMark::NOTHING, true).unwrap().map(|event| Numbered::from(&*event))
}

/// Everything that a hub says of a symbol.
pub(crate) fn says(hub: &Hub, symbol: usize) -> Vec<String> {
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
