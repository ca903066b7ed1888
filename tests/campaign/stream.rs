//! Verifying clients: WebSocket, event streams and long polls that come, go, stall for a moment and come back.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use rand::{RngExt as _, SeedableRng as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::{net::TcpSocket, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{
    checker::{Checker, Step},
    gateway::{DESK, SYMBOLS, VENUE},
    http::{Connection, PATIENCE},
    world::{World, source},
};

/// How one visit ended.
enum End {
    /// The campaign is over.
    Over,
    /// The client left by itself.
    Left,
    /// The gateway ended it, or the connection broke.
    Cut(String),
}

/// One client's life.
pub(crate) async fn client(world: Arc<World>, number: usize, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut symbols: Vec<&str> = SYMBOLS.sample(&mut random, 3).copied().collect();
    symbols.extend(DESK.choose(&mut random));
    symbols.extend(VENUE.choose(&mut random));
    let kind = ["websocket", "websocket", "websocket", "sse", "poll"][number % 5];
    let name = format!("{kind} {number}");
    let mut visitor = Visitor {
        checker: Checker::new(Arc::clone(&world), name, kind == "websocket"),
        world: Arc::clone(&world),
        from: source(number),
        symbols,
        random,
        position: None,
    };
    while !world.clients.is_cancelled() {
        let life = world.gateway.life();
        let end = match kind {
            "websocket" => visitor.websocket(number.is_multiple_of(2)).await,
            "sse" => visitor.events().await,
            _ => visitor.poll().await,
        };
        match end {
            Ok(End::Over) => break,
            Ok(End::Left) => {}
            // While the gateway is ended or restarted every connection breaks.
            _ if life.is_multiple_of(2) || world.gateway.life() != life => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(End::Cut(_)) | Err(_) if world.journal.was_drilled() => world.count("sessions that panicked"),
            Ok(End::Cut(why)) => world.found("eviction", format!("{}: {why}", visitor.name(kind, number))),
            Err(why) => world.found("cut", format!("{}: {why}", visitor.name(kind, number))),
        }
        world.count("reconnects");
    }
    visitor.is_up_to_date().await;
}

struct Visitor {
    world: Arc<World>,
    checker: Checker,
    from: Ipv4Addr,
    symbols: Vec<&'static str>,
    random: ChaCha8Rng,
    position: Option<String>,
}

impl Visitor {
    fn name(&self, kind: &str, number: usize) -> String {
        format!("{kind} {number} from {}", self.from)
    }

    /// How long a visit lasts.
    fn stay(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(500..20_000))
    }

    async fn connect(&self) -> io::Result<tokio::net::TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.from, 0).into())?;
        let stream = timeout(PATIENCE, socket.connect(self.world.address())).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn websocket(&mut self, packed: bool) -> io::Result<End> {
        let stream = self.connect().await?;
        let mut request = format!("ws://{}/v1/ws", self.world.address()).into_client_request().unwrap();
        let protocol = if packed { "tickcast.v1.msgpack" } else { "tickcast.v1.json" };
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
        let upgraded = timeout(PATIENCE, client_async(request, stream)).await?;
        let (mut socket, _answer) = upgraded.map_err(io::Error::other)?;
        for channel in ["trades", "status", "quotes", "bars.1s", "corrections"] {
            let mut command = json!({"op": "subscribe", "channel": channel, "symbols": self.symbols});
            if let Some(since) = self.checker.since(channel) {
                command["since"] = since;
            }
            let command = if packed {
                Message::binary(rmp_serde::to_vec_named(&command).unwrap())
            } else {
                Message::text(command.to_string())
            };
            socket.send(command).await.map_err(io::Error::other)?;
        }
        let stay = tokio::time::sleep(self.stay());
        tokio::pin!(stay);
        let mut stall =
            self.random.random_bool(0.2).then(|| Duration::from_millis(self.random.random_range(100..1_500)));
        let clients = self.world.clients.clone();
        loop {
            let message = tokio::select! {
                message = timeout(PATIENCE, socket.next()) => message,
                () = &mut stay => return self.leave(socket).await,
                () = clients.cancelled() => return self.drain_websocket(socket).await,
            };
            match message {
                Err(_silent) => return Ok(End::Cut(format!("nothing came for {PATIENCE:?}"))),
                Ok(None) => return Ok(End::Cut("the connection ended without a close frame".into())),
                Ok(Some(Err(why))) => return Err(io::Error::other(why)),
                Ok(Some(Ok(Message::Close(frame)))) => return Ok(End::Cut(format!("closed: {frame:?}"))),
                Ok(Some(Ok(message))) => self.frame(&message),
            }
            if let Some(pause) = stall.take() {
                // A reader that is busy for a moment is no slow client.
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Leaves as browsers do, or as a machine that lost its network does.
    async fn leave(&mut self, mut socket: WebSocketStream<tokio::net::TcpStream>) -> io::Result<End> {
        if self.random.random_bool(0.5) {
            let _closed = timeout(Duration::from_secs(1), socket.close(None)).await;
        }
        Ok(End::Left)
    }

    /// Reads what still comes, until all is quiet.
    async fn drain_websocket(
        &mut self,
        mut socket: WebSocketStream<tokio::net::TcpStream>,
    ) -> io::Result<End> {
        let quiet = Duration::from_secs(2);
        let end = tokio::time::Instant::now() + quiet;
        while let Ok(Some(Ok(message))) = tokio::time::timeout_at(end, socket.next()).await {
            self.frame(&message);
        }
        Ok(End::Over)
    }

    fn frame(&mut self, message: &Message) {
        let parsed: Result<Vec<Value>, String> = match message {
            Message::Text(text) => serde_json::from_str(text).map_err(|why| why.to_string()),
            Message::Binary(bytes) => rmp_serde::from_slice(bytes).map_err(|why| why.to_string()),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return,
        };
        match parsed {
            Ok(messages) => messages.iter().for_each(|message| self.take(message)),
            Err(why) => self.world.found("shape", format!("a frame that is no array: {why}")),
        }
    }

    fn take(&mut self, message: &Value) {
        if let Step::Error(code) = self.checker.message(message) {
            self.world.found("error", format!("a legal command got {code}: {message}"));
        }
    }

    fn query(&self) -> String {
        format!("symbols={}&channels=trades,status,corrections", self.symbols.join(","))
    }

    async fn events(&mut self) -> io::Result<End> {
        let mut connection = Connection::open(self.world.address(), self.from).await?;
        // On a connection that has answered a request before, as browsers do it.
        if self.random.random_bool(0.5) {
            connection.get("/healthz").await?;
        }
        let last = self.position.as_ref().map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!("GET /v1/sse?{} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n", self.query());
        connection.send(request.as_bytes()).await?;
        let (status, head) = connection.head().await?;
        if status != 200 {
            return self.refused(status, &head).await;
        }
        let stay = tokio::time::sleep(self.stay());
        tokio::pin!(stay);
        let mut text = String::new();
        let clients = self.world.clients.clone();
        loop {
            let chunk = tokio::select! {
                chunk = connection.chunk() => chunk?,
                () = &mut stay => return Ok(End::Left),
                () = clients.cancelled() => {
                    let end = tokio::time::Instant::now() + Duration::from_secs(2);
                    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(end, connection.chunk()).await {
                        self.blocks(&mut text, &chunk);
                    }
                    return Ok(End::Over);
                }
            };
            let Some(chunk) = chunk else { return Ok(End::Cut("the event stream ended".into())) };
            self.blocks(&mut text, &chunk);
        }
    }

    /// Takes whole blocks of an event stream.
    fn blocks(&mut self, text: &mut String, chunk: &[u8]) {
        text.push_str(&String::from_utf8_lossy(chunk));
        while let Some(end) = text.find("\n\n") {
            let block: String = text.drain(..end + 2).collect();
            for line in block.lines() {
                if let Some(data) = line.strip_prefix("data: ") {
                    match serde_json::from_str::<Vec<Value>>(data) {
                        Ok(messages) => messages.iter().for_each(|message| self.take(message)),
                        Err(why) => self.world.found("shape", format!("an event that is no array: {why}")),
                    }
                } else if let Some(id) = line.strip_prefix("id: ") {
                    self.position = Some(id.into());
                }
            }
        }
    }

    async fn poll(&mut self) -> io::Result<End> {
        let mut connection = Connection::open(self.world.address(), self.from).await?;
        for _request in 0..self.random.random_range(1..60) {
            let after = self.position.as_ref().map(|at| format!("&after={at}")).unwrap_or_default();
            let answer = connection.get(&format!("/v1/poll?{}&wait=2{after}", self.query())).await?;
            if answer.status != 200 {
                return self.refused(answer.status, &answer.head).await;
            }
            let body: Value = serde_json::from_slice(&answer.body).map_err(io::Error::other)?;
            let first = self.position.is_none();
            self.position = body["position"].as_str().map(Into::into);
            if first {
                // Without a position there is no promise about what came before.
                self.world.count("first polls");
            }
            for message in body["messages"].as_array().into_iter().flatten() {
                self.take(message);
            }
            if self.world.clients.is_cancelled() {
                return Ok(End::Over);
            }
            let pause = Duration::from_millis(self.random.random_range(50..600));
            tokio::time::sleep(pause).await;
        }
        Ok(End::Left)
    }

    /// Waits as long as a refusal asks; a refusal is no fault of the gateway's unless nothing explains it.
    async fn refused(&self, status: u16, head: &str) -> io::Result<End> {
        let after = head.lines().find_map(|line| line.strip_prefix("retry-after:")?.trim().parse().ok());
        if status != 503 && status != 429 {
            return Ok(End::Cut(format!("refused with {status}")));
        }
        self.world.count("told to come back later");
        tokio::time::sleep(Duration::from_secs(after.unwrap_or(1).min(3))).await;
        Ok(End::Left)
    }

    /// At the end, when all is quiet, the client stands where the gateway does.
    async fn is_up_to_date(&mut self) {
        let path =
            format!("/v1/snapshot?symbols={}&channels=trades,status,corrections", self.symbols.join(","));
        let Some(snapshot) = crate::http::json(self.world.address(), &path).await else {
            self.world.found("end", "no snapshot at the end".into());
            return;
        };
        if snapshot["epoch"].as_str() != Some(&self.checker.epoch) && !self.checker.epoch.is_empty() {
            self.world.count("clients that did not see the last epoch");
            return;
        }
        for event in snapshot["events"].as_array().into_iter().flatten() {
            let symbol = event["S"].as_str().unwrap_or_default();
            // The simulated market never rests.
            if SYMBOLS.contains(&symbol) {
                continue;
            }
            let channel = match event["T"].as_str() {
                Some("t") => "trades",
                Some("c") => "corrections",
                _ => "status",
            };
            let head = self.checker.head(symbol, channel);
            if head.is_some_and(|head| Some(head) < event["n"].as_u64()) {
                self.world
                    .found("late", format!("{symbol} {channel}: at {head:?}, and the newest is {event}"));
            }
        }
    }
}
