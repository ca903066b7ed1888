//! History and stream have no seam: a client that reads pages and subscribes from their position has, in the end, what a client
//! has that was there from the beginning; whatever trades, time and others did in between.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::session::test_client::{Bench, Client, source, symbol, trade_at};
use crate::{
    dialect::Encoding,
    hub::{BarSpan, HubConfig, Page, Topic},
    market::{Interval, UnixMicros},
    session::SessionConfig,
};

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// Trades with these times relative to the newest, in milliseconds: some overtake each other, some are late.
    Trade(Vec<i64>),
    /// The clock goes on by that number of milliseconds.
    Pass(i64),
    /// The shard hands on what is in its lane.
    Settle,
    /// The clients write and are read.
    Take,
    /// Somebody else begins or ceases to listen, so that forming bars become events or do not.
    Listen,
    /// A reader begins: with pages of that size, and bars from that number of seconds before the newest trade on.
    Open(usize, Option<i64>),
    /// The reader, by its place, reads another page.
    Page(usize),
    /// The reader subscribes from its position.
    Subscribe(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::collection::vec(-1_500..900_i64, 1..8).prop_map(Step::Trade),
        2 => (0..2_000_i64).prop_map(Step::Pass),
        3 => Just(Step::Settle),
        2 => Just(Step::Take),
        2 => Just(Step::Listen),
        2 => (1..6_usize, prop::option::of(0..5_i64)).prop_map(|(limit, to)| Step::Open(limit, to)),
        4 => (0..4_usize).prop_map(Step::Page),
        2 => (0..4_usize).prop_map(Step::Subscribe),
    ];
    prop::collection::vec(step, 1..80)
}

/// The bars of one client by their start, as a chart keeps them.
#[derive(Debug, Default, PartialEq)]
struct Chart(BTreeMap<i64, Value>);

impl Chart {
    /// Takes in a bar of the stream: it replaces the one of its start, unless that was final.
    fn take(&mut self, bar: &Value) {
        let before = self.0.insert(bar["t"].as_i64().unwrap(), bar.clone());
        if let Some(before) = before {
            assert_eq!(before["final"], false, "{bar} after {before}");
            assert!(before["n"].as_u64() < bar["n"].as_u64(), "{bar} after {before}");
        }
    }

    /// Takes in a bar of a page, of which nothing can be known yet.
    fn page(&mut self, bar: &Value) {
        assert_eq!(self.0.insert(bar["t"].as_i64().unwrap(), bar.clone()), None, "on two pages: {bar}");
    }

    /// Without the numbers of forming bars: one that did not change may have been made an event for another client.
    fn shown(&self) -> Vec<Value> {
        let mut bars: Vec<_> = self.0.values().cloned().collect();
        bars.iter_mut().filter(|bar| bar["final"] == false).for_each(|bar| bar["n"] = Value::Null);
        bars
    }
}

/// A client that reads history first.
struct Reader {
    limit: usize,
    to: UnixMicros,
    /// Where the next page ends, while there is one; and where the stream goes on.
    bars: (Option<Option<u64>>, u64),
    trades: (Option<Option<u64>>, u64),
    chart: Chart,
    /// Numbers.
    traded: Vec<u64>,
    client: Option<Client>,
    /// How much of the client's log was taken in.
    read: usize,
}

fn decoded(page: &Page) -> Vec<Value> {
    page.events.iter().map(|event| serde_json::from_slice(&event.encoded(Encoding::Json)).unwrap()).collect()
}

fn next(page: &Page) -> Option<Option<u64>> {
    page.has_older.then(|| page.events.first().map(|event| event.n))
}

impl Reader {
    fn new(topic: &Topic, limit: usize, to: UnixMicros) -> Self {
        let mut reader = Self {
            limit,
            to,
            bars: (Some(None), 0),
            trades: (Some(None), 0),
            chart: Chart::default(),
            traded: Vec::new(),
            client: None,
            read: 0,
        };
        let span = BarSpan { to, ..BarSpan::ALL };
        reader.bars.1 = topic.bars(Interval::Second, &span, limit).position;
        reader.trades.1 = topic.trades(None, limit).position;
        reader.page(topic);
        reader
    }

    fn page(&mut self, topic: &Topic) {
        if let Some(before) = self.bars.0 {
            let span = BarSpan { to: self.to, before, ..BarSpan::ALL };
            let page = topic.bars(Interval::Second, &span, self.limit);
            assert!(page.events.len() <= self.limit && page.events.is_sorted_by_key(|event| event.n));
            assert!(page.events.iter().all(|event| event.n <= self.bars.1), "{page:?} {}", self.bars.1);
            decoded(&page).iter().for_each(|bar| self.chart.page(bar));
            self.bars.0 = next(&page);
        }
        if let Some(before) = self.trades.0 {
            let page = topic.trades(before, self.limit);
            assert!(page.events.iter().all(|event| before.is_none_or(|before| event.n < before)), "{page:?}");
            self.traded.splice(..0, page.events.iter().map(|event| event.n));
            self.trades.0 = next(&page);
        }
    }

    fn subscribe(&mut self, bench: &mut Bench) {
        if self.client.is_some() {
            return;
        }
        let client = bench.connect();
        for (channel, n) in [("bars.1s", self.bars.1), ("trades", self.trades.1)] {
            let since = json!({"epoch": "e1", "n": {"S0": n}});
            let command = json!({"op": "subscribe", "channel": channel, "symbols": ["S0"], "since": since});
            client.send(bench, &command.to_string());
        }
        self.client = Some(client);
    }

    fn take(&mut self, bench: &mut Bench) {
        let Some(client) = &mut self.client else { return };
        client.take_all(bench);
        for message in &client.log[self.read..] {
            match message["T"].as_str().unwrap() {
                "b" => {
                    assert!(message["n"].as_u64().unwrap() > self.bars.1, "{message}");
                    self.chart.take(message);
                }
                "t" => self.traded.push(message["n"].as_u64().unwrap()),
                "subscribed" => assert_eq!(message["ok"][0]["recovered"], true, "{message}"),
                kind => assert_eq!(kind, "welcome", "{message}"),
            }
        }
        self.read = client.log.len();
    }
}

/// Publishes, and remembers how late it is.
struct Market {
    /// The newest trade, in milliseconds.
    newest: i64,
    clock: i64,
    id: u64,
}

impl Market {
    fn trade(&mut self, bench: &Bench, times: Vec<i64>) {
        let ticks = times.into_iter().map(|after| {
            let at = (self.newest + after).max(0);
            self.newest = self.newest.max(at);
            self.id += 1;
            trade_at(0, self.id, at * 1_000)
        });
        bench.hub.publish(source(), ticks);
        self.clock = self.clock.max(self.newest);
    }

    fn pass(&mut self, bench: &Bench, millis: i64) {
        self.clock += millis;
        bench.hub.tick_clock(UnixMicros(self.clock * 1_000));
    }

    /// The end of the bars that start that number of seconds before the newest trade's.
    fn span(&self, seconds_ago: Option<i64>) -> UnixMicros {
        seconds_ago.map_or(UnixMicros(i64::MAX), |ago| UnixMicros((self.newest / 1_000 - ago) * 1_000_000))
    }
}

fn from_the_beginning(bench: &mut Bench) -> Client {
    let client = bench.connect();
    for channel in ["bars.1s", "trades"] {
        let command = json!({"op": "subscribe", "channel": channel, "symbols": ["S0"]});
        client.send(bench, &command.to_string());
    }
    client
}

/// The witness listens only when it may: else no client does, and forming bars are no events.
fn run(steps: Vec<Step>, witnessed: bool) {
    let mut bench = Bench::new(
        HubConfig { trades_per_symbol: 10_000, bars: 10_000, ..HubConfig::default() },
        SessionConfig::default(),
    );
    let topic = bench.hub.declare(symbol(0), source()).unwrap();
    let mut witness = witnessed.then(|| from_the_beginning(&mut bench));
    let mut other: Option<Client> = None;
    let mut readers: Vec<Reader> = Vec::new();
    let mut market = Market { newest: 0, clock: 0, id: 0 };
    for step in steps {
        match step {
            Step::Trade(times) => market.trade(&bench, times),
            Step::Pass(millis) => market.pass(&bench, millis),
            Step::Settle => bench.settle(),
            Step::Take => {
                witness.iter_mut().for_each(|witness| witness.take_all(&mut bench));
                readers.iter_mut().for_each(|reader| reader.take(&mut bench));
            }
            Step::Listen => match other.take() {
                Some(client) => bench.shard.leave(client.key, bench.hub.instant()),
                None => other = Some(from_the_beginning(&mut bench)),
            },
            Step::Open(limit, to) => readers.push(Reader::new(&topic, limit, market.span(to))),
            Step::Page(which) => {
                readers.iter_mut().skip(which).step_by(4).for_each(|reader| reader.page(&topic));
            }
            Step::Subscribe(which) => {
                readers.iter_mut().skip(which).step_by(4).for_each(|reader| reader.subscribe(&mut bench));
            }
        }
    }
    readers.push(Reader::new(&topic, 3, UnixMicros(i64::MAX)));
    for reader in &mut readers {
        reader.subscribe(&mut bench);
        while reader.bars.0.is_some() || reader.trades.0.is_some() {
            reader.page(&topic);
        }
    }
    bench.settle();
    readers.iter_mut().for_each(|reader| reader.take(&mut bench));
    // Without a witness the last reader is: it has everything from pages, made in one go.
    let (chart, traded) = match &mut witness {
        None => {
            let last = readers.pop().unwrap();
            (last.chart, last.traded)
        }
        Some(witness) => {
            witness.take_all(&mut bench);
            let mut chart = Chart::default();
            witness.log.iter().filter(|message| message["T"] == "b").for_each(|bar| chart.take(bar));
            let trades = witness.log.iter().filter(|message| message["T"] == "t");
            (chart, trades.map(|trade| trade["n"].as_u64().unwrap()).collect())
        }
    };
    assert_eq!(traded, (1..=market.id).collect::<Vec<_>>());
    for reader in &readers {
        assert_eq!(reader.traded, traded);
        assert_eq!(reader.chart.shown(), chart.shown());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn history_and_stream_have_no_seam(steps in steps(), witnessed: bool) {
        run(steps, witnessed);
    }
}
