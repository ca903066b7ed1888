//! A gateway as a process: started, paused, killed, and started again on the same port.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use serde_json::Value;

use crate::redis_server::{free_port, signal};

/// Longest that a start or an end may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where libfaketime of Debian's package `faketime` stands; without it clocks stay right.
pub(crate) const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) address: SocketAddr,
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    /// How far its wall clock is off, in seconds.
    pub(crate) clock: Mutex<i64>,
    child: Mutex<Option<Child>>,
    is_paused: AtomicBool,
    /// When it was killed, or was asked to stop.
    pub(crate) ends: Mutex<Vec<Instant>>,
    http: reqwest::Client,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = self.child.lock().unwrap().as_mut() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Node {
    /// A node that is not started yet. `config` is its configuration without `server.bind`.
    pub(crate) fn new(index: usize, program: &Path, folder: &Path, config: &str) -> Self {
        let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
        let path = folder.join(format!("node-{index}.toml"));
        std::fs::write(&path, config.replace("BIND", &address.to_string())).unwrap();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .connect_timeout(Duration::from_secs(1))
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self {
            index,
            address,
            program: program.to_owned(),
            config: path,
            log: folder.join(format!("node-{index}.log")),
            clock: Mutex::new(0),
            child: Mutex::default(),
            is_paused: AtomicBool::new(false),
            ends: Mutex::default(),
            http,
        }
    }

    /// Starts it, and does not wait.
    pub(crate) fn start(&self) {
        let folder = self.config.parent().unwrap();
        let mut command = Command::new(&self.program);
        command.args(["--log-format", "json", "--config"]).arg(&self.config).current_dir(folder);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let clock = *self.clock.lock().unwrap();
        if clock != 0 {
            command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", format!("{clock:+}"));
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        }
        let mut child = command.spawn().unwrap();
        let (stderr, path) = (child.stderr.take().unwrap(), self.log.clone());
        std::thread::spawn(move || {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _written = writeln!(file, "{line}");
            }
        });
        *self.child.lock().unwrap() = Some(child);
    }

    /// Whether it runs and is not paused.
    pub(crate) fn is_running(&self) -> bool {
        self.is_alive() && !self.is_paused.load(Ordering::SeqCst)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.child.lock().unwrap().is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap().as_ref().expect("it runs").id()
    }

    /// It stands still.
    pub(crate) fn pause(&self) {
        self.is_paused.store(true, Ordering::SeqCst);
        signal(self.id(), "-STOP");
    }

    /// It goes on.
    pub(crate) fn resume(&self) {
        signal(self.id(), "-CONT");
        self.is_paused.store(false, Ordering::SeqCst);
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        self.ends.lock().unwrap().push(Instant::now());
        self.is_paused.store(false, Ordering::SeqCst);
        let mut child = self.child.lock().unwrap().take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends it in order.
    pub(crate) async fn stop(&self) -> ExitStatus {
        self.ends.lock().unwrap().push(Instant::now());
        signal(self.id(), "-TERM");
        let mut child = self.child.lock().unwrap().take().expect("it runs");
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                let _killed = child.kill();
                panic!("node {} does not end", self.index);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it answers, if it does.
    pub(crate) async fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let answer = self.http.get(format!("http://{}{path}", self.address)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).await.unwrap_or_else(|| panic!("node {} answers {path}", self.index))
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "node {}: {path}: {text}", self.index);
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.try_get("/readyz").await.is_some_and(|(status, _)| status == 200)
    }

    /// The values of all series of `/metrics`.
    pub(crate) async fn metrics(&self) -> Option<Vec<(String, f64)>> {
        let (_, text) = self.try_get("/metrics").await?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Some(
            lines
                .filter_map(|line| line.rsplit_once(' '))
                .filter_map(|(series, value)| Some((series.to_owned(), value.parse().ok()?)))
                .collect(),
        )
    }

    /// The sum of all series that start so.
    pub(crate) async fn metric(&self, start: &str) -> f64 {
        let all = self.metrics().await.unwrap_or_default();
        all.iter().filter(|(series, _)| series.starts_with(start)).map(|(_, value)| value).sum()
    }

    pub(crate) async fn leads(&self) -> bool {
        self.is_running() && self.metric("tickcast_cluster_role{role=\"leader\"}").await > 0.5
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Resident memory and CPU time so far, in bytes and seconds.
    pub(crate) fn cost(&self) -> (u64, f64) {
        cost(self.id())
    }
}

/// Resident memory and CPU time of a process so far, in bytes and seconds.
pub(crate) fn cost(id: u32) -> (u64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = resident.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // Behind the name in brackets: user and system time are the 12th and 13th field, in hundredths of a second.
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect();
    let ticks = fields.get(10).copied().unwrap_or(0.0) + fields.get(11).copied().unwrap_or(0.0);
    (kib * 1024, ticks / 100.0)
}
