//! Writes what the origin hub says into the log, one batch at a time.
//!
//! A batch that was not answered is written again under the same id with the same bytes, so it is there once; what is refused
//! tells whether another node leads, or the log was lost. A writer never gives up while the log is merely away: its node alone
//! has what the sources have said meanwhile.

use tokio::select;
use tokio_util::sync::CancellationToken;

use super::{
    Batch, Entry, InboxId, Open, Position, WIRE_VERSION,
    context::{NodeContext, Patience},
    log::{Appended, Log, LogError},
    roles::Identity,
};
use crate::{clock::Instant, hub::RULES, limits::CLOCK_TICK, market::UnixMicros, metrics::EpochReason};

/// Why a leader writes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteEnd {
    /// It was told to stop.
    Asked,
    /// Another node leads.
    Deposed,
    /// What it has written is lost: the numbering cannot go on.
    Lost(EpochReason),
}

/// The writing end of the log, while this node leads.
pub(super) struct Writer<'a> {
    shared: &'a NodeContext,
    log: Log,
    stop: CancellationToken,
    /// The last batch that the log has.
    last: Position,
    /// The server that the log was opened in.
    identity: Identity,
    /// The newest entry of the inbox that is in the log.
    inbox: Option<InboxId>,
    /// The time of the last batch: it never goes back.
    time: UnixMicros,
    written_at: Instant,
    passed_at: Instant,
}

impl<'a> Writer<'a> {
    /// Goes on behind `opened`, the first batch of this node's term, which the log has.
    pub(super) fn new(
        shared: &'a NodeContext,
        opened: Position,
        identity: Identity,
        stop: CancellationToken,
    ) -> Self {
        let (log, now) = (shared.log.clone(), Instant::now());
        Self {
            shared,
            log,
            stop,
            last: opened,
            identity,
            inbox: Some(*shared.inbox.borrow()).filter(|id| *id > InboxId::default()),
            time: shared.hub.clock().now(),
            written_at: now,
            passed_at: now,
        }
    }

    /// The term in which it writes.
    pub(super) const fn term(&self) -> u64 {
        self.last.term
    }

    /// When the last batch was written.
    pub(super) const fn written_at(&self) -> Instant {
        self.written_at
    }

    /// Writes one batch; with `inbox` if that entry of the inbox is wholly in it and the ones before.
    ///
    /// # Errors
    /// Why nothing can be written any more.
    pub(super) async fn write(
        &mut self,
        entries: Vec<Entry>,
        inbox: Option<InboxId>,
    ) -> Result<(), WriteEnd> {
        let now = Instant::now();
        let passes = now.saturating_duration_since(self.passed_at) >= CLOCK_TICK;
        if passes {
            self.passed_at = now;
        }
        self.time = self.time.max(self.shared.hub.clock().now());
        self.inbox = inbox.or(self.inbox);
        let at = Position { seq: self.last.seq + 1, ..self.last };
        self.append(at, &Batch { time: self.time, passes, inbox: self.inbox, entries }).await
    }

    /// Has the batch written, however long the log is away.
    async fn append(&mut self, at: Position, batch: &Batch) -> Result<(), WriteEnd> {
        let bytes = if self.shared.config.compress { batch.encode_compressed() } else { batch.encode() };
        let mut patience = Patience::new("writer");
        let mut was_away = false;
        loop {
            let (started, keep) = (Instant::now(), self.shared.window.lock().from());
            match self.log.append(at, &bytes, keep).await {
                Ok(Appended::Written) => {
                    patience.reset();
                    self.written(at, &bytes, batch, started);
                    return if was_away { self.look().await } else { Ok(()) };
                }
                Ok(Appended::Fenced(newest)) => {
                    tracing::warn!(%at, %newest, "another node leads");
                    return Err(WriteEnd::Deposed);
                }
                Ok(Appended::Behind(newest)) => {
                    tracing::error!(%at, %newest, "the log was set back");
                    return Err(WriteEnd::Lost(EpochReason::Regressed));
                }
                Ok(Appended::Gone) => {
                    tracing::error!(%at, "the log is gone");
                    return Err(WriteEnd::Lost(EpochReason::Gone));
                }
                Err(why) => {
                    was_away = true;
                    self.wait(&mut patience, &why).await?;
                }
            }
        }
    }

    fn written(&mut self, at: Position, bytes: &[u8], batch: &Batch, started: Instant) {
        let now = Instant::now();
        (self.last, self.written_at) = (at, now);
        let took = now.saturating_duration_since(started);
        self.shared.metrics.appended(bytes.len(), batch.entries.len(), took);
        self.shared.metrics.window(self.shared.window.lock().reach(now));
    }

    /// Waits before the next attempt, unless it is to stop.
    async fn wait(&self, patience: &mut Patience, why: &LogError) -> Result<(), WriteEnd> {
        self.shared.count(why);
        select! {
            biased;
            () = self.stop.cancelled() => Err(WriteEnd::Asked),
            () = patience.after(why) => Ok(()),
        }
    }

    /// The log was away: whether it is still in the same server.
    async fn look(&mut self) -> Result<(), WriteEnd> {
        let mut patience = Patience::new("writer");
        loop {
            match self.log.state().await {
                Ok(state) if Identity::from(&state.server) == self.identity => return Ok(()),
                Ok(_another) => return self.reopen().await,
                Err(why) => self.wait(&mut patience, &why).await?,
            }
        }
    }

    /// Keeps the lead.
    ///
    /// # Errors
    /// When another node has it, or the log is not what it was.
    pub(super) async fn renew(&mut self) -> Result<(), WriteEnd> {
        let config = &self.shared.config;
        match self.log.renew(&self.shared.id, self.term(), config.lease).await {
            Ok(true) => Ok(()),
            Ok(false) => self.reopen().await,
            Err(why) => {
                // The next batch will find out.
                self.shared.count(&why);
                Ok(())
            }
        }
    }

    /// Goes on in a new term, of a server that has started again or of a lease that has run out: if the log ends with what this
    /// node wrote last, nothing of it is lost, and no other node has written.
    async fn reopen(&mut self) -> Result<(), WriteEnd> {
        let mut patience = Patience::new("writer");
        loop {
            match self.try_reopen().await {
                Ok(opened) => return opened,
                Err(why) => self.wait(&mut patience, &why).await?,
            }
        }
    }

    async fn try_reopen(&mut self) -> Result<Result<(), WriteEnd>, LogError> {
        let NodeContext { id, config, .. } = self.shared;
        let Some(term) = self.log.take(id, self.term(), config.lease).await? else {
            tracing::warn!("the lead has passed on");
            return Ok(Err(WriteEnd::Deposed));
        };
        let state = self.log.state().await?;
        let lost = match state.newest {
            None => Some(WriteEnd::Lost(EpochReason::Gone)),
            Some(newest) if newest < self.last => Some(WriteEnd::Lost(EpochReason::Regressed)),
            Some(newest) if newest > self.last => Some(WriteEnd::Deposed),
            Some(_) => None,
        };
        if let Some(end) = lost {
            return Ok(Err(end));
        }
        tracing::warn!(term, "goes on leading, in a new term");
        self.identity = Identity::from(&state.server);
        self.shared.seen.send_modify(|seen| seen.known_term = seen.known_term.max(term));
        let (epoch, follows) = (self.shared.hub.epoch().to_string(), self.last);
        let open = self.shared.opening(epoch, follows, &self.identity);
        let batch = self.shared.first_batch(open);
        // A clock that is behind must not take the log's time back.
        let batch = Batch { time: self.time.max(batch.time), inbox: self.inbox, ..batch };
        Ok(Box::pin(self.append(Position { term, seq: 0 }, &batch)).await)
    }

    /// Ends the term in order: nothing follows.
    pub(super) async fn close(&mut self) -> Result<(), WriteEnd> {
        self.write(vec![Entry::Close], None).await
    }
}

impl NodeContext {
    /// What a leader says when it begins.
    pub(super) fn opening(&self, epoch: String, follows: Position, server: &Identity) -> Open {
        Open {
            epoch,
            node: self.id.clone(),
            follows,
            run_id: server.run_id.clone(),
            replid: server.replid.clone(),
            rules: RULES,
            format: WIRE_VERSION,
        }
    }

    /// The first batch of a term.
    pub(super) fn first_batch(&self, open: Open) -> Batch {
        let inbox = Some(*self.inbox.borrow()).filter(|id| *id > InboxId::default());
        let time = self.hub.clock().now();
        Batch { time, passes: false, inbox, entries: vec![Entry::Open(open)] }
    }
}
