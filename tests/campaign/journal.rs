//! What a campaign records: counts, findings, and every event that a client has seen.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Findings of one kind that are printed; further ones are counted.
const PRINTED: usize = 12;

/// How long an order to fail may wait for its session.
const DRILL: Duration = Duration::from_secs(10);

pub(crate) struct Journal {
    folder: PathBuf,
    only: Vec<String>,
    started: Instant,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    findings: Mutex<Vec<(String, String)>>,
    /// A digest of every event that a client has seen: all must have seen the same.
    events: Mutex<HashMap<EventKey, (u64, String)>>,
    serial: AtomicU64,
    /// When this program has ordered sessions to fail whose end no client has reported yet.
    drilled: Mutex<Vec<Instant>>,
}

/// (epoch, symbol, channel, n)
pub(crate) type EventKey = (String, String, String, u64);

impl Journal {
    pub(crate) fn new(folder: PathBuf, only: &[String]) -> Self {
        Self {
            folder,
            only: only.to_vec(),
            started: Instant::now(),
            counts: Mutex::default(),
            findings: Mutex::default(),
            events: Mutex::default(),
            serial: AtomicU64::new(0),
            drilled: Mutex::default(),
        }
    }

    /// Whether the fault of that name is to happen.
    pub(crate) fn wants(&self, fault: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == fault)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
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

    /// A session was ordered to fail: one connection may end without another cause.
    pub(crate) fn drill(&self) {
        self.drilled.lock().unwrap().push(Instant::now());
    }

    /// Whether a connection's end is that of a session that was ordered to fail. Each order explains one end, and none
    /// after [`DRILL`]: then it has met a session that is not checked.
    pub(crate) fn was_drilled(&self) -> bool {
        let mut drilled = self.drilled.lock().unwrap();
        drilled.retain(|order| order.elapsed() < DRILL);
        drilled.pop().is_some()
    }
}
