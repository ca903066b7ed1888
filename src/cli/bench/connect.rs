//! How a client of the load generator gets in: its upgrade and its subscriptions in one write, its answer later.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "shares of a measurement; no price is near"
)]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::plan::{BenchPlan, Greeting, Kind};

/// Receive buffer of a slow client, as a thin line keeps it: nearly empty.
const SLOW_BUFFER: usize = 16 * 1024;

/// Longest wait for one answer while connecting.
const PATIENCE: Duration = Duration::from_secs(10);

/// The gateway's symbols.
pub(super) fn symbols(plan: &BenchPlan) -> anyhow::Result<Vec<String>> {
    let mut stream =
        TcpStream::connect(plan.address).with_context(|| format!("cannot reach {}", plan.address))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /v1/symbols HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", plan.address)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body = body.find('{').map_or("", |start| &body[start..=body.rfind('}').unwrap_or(start)]);
    let known: Value = serde_json::from_str(body).context("/v1/symbols: not a gateway's answer")?;
    let names = known["symbols"].as_array().into_iter().flatten().filter_map(|known| known["S"].as_str());
    Ok(names.map(ToOwned::to_owned).collect())
}

/// A client that has asked for its upgrade.
pub(super) struct Asked {
    stream: TcpStream,
    kind: Kind,
    /// What it says only once it was answered.
    then: Vec<u8>,
}

/// Connects a client and sends its upgrade and its subscriptions to what `draw` draws.
pub(super) fn ask(plan: &BenchPlan, i: usize, draw: impl FnOnce() -> Vec<String>) -> anyhow::Result<Asked> {
    let position = i as f64 / plan.connections as f64;
    let kind = match position {
        p if p < plan.stalled => Kind::Stalled,
        p if p < plan.stalled + plan.slow => Kind::Slow,
        _ => Kind::Healthy,
    };
    let gateway = plan.gateway(i);
    let domain = socket2::Domain::for_address(gateway);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if kind != Kind::Healthy {
        socket.set_recv_buffer_size(SLOW_BUFFER)?;
    }
    if let Some(source) = plan.sources.get(i % plan.sources.len().max(1)) {
        socket.bind(&SocketAddr::new(*source, 0).into())?;
    }
    socket.connect_timeout(&gateway.into(), PATIENCE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let protocol = if plan.msgpack { "Sec-WebSocket-Protocol: tickcast.v1.msgpack\r\n" } else { "" };
    let (path, host) = (&plan.path, gateway);
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
    )
    .into_bytes();
    let drawn = draw();
    let mut then = Vec::new();
    if matches!(plan.greeting, Greeting::Nats(_)) {
        // It refuses what comes before its answer.
        then = frame(0x82, nats_commands(&drawn).as_bytes());
    } else {
        for channel in &plan.channels {
            request.extend(subscription(plan, channel, &drawn)?);
        }
    }
    stream.write_all(&request)?;
    Ok(Asked { stream, kind, then })
}

impl Asked {
    /// Waits until the client is let in.
    pub(super) fn answer(mut self) -> anyhow::Result<(mio::net::TcpStream, Kind)> {
        let mut head = [0; 12];
        self.stream.read_exact(&mut head)?;
        if &head != b"HTTP/1.1 101" {
            bail!("the gateway answered {:?}", String::from_utf8_lossy(&head));
        }
        self.stream.write_all(&self.then)?;
        self.stream.set_nonblocking(true)?;
        Ok((mio::net::TcpStream::from_std(self.stream), self.kind))
    }
}

fn subscription(plan: &BenchPlan, channel: &str, drawn: &[String]) -> anyhow::Result<Vec<u8>> {
    let wanted = if drawn.is_empty() { json!(["*"]) } else { json!(drawn) };
    let command = json!({"op": "subscribe", "channel": channel, "symbols": wanted, "mode": plan.mode, "snapshot": false});
    Ok(if plan.msgpack {
        frame(0x82, &rmp_serde::to_vec_named(&command)?)
    } else {
        frame(0x81, &serde_json::to_vec(&command)?)
    })
}

fn nats_commands(subjects: &[String]) -> String {
    let mut commands = String::from("CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n");
    for (sid, subject) in subjects.iter().enumerate() {
        commands.push_str(&format!("SUB {subject} {sid}\r\n"));
    }
    commands
}

/// A command as a frame masked with zeros.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    match u8::try_from(payload.len()) {
        Ok(len) if len < 126 => bytes.push(0x80 | len),
        _ => match u16::try_from(payload.len()) {
            Ok(len) => {
                bytes.push(0x80 | 126);
                bytes.extend(len.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        },
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
