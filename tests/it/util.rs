//! A gateway on port 0 whose ticks the test publishes itself, and clients of it.

pub(crate) mod redis_server;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tickcast::{
    clock::Clock,
    feed::{Publisher, SymbolRoom},
    hub::{Hub, HubConfig},
    limits::MAX_TOPICS,
    market::{Interval, Level, Print, Quote, Source, Symbol, Tick, Trade, TradeId, UnixMicros},
    metrics::Metrics,
    server::{
        Driver, FeedView, FollowedFeeds, Gateway, Inbox, Member, PushView, Readiness, ReadinessCell,
        ServerConfig, listen,
    },
    session::{ConnectionLimits, Mailboxes, SessionConfig},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, protocol::frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

/// Longest that anything in a test may take; only failures take that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Makes one test for each session driver of a function that takes the driver: clients must not see which it is.
macro_rules! on_both_drivers {
    ($($test:ident,)*) => {
        $(mod $test {
            use tickcast::server::Driver;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn socket() {
                super::$test(Driver::Socket).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn actix() {
                super::$test(Driver::Actix).await;
            }
        })*
    };
}

/// A running gateway.
pub(crate) struct TestGateway {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Arc<Gateway>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl TestGateway {
    /// A gateway with default settings.
    pub(crate) fn start() -> Self {
        Self::on(Driver::default())
    }

    /// A gateway with default settings and that driver.
    pub(crate) fn on(driver: Driver) -> Self {
        Self::with(ServerConfig { driver, ..ServerConfig::default() }, SessionConfig::default())
    }

    /// A gateway with default settings whose numbering has that name.
    pub(crate) fn named(driver: Driver, epoch: &str) -> Self {
        let server = ServerConfig { driver, ..ServerConfig::default() };
        Self::build(Self::hub(HubConfig::default(), epoch), server, SessionConfig::default(), &[])
    }

    /// A gateway that computes bars of these intervals only.
    pub(crate) fn with_intervals(driver: Driver, intervals: &[Interval]) -> Self {
        let server = ServerConfig { driver, ..ServerConfig::default() };
        let hub = HubConfig { intervals: intervals.iter().copied().collect(), ..HubConfig::default() };
        Self::build(Self::hub(hub, "test-epoch"), server, SessionConfig::default(), &[])
    }

    /// A gateway with feeds that producers publish to: their names, and whether these may be anywhere.
    pub(crate) fn with_push(driver: Driver, feeds: &[(&str, bool)]) -> Self {
        let server = ServerConfig { driver, ..ServerConfig::default() };
        Self::build(Self::hub(HubConfig::default(), "test-epoch"), server, SessionConfig::default(), feeds)
    }

    /// A gateway with these settings and such feeds.
    pub(crate) fn with_feeds(server: ServerConfig, feeds: &[(&str, bool)]) -> Self {
        Self::build(Self::hub(HubConfig::default(), "test-epoch"), server, SessionConfig::default(), feeds)
    }

    /// A gateway with these settings; always on a free port, on two workers.
    pub(crate) fn with(server: ServerConfig, session: SessionConfig) -> Self {
        Self::build(Self::hub(HubConfig::default(), "test-epoch"), server, session, &[])
    }

    /// A gateway whose hub has these settings, too.
    pub(crate) fn with_hub(hub: HubConfig, server: ServerConfig, session: SessionConfig) -> Self {
        Self::build(Self::hub(hub, "test-epoch"), server, session, &[])
    }

    /// A gateway with these settings and feeds that producers publish to.
    pub(crate) fn with_everything(
        server: ServerConfig,
        session: SessionConfig,
        feeds: &[(&str, bool)],
    ) -> Self {
        Self::build(Self::hub(HubConfig::default(), "test-epoch"), server, session, feeds)
    }

    fn hub(config: HubConfig, epoch: &str) -> Arc<Hub> {
        Arc::new(Hub::new(config, epoch.into(), Clock::system(), Arc::new(Metrics::new())))
    }

    /// A gateway that others number for: its feeds are theirs, but for one, `desk`, that producers publish to.
    pub(crate) fn among_others(driver: Driver, inbox: Inbox) -> Self {
        let session = SessionConfig::default();
        let feeds = Arc::new(FollowedFeeds::new(session.simulated.clone()));
        let hub = Self::hub(HubConfig::default(), "test-epoch");
        hub.follow();
        let server = ServerConfig { driver, ..ServerConfig::default() };
        Self::build_member(hub, (server, session), &[("desk", false)], Some(Member { feeds, inbox }))
    }

    fn build(hub: Arc<Hub>, server: ServerConfig, session: SessionConfig, push: &[(&str, bool)]) -> Self {
        Self::build_member(hub, (server, session), push, None)
    }

    fn build_member(
        hub: Arc<Hub>,
        (server, session): (ServerConfig, SessionConfig),
        push: &[(&str, bool)],
        member: Option<Member>,
    ) -> Self {
        let push = push.iter().map(|(name, allow_remote)| {
            let name = Source::new(name).unwrap();
            let publisher = Publisher::new(name, Arc::clone(&hub), CancellationToken::new());
            PushView { publisher, allow_remote: *allow_remote, room: SymbolRoom::new(MAX_TOPICS) }
        });
        let push: Vec<PushView> = push.collect();
        let feeds = push.iter().map(|PushView { publisher, .. }| FeedView {
            name: publisher.name(),
            kind: "push",
            quotes_from: None,
            health: publisher.health(),
        });
        let feeds = feeds.collect();
        let readiness = ReadinessCell::default();
        readiness.set(Readiness::Ready);
        let gateway = Arc::new(Gateway {
            hub,
            connections: Arc::new(ConnectionLimits::new(server.connections, server.connections_per_ip)),
            mailboxes: Mailboxes::default(),
            session,
            server: ServerConfig { bind: ([127, 0, 0, 1], 0).into(), workers: 2, ..server },
            node: "test".into(),
            feeds,
            push,
            member,
            readiness,
            drain: CancellationToken::new(),
            hurry: CancellationToken::new(),
            shards: mpsc::channel(1).0,
        });
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = std::sync::mpsc::channel();
        let shared = Arc::clone(&gateway);
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async {
                let listening = listen(shared).unwrap();
                ready.send(listening.address).unwrap();
                let server = tokio::spawn(listening.server);
                let _ = stopped.await;
                listening.handle.stop(false).await;
                server.await.unwrap().unwrap();
            });
        });
        let address = started.recv_timeout(PATIENCE).unwrap();
        Self { address, gateway, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn declare(&self, names: &[&str]) {
        for name in names {
            self.gateway.hub.declare(symbol(name), source()).unwrap();
        }
    }

    pub(crate) fn publish(&self, ticks: impl IntoIterator<Item = Tick>) {
        self.gateway.hub.publish(source(), ticks);
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&format!("ws://{}/v1/ws", self.address), None).await.unwrap()
    }

    pub(crate) async fn connect_msgpack(&self) -> Client {
        Client::connect(&format!("ws://{}/v1/ws", self.address), Some("tickcast.v1.msgpack")).await.unwrap()
    }

    /// The value of the first sample whose line starts so.
    pub(crate) fn metric(&self, start: &str) -> f64 {
        self.sample(start).unwrap_or_else(|| panic!("there is no {start}"))
    }

    /// The value of a counter.
    pub(crate) fn count(&self, start: &str) -> u64 {
        self.read(start).unwrap_or_else(|| panic!("there is no {start}"))
    }

    fn sample(&self, start: &str) -> Option<f64> {
        self.read(start)
    }

    fn read<T: std::str::FromStr>(&self, start: &str) -> Option<T> {
        let text = String::from_utf8(self.gateway.hub.metrics().render().unwrap()).unwrap();
        let line = text.lines().find(|line| line.starts_with(start))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Waits until a sample has at least that value.
    pub(crate) async fn metric_reaches(&self, start: &str, value: f64) {
        self.metric_is(start, |have| have >= value).await;
    }

    /// Waits until a sample is as wanted. Samples of workers that are still starting are not there yet.
    pub(crate) async fn metric_is(&self, start: &str, wanted: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self.sample(start).is_some_and(&wanted) {
            assert!(Instant::now() < deadline, "{start} is {:?}", self.sample(start));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The status of an answer, however long its body takes.
    pub(crate) fn status(&self, method: &str, path: &str) -> u16 {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", self.address);
        stream.write_all(head.as_bytes()).unwrap();
        let mut line = [0; 12];
        stream.read_exact(&mut line).unwrap();
        String::from_utf8_lossy(&line[9..]).parse().unwrap()
    }

    /// One HTTP request with a plain socket: status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

/// A WebSocket client that reads messages one by one.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
    waiting: std::collections::VecDeque<Value>,
    msgpack: bool,
}

/// How a connection ended: the close frame's code, or nothing when there was none.
pub(crate) type Ended = Option<u16>;

impl Client {
    pub(crate) async fn connect(url: &str, protocol: Option<&str>) -> anyhow::Result<Self> {
        let mut request = url.into_client_request()?;
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse()?);
        }
        let (socket, _response) = timeout(PATIENCE, connect_async(request)).await??;
        Ok(Self { socket, waiting: std::collections::VecDeque::new(), msgpack: protocol.is_some() })
    }

    pub(crate) async fn send(&mut self, command: Value) {
        let message = if self.msgpack {
            Message::Binary(rmp_serde::to_vec_named(&command).unwrap().into())
        } else {
            Message::Text(command.to_string().into())
        };
        self.socket.send(message).await.unwrap();
    }

    /// The next message, whatever it is.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Value> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            let frame = timeout(PATIENCE, self.socket.next()).await.context("nothing came")?;
            let messages: Vec<Value> = match frame.context("the connection ended")?? {
                Message::Text(text) => serde_json::from_str(&text)?,
                Message::Binary(bytes) => rmp_serde::from_slice(&bytes)?,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                Message::Close(frame) => bail!("closed: {frame:?}"),
            };
            self.waiting.extend(messages);
        }
    }

    /// The next message of that type; others are passed over.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.unwrap_or_else(|why| panic!("while waiting for {kind}: {why}"));
            if message["T"] == kind {
                return message;
            }
        }
    }

    /// Reads to the end and tells how it came.
    pub(crate) async fn ended(&mut self) -> Ended {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("the connection ends") {
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map(|frame| u16::from(frame.code));
                    // The answer to the close frame goes out with the next read.
                    while let Ok(Some(Ok(_))) = timeout(PATIENCE, self.socket.next()).await {}
                    return code;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn close(mut self) {
        let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        self.socket.send(Message::Close(Some(frame))).await.unwrap();
        while let Ok(Some(Ok(_))) = timeout(PATIENCE, self.socket.next()).await {}
    }
}

pub(crate) fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

pub(crate) fn source() -> Source {
    Source::new("test").unwrap()
}

pub(crate) fn trade(name: &str, id: u64, price: &str) -> Tick {
    Tick::Trade(Trade {
        symbol: symbol(name),
        price: price.parse().unwrap(),
        size: "0.05990000".parse().unwrap(),
        side: None,
        id: Some(TradeId::Number(id)),
        source: source(),
        te: Some(UnixMicros(1)),
        tr: Clock::system().now(),
        print: Print::default(),
    })
}

pub(crate) fn quote(name: &str, bid: &str) -> Tick {
    let level =
        |price: &str| Some(Level { price: price.parse().unwrap(), size: Some("1.0".parse().unwrap()) });
    Tick::Quote(Quote {
        symbol: symbol(name),
        bid: level(bid),
        ask: level("999999.00"),
        source: source(),
        te: None,
        tr: Clock::system().now(),
        is_snapshot: false,
    })
}

/// Whether all samples whose line starts so are 0, or there is none.
pub(crate) fn is_zero(metrics: &str, start: &str) -> bool {
    metrics.lines().filter(|line| line.starts_with(start)).all(|line| line.ends_with(" 0"))
}

/// Polls until the condition holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
