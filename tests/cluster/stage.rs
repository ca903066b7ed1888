//! A whole cluster: Redis, nodes, lines between them, a venue, producers, and clients that check everything.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{self, Client, Plan, Record, Seen, World},
    journal::Journal,
    node::{Node, PATIENCE},
    producer::{Assignment, Producer},
    proxy::Proxy,
    redis_server::Redis,
    same,
    venue::{self, Venue},
};

/// How long a leader may be silent in these tests, in milliseconds.
pub(crate) const LEASE: u64 = 1_500;

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) program: PathBuf,
    /// The role of each node; an empty one is a gateway without `[cluster]`.
    pub(crate) roles: Vec<&'static str>,
    pub(crate) clients: usize,
    /// Symbols that producers publish.
    pub(crate) symbols: usize,
    /// Symbols of each client.
    pub(crate) each: usize,
    pub(crate) producers: usize,
    pub(crate) ticks_per_second: usize,
    /// Whether each node has a line of its own to Redis.
    pub(crate) lines: bool,
    pub(crate) redis: Vec<&'static str>,
    /// More keys of `[cluster]`.
    pub(crate) keys: String,
    pub(crate) lease_ms: u64,
    pub(crate) wanderers: usize,
    /// Whether nodes come as the user of `packaging/redis.acl`.
    pub(crate) as_user: bool,
    /// How far the clock of each node is off, in seconds.
    pub(crate) clocks: Vec<i64>,
    /// Feeds in place of the venue's.
    pub(crate) feeds: String,
    /// Nodes, of the last ones, that are not started with the others.
    pub(crate) late: usize,
    pub(crate) seed: u64,
}

impl Default for Options {
    /// Three nodes that suit a test of a few seconds on a busy machine.
    fn default() -> Self {
        Self {
            program: env!("CARGO_BIN_EXE_tickcast").into(),
            roles: vec!["auto"; 3],
            clients: 30,
            symbols: 12,
            each: 3,
            producers: 2,
            ticks_per_second: 300,
            lines: false,
            redis: vec!["--appendonly", "no"],
            keys: String::new(),
            lease_ms: LEASE,
            wanderers: 0,
            as_user: false,
            clocks: Vec::new(),
            feeds: String::new(),
            late: 0,
            seed: rand::rng().random(),
        }
    }
}

pub(crate) struct Stage {
    pub(crate) options: Options,
    pub(crate) redis: Redis,
    pub(crate) lines: Vec<Proxy>,
    pub(crate) nodes: Arc<Vec<Node>>,
    pub(crate) venue: Venue,
    pub(crate) producers: Vec<Arc<Producer>>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) records: Vec<Arc<Mutex<Record>>>,
    clients: JoinSet<Client>,
    producing: CancellationToken,
    over: CancellationToken,
    _folder: TempDir,
}

/// The configuration of a node.
fn configuration(options: &Options, index: usize, url: &str, venue: SocketAddr) -> String {
    let role = options.roles[index];
    let mut text = String::from(
        "[server]\nbind = \"BIND\"\nworkers = 1\ngrace_ms = 100\ndrain_ms = 500\n\
         [session]\nheartbeat_ms = 1000\n[history]\ntrades_per_symbol = 5000\n",
    );
    if !role.is_empty() {
        text += &format!(
            "[cluster]\nname = \"proof\"\nurl = \"{url}\"\nrole = \"{role}\"\nnode = \"node-{index}\"\n\
             lease_ms = {}\nfound_ms = 1000\n{}\n",
            options.lease_ms, options.keys
        );
    }
    // An edge needs no feeds; one that producers may talk to names theirs.
    text += &format!("[[feed]]\nname = \"desk\"\nkind = \"push\"\nsymbols = {:?}\n", desk(options.symbols));
    if role == "edge" {
        return text;
    }
    if !options.feeds.is_empty() {
        return text + &options.feeds;
    }
    text += &format!(
        "[[feed]]\nname = \"venue\"\nkind = \"binance\"\nurl = \"ws://{venue}/\"\nsymbols = {:?}\n\
         retry_ms = 100\nretry_max_ms = 500\nlinger_ms = 60000\n",
        venue::SYMBOLS.map(|(_, ours)| ours)
    );
    text
}

/// Symbols that producers publish.
pub(crate) fn desk(count: usize) -> Vec<String> {
    (1..=count).map(|i| format!("DESK-{i:03}")).collect()
}

impl Stage {
    /// Starts everything, and waits until every client has its first events.
    pub(crate) async fn begin(options: Options) -> Self {
        eprintln!("seed {}", options.seed);
        let redis = Redis::start(&options.redis);
        let venue = Venue::start(20.0).await;
        let folder = tempfile::tempdir().unwrap();
        let mut options = options;
        if options.as_user {
            let rules = include_str!("../../packaging/redis.acl").replace("{tc:prod}", "{tc:proof}");
            let user = rules.lines().find_map(|line| line.strip_prefix("user tickcast ")).unwrap();
            let words: Vec<&str> =
                ["ACL", "SETUSER", "tickcast"].into_iter().chain(user.split(' ')).collect();
            redis.text(&words);
            std::fs::write(folder.path().join("redis.pass"), "change-this\n").unwrap();
            options.keys += "username = \"tickcast\"\npassword_file = \"redis.pass\"\n";
        }
        let (mut lines, mut nodes) = (Vec::new(), Vec::new());
        for index in 0..options.roles.len() {
            let mut address = redis.address();
            if options.lines {
                let line = Proxy::start(address).await;
                address = line.address;
                lines.push(line);
            }
            let config = configuration(&options, index, &format!("redis://{address}"), venue.address);
            let node = Node::new(index, &options.program, folder.path(), &config);
            *node.clock.lock().unwrap() = options.clocks.get(index).copied().unwrap_or(0);
            nodes.push(node);
        }
        nodes.iter().take(nodes.len() - options.late).for_each(Node::start);
        let mut stage = Self {
            redis,
            lines,
            nodes: Arc::new(nodes),
            venue,
            producers: Vec::new(),
            journal: Arc::default(),
            records: Vec::new(),
            clients: JoinSet::new(),
            producing: CancellationToken::new(),
            over: CancellationToken::new(),
            _folder: folder,
            options,
        };
        stage.all_ready().await;
        stage.start_producers();
        stage.start_clients();
        stage.every_client_hears().await;
        stage
    }

    fn world(&self) -> World {
        World {
            journal: Arc::clone(&self.journal),
            nodes: Arc::new(self.nodes.iter().map(|node| node.address).collect()),
            homes: Arc::new((0..self.nodes.len()).filter(|i| self.options.roles[*i] != "feed").collect()),
            over: self.over.clone(),
        }
    }

    fn start_producers(&mut self) {
        let symbols = desk(self.options.symbols);
        let count = self.options.producers;
        let per_second = self.options.ticks_per_second as f64 / count as f64;
        let bodies_per_second = (per_second / 2.0).clamp(1.0, 50.0);
        for i in 0..count {
            let order = Assignment {
                symbols: symbols.iter().skip(i).step_by(count).cloned().collect(),
                bodies_per_second,
                ticks_per_body: (per_second / bodies_per_second).round() as usize,
                seed: self.options.seed.wrapping_add(i as u64),
            };
            self.producers.push(Producer::start(order, self.world(), self.producing.clone()));
        }
    }

    fn start_clients(&mut self) {
        let mut random = ChaCha8Rng::seed_from_u64(self.options.seed);
        let symbols = desk(self.options.symbols);
        let homes = self.world().homes;
        for number in 0..self.options.clients {
            let first = random.random_range(0..symbols.len());
            let mut wanted: Vec<String> =
                (0..self.options.each).map(|i| symbols[(first + i) % symbols.len()].clone()).collect();
            wanted.sort_unstable();
            wanted.dedup();
            wanted.push(venue::SYMBOLS[number % 2].1.into());
            let plan = Plan {
                number,
                home: homes[number % homes.len()],
                symbols: wanted,
                resync: number % 2 == 0,
                wanders: number < self.options.wanderers,
                seed: random.random(),
            };
            self.records.push(client::start(plan, self.world(), &mut self.clients));
        }
    }

    /// Waits until it holds; else says what did not.
    pub(crate) async fn until(
        &self,
        what: &str,
        patience: Duration,
        mut holds: impl AsyncFnMut(&Self) -> bool,
    ) -> Duration {
        let begun = Instant::now();
        while !holds(self).await {
            assert!(begun.elapsed() < patience, "not within {patience:?}: {what}\n{}", self.story());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }

    pub(crate) async fn all_ready(&self) {
        self.until("every node is ready", PATIENCE, async |stage| {
            for node in stage.nodes.iter().filter(|node| node.is_running()) {
                // One that takes no clients never says that it is ready, but shows that it has joined.
                let has_joined = if stage.options.roles[node.index] == "feed" {
                    let joining = node.metric("tickcast_cluster_role{role=\"joining\"}").await;
                    node.metric("tickcast_cluster_attached").await > 0.5 && joining < 0.5
                } else {
                    node.is_ready().await
                };
                if !has_joined {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// Waits until every client has had a trade after this call.
    pub(crate) async fn every_client_hears(&self) -> Duration {
        self.mark();
        self.until("every client hears trades", PATIENCE, async |stage| {
            stage.records.iter().all(|record| record.lock().unwrap().heard())
        })
        .await
    }

    /// Waits until every client is connected: those that were asked to come back later are not for a while.
    pub(crate) async fn every_client_is_there(&self) {
        self.until("every client is connected", PATIENCE, async |stage| {
            stage.records.iter().all(|record| record.lock().unwrap().node.is_some())
        })
        .await;
    }

    /// From now on silence is measured anew.
    pub(crate) fn mark(&self) -> Instant {
        self.records.iter().for_each(|record| record.lock().unwrap().mark());
        Instant::now()
    }

    /// The node that leads.
    pub(crate) async fn leader(&self) -> usize {
        let found = Mutex::new(0);
        self.until("a node leads", PATIENCE, async |stage| {
            for node in stage.nodes.iter() {
                if node.leads().await {
                    *found.lock().unwrap() = node.index;
                    return true;
                }
            }
            false
        })
        .await;
        found.into_inner().unwrap()
    }

    /// A node that does not lead.
    pub(crate) async fn follower(&self) -> usize {
        let leader = self.leader().await;
        (0..self.nodes.len()).rev().find(|i| *i != leader).expect("there are two")
    }

    /// What happened to all clients since then.
    pub(crate) fn since(&self, begun: Instant) -> Vec<(usize, Duration, usize, Seen)> {
        let mut all = Vec::new();
        for (number, record) in self.records.iter().enumerate() {
            let record = record.lock().unwrap();
            let later = record.seen.iter().filter(|(at, ..)| *at >= begun);
            all.extend(later.map(|(at, node, seen)| (number, *at - begun, *node, seen.clone())));
        }
        all
    }

    /// The longest that any client was without a trade since the mark.
    pub(crate) fn longest_silence(&self) -> Duration {
        let silences = self.records.iter().map(|record| record.lock().unwrap().longest_silence());
        silences.max().unwrap_or_default()
    }

    /// The sum of a metric over the nodes that answer.
    pub(crate) async fn metric(&self, start: &str) -> f64 {
        let mut sum = 0.0;
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            sum += node.metric(start).await;
        }
        sum
    }

    /// Likewise, as a whole number.
    pub(crate) async fn total(&self, start: &str) -> u64 {
        self.metric(start).await.round() as u64
    }

    /// What nodes have logged at the end, for a failure.
    pub(crate) fn story(&self) -> String {
        let mut story = String::new();
        for node in self.nodes.iter() {
            let log = node.log();
            let lines: Vec<&str> = log.lines().collect();
            story +=
                &format!("--- node {}\n{}\n", node.index, lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        for (kind, text) in self.journal.findings() {
            story += &format!("{kind}: {text}\n");
        }
        story
    }

    /// Stops what is produced, and waits until all nodes hold the same.
    pub(crate) async fn quiet(&self) {
        self.producers.iter().for_each(|producer| producer.pause(true));
        self.venue.quiet(true);
        for producer in &self.producers {
            producer.idle().await;
        }
        let taken = same::same(&self.nodes, &desk(self.options.symbols)).await;
        self.journal.add("comparisons of all nodes", 1);
        if let Err(why) = taken {
            self.journal.found("nodes differ", why);
        }
    }

    /// Goes on producing.
    pub(crate) fn resume(&self) {
        self.venue.quiet(false);
        self.producers.iter().for_each(|producer| producer.pause(false));
    }

    /// The end: all quiet, everything accounted for, every process ends well, and nothing was found.
    pub(crate) async fn end(self) {
        let story = self.finish().await;
        assert!(story.is_none(), "{}", story.unwrap_or_default());
    }

    /// Likewise; tells what was found.
    pub(crate) async fn finish(mut self) -> Option<String> {
        self.every_client_is_there().await;
        self.every_client_hears().await;
        self.quiet().await;
        self.producing.cancel();
        // What is still on its way to clients arrives.
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.at_the_end().await;
        for producer in &self.producers {
            producer.account(&self.journal);
        }
        venue::SYMBOLS.iter().for_each(|(_, symbol)| self.journal.counted(symbol));
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            let status = node.stop().await;
            if !status.success() {
                self.journal.found("end", format!("node {} ended with {status}", node.index));
            }
        }
        for node in self.nodes.iter() {
            for line in node.log().lines().filter(|line| line.contains("panicked")) {
                self.journal.found("panic", format!("node {}: {line}", node.index));
            }
        }
        for (what, count) in self.journal.counts() {
            eprintln!("{count:>12} {what}");
        }
        eprintln!("{:>12} different events in {} epochs", self.journal.distinct(), self.journal.epochs());
        let findings = self.journal.findings();
        (!findings.is_empty()).then(|| format!("{} findings\n{}", findings.len(), self.story()))
    }

    /// Every client stands where all nodes stand.
    async fn at_the_end(&mut self) {
        let heads = same::heads(&self.nodes).await;
        self.over.cancel();
        while let Some(client) = self.clients.join_next().await {
            let client = client.unwrap();
            for channel in ["trades", "quotes", "ticker", "status"] {
                for (symbol, n) in client.heads(channel) {
                    let expected = heads.get(&(symbol.to_owned(), channel.to_owned())).copied();
                    if let (Some(n), Some(expected)) = (n, expected)
                        && n != expected
                    {
                        let text = format!(
                            "client {}: {symbol} {channel}: {n} of {expected} in {}",
                            client.number(),
                            client.epoch()
                        );
                        self.journal.found("behind", text);
                    }
                }
            }
        }
    }
}
