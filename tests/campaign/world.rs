//! What all tasks of a campaign share: the gateway, what was counted, what was found.

use std::{
    collections::{BTreeMap, HashMap},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::gateway::GatewayProcess;

/// Findings of one kind that are printed; further ones are counted.
const PRINTED: usize = 12;

pub(crate) struct World {
    pub(crate) gateway: GatewayProcess,
    pub(crate) folder: tempfile::TempDir,
    /// Faults stop first, clients last.
    pub(crate) faults: CancellationToken,
    pub(crate) clients: CancellationToken,
    only: Vec<String>,
    started: Instant,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    findings: Mutex<Vec<(String, String)>>,
    /// A digest of every event that anybody has seen: all must have seen the same.
    events: Mutex<HashMap<EventKey, (u64, String)>>,
    serial: AtomicU64,
}

/// (epoch, symbol, channel, n)
pub(crate) type EventKey = (String, String, String, u64);

impl World {
    pub(crate) fn new(program: &Path, driver: &str, only: &[String], seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = program
            .canonicalize()
            .unwrap_or_else(|why| panic!("{}: {why}; run `cargo build --release`", program.display()));
        Self {
            gateway: GatewayProcess::new(program, driver, folder.path(), seed),
            folder,
            faults: CancellationToken::new(),
            clients: CancellationToken::new(),
            only: only.to_vec(),
            started: Instant::now(),
            counts: Mutex::default(),
            findings: Mutex::default(),
            events: Mutex::default(),
            serial: AtomicU64::new(0),
        }
    }

    /// Whether the fault of that name is to happen.
    pub(crate) fn wants(&self, fault: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == fault)
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.address
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: &'static str, by: u64) {
        *self.counts.lock().unwrap().entry(what).or_default() += by;
    }

    /// Something that the protocol forbids.
    pub(crate) fn found(&self, kind: &str, text: String) {
        let at = self.started.elapsed().as_secs_f32();
        let mut findings = self.findings.lock().unwrap();
        if findings.iter().filter(|(of, _)| of == kind).count() < PRINTED {
            eprintln!("{at:7.1} s: {kind}: {text}");
        }
        findings.push((kind.into(), format!("{at:7.1} s: {text}")));
    }

    pub(crate) fn findings(&self) -> Vec<(String, String)> {
        self.findings.lock().unwrap().clone()
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap().clone()
    }

    /// Compares an event with what others saw under its number.
    pub(crate) fn compare(&self, key: EventKey, digest: u64, text: &str) {
        let mut events = self.events.lock().unwrap();
        match events.get(&key) {
            Some((known, _)) if *known == digest => {}
            Some((_, known)) => {
                let text = format!("{key:?} is {text} for one and {known} for another");
                drop(events);
                self.found("differs", text);
            }
            None => {
                // The text is kept for a minute of the newest only: it is for the report.
                events.insert(key, (digest, text.into()));
            }
        }
    }

    pub(crate) fn distinct_events(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn progress(&self) -> String {
        let counts = self.counts();
        let get = |name| counts.get(name).copied().unwrap_or(0);
        format!(
            "{:5} s: {} events checked, {} gaps, {} reconnects, {} starts, RSS {} MB, {} findings",
            self.started.elapsed().as_secs(),
            get("events checked"),
            get("gaps"),
            get("reconnects"),
            get("gateway starts"),
            self.gateway.rss_mb(),
            self.findings.lock().unwrap().len(),
        )
    }

    pub(crate) fn stop_faults(&self) {
        self.faults.cancel();
    }

    pub(crate) fn stop_clients(&self) {
        self.clients.cancel();
    }
}

/// A loopback address of its own for each client.
pub(crate) fn source(number: usize) -> Ipv4Addr {
    let number = u8::try_from(number % 250).unwrap_or(0);
    let block = u8::try_from((number as usize / 250) % 200).unwrap_or(0);
    Ipv4Addr::new(127, 1, block, number + 1)
}
