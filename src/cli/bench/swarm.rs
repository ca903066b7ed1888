//! The clients: plain sockets behind one poll, all on one thread.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "rates and shares of a measurement; no price is near"
)]

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use rand::{SeedableRng as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    report::{Ages, Report, Spent},
    scan::Scanner,
};
use crate::{clock::Clock, market::UnixMicros};

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// How often a sign of life goes out: well below any gateway's patience, and in place of answers to its pings.
const LIFE_SIGN: Duration = Duration::from_secs(5);

/// A pong frame without payload, masked with zeros.
const PONG: &[u8] = b"\x8a\x80\0\0\0\0";

/// How often a slow client reads.
const SIP: Duration = Duration::from_millis(50);

/// Receive buffer of a slow client, as a thin line keeps it: nearly empty.
const SLOW_BUFFER: usize = 16 * 1024;

/// Longest wait for one answer while connecting.
const PATIENCE: Duration = Duration::from_secs(10);

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The gateway.
    pub address: SocketAddr,
    /// Path of its stream.
    pub path: String,
    /// Clients.
    pub connections: usize,
    /// Symbols of each, or all.
    pub symbols: Option<usize>,
    /// Channels of each.
    pub channels: Vec<String>,
    /// `mode` of the subscriptions.
    pub mode: String,
    /// MessagePack instead of JSON.
    pub msgpack: bool,
    /// Share of clients that never read.
    pub stalled: f64,
    /// Share of clients that read slowly.
    pub slow: f64,
    /// Bytes a second of those.
    pub slow_bytes: u32,
    /// How long to measure.
    pub measure: Duration,
    /// How long to wait before.
    pub warmup: Duration,
    /// Addresses to connect from.
    pub sources: Vec<IpAddr>,
    /// The gateway's process.
    pub pid: Option<u32>,
    /// Which symbols are drawn.
    pub seed: u64,
}

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As fast as it can.
    Healthy,
    /// So many bytes at once, at times.
    Slow,
    /// Not at all.
    Stalled,
}

struct Client {
    stream: mio::net::TcpStream,
    kind: Kind,
    /// Bytes that may be the beginning of an event.
    held: Vec<u8>,
    ended: bool,
}

#[derive(Debug)]
struct Counted {
    deliveries: u64,
    bytes: u64,
    reads: u64,
    ended: usize,
    healthy: Histogram<u64>,
    slow: Histogram<u64>,
}

impl Counted {
    fn new() -> anyhow::Result<Self> {
        // Up to ten minutes, to three digits.
        let ages = || Histogram::new_with_bounds(1, 600_000_000, 3);
        Ok(Self { deliveries: 0, bytes: 0, reads: 0, ended: 0, healthy: ages()?, slow: ages()? })
    }
}

/// Connects, waits, measures, and leaves.
///
/// # Errors
/// When the gateway cannot be reached or refuses a client.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    let before = plan.pid.map(usage).transpose()?;
    let symbols = symbols(plan)?;
    let mut poll = Poll::new()?;
    let started = Instant::now();
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut clients = Vec::with_capacity(plan.connections);
    for i in 0..plan.connections {
        let client = connect(plan, i, &symbols, &mut random).with_context(|| format!("client {i}"))?;
        clients.push(client);
    }
    let connect_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    for (i, client) in clients.iter_mut().enumerate() {
        if client.kind == Kind::Healthy {
            poll.registry().register(&mut client.stream, Token(i), Interest::READABLE)?;
        }
    }
    let mut swarm =
        Swarm { clock: Clock::system(), scanner: Scanner::new(plan.msgpack), buffer: vec![0; BUFFER] };
    swarm.go(plan, plan.warmup, &mut poll, &mut clients)?;
    let at_start = plan.pid.map(usage).transpose()?;
    let own = usage(std::process::id())?;
    let began = Instant::now();
    let counted = swarm.go(plan, plan.measure, &mut poll, &mut clients)?;
    let seconds = began.elapsed().as_secs_f64();
    let at_end = plan.pid.map(usage).transpose()?;
    let own_cpu = usage(std::process::id())?.cpu() - own.cpu();
    let gateway = match (before, at_start, at_end) {
        (Some(before), Some(start), Some(end)) => {
            Some(spent(&before, &start, &end, seconds, counted.deliveries))
        }
        _ => None,
    };
    Ok(Report {
        connected: clients.len(),
        connect_ms,
        ended: counted.ended,
        seconds,
        deliveries: counted.deliveries,
        deliveries_per_second: counted.deliveries as f64 / seconds,
        bytes: counted.bytes,
        reads: counted.reads,
        healthy: Ages::of(&counted.healthy),
        slow: (!counted.slow.is_empty()).then(|| Ages::of(&counted.slow)),
        generator_cpu_percent: own_cpu / seconds * 100.0,
        gateway,
    })
}

/// The gateway's symbols.
fn symbols(plan: &Plan) -> anyhow::Result<Vec<String>> {
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

fn connect(plan: &Plan, i: usize, symbols: &[String], random: &mut ChaCha8Rng) -> anyhow::Result<Client> {
    let position = i as f64 / plan.connections as f64;
    let kind = match position {
        p if p < plan.stalled => Kind::Stalled,
        p if p < plan.stalled + plan.slow => Kind::Slow,
        _ => Kind::Healthy,
    };
    let domain = socket2::Domain::for_address(plan.address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if kind != Kind::Healthy {
        socket.set_recv_buffer_size(SLOW_BUFFER)?;
    }
    if let Some(source) = plan.sources.get(i % plan.sources.len().max(1)) {
        socket.bind(&SocketAddr::new(*source, 0).into())?;
    }
    socket.connect_timeout(&plan.address.into(), PATIENCE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let protocol = if plan.msgpack { "Sec-WebSocket-Protocol: tickcast.v1.msgpack\r\n" } else { "" };
    let (path, host) = (&plan.path, plan.address);
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
    )
    .into_bytes();
    let drawn: Vec<&String> = match plan.symbols {
        Some(count) => symbols.sample(random, count).collect(),
        None => Vec::new(),
    };
    for channel in &plan.channels {
        let wanted = if drawn.is_empty() { json!(["*"]) } else { json!(drawn) };
        let command = json!({"op": "subscribe", "channel": channel, "symbols": wanted, "mode": plan.mode, "snapshot": false});
        request.extend(frame(&command, plan.msgpack)?);
    }
    stream.write_all(&request)?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    if &head != b"HTTP/1.1 101" {
        bail!("the gateway answered {:?}", String::from_utf8_lossy(&head));
    }
    stream.set_nonblocking(true)?;
    Ok(Client { stream: mio::net::TcpStream::from_std(stream), kind, held: Vec::new(), ended: false })
}

/// A command as a frame masked with zeros.
fn frame(command: &Value, msgpack: bool) -> anyhow::Result<Vec<u8>> {
    let payload = if msgpack { rmp_serde::to_vec_named(command)? } else { serde_json::to_vec(command)? };
    let mut bytes = vec![if msgpack { 0x82 } else { 0x81 }];
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
    Ok(bytes)
}

struct Swarm {
    clock: Clock,
    scanner: Scanner,
    buffer: Vec<u8>,
}

impl Swarm {
    /// Lets all clients read for that long.
    fn go(
        &mut self,
        plan: &Plan,
        time: Duration,
        poll: &mut Poll,
        clients: &mut [Client],
    ) -> anyhow::Result<Counted> {
        let mut counted = Counted::new()?;
        let end = Instant::now() + time;
        let mut events = Events::with_capacity(1_024);
        let (mut next_life, mut next_sip) = (Instant::now(), Instant::now());
        let sip =
            usize::try_from(u128::from(plan.slow_bytes) * SIP.as_millis() / 1_000)?.clamp(1, BUFFER / 2);
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(counted);
            }
            if now >= next_life {
                next_life = now + LIFE_SIGN;
                for client in clients.iter_mut().filter(|client| client.kind != Kind::Stalled) {
                    // A client that was closed is noticed when it reads.
                    let _gone = client.stream.write(PONG);
                }
            }
            if now >= next_sip && plan.slow > 0.0 {
                next_sip = now + SIP;
                for client in clients.iter_mut().filter(|client| client.kind == Kind::Slow && !client.ended) {
                    self.read(client, sip, &mut counted);
                }
            }
            let wait = end.min(next_life).min(if plan.slow > 0.0 { next_sip } else { end }) - now;
            match poll.poll(&mut events, Some(wait)) {
                Ok(()) => {}
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                Err(why) => return Err(why.into()),
            }
            for event in &events {
                let client = &mut clients[event.token().0];
                while !client.ended && self.read(client, BUFFER / 2, &mut counted) == BUFFER / 2 {}
            }
        }
    }

    /// Reads once, at most so many bytes; returns how many came.
    fn read(&mut self, client: &mut Client, most: usize, counted: &mut Counted) -> usize {
        let held = client.held.len();
        self.buffer[..held].copy_from_slice(&client.held);
        let n = match client.stream.read(&mut self.buffer[held..held + most]) {
            Ok(0) => {
                client.ended = true;
                counted.ended += 1;
                return 0;
            }
            Ok(n) => n,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return 0,
            Err(_) => {
                client.ended = true;
                counted.ended += 1;
                return 0;
            }
        };
        counted.bytes += n as u64;
        counted.reads += 1;
        let UnixMicros(now) = self.clock.now();
        let ages = if client.kind == Kind::Slow { &mut counted.slow } else { &mut counted.healthy };
        let deliveries = &mut counted.deliveries;
        let bytes = &self.buffer[..held + n];
        let done = self.scanner.scan(bytes, |tr| {
            *deliveries += 1;
            ages.saturating_record(u64::try_from(now - tr).unwrap_or(0));
        });
        client.held.clear();
        client.held.extend_from_slice(&bytes[done..]);
        n
    }
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
struct Usage {
    user: f64,
    system: f64,
    rss: u64,
    switches: u64,
}

impl Usage {
    fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// Reads `/proc`: Linux only, times in hundredths of a second, memory in pages of 4 KiB.
fn usage(pid: u32) -> anyhow::Result<Usage> {
    let stat =
        std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |i: usize| fields.get(i).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let mut switches = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        switches += lines.filter_map(|line| line.rsplit('\t').next()?.parse::<u64>().ok()).sum::<u64>();
    }
    Ok(Usage {
        user: field(11) as f64 / 100.0,
        system: field(12) as f64 / 100.0,
        rss: field(21) * 4_096,
        switches,
    })
}

fn spent(before: &Usage, start: &Usage, end: &Usage, seconds: f64, deliveries: u64) -> Spent {
    let each = 1e6 / (deliveries.max(1) as f64);
    Spent {
        cpu_percent: (end.cpu() - start.cpu()) / seconds * 100.0,
        user_us_per_delivery: (end.user - start.user) * each,
        system_us_per_delivery: (end.system - start.system) * each,
        rss_before: before.rss,
        rss_after: end.rss,
        switches_per_second: end.switches.saturating_sub(start.switches) as f64 / seconds,
    }
}
