//! What all nodes talk to, and how it can forget.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    super::{
        Log, LogError, term,
        words::{LogState, Meta, NodeWord, Note, ServerIdentity},
    },
    MemoryLog,
};
use crate::{
    clock::Instant,
    cluster::{InboxId, Position},
};

/// A server in memory. Clones are the same one.
#[derive(Debug, Clone)]
pub struct MemoryServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

/// All that it keeps.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) log: Option<Stream<Vec<u8>>>,
    pub(super) notes: Stream<Note>,
    /// Node, term, and when it ends.
    pub(super) lease: Option<(String, u64, Instant)>,
    counter: u64,
    pub(super) meta: Option<Meta>,
    pub(super) nodes: Members<NodeWord>,
    pub(super) wants: Members<Vec<u8>>,
    pub(super) inbox: Option<Stream<Vec<u8>>>,
    pub(super) pushed: BTreeMap<String, (InboxId, Instant)>,
    pub(super) claims: BTreeMap<String, (String, Instant)>,
    pub(super) images: BTreeMap<String, (Vec<Vec<u8>>, Instant)>,
    run: u64,
    history: u64,
    full: bool,
    stopped: bool,
}

/// Entries in order, which remembers its newest id when it has lost them.
#[derive(Debug, Clone)]
pub(super) struct Stream<T> {
    pub(super) newest: Position,
    pub(super) entries: VecDeque<(Position, T)>,
}

/// What each node put, for as long as it lives.
#[derive(Debug)]
pub(super) struct Members<T>(BTreeMap<String, (T, Instant)>);

impl Default for MemoryServer {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryServer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner { state: Mutex::default(), changes: watch::Sender::new(()) }))
    }

    /// The handle of one node, with a line of its own.
    #[must_use]
    pub fn handle(&self) -> MemoryLog {
        MemoryLog::of(self.clone())
    }

    /// Likewise, as what a cluster works with.
    #[must_use]
    pub fn log(&self) -> Log {
        Log::Memory(self.handle())
    }

    /// Forgets everything, as `FLUSHALL` does.
    pub fn wipe(&self) {
        self.act(|state| {
            let (run, history, full) = (state.run, state.history, state.full);
            *state = State { run, history, full, ..State::default() };
        });
    }

    /// Forgets the log alone, as `DEL` does.
    pub fn delete_log(&self) {
        self.act(|state| state.log = None);
    }

    /// Forgets all batches but the newest `most`, as `XTRIM … MAXLEN` does.
    pub fn trim_log(&self, most: usize) {
        self.act(|state| {
            if let Some(log) = &mut state.log {
                log.keep(most);
            }
        });
    }

    /// Starts anew without the last `batches` batches: zero is an orderly restart.
    pub fn restart(&self, batches: usize) {
        self.act(|state| {
            state.run += 1;
            state.history += u64::from(batches > 0);
            if let Some(log) = &mut state.log {
                log.set_back(batches);
            }
        });
    }

    /// Starts anew with nothing.
    pub fn restart_empty(&self) {
        self.act(|state| {
            *state = State { run: state.run + 1, history: state.history + 1, ..State::default() };
        });
    }

    /// Whether it refuses what would need room.
    pub fn set_full(&self, full: bool) {
        self.act(|state| state.full = full);
    }

    /// Whether it answers no call, as a process that is stopped.
    pub fn set_stopped(&self, stopped: bool) {
        self.act(|state| state.stopped = stopped);
    }

    /// Wakes who waits, so that they see a fault of their line.
    pub fn wake(&self) {
        self.0.changes.send_replace(());
    }

    /// Does something, and wakes who waits for what it may have changed.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let outcome = act(&mut self.0.state.lock());
        self.wake();
        outcome
    }

    /// Looks at something, without waking.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.state.lock())
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    pub(super) fn run(&self) -> u64 {
        self.0.state.lock().run
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.0.state.lock().stopped
    }
}

impl State {
    pub(super) fn refuse_when_full(&self, call: &'static str) -> Result<(), LogError> {
        if !self.full {
            return Ok(());
        }
        let text = "command not allowed when used memory > 'maxmemory'.".into();
        Err(LogError::Refused { call, code: "OOM".into(), text })
    }

    pub(super) fn describe(&self) -> LogState {
        let log = self.log.as_ref();
        LogState {
            newest: log.map(|log| log.newest),
            oldest: log.and_then(|log| log.entries.front().map(|(at, _)| *at)),
            batches: log.map_or(0, |log| log.entries.len() as u64),
            server: ServerIdentity {
                run_id: format!("run-{}", self.run),
                replid: format!("history-{}", self.history),
            },
        }
    }

    pub(super) fn holder(&self) -> Option<(String, u64)> {
        let lease = self.lease.as_ref().filter(|(.., until)| *until > Instant::now());
        lease.map(|(node, term, _)| (node.clone(), *term))
    }

    pub(super) fn holds(&self, node: &str, term: u64) -> bool {
        self.holder().is_some_and(|(holder, held)| holder == node && held == term)
    }

    pub(super) fn take(&mut self, node: &str, known: u64, lease: Duration) -> Option<u64> {
        if self.holder().is_some_and(|(holder, _)| holder != node) {
            return None;
        }
        self.counter = self.counter.max(term::counter(known)) + 1;
        let term = term::of(self.counter, term::random());
        self.lease = Some((node.to_owned(), term, Instant::now() + lease));
        Some(term)
    }

    pub(super) fn forget_old_images(&mut self) {
        let now = Instant::now();
        self.claims.retain(|_, (_, until)| *until > now);
        self.images.retain(|_, (_, until)| *until > now);
    }
}

impl<T> Default for Stream<T> {
    fn default() -> Self {
        Self { newest: Position { term: 0, seq: 0 }, entries: VecDeque::new() }
    }
}

impl<T: Clone> Stream<T> {
    pub(super) fn push(&mut self, at: Position, entry: T) {
        self.newest = at;
        self.entries.push_back((at, entry));
    }

    /// Under the next id.
    pub(super) fn push_next(&mut self, entry: T) -> Position {
        let at = Position { term: self.newest.term.max(1), seq: self.newest.seq + 1 };
        self.push(at, entry);
        at
    }

    pub(super) fn after(&self, after: Position, most: usize) -> Vec<(Position, T)> {
        self.entries.iter().filter(|(at, _)| *at > after).take(most).cloned().collect()
    }

    /// Removes what is before that.
    pub(super) fn cut(&mut self, keep: Position) {
        while self.entries.front().is_some_and(|(at, _)| *at < keep) {
            self.entries.pop_front();
        }
    }

    pub(super) fn keep(&mut self, most: usize) {
        while self.entries.len() > most {
            self.entries.pop_front();
        }
    }

    /// Loses the last entries, and that they ever were.
    fn set_back(&mut self, entries: usize) {
        self.entries.truncate(self.entries.len().saturating_sub(entries));
        if entries > 0 {
            self.newest = self.entries.back().map_or(Position { term: 0, seq: 0 }, |(at, _)| *at);
        }
    }
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Clone> Members<T> {
    /// Says false when there are `most` others.
    pub(super) fn put(&mut self, node: &str, value: T, ttl: Duration, most: usize) -> bool {
        let now = Instant::now();
        self.0.retain(|_, (_, until)| *until > now);
        if self.0.len() >= most && !self.0.contains_key(node) {
            return false;
        }
        self.0.insert(node.to_owned(), (value, now + ttl));
        true
    }

    pub(super) fn all(&self) -> Vec<(String, T)> {
        let now = Instant::now();
        let alive = self.0.iter().filter(|(_, (_, until))| *until > now);
        alive.map(|(node, (value, _))| (node.clone(), value.clone())).collect()
    }

    pub(super) fn remove(&mut self, node: &str) {
        self.0.remove(node);
    }
}
