//! Nodes, their log, and what all of them say.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    cluster::{
        ClusterConfig, FeedWord, MadeOf, Node, NodeParts, PushError, Sources,
        log::{Line, Log, MemoryServer},
    },
    hub::{FailoverTimes, FeedTerms, Hub, HubConfig},
    market::{Channel, Print, Source, Symbol, Tick, Trade, TradeId, UnixMicros},
    metrics::Metrics,
    redis::ServerDefinition,
};

/// Longest that anything may take, in the time of the test.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn feed() -> Source {
    Source::new("f").unwrap()
}

fn trade(text: &str, id: u64, time: i64) -> Tick {
    Tick::Trade(Trade {
        symbol: symbol(text),
        price: format!("{}.5", 1 + id % 7).parse().unwrap(),
        size: "1".parse().unwrap(),
        side: None,
        id: Some(TradeId::Number(id)),
        source: feed(),
        te: Some(UnixMicros(time)),
        tr: UnixMicros(time),
        print: Print::default(),
    })
}

/// A feed that says what the test says.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Option<Arc<Hub>>>>);

impl Sources for Desk {
    fn failover(&self) -> FailoverTimes {
        FailoverTimes::default()
    }

    fn enlist(&self, origin: &Hub) {
        origin.enlist(feed(), FeedTerms::default());
    }

    fn interrupted(&self, is_lost: bool) -> Vec<Source> {
        if is_lost { vec![feed()] } else { Vec::new() }
    }

    fn start(&mut self, origin: &Arc<Hub>) {
        *self.0.lock() = Some(Arc::clone(origin));
    }

    async fn failed(&mut self) -> String {
        std::future::pending().await
    }

    async fn stop(&mut self) -> Result<(), String> {
        *self.0.lock() = None;
        Ok(())
    }

    fn words(&self, _origin: &Hub) -> Vec<FeedWord> {
        Vec::new()
    }

    fn push(&mut self, feed: Source, ticks: Vec<Tick>) {
        self.0.lock().as_ref().unwrap().publish(feed, ticks);
    }
}

/// One node.
pub(super) struct TestNode {
    pub(super) node: Node,
    pub(super) hub: Arc<Hub>,
    pub(super) line: Arc<Line>,
    desk: Desk,
    running: JoinHandle<Result<(), String>>,
}

impl TestNode {
    /// The hub of its feeds, while it leads.
    pub(super) fn origin(&self) -> Arc<Hub> {
        self.desk.0.lock().clone().expect("it leads")
    }

    /// Its feed says `count` trades.
    pub(super) fn trades(&self, text: &str, count: u64, id: &mut u64) {
        let origin = self.origin();
        for _ in 0..count {
            *id += 1;
            origin.publish(feed(), [trade(text, *id, self.hub.clock().now().0)]);
        }
    }

    pub(super) fn head(&self, text: &str, channel: Channel) -> u64 {
        self.hub.topic(symbol(text)).map_or(0, |topic| topic.head(channel))
    }

    /// All that it says of every symbol.
    fn says(&self) -> BTreeMap<(Symbol, usize, u64), String> {
        let mut all = BTreeMap::new();
        for topic in self.hub.all_topics() {
            for channel in Channel::ALL {
                for event in topic.since(channel, 0).events {
                    let said = format!("{} {:?}", topic.id().number(), event.body);
                    all.insert((topic.symbol(), channel.index(), event.n), said);
                }
            }
        }
        all
    }

    fn heads(&self) -> Vec<(Symbol, u32, Vec<u64>)> {
        let topics = self.hub.all_topics();
        let heads = topics.iter().map(|topic| {
            let heads = Channel::ALL.into_iter().map(|channel| topic.head(channel)).collect();
            (topic.symbol(), topic.id().number(), heads)
        });
        heads.collect()
    }
}

/// All nodes.
pub(super) struct World {
    pub(super) server: MemoryServer,
    pub(super) nodes: Vec<TestNode>,
    alive: Vec<bool>,
    id: u64,
    /// What was ever said at each place of each numbering.
    said: BTreeMap<(String, Symbol, usize, u64), String>,
}

impl World {
    pub(super) fn new() -> Self {
        let (nodes, alive, said) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { server: MemoryServer::new(), nodes, alive, id: 0, said }
    }

    /// `count` nodes, of which the first leads.
    pub(super) async fn of(count: usize) -> Self {
        let mut world = Self::new();
        for _ in 0..count {
            world.start().await;
        }
        world
    }

    /// One more node, which is ready.
    pub(super) async fn start(&mut self) {
        let log = self.server.handle();
        let line = Arc::clone(log.line());
        let config = HubConfig { trades_per_symbol: 100, ..HubConfig::default() };
        let hub = Arc::new(Hub::new(config, "none".into(), Clock::system(), Arc::new(Metrics::new())));
        let _lane = hub.open_lane().unwrap();
        let sizes = (String::new(), Vec::new());
        let node = Node::new(NodeParts {
            config: ClusterConfig::new("test".into(), ServerDefinition::default()),
            id: format!("n{}", self.nodes.len()),
            address: String::new(),
            made_of: MadeOf { feeds: sizes.0, intervals: sizes.1, trades_per_symbol: 100, bars: 100 },
            hub: Arc::clone(&hub),
            log: Log::Memory(log),
        });
        let desk = Desk::default();
        let running = tokio::spawn({
            let (node, desk) = (node.clone(), desk.clone());
            async move { node.run(desk, CancellationToken::new()).await }
        });
        self.nodes.push(TestNode { node: node.clone(), hub, line, desk, running });
        self.alive.push(true);
        let ready = tokio::time::timeout(PATIENCE, node.ready()).await;
        assert!(ready.is_ok(), "a node is never ready\n{}", self.describe());
        self.leader().await;
    }

    /// It ends without a word.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].running.abort();
        self.alive[node] = false;
    }

    fn living(&self) -> impl Iterator<Item = (usize, &TestNode)> {
        self.nodes.iter().enumerate().filter(|(i, _)| self.alive[*i])
    }

    pub(super) fn leaders(&self) -> Vec<usize> {
        self.living().filter(|(_, node)| node.desk.0.lock().is_some()).map(|(i, _)| i).collect()
    }

    pub(super) async fn leader(&self) -> usize {
        self.leader_but(usize::MAX).await
    }

    pub(super) async fn leader_but(&self, not: usize) -> usize {
        let leader = || self.leaders().into_iter().find(|leader| *leader != not);
        self.until("a node leads", |_| leader().is_some()).await;
        leader().unwrap()
    }

    pub(super) fn epoch(&self, node: usize) -> String {
        self.nodes[node].hub.epoch().to_string()
    }

    /// `count` trades of three symbols in turn, of the leader's feed.
    pub(super) fn trades(&mut self, leader: usize, count: u64) {
        for i in 0..count {
            let text = format!("S{}", i % 3);
            self.nodes[leader].trades(&text, 1, &mut self.id);
        }
    }

    /// A producer publishes `count` trades through that node.
    pub(super) async fn push(&mut self, node: usize, count: u64) -> Result<(), PushError> {
        let time = self.nodes[node].hub.clock().now().0;
        let ticks = (0..count).map(|i| trade("P", self.id + i, time)).collect();
        self.id += count;
        self.nodes[node].node.push(feed(), ticks, None).await
    }

    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < until, "not in time: {what}\n{}", self.describe());
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn describe(&self) -> String {
        let node = |(i, node): (usize, &TestNode)| {
            let seen = node.node.shared.seen.borrow().clone();
            format!("{i} alive {}: epoch {}, {seen:?}, {:?}\n", self.alive[i], node.hub.epoch(), node.heads())
        };
        self.nodes.iter().enumerate().map(node).collect()
    }

    /// Waits until all nodes have come to the same, and compares all that they say, also with what was said before.
    pub(super) async fn agree(&mut self) {
        // What is pending goes out, and time passes in the log.
        sleep(Duration::from_secs(1)).await;
        self.until("all nodes have the same numbers", |world| {
            let mut heads = world.living().map(|(_, node)| (node.hub.epoch(), node.heads()));
            let first = heads.next();
            world.leaders().len() == 1 && heads.all(|other| Some(other) == first)
        })
        .await;
        let epoch = self.living().map(|(_, node)| node.hub.epoch().to_string()).next().unwrap();
        let says: Vec<_> = self.living().map(|(i, node)| (i, node.says())).collect();
        for (i, says) in says {
            for ((symbol, channel, n), said) in says {
                let place = (epoch.clone(), symbol, channel, n);
                let before = self.said.entry(place).or_insert_with(|| said.clone());
                assert_eq!(*before, said, "node {i}, {symbol} {channel} {n}");
            }
        }
    }

    /// How many losses clients were told.
    pub(super) fn losses(&self) -> usize {
        self.said.values().filter(|said| said.contains("Loss")).count()
    }
}
