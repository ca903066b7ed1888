//! A log in the memory of one process: what tests of a cluster run on, and what keeps the seam to Redis honest.
//!
//! [`MemoryServer`] is what all nodes talk to, [`MemoryLog`] the handle of one of them. A server can forget on command and the
//! line of a handle can fail on command (`faults.rs`). It is no log for production: it ends with the process.

mod faults;
mod server;

use std::{sync::Arc, time::Duration};

pub use faults::Line;
pub use server::MemoryServer;
use server::{State, Stream};

use super::{
    LogError,
    words::{Appended, Complaint, LogState, Meta, NodeWord, Note, Pushed, Read},
};
use crate::{
    clock::Instant,
    cluster::{InboxId, Position},
    limits::{
        CLUSTER_NOTES, IMAGE_PIECES, IMAGE_TTL, INBOX_BYTES, INBOX_KEY_TTL, INBOX_READ_ENTRIES, LOG_ANSWER,
        LOG_READ_BATCHES, LOG_WAIT_MARGIN, MAX_NODES,
    },
    market::UnixMicros,
};

/// A node's handle of a [`MemoryServer`].
#[derive(Debug, Clone)]
pub struct MemoryLog {
    server: MemoryServer,
    line: Arc<Line>,
    /// The start of the server that this handle has talked to last.
    run: u64,
}

impl MemoryLog {
    pub(super) fn of(server: MemoryServer) -> Self {
        Self { run: server.run(), server, line: Arc::default() }
    }

    /// The line between this node and the server, which all clones of this handle share.
    #[must_use]
    pub fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// The server that it talks to.
    #[must_use]
    pub fn server(&self) -> &MemoryServer {
        &self.server
    }

    /// Does something on the server, unless the line fails.
    async fn call<T>(
        &mut self,
        call: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        self.reach(call, LOG_ANSWER).await?;
        let outcome = self.server.act(act);
        if self.line.loses_the_answer() {
            tokio::time::sleep(LOG_ANSWER).await;
            return Err(LogError::Timeout { call });
        }
        outcome
    }

    /// Waits as long as a broken line would let us wait.
    async fn reach(&mut self, call: &'static str, patience: Duration) -> Result<(), LogError> {
        if self.line.is_cut() {
            return Err(LogError::Connect("the line is cut".into()));
        }
        let run = self.server.run();
        if run != std::mem::replace(&mut self.run, run) {
            return Err(LogError::Closed { call, why: "the server has started anew".into() });
        }
        let until = Instant::now() + patience;
        let mut changes = self.server.changes();
        while self.line.is_stalled() || self.server.is_stopped() {
            let changed = tokio::time::timeout_at(until, changes.changed()).await;
            if changed.is_err() {
                return Err(LogError::Timeout { call });
            }
        }
        Ok(())
    }

    /// Looks again at each change until there is something, or the time is over.
    async fn wait_for<T>(
        &mut self,
        call: &'static str,
        block: Duration,
        mut look: impl FnMut(&mut State) -> Result<Option<T>, LogError>,
    ) -> Result<Option<T>, LogError> {
        let until = Instant::now() + block;
        let mut changes = self.server.changes();
        loop {
            changes.mark_unchanged();
            self.reach(call, until.saturating_duration_since(Instant::now()) + LOG_WAIT_MARGIN).await?;
            if let Some(found) = self.server.look(&mut look)? {
                return Ok(Some(found));
            }
            if tokio::time::timeout_at(until, changes.changed()).await.is_err() {
                return Ok(None);
            }
        }
    }

    pub(super) async fn append(
        &mut self,
        at: Position,
        bytes: &[u8],
        keep: Position,
    ) -> Result<Appended, LogError> {
        let line = Arc::clone(&self.line);
        self.call("append", |state| {
            state.refuse_when_full("append")?;
            let Some(log) = &mut state.log else { return Ok(Appended::Gone) };
            let before = Position { term: at.term, seq: at.seq.wrapping_sub(1) };
            if log.newest >= at {
                let is_ours = log.newest == at && log.entries.back().is_none_or(|(_, there)| there == bytes);
                return Ok(if is_ours { Appended::Written } else { Appended::Fenced(log.newest) });
            }
            if at.seq > 0 && log.newest != before {
                return Ok(Appended::Behind(log.newest));
            }
            log.push(at, line.spoil(bytes.to_vec()));
            log.cut(keep);
            Ok(Appended::Written)
        })
        .await
    }

    pub(super) async fn found(&mut self, at: Position, bytes: &[u8]) -> Result<Appended, LogError> {
        self.call("found", |state| {
            state.refuse_when_full("found")?;
            if let Some(log) = &state.log {
                let is_ours = log.newest == at && log.entries.back().is_none_or(|(_, there)| there == bytes);
                return Ok(if is_ours { Appended::Written } else { Appended::Fenced(log.newest) });
            }
            let mut log = Stream::default();
            log.push(at, bytes.to_vec());
            state.log = Some(log);
            Ok(Appended::Written)
        })
        .await
    }

    pub(super) async fn state(&mut self) -> Result<LogState, LogError> {
        self.call("state", |state| Ok(state.describe())).await
    }

    pub(super) async fn read(
        &mut self,
        after: Position,
        notes_after: Position,
        block: Duration,
    ) -> Result<Read, LogError> {
        let line = Arc::clone(&self.line);
        let read = self
            .wait_for("read", block, |state| {
                let from = line.step_back(after);
                let log = state.log.as_ref();
                let mut batches = log.map_or_else(Vec::new, |log| log.after(from, LOG_READ_BATCHES));
                line.skip(&mut batches);
                let notes = state.notes.after(notes_after, CLUSTER_NOTES);
                let is_empty = batches.is_empty() && notes.is_empty();
                Ok((!is_empty).then_some(Read { batches, notes, silent: None }))
            })
            .await?;
        match read {
            Some(read) => Ok(read),
            None => Ok(Read { silent: Some(self.state().await?), ..Read::default() }),
        }
    }

    pub(super) async fn take(
        &mut self,
        node: &str,
        known: u64,
        lease: Duration,
    ) -> Result<Option<u64>, LogError> {
        self.call("take", |state| Ok(state.take(node, known, lease))).await
    }

    pub(super) async fn renew(&mut self, node: &str, term: u64, lease: Duration) -> Result<bool, LogError> {
        self.call("renew", |state| {
            let is_ours = state.holds(node, term);
            if is_ours {
                state.lease = Some((node.to_owned(), term, Instant::now() + lease));
            }
            Ok(is_ours)
        })
        .await
    }

    pub(super) async fn resign(&mut self, node: &str, term: u64) -> Result<(), LogError> {
        self.call("resign", |state| {
            if state.holds(node, term) {
                state.lease = None;
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn holder(&mut self) -> Result<Option<(String, u64)>, LogError> {
        self.call("holder", |state| Ok(state.holder())).await
    }

    pub(super) async fn put_meta(&mut self, meta: &Meta) -> Result<(), LogError> {
        self.call("put_meta", |state| {
            state.meta = Some(meta.clone());
            Ok(())
        })
        .await
    }

    pub(super) async fn meta(&mut self) -> Result<Option<Meta>, LogError> {
        self.call("meta", |state| Ok(state.meta.clone())).await
    }

    pub(super) async fn beat(&mut self, word: &NodeWord, ttl: Duration) -> Result<bool, LogError> {
        self.call("beat", |state| Ok(state.nodes.put(&word.id, word.clone(), ttl, MAX_NODES))).await
    }

    pub(super) async fn nodes(&mut self) -> Result<Vec<NodeWord>, LogError> {
        self.call("nodes", |state| Ok(state.nodes.all().into_iter().map(|(_, word)| word).collect())).await
    }

    pub(super) async fn leave(&mut self, node: &str) -> Result<(), LogError> {
        self.call("leave", |state| {
            state.nodes.remove(node);
            state.wants.remove(node);
            Ok(())
        })
        .await
    }

    pub(super) async fn want(&mut self, node: &str, bitmap: &[u8], ttl: Duration) -> Result<bool, LogError> {
        self.call("want", |state| Ok(state.wants.put(node, bitmap.to_vec(), ttl, MAX_NODES))).await
    }

    pub(super) async fn wants(&mut self) -> Result<Vec<(String, Vec<u8>)>, LogError> {
        self.call("wants", |state| Ok(state.wants.all())).await
    }

    pub(super) async fn note(&mut self, note: &Note) -> Result<(), LogError> {
        self.call("note", |state| {
            state.notes.push_next(note.clone());
            state.notes.keep(CLUSTER_NOTES);
            Ok(())
        })
        .await
    }

    pub(super) async fn notes_now(&mut self) -> Result<Position, LogError> {
        self.call("notes_now", |state| Ok(state.notes.newest)).await
    }

    pub(super) async fn open_inbox(&mut self, after: InboxId) -> Result<(), LogError> {
        self.call("open_inbox", |state| {
            let inbox = state.inbox.get_or_insert_default();
            inbox.newest = inbox.newest.max(Position { term: after.0, seq: after.1 });
            Ok(())
        })
        .await
    }

    pub(super) async fn push_inbox(&mut self, bytes: &[u8], key: Option<&str>) -> Result<Pushed, LogError> {
        self.call("push_inbox", |state| {
            state.refuse_when_full("push_inbox")?;
            let now = Instant::now();
            state.pushed.retain(|_, (_, until)| *until > now);
            if let Some((id, _)) = key.and_then(|key| state.pushed.get(key)) {
                return Ok(Pushed::Waiting(*id));
            }
            let Some(inbox) = &mut state.inbox else { return Ok(Pushed::Closed) };
            let waiting: usize = inbox.entries.iter().map(|(_, bytes)| bytes.len()).sum();
            if waiting + bytes.len() > INBOX_BYTES {
                return Ok(Pushed::Full);
            }
            let at = inbox.push_next(bytes.to_vec());
            let id = InboxId(at.term, at.seq);
            if let Some(key) = key {
                state.pushed.insert(key.to_owned(), (id, now + INBOX_KEY_TTL));
            }
            Ok(Pushed::Waiting(id))
        })
        .await
    }

    pub(super) async fn read_inbox(
        &mut self,
        after: InboxId,
        block: Duration,
    ) -> Result<Vec<(InboxId, Vec<u8>)>, LogError> {
        let after = Position { term: after.0, seq: after.1 };
        let entries = self
            .wait_for("read_inbox", block, |state| {
                let entries = state.inbox.as_ref().map(|inbox| inbox.after(after, INBOX_READ_ENTRIES));
                Ok(entries.filter(|entries| !entries.is_empty()))
            })
            .await?;
        let named = |(at, bytes): (Position, Vec<u8>)| (InboxId(at.term, at.seq), bytes);
        Ok(entries.unwrap_or_default().into_iter().map(named).collect())
    }

    pub(super) async fn trim_inbox(&mut self, through: InboxId) -> Result<(), LogError> {
        self.call("trim_inbox", |state| {
            if let Some(inbox) = &mut state.inbox {
                inbox.cut(Position { term: through.0, seq: through.1.saturating_add(1) });
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn claim(&mut self, id: &str, node: &str) -> Result<bool, LogError> {
        self.call("claim", |state| {
            let until = Instant::now() + IMAGE_TTL;
            state.forget_old_images();
            let is_free = !state.claims.contains_key(id);
            if is_free {
                state.claims.insert(id.to_owned(), (node.to_owned(), until));
            }
            Ok(is_free)
        })
        .await
    }

    pub(super) async fn put_piece(&mut self, id: &str, bytes: &[u8]) -> Result<bool, LogError> {
        self.call("put_piece", |state| {
            state.refuse_when_full("put_piece")?;
            state.forget_old_images();
            let until = Instant::now() + IMAGE_TTL;
            let (pieces, end) = state.images.entry(id.to_owned()).or_insert_with(|| (Vec::new(), until));
            if pieces.len() >= IMAGE_PIECES {
                return Ok(false);
            }
            pieces.push(bytes.to_vec());
            *end = until;
            Ok(true)
        })
        .await
    }

    pub(super) async fn take_piece(&mut self, id: &str, wait: Duration) -> Result<Option<Vec<u8>>, LogError> {
        self.wait_for("take_piece", wait, |state| {
            state.forget_old_images();
            let Some((pieces, _)) = state.images.get_mut(id) else { return Ok(None) };
            let piece = pieces.remove(0);
            if pieces.is_empty() {
                state.images.remove(id);
            }
            Ok(Some(piece))
        })
        .await
    }

    pub(super) async fn pieces(&mut self, id: &str) -> Result<usize, LogError> {
        self.call("pieces", |state| {
            state.forget_old_images();
            Ok(state.images.get(id).map_or(0, |(pieces, _)| pieces.len()))
        })
        .await
    }

    pub(super) async fn check_server(&mut self, _now: UnixMicros) -> Result<Vec<Complaint>, LogError> {
        self.call("check_server", |_| Ok(Vec::new())).await
    }
}
