//! The clients: plain sockets behind one poll, all on one thread.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "rates and shares of a measurement; no price is near"
)]

use std::{
    io::{ErrorKind, Read as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use mio::{Events, Interest, Poll, Token};
use rand::{SeedableRng as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::{
    connect,
    plan::{BenchPlan, Greeting, Kind},
    report::{Ages, NodeReport, Report, Spent},
    scan::Scanner,
};
use crate::{cli::signals::Signals, clock::Clock, market::UnixMicros};

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// How often a sign of life goes out: well below any gateway's patience, and in place of answers to its pings.
const LIFE_SIGN: Duration = Duration::from_secs(5);

/// A pong frame without payload, masked with zeros.
const PONG: &[u8] = b"\x8a\x80\0\0\0\0";

/// Clients that connect at once.
const AT_ONCE: usize = 64;

/// How often the progress is shown.
const BAR: Duration = Duration::from_millis(250);

/// How often a slow client reads.
const SIP: Duration = Duration::from_millis(50);

struct Client {
    stream: mio::net::TcpStream,
    kind: Kind,
    /// Which gateway it is at, by place.
    place: usize,
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
    resyncs: u64,
    healthy: Histogram<u64>,
    slow: Histogram<u64>,
    /// Ages at each gateway, of clients that read as fast as they can.
    nodes: Vec<Histogram<u64>>,
}

impl Counted {
    fn new(plan: &BenchPlan) -> anyhow::Result<Self> {
        // Up to ten minutes, to three digits.
        let ages = || Histogram::new_with_bounds(1, 600_000_000, 3);
        let nodes = plan.gateways().map(|_| ages()).collect::<Result<_, _>>()?;
        let (healthy, slow) = (ages()?, ages()?);
        Ok(Self { deliveries: 0, bytes: 0, reads: 0, ended: 0, resyncs: 0, healthy, slow, nodes })
    }
}

/// Connects, waits, measures, and leaves.
///
/// # Errors
/// When the gateway cannot be reached or refuses a client.
pub fn run(plan: &BenchPlan) -> anyhow::Result<Report> {
    let before = plan.pid.map(usage).transpose()?;
    let symbols = match &plan.greeting {
        Greeting::Tickcast => connect::symbols(plan)?,
        Greeting::Listed(names) | Greeting::Nats(names) => names.clone(),
    };
    let mut poll = Poll::new()?;
    let started = Instant::now();
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut clients = Vec::with_capacity(plan.connections);
    while clients.len() < plan.connections {
        // Side by side, as clients come, and not one after the other's answer.
        let first = clients.len();
        let batch = first..plan.connections.min(first + AT_ONCE);
        let asked = batch.map(|i| {
            let draw = || draw(plan, &symbols, &mut random);
            connect::ask(plan, i, draw).with_context(|| format!("client {i}"))
        });
        let asked: Vec<_> = asked.collect::<anyhow::Result<_>>()?;
        for (i, asked) in asked.into_iter().enumerate() {
            let (stream, kind) = asked.answer().with_context(|| format!("client {}", first + i))?;
            let place = plan.place(first + i);
            clients.push(Client { stream, kind, place, held: Vec::new(), ended: false });
        }
    }
    let connect_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    for (i, client) in clients.iter_mut().enumerate() {
        if client.kind == Kind::Healthy {
            poll.registry().register(&mut client.stream, Token(i), Interest::READABLE)?;
        }
    }
    let mut swarm = Swarm {
        interrupted: interrupts(),
        clock: Clock::system(),
        scanner: Scanner::of(plan),
        buffer: vec![0; BUFFER],
    };
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
        resyncs: counted.resyncs,
        seconds,
        deliveries: counted.deliveries,
        deliveries_per_second: counted.deliveries as f64 / seconds,
        bytes: counted.bytes,
        reads: counted.reads,
        healthy: Ages::of(&counted.healthy),
        slow: (!counted.slow.is_empty()).then(|| Ages::of(&counted.slow)),
        generator_cpu_percent: own_cpu / seconds * 100.0,
        tcp_bytes: tcp_bytes(),
        nodes: nodes(plan, &counted),
        gateway,
    })
}

/// What came from each of several gateways.
fn nodes(plan: &BenchPlan, counted: &Counted) -> Vec<NodeReport> {
    let all = plan.gateways().zip(&counted.nodes).filter(|_| !plan.others.is_empty());
    all.map(|(address, ages)| NodeReport { address, deliveries: ages.len(), ages: Ages::of(ages) }).collect()
}

/// The symbols of one client; none for all of them.
fn draw(plan: &BenchPlan, symbols: &[String], random: &mut ChaCha8Rng) -> Vec<String> {
    match plan.symbols {
        Some(count) => symbols.sample(random, count).cloned().collect(),
        None => Vec::new(),
    }
}

struct Swarm {
    /// A signal came: what was measured until then counts.
    interrupted: Arc<AtomicBool>,
    clock: Clock,
    scanner: Scanner,
    buffer: Vec<u8>,
}

impl Swarm {
    /// Lets all clients read for that long.
    fn go(
        &mut self,
        plan: &BenchPlan,
        time: Duration,
        poll: &mut Poll,
        clients: &mut [Client],
    ) -> anyhow::Result<Counted> {
        let mut counted = Counted::new(plan)?;
        let began = Instant::now();
        let end = began + time;
        let bar = bar(plan, time);
        let mut events = Events::with_capacity(1_024);
        let (mut next_life, mut next_sip, mut next_bar) = (began, began, began);
        let sip =
            usize::try_from(u128::from(plan.slow_bytes) * SIP.as_millis() / 1_000)?.clamp(1, BUFFER / 2);
        loop {
            let now = Instant::now();
            if now >= end || self.interrupted.load(Ordering::Relaxed) {
                bar.finish_and_clear();
                return Ok(counted);
            }
            if now >= next_bar {
                next_bar = now + BAR;
                bar.set_position(u64::try_from((now - began).as_millis())?);
                bar.set_message(format!("{} deliveries", counted.deliveries));
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
            let wait =
                end.min(next_life).min(next_bar).min(if plan.slow > 0.0 { next_sip } else { end }) - now;
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

    /// Reads once, at most `most` bytes; returns how many came.
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
        let is_slow = client.kind == Kind::Slow;
        let ages = if is_slow { &mut counted.slow } else { &mut counted.healthy };
        let mut of_node = (counted.nodes.len() > 1 && !is_slow).then(|| &mut counted.nodes[client.place]);
        let deliveries = &mut counted.deliveries;
        let bytes = &self.buffer[..held + n];
        let scanned = self.scanner.scan(bytes, |tr| {
            *deliveries += 1;
            let age = u64::try_from(now - tr).unwrap_or(0);
            ages.saturating_record(age);
            if let Some(of_node) = &mut of_node {
                of_node.saturating_record(age);
            }
        });
        client.held.clear();
        client.held.extend_from_slice(&bytes[scanned.done..]);
        counted.resyncs += scanned.resyncs;
        n
    }
}

/// How far it is, for people at a terminal.
fn bar(plan: &BenchPlan, time: Duration) -> ProgressBar {
    if !plan.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{bar:40} {elapsed} {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// Turns true when the user has seen enough.
fn interrupts() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let interrupted = Arc::clone(&interrupted);
        runtime.spawn(async move {
            let Ok(mut signals) = Signals::catch() else { return };
            signals.next().await;
            interrupted.store(true, Ordering::Relaxed);
        });
    }
    interrupted
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

/// Memory of all TCP sockets, from `/proc/net/sockstat`, in pages of 4 KiB there.
fn tcp_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let tcp = text.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let pages = tcp.split_whitespace().skip_while(|word| *word != "mem").nth(1);
    pages.and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

fn spent(before: &Usage, start: &Usage, end: &Usage, seconds: f64, deliveries: u64) -> Spent {
    let each = 1e6 / (deliveries.max(1) as f64);
    Spent {
        cpu_percent: (end.cpu() - start.cpu()) / seconds * 100.0,
        user_us_per_delivery: (end.user - start.user) * each,
        system_us_per_delivery: (end.system - start.system) * each,
        rss_before: before.rss,
        rss_start: start.rss,
        rss_after: end.rss,
        switches_per_second: end.switches.saturating_sub(start.switches) as f64 / seconds,
    }
}
