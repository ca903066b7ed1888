//! One measurement: a server on core 0, the load generator on core 1.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tickcast::cli::bench::{Age, BenchPlan, Greeting, Report, run_plan};

use crate::{market::Market, nats, process::on_core};

/// Servers that this program is itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Own {
    Usual,
    Bare,
    NatsPublisher,
}

/// What serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Design {
    Tickcast {
        driver: &'static str,
        flush_ms: Option<u64>,
        workers: usize,
    },
    /// The gateway of another build, for what a change brings.
    Before,
    Usual,
    Bare,
    Bun,
    Nats,
}

impl Design {
    pub(crate) const DEFAULT: Self = Self::Tickcast { driver: "socket", flush_ms: None, workers: 1 };

    pub(crate) fn name(self) -> String {
        match self {
            Self::Tickcast { driver, flush_ms, workers } => {
                let flush = flush_ms.map(|ms| format!(", {ms} ms")).unwrap_or_default();
                let workers = if workers == 1 { String::new() } else { format!(", {workers} workers") };
                format!("tickcast {driver}{flush}{workers}")
            }
            Self::Before => "tickcast socket, before".into(),
            Self::Usual => "usual actix design".into(),
            Self::Bare => "bare limit".into(),
            Self::Bun => "Bun".into(),
            Self::Nats => "NATS".into(),
        }
    }

    /// Whether it is installed here.
    pub(crate) fn is_here(self) -> bool {
        match self {
            Self::Before => BEFORE.get().is_some(),
            Self::Bun => bun().exists(),
            Self::Nats => Path::new(nats::PROGRAM).exists(),
            Self::Tickcast { .. } | Self::Usual | Self::Bare => true,
        }
    }
}

/// Where `make bench` installs Bun.
pub(crate) fn bun() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".deps/bench/node_modules/.bin/bun")
}

/// The program of another build, which runs beside this one.
pub(crate) static BEFORE: OnceLock<PathBuf> = OnceLock::new();

/// A workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// Ticks a second over all symbols.
    pub(crate) rate: f64,
    /// Symbols of the market.
    pub(crate) symbols: usize,
    pub(crate) connections: usize,
    /// Symbols of each connection.
    pub(crate) each: usize,
    pub(crate) mode: String,
    pub(crate) msgpack: bool,
    pub(crate) stalled: f64,
    pub(crate) slow: f64,
    pub(crate) slow_bytes: u32,
    pub(crate) measure: Duration,
    pub(crate) warmup: Duration,
    /// The rest is for tickcast alone: what clients subscribe to, the share of trades in the market, and how the gateway
    /// is configured, as environment variables.
    pub(crate) channel: String,
    pub(crate) trades_share: f64,
    pub(crate) settings: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct Drive {
    port: u16,
    pid: u32,
    path: String,
    nats: bool,
    load: Load,
}

/// A server that ends with this value.
struct Server {
    child: Child,
    port: u16,
    pid: u32,
    _files: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its input ends, upon which it stops, with whatever it started.
        drop(self.child.stdin.take());
        for _ in 0..50 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn start(design: Design, load: &Load) -> anyhow::Result<Server> {
    let files = tempfile::tempdir()?;
    let this = std::env::current_exe()?;
    let own = |kind: &str| {
        let mut command = on_core(0, &this);
        command.args(["serve", kind, &load.rate.to_string(), &load.symbols.to_string()]);
        command
    };
    let mut command = match design {
        Design::Tickcast { .. } | Design::Before => {
            let this = PathBuf::from(env!("CARGO_BIN_EXE_tickcast"));
            let (driver, workers, program) = match (design, BEFORE.get()) {
                (Design::Tickcast { driver, workers, .. }, _) => (driver, workers, this),
                (_, before) => ("socket", 1, before.context("no program of another build")?.clone()),
            };
            let feed = format!(
                "[[feed]]\nname = \"load\"\nkind = \"simulator\"\nseed = 1\nrate = {:?}\ntrades_share = {:?}\nsynthetic = {{ count = {} }}\n",
                load.rate, load.trades_share, load.symbols
            );
            std::fs::write(files.path().join("feed.toml"), feed)?;
            let port = free_port()?;
            let mut command = if workers == 1 { on_core(0, program) } else { Command::new(program) };
            command.arg("--bind").arg(format!("127.0.0.1:{port}"));
            command.arg("--workers").arg(workers.to_string());
            command.arg("--feed").arg(files.path().join("feed.toml"));
            command.env("TICKCAST_SERVER__DRIVER", driver).env("TICKCAST_LIMITS__CONNECTIONS", "30000");
            command.env("TICKCAST_LIMITS__CONNECTIONS_PER_IP", "30000").env("TICKCAST_LOG__LEVEL", "warn");
            command.envs(load.settings.iter().map(|(key, value)| (key, value))).current_dir(files.path());
            return listening(command, files, port);
        }
        Design::Usual => own("usual"),
        Design::Bare => own("bare"),
        Design::Nats => own("nats-publisher"),
        Design::Bun => {
            let mut command = on_core(0, bun());
            command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/bun.js"));
            command.args([load.rate.to_string(), load.symbols.to_string()]);
            command
        }
    };
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [port, pid] = numbers[..] else { bail!("{} said {line:?} instead of its port", design.name()) };
    Ok(Server { child, port: u16::try_from(port)?, pid, _files: files })
}

/// Starts a gateway and waits until it listens.
fn listening(mut command: Command, files: tempfile::TempDir, port: u16) -> anyhow::Result<Server> {
    let said = files.path().join("stderr");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&said)?).spawn()?;
    let pid = child.id();
    let mut server = Server { child, port, pid, _files: files };
    for _ in 0..250 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(server);
        }
        if let Some(status) = server.child.try_wait()? {
            bail!("tickcast ended with {status}: {}", std::fs::read_to_string(&said)?.trim());
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("tickcast does not listen on {port}");
}

/// One measurement.
pub(crate) fn measure(design: Design, load: &Load) -> anyhow::Result<Report> {
    let server = start(design, load)?;
    let path = match design {
        Design::Tickcast { flush_ms: Some(ms), .. } => format!("/v1/ws?flush_ms={ms}"),
        Design::Tickcast { flush_ms: None, .. }
        | Design::Before
        | Design::Usual
        | Design::Bare
        | Design::Bun
        | Design::Nats => "/v1/ws".into(),
    };
    let (port, pid) = (server.port, server.pid);
    let drive = Drive { port, pid, path, nats: design == Design::Nats, load: load.clone() };
    let two = matches!(design, Design::Tickcast { workers: 2.., .. });
    let this = std::env::current_exe()?;
    let mut command = if two { Command::new(this) } else { on_core(1, this) };
    let out = command.arg("drive").arg(serde_json::to_string(&drive)?).stderr(Stdio::inherit()).output()?;
    if !out.status.success() {
        bail!("{}: the load generator failed", design.name());
    }
    Ok(serde_json::from_slice(&out.stdout)?)
}

/// The load generator's own process.
pub(crate) fn drive(plan: &str) -> anyhow::Result<()> {
    let Drive { port, pid, path, nats, load } = serde_json::from_str(plan)?;
    let names: Vec<String> = (0..load.symbols).map(Market::name).collect();
    let plan = BenchPlan {
        address: (Ipv4Addr::LOCALHOST, port).into(),
        others: Vec::new(),
        path,
        connections: load.connections,
        symbols: Some(load.each),
        channels: vec![load.channel],
        mode: load.mode,
        msgpack: load.msgpack,
        stalled: load.stalled,
        slow: load.slow,
        slow_bytes: load.slow_bytes,
        measure: load.measure,
        warmup: load.warmup,
        sources: Vec::new(),
        pid: Some(pid),
        seed: 1,
        greeting: if nats { Greeting::Nats(names) } else { Greeting::Listed(names) },
        age: Age::Source,
        progress: false,
    };
    run_plan(&plan)?.print(true)
}

/// The symbols of a subscribe command.
pub(crate) fn asked(command: &[u8]) -> Vec<usize> {
    #[derive(Deserialize)]
    struct Asked {
        symbols: Vec<String>,
    }
    let asked: Result<Asked, _> = serde_json::from_slice(command);
    let names = asked.map(|asked| asked.symbols).unwrap_or_default();
    names.iter().filter_map(|name| name.strip_prefix("SYM")?.parse().ok()).collect()
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
