//! Verifying clients: plain WebSocket sessions that come, stay, are cut off, and come back anywhere with their position.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use crate::{
    checker::{Checker, Step},
    journal::Journal,
};

/// What a client subscribes to.
const CHANNELS: [&str; 5] = ["status", "trades", "quotes", "ticker", "bars.1s"];

/// Longest that a node may say nothing at all: it is told to send a heartbeat every second. Paused ones say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// Longest that a connection may take to come about. A paused node accepts and does not answer.
const CONNECT: Duration = Duration::from_secs(2);

/// Something that happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is subscribed at that node.
    Joined,
    /// Its connection ended without a word.
    Lost(String),
    /// The node closed it, with this code.
    Closed(u64),
    Gap {
        symbol: String,
        channel: String,
        from: u64,
        to: u64,
        why: String,
    },
    Source(String),
    Resync,
    NotRecovered,
}

/// Everything that happened to a client but the events, and how long these stayed away.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) seen: Vec<(Instant, usize, Seen)>,
    last_trade: Instant,
    longest: Duration,
    /// Whether a trade has come since the mark.
    has_heard: bool,
    /// The node where it is now.
    pub(crate) node: Option<usize>,
}

impl Record {
    fn trade(&mut self) {
        let now = Instant::now();
        self.longest = self.longest.max(now - self.last_trade);
        self.last_trade = now;
        self.has_heard = true;
    }

    /// The longest time without a trade since the mark.
    pub(crate) fn longest_silence(&self) -> Duration {
        self.longest.max(self.last_trade.elapsed())
    }

    /// Forgets how long trades stayed away.
    pub(crate) fn mark(&mut self) {
        self.longest = Duration::ZERO;
        self.last_trade = Instant::now();
        self.has_heard = false;
    }

    /// Whether a trade has come since the mark.
    pub(crate) fn heard(&self) -> bool {
        self.has_heard
    }
}

/// What a client is to do.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) number: usize,
    /// Its first node.
    pub(crate) home: usize,
    pub(crate) symbols: Vec<String>,
    /// Whether it wants to be told of another numbering.
    pub(crate) resync: bool,
    /// Whether it moves to another node every few seconds.
    pub(crate) wanders: bool,
    pub(crate) seed: u64,
}

/// What all clients share.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) journal: Arc<Journal>,
    pub(crate) nodes: Arc<Vec<SocketAddr>>,
    /// Those that take clients.
    pub(crate) homes: Arc<Vec<usize>>,
    pub(crate) over: CancellationToken,
}

/// How one visit ended.
enum End {
    Over,
    Left,
    Cut,
}

pub(crate) struct Client {
    plan: Plan,
    world: World,
    checker: Checker,
    record: Arc<Mutex<Record>>,
    random: ChaCha8Rng,
    at: usize,
    /// How long the node asked to wait before it comes back.
    after: Duration,
}

/// Starts a client; what happens to it is in the record.
pub(crate) fn start(
    plan: Plan,
    world: World,
    tasks: &mut tokio::task::JoinSet<Client>,
) -> Arc<Mutex<Record>> {
    let now = Instant::now();
    let record =
        Record { seen: Vec::new(), last_trade: now, longest: Duration::ZERO, has_heard: false, node: None };
    let record = Arc::new(Mutex::new(record));
    let name = format!("client {}{}", plan.number, if plan.resync { " (resync)" } else { "" });
    let client = Client {
        checker: Checker::new(Arc::clone(&world.journal), name),
        random: ChaCha8Rng::seed_from_u64(plan.seed),
        at: plan.home,
        after: Duration::ZERO,
        record: Arc::clone(&record),
        plan,
        world,
    };
    tasks.spawn(client.live());
    record
}

impl Client {
    /// Where the client stands, for the check at the end.
    pub(crate) fn heads(&self, channel: &str) -> impl Iterator<Item = (&str, Option<u64>)> {
        self.plan.symbols.iter().map(move |symbol| (symbol.as_str(), self.checker.head(symbol, channel)))
    }

    pub(crate) fn epoch(&self) -> &str {
        self.checker.epoch()
    }

    pub(crate) fn number(&self) -> usize {
        self.plan.number
    }

    fn saw(&self, seen: Seen) {
        self.record.lock().unwrap().seen.push((Instant::now(), self.at, seen));
    }

    async fn live(mut self) -> Self {
        let over = self.world.over.clone();
        while !over.is_cancelled() {
            let end = match self.connect().await {
                Some(socket) => self.visit(socket).await,
                None => End::Left,
            };
            self.record.lock().unwrap().node = None;
            match end {
                End::Over => break,
                // The next node, as a balancer would choose it.
                End::Left | End::Cut => {
                    let homes = &self.world.homes;
                    let next = homes.iter().position(|home| *home == self.at).map_or(0, |i| i + 1);
                    self.at = homes[next % homes.len()];
                }
            }
            let after = std::mem::take(&mut self.after) + Duration::from_millis(50);
            let _over = timeout(after, over.cancelled()).await;
        }
        self
    }

    async fn connect(&mut self) -> Option<WebSocketStream<TcpStream>> {
        let address = self.world.nodes[self.at];
        let connect = async {
            let stream = TcpStream::connect(address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            let query = if self.plan.resync { "?resync=1" } else { "" };
            let (socket, _answer) =
                client_async(format!("ws://{address}/v1/ws{query}"), stream).await.ok()?;
            Some(socket)
        };
        timeout(CONNECT, connect).await.ok().flatten()
    }

    async fn subscribe(&self, socket: &mut WebSocketStream<TcpStream>) -> Option<()> {
        for channel in CHANNELS {
            let mut command = json!({"op": "subscribe", "channel": channel, "symbols": self.plan.symbols});
            if let Some(since) = self.checker.since(channel) {
                command["since"] = since;
            }
            socket.send(Message::text(command.to_string())).await.ok()?;
        }
        Some(())
    }

    async fn visit(&mut self, mut socket: WebSocketStream<TcpStream>) -> End {
        if self.subscribe(&mut socket).await.is_none() {
            return End::Left;
        }
        self.record.lock().unwrap().node = Some(self.at);
        self.saw(Seen::Joined);
        let stay = if self.plan.wanders { self.random.random_range(1_000..6_000) } else { 86_400_000 };
        let stay = tokio::time::sleep(Duration::from_millis(stay));
        tokio::pin!(stay);
        let over = self.world.over.clone();
        loop {
            let message = tokio::select! {
                message = timeout(SILENCE, socket.next()) => message,
                () = &mut stay => return End::Left,
                () = over.cancelled() => return End::Over,
            };
            let why = match message {
                Err(_silent) => {
                    self.checker_found("silent", format!("node {} said nothing for {SILENCE:?}", self.at));
                    "silent".to_owned()
                }
                Ok(None) => "ended without a close frame".to_owned(),
                Ok(Some(Err(why))) => why.to_string(),
                Ok(Some(Ok(Message::Text(text)))) => {
                    self.frame(&text);
                    continue;
                }
                Ok(Some(Ok(Message::Close(frame)))) => {
                    let code = frame.map_or(0, |frame| u64::from(u16::from(frame.code)));
                    self.saw(Seen::Closed(code));
                    return End::Cut;
                }
                Ok(Some(Ok(_other))) => continue,
            };
            self.saw(Seen::Lost(why));
            return End::Cut;
        }
    }

    fn checker_found(&self, kind: &'static str, text: String) {
        self.world.journal.found(kind, format!("client {}: {text}", self.plan.number));
    }

    fn frame(&mut self, text: &str) {
        let (at, mut steps, mut trades) = (self.at, Vec::new(), 0_usize);
        self.checker.frame(text, |step| match step {
            Step::Nothing => {}
            Step::Trade => trades += 1,
            other @ (Step::Gap { .. }
            | Step::Source(_)
            | Step::Bye(..)
            | Step::Error(_)
            | Step::Resync
            | Step::NotRecovered) => steps.push(other),
        });
        if trades == 0 && steps.is_empty() {
            return;
        }
        let mut record = self.record.lock().unwrap();
        if trades > 0 {
            record.trade();
        }
        for step in steps {
            let seen = match step {
                Step::Gap { symbol, channel, from, to, why } => Seen::Gap { symbol, channel, from, to, why },
                Step::Source(state) => Seen::Source(state),
                Step::Resync => Seen::Resync,
                Step::NotRecovered => Seen::NotRecovered,
                Step::Bye(_, after_ms) => {
                    self.after = Duration::from_millis(after_ms);
                    continue;
                }
                Step::Error(code) => {
                    self.world.journal.found(
                        "error",
                        format!("client {}: a legal command got {code}: {text}", self.plan.number),
                    );
                    continue;
                }
                Step::Nothing | Step::Trade => continue,
            };
            record.seen.push((Instant::now(), at, seen));
        }
    }
}
