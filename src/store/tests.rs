//! Gateways without sessions that are started, stopped and broken off over one file.

mod busted;
mod faults;
mod migrate;
mod restarts;
mod rows;
mod same;

use std::{path::Path, sync::Arc};

use tempfile::TempDir;

use super::{Opened, Saver, StoreConfig, StoreError, StoreScope};
use crate::{
    clock::Clock,
    hub::{Event, Hub, HubConfig},
    market::{
        Body, Channel, Interval, Level, Print, Quote, Source, State, Symbol, Tick, Trade, TradeId, UnixMicros,
    },
    metrics::Metrics,
};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A hub and its file.
struct Rig {
    hub: Arc<Hub>,
    saver: Saver,
    is_continued: bool,
}

/// What the next run is like.
#[derive(Clone)]
struct Plan {
    config: HubConfig,
    feeds: Vec<&'static str>,
    interrupted: bool,
    starts_over: bool,
    clock: Clock,
}

impl Plan {
    fn new() -> Self {
        Self {
            config: HubConfig::default(),
            feeds: vec!["feed"],
            interrupted: false,
            starts_over: false,
            clock: Clock::manual(UnixMicros(20_000 * DAY)),
        }
    }

    fn sources(&self) -> Vec<Source> {
        self.feeds.iter().map(|name| Source::new(name).unwrap()).collect()
    }

    fn open(&self, path: &Path) -> Result<Opened, StoreError> {
        let scope = StoreScope {
            feeds: self.sources(),
            starts_over: self.starts_over,
            intervals: self.config.intervals,
            resumes: Vec::new(),
        };
        let fresh = format!("e{}", rand::random::<u64>());
        Opened::open(&StoreConfig::new(path.to_owned()), scope, fresh, self.clock.now())
    }

    fn start(&self, path: &Path) -> Rig {
        let mut opened = self.open(path).unwrap();
        let metrics = Arc::new(Metrics::new());
        let hub = Arc::new(Hub::new(self.config, opened.epoch.clone(), self.clock.clone(), metrics));
        let interrupted = if self.interrupted { self.sources() } else { Vec::new() };
        opened.restore(&hub, &interrupted).unwrap();
        let is_continued = opened.is_continued;
        let saver = Saver::new(opened, Arc::clone(&hub), StoreConfig::new(path.to_owned()));
        Rig { hub, saver, is_continued }
    }

    /// Whether that file cannot be opened, and in which words.
    fn refusal(&self, path: &Path) -> String {
        let why = self.open(path).map(|opened| opened.symbols()).unwrap_err().to_string();
        assert!(why.contains(&path.display().to_string()), "{why} names the file");
        why
    }
}

impl Rig {
    fn stop(mut self) {
        assert!(self.saver.finish());
    }

    fn save(&mut self) {
        assert!(self.saver.save());
    }

    fn metric(&self, name: &str) -> u64 {
        let text = String::from_utf8(self.hub.metrics().render().unwrap()).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    fn says(&self, symbol: &str) -> Said {
        let topic = self.hub.topic(Symbol::new(symbol).unwrap()).unwrap();
        let said = |event: &Arc<Event>| (event.n, event.body.clone());
        let of = |channel| topic.last(channel).as_ref().map(said);
        Said {
            last: Channel::ALL.into_iter().filter(|channel| *channel != Channel::Status).map(of).collect(),
            trades: topic.since(Channel::Trades, 0).events.iter().map(said).collect(),
            bars: Interval::ALL
                .map(|interval| topic.since(Channel::Bars(interval), 0).events.iter().map(said).collect())
                .to_vec(),
        }
    }
}

/// Everything that a topic tells, but its state.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    last: Vec<Option<(u64, Body)>>,
    trades: Vec<(u64, Body)>,
    bars: Vec<Vec<(u64, Body)>>,
}

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

fn source() -> Source {
    Source::new("feed").unwrap()
}

fn trade(symbol: &str, id: u64, price: &str, at: i64) -> Tick {
    Tick::Trade(Trade {
        symbol: Symbol::new(symbol).unwrap(),
        price: price.parse().unwrap(),
        size: "0.05990000".parse().unwrap(),
        side: None,
        id: Some(TradeId::Number(id)),
        source: source(),
        te: Some(UnixMicros(at)),
        tr: UnixMicros(at + 1_000),
        print: Print::default(),
    })
}

fn quote(symbol: &str, bid: &str, at: i64) -> Tick {
    let level = |price: &str, size: &str| Level {
        price: price.parse().unwrap(),
        size: (!size.is_empty()).then(|| size.parse().unwrap()),
    };
    Tick::Quote(Quote {
        symbol: Symbol::new(symbol).unwrap(),
        bid: Some(level(bid, "1.50")),
        ask: Some(level("99999.00", "")),
        source: source(),
        te: None,
        tr: UnixMicros(at),
        is_snapshot: false,
    })
}

fn state(hub: &Hub, symbol: &str) -> State {
    hub.topic(Symbol::new(symbol).unwrap()).unwrap().state()
}

/// Ticks of some minutes from that second of the run on.
fn minutes(from: i64, count: i64) -> Vec<Tick> {
    let start = 20_000 * DAY + from * SECOND;
    let ticks = (0..count * 6).flat_map(|i| {
        let at = start + i * 10 * SECOND;
        let price = format!("{}.{:02}", 100 + i % 7, i % 100);
        let id = u64::try_from(from * 100 + i).unwrap();
        [trade("BTC-USD", id, &price, at), quote("BTC-USD", &price, at)]
    });
    ticks.collect()
}
