//! Clients that are odd, greedy, broken or hostile. None may hurt another, and each must get the answer that is due.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use rand::{RngExt as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::{io::AsyncReadExt as _, net::TcpSocket, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::{http::Connection, world::World};

/// Addresses of strangers: limits of an address must hit them alone.
const GREEDY: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 1);
const IDLE: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 2);
const BODIES: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 3);
const ODD: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 4);

/// A broken connection is a finding unless the gateway was ended meanwhile.
fn cut(world: &World, life: u64, what: &str, why: &std::io::Error) {
    if life % 2 == 1 && world.gateway.life() == life {
        world.found("cut", format!("{what}: {why}"));
    }
}

async fn websocket(world: &World, from: Ipv4Addr) -> Option<WebSocketStream<tokio::net::TcpStream>> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind((from, 0).into()).ok()?;
    let stream = socket.connect(world.address()).await.ok()?;
    let upgraded = client_async(format!("ws://{}/v1/ws", world.address()), stream);
    timeout(Duration::from_secs(20), upgraded).await.ok()?.ok().map(|(socket, _)| socket)
}

/// Requests every 40 ms over one connection, for as long as it lives.
pub(crate) async fn kept_alive(world: Arc<World>, mut random: ChaCha8Rng) {
    let paths = ["/healthz", "/readyz", "/v1/symbols", "/v1/snapshot?symbols=AAA", "/metrics", "/feedz", "/"];
    while !world.faults.is_cancelled() {
        let life = world.gateway.life();
        let asked = async {
            let mut connection = Connection::open(world.address(), Ipv4Addr::new(127, 8, 0, 1)).await?;
            while world.pause(Duration::from_millis(40)).await {
                let path = paths.choose(&mut random).copied().unwrap_or("/");
                let answer = connection.get(path).await?;
                world.count("requests on a kept connection");
                if !matches!(answer.status, 200 | 429 | 503) {
                    world.found("status", format!("{path}: {}", answer.status));
                }
            }
            Ok::<_, std::io::Error>(())
        };
        if let Err(why) = asked.await {
            cut(&world, life, "kept alive", &why);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// An event stream on a connection that has loaded the page before, for longer than any request may take.
pub(crate) async fn second_stream(world: Arc<World>, _random: ChaCha8Rng) {
    while !world.faults.is_cancelled() {
        let life = world.gateway.life();
        let streamed = async {
            let mut connection = Connection::open(world.address(), Ipv4Addr::new(127, 8, 0, 2)).await?;
            connection.get("/").await?;
            connection
                .send(b"GET /v1/sse?symbols=AAA&channels=status HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await?;
            let (status, _head) = connection.head().await?;
            if status != 200 {
                return Ok(());
            }
            let end = tokio::time::Instant::now() + Duration::from_secs(20);
            while let Ok(chunk) = tokio::time::timeout_at(end, connection.chunk()).await {
                if chunk?.is_none() {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            world.count("event streams as second request");
            Ok(())
        };
        if let Err(why) = streamed.await {
            cut(&world, life, "an event stream as second request", &why);
        }
        world.pause(Duration::from_millis(500)).await;
    }
}

/// Commands and queries that name everything, thousands of times.
pub(crate) async fn stars(world: Arc<World>, _random: ChaCha8Rng) {
    let many = vec!["*"; 32_000];
    let command = json!({"op": "subscribe", "channel": "trades", "symbols": many}).to_string();
    let since: serde_json::Map<_, _> = (0..3_000).map(|i| (format!("S{i}"), json!(1))).collect();
    let positions = json!({"op": "subscribe", "channel": "trades", "symbols": ["*"], "since": {"epoch": "x", "n": since}});
    let stars = vec!["*"; 3_000].join(",");
    while world.pause(Duration::from_millis(300)).await {
        if let Some(mut socket) = websocket(&world, GREEDY).await {
            for text in [command.clone(), positions.to_string()] {
                let _sent = socket.send(Message::text(text)).await;
            }
            let _answer = timeout(Duration::from_secs(1), socket.next()).await;
            world.count("commands of 32,000 names");
        }
        for path in [format!("/v1/snapshot?symbols={stars}"), format!("/v1/sse?symbols={stars}")] {
            if let Ok(mut connection) = Connection::open(world.address(), GREEDY).await {
                let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                let _sent = connection.send(request.as_bytes()).await;
                let _head = timeout(Duration::from_secs(2), connection.head()).await;
            }
        }
    }
}

/// Sessions that subscribe with a small rate and leave.
pub(crate) async fn rates(world: Arc<World>, _random: ChaCha8Rng) {
    while world.pause(Duration::from_millis(100)).await {
        let Some(mut socket) = websocket(&world, GREEDY).await else { continue };
        let command = json!({"op": "subscribe", "channel": "quotes", "symbols": ["*"], "max_rate": 0.001});
        let _sent = socket.send(Message::text(command.to_string())).await;
        let _answer = timeout(Duration::from_millis(300), socket.next()).await;
        world.count("sessions with a small rate");
    }
}

/// Producers that make mistakes: long texts, typos, half values, other encodings.
pub(crate) async fn producers(world: Arc<World>, mut random: ChaCha8Rng) {
    let long = "9".repeat(900_000);
    while world.pause(Duration::from_millis(200)).await {
        let typo = format!("TYPO{}", random.random_range(0..1_000_000));
        let bodies = [
            json!({"S": "DESK-1", "p": "1", "s": "1", "id": long}).to_string(),
            json!({"S": typo, "p": "1", "s": "1"}).to_string(),
            json!({"S": "DESK-1", "p": long, "s": "1"}).to_string(),
            "{\"S\":\"DESK-1\",\"p\":\"1".into(),
            "[[[[[[[[[[".repeat(50),
            "\u{feff}{\"S\":\"DESK\\/3\",\"bp\":\"1\"}".into(),
        ];
        let body = bodies.choose(&mut random).cloned().unwrap_or_default();
        let Ok(mut connection) = Connection::open(world.address(), Ipv4Addr::LOCALHOST).await else {
            continue;
        };
        if let Ok(answer) =
            connection.post("/v1/publish?feed=desk", "application/x-ndjson", body.as_bytes()).await
        {
            world.count("bad publishes answered");
            if answer.status >= 500 && answer.status != 503 {
                world.found("status", format!("a bad publish: {}", answer.status));
            }
        }
    }
}

/// Hundreds of connections of one address that say nothing, or nothing more.
pub(crate) async fn idle(world: Arc<World>, mut random: ChaCha8Rng) {
    let mut held = Vec::new();
    while world.pause(Duration::from_millis(50)).await {
        if let Ok(mut connection) = Connection::open(world.address(), IDLE).await {
            if random.random_bool(0.5) {
                let _answer = timeout(Duration::from_secs(2), connection.get("/healthz")).await;
            }
            held.push(connection);
            world.count("idle connections");
        }
        if held.len() > 400 {
            held.drain(..200);
        }
    }
}

/// Bodies that drip, and bodies of which half never comes.
pub(crate) async fn bodies(world: Arc<World>, mut random: ChaCha8Rng) {
    let mut held = Vec::new();
    while world.pause(Duration::from_millis(200)).await {
        let Ok(mut connection) = Connection::open(world.address(), BODIES).await else { continue };
        let head = "POST /v1/publish?feed=desk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 990000\r\n\r\n";
        let _sent = connection.send(head.as_bytes()).await;
        let half = if random.random_bool(0.5) { vec![b' '; 900_000] } else { vec![b' '; 1] };
        let _sent = timeout(Duration::from_secs(1), connection.send(&half)).await;
        held.push(connection);
        world.count("half bodies");
        if held.len() > 60 {
            held.drain(..30);
        }
    }
}

/// Half heads, and heads that drip.
pub(crate) async fn heads(world: Arc<World>, _random: ChaCha8Rng) {
    while world.pause(Duration::from_millis(500)).await {
        let Ok(mut connection) = Connection::open(world.address(), ODD).await else { continue };
        let _answer = timeout(Duration::from_secs(2), connection.get("/healthz")).await;
        for byte in b"GET /healthz HTT" {
            if connection.send(&[*byte]).await.is_err() || !world.pause(Duration::from_millis(300)).await {
                break;
            }
        }
        world.count("dripping heads");
    }
}

/// A page of another site whose name was pointed at this machine.
pub(crate) async fn rebinding(world: Arc<World>, _random: ChaCha8Rng) {
    let port = world.address().port();
    let requests = [
        ("GET /v1/snapshot", ""),
        ("GET /v1/sse?symbols=AAA", ""),
        ("POST /v1/publish?feed=desk", "Content-Length: 2\r\n"),
        (
            "GET /v1/ws",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ),
    ];
    while world.pause(Duration::from_millis(500)).await {
        for (line, more) in requests {
            let life = world.gateway.life();
            let Ok(mut connection) = Connection::open(world.address(), ODD).await else { continue };
            let evil = format!("evil.example.com:{port}");
            let request =
                format!("{line} HTTP/1.1\r\nHost: {evil}\r\nOrigin: http://{evil}\r\n{more}\r\n{{}}");
            let _sent = connection.send(request.as_bytes()).await;
            match timeout(Duration::from_secs(20), connection.head()).await {
                Ok(Ok((421 | 429 | 503, _))) => world.count("foreign hosts refused"),
                Ok(Ok((status, _))) => world.found("rebinding", format!("{line}: {status}")),
                _ if world.gateway.life() != life || life.is_multiple_of(2) => {}
                other => world.found("rebinding", format!("{line}: {other:?}")),
            }
        }
    }
}

/// Sessions that take everything and read nothing: they are to go, and only they.
pub(crate) async fn never_reads(world: Arc<World>, _random: ChaCha8Rng) {
    while !world.faults.is_cancelled() {
        let Some(mut socket) = websocket(&world, GREEDY).await else {
            world.pause(Duration::from_millis(500)).await;
            continue;
        };
        for channel in ["trades", "quotes", "ticker", "bars.1s"] {
            let command = json!({"op": "subscribe", "channel": channel, "symbols": ["*"], "mode": "stream"});
            let _sent = socket.send(Message::text(command.to_string())).await;
        }
        world.pause(Duration::from_secs(12)).await;
        world.count("sessions that never read");
    }
}

/// Bytes that are no request, and frames that are no frames.
pub(crate) async fn garbage(world: Arc<World>, mut random: ChaCha8Rng) {
    while world.pause(Duration::from_millis(300)).await {
        let bytes: Vec<u8> = (0..random.random_range(1..2_000)).map(|_| random.random()).collect();
        if random.random_bool(0.5) {
            let Ok(mut connection) = Connection::open(world.address(), ODD).await else { continue };
            let _sent = connection.send(&bytes).await;
            let mut some = [0; 512];
            let _read = timeout(Duration::from_millis(500), connection.stream.read(&mut some)).await;
        } else if let Some(mut socket) = websocket(&world, ODD).await {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let _sent = socket.send(Message::text(text)).await;
            let _sent = socket.send(Message::binary(bytes)).await;
            let _answer = timeout(Duration::from_millis(500), socket.next()).await;
        }
        world.count("garbage");
    }
}
