//! The gateway as a process: started, paused, killed, and started again on the same port and store.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use crate::{http, journal::Journal};

/// Symbols of the built-in market here.
pub(crate) const SYMBOLS: [&str; 12] =
    ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH", "III", "JJJ", "KKK", "LLL"];

/// Symbols that producers publish.
pub(crate) const DESK: [&str; 4] = ["DESK-1", "DESK-2", "DESK/3", "DESK.4"];

/// Symbols of the scripted venue's recording.
pub(crate) const VENUE: [&str; 2] = ["BTC-USD", "ETH-USD"];

/// Longest that a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where libfaketime of Debian's package `faketime` stands; without it the clock stays right.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

pub(crate) struct GatewayProcess {
    pub(crate) address: SocketAddr,
    pub(crate) venue_port: u16,
    program: PathBuf,
    config: PathBuf,
    clock: PathBuf,
    child: Mutex<Option<Child>>,
    pid: AtomicU64,
    /// Odd while the gateway runs and nothing ends it.
    life: AtomicU64,
    /// One fault at a time may end or pause the process: a paused one cannot be asked to end.
    pub(crate) alone: AsyncMutex<()>,
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl GatewayProcess {
    pub(crate) fn new(program: PathBuf, driver: &str, folder: &Path, seed: u64) -> Self {
        let (port, venue_port) = (free_port(), free_port());
        let config = folder.join("tickcast.toml");
        let clock = folder.join("clock");
        std::fs::write(&clock, "+0\n").unwrap();
        std::fs::write(&config, Self::configuration(port, venue_port, driver, seed)).unwrap();
        Self {
            address: ([127, 0, 0, 1], port).into(),
            venue_port,
            program,
            config,
            clock,
            child: Mutex::default(),
            pid: AtomicU64::new(0),
            life: AtomicU64::new(0),
            alone: AsyncMutex::new(()),
        }
    }

    fn configuration(port: u16, venue_port: u16, driver: &str, seed: u64) -> String {
        let mut text = format!(
            r#"
[server]
bind = "127.0.0.1:{port}"
workers = 2
driver = "{driver}"
grace_ms = 100
drain_ms = 1000
request_timeout_ms = 2000

[session]
ping_ms = 2000
pong_timeout_ms = 2000
heartbeat_ms = 1000
stall_timeout_ms = 4000

[history]
trades_per_symbol = 5000

[store]
path = "campaign.redb"
interval_ms = 500

[[feed]]
name = "market"
kind = "simulator"
rate = 150
trades_share = 0.5
seed = {}
fresh = {{ silence_ms = 3000 }}
"#,
            seed % 1_000_000
        );
        for (i, symbol) in SYMBOLS.iter().enumerate() {
            text += &format!(
                "\n[[feed.symbol]]\nsymbol = \"{symbol}\"\nprice = \"{}.50\"\ntick = \"0.01\"\n",
                100 + i
            );
        }
        text += &format!(
            "\n[[feed]]\nname = \"desk\"\nkind = \"push\"\nsymbols = {DESK:?}\n\
             \n[[feed]]\nname = \"venue\"\nkind = \"binance\"\nurl = \"ws://127.0.0.1:{venue_port}/\"\n\
             symbols = {VENUE:?}\nretry_ms = 100\nretry_max_ms = 1000\nlinger_ms = 500\n"
        );
        text
    }

    /// A number that changes whenever the gateway's process ends or starts; odd while it runs.
    pub(crate) fn life(&self) -> u64 {
        self.life.load(Ordering::SeqCst)
    }

    pub(crate) fn pid(&self) -> u64 {
        self.pid.load(Ordering::SeqCst)
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Whether the gateway's clock can be set.
    pub(crate) fn has_clock() -> bool {
        Path::new(FAKETIME).exists()
    }

    /// Sets the gateway's wall clock off by `offset_s` seconds; its monotonic clock goes on.
    pub(crate) fn set_clock(&self, offset_s: i64) {
        let next = self.clock.with_extension("next");
        std::fs::write(&next, format!("{offset_s:+}\n")).unwrap();
        std::fs::rename(&next, &self.clock).unwrap();
    }

    /// Starts it and waits until it takes connections.
    pub(crate) async fn start(&self, journal: &Journal) {
        let mut command = Command::new(&self.program);
        command
            .arg("--config")
            .arg(&self.config)
            .current_dir(self.config.parent().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if Self::has_clock() && journal.wants("clock") {
            command
                .env("LD_PRELOAD", FAKETIME)
                .env("FAKETIME_TIMESTAMP_FILE", &self.clock)
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("DONT_FAKE_MONOTONIC", "1");
        }
        let mut child = command.spawn().unwrap();
        self.pid.store(u64::from(child.id()), Ordering::SeqCst);
        let (stderr, path, serial) =
            (child.stderr.take().unwrap(), journal.path("gateway.log"), journal.serial());
        std::thread::spawn(move || read_log(stderr, &path, serial));
        let begun = Instant::now();
        while http::status(self.address, "/readyz").await != Some(200) {
            if let Ok(Some(status)) = child.try_wait() {
                journal.found("start", format!("the gateway ended at its start: {status}"));
                break;
            }
            if begun.elapsed() > PATIENCE {
                journal.found("start", "the gateway was not ready in time".into());
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        *self.child.lock().unwrap() = Some(child);
        self.life.fetch_add(1, Ordering::SeqCst);
        journal.count("gateway starts");
    }

    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").arg(signal).arg(self.pid().to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Ends it by a signal and waits. What a stop in order must give is checked.
    pub(crate) async fn stop(&self, journal: &Journal, signal: &str) {
        self.life.fetch_add(1, Ordering::SeqCst);
        let Some(mut child) = self.child.lock().unwrap().take() else { return };
        self.signal(signal);
        match ended(&mut child, PATIENCE).await {
            Some(status) if signal == "-KILL" => {
                if status.signal() != Some(9) {
                    journal.found("end", format!("killed, and ended with {status}"));
                }
            }
            Some(status) if status.success() => {}
            Some(status) => journal.found("end", format!("after {signal}: {status}")),
            None => {
                journal.found("end", format!("did not end within {PATIENCE:?} of {signal}"));
                let _killed = child.kill();
            }
        }
    }

    /// Makes sure that it runs, unpaused and with the right time.
    pub(crate) async fn settle(&self, journal: &Journal) {
        let _alone = self.alone.lock().await;
        self.set_clock(0);
        if self.child.lock().unwrap().is_none() {
            self.start(journal).await;
        }
        self.signal("-CONT");
    }

    pub(crate) async fn end(&self, journal: &Journal) {
        self.stop(journal, "-TERM").await;
        let log = std::fs::read_to_string(journal.path("gateway.log")).unwrap_or_default();
        // Panics that this program has ordered say so.
        let unasked = |line: &&str| line.contains("panicked") && !line.contains("a drill:");
        for line in log.lines().filter(unasked) {
            journal.found("panic", line.into());
        }
    }

    pub(crate) fn rss_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    }
}

/// Waits for the end of a process.
pub(crate) async fn ended(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

/// Reads the log of every second life; the others are not read for ten seconds, then their pipe breaks.
fn read_log(mut stderr: ChildStderr, path: &Path, serial: u64) {
    if serial % 2 == 1 {
        std::thread::sleep(Duration::from_secs(10));
        let mut some = [0; 4096];
        let _read = stderr.read(&mut some);
        return;
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let _written = writeln!(file, "{line}");
    }
}
