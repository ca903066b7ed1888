//! Follows the log: reads batches in order and applies them to the hub that clients see; tells when what is read does not follow.
//!
//! It pulls, so a slow node falls behind in the log and is not cut off. It never trusts a connection: a read that is not answered
//! in time, or a log that ends before what was applied, is a reason to look anew. It reconnects for ever.

use std::{convert::Infallible, time::Duration};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    Applied, Batch, Hole, Position, Role, WIRE_VERSION, WireError,
    context::{Led, NodeContext, Patience},
    images::{self, Request},
    log::{Complaint, Log, LogError, LogState, Note, Read},
    roles::Standing,
};
use crate::{
    clock::Instant,
    hub::RULES,
    limits::{APPLY_PATIENCE, APPLY_PAUSE, ASTRAY_GRACE, LOG_BLOCK, LOG_LOOK},
    market::UnixMicros,
    metrics::{HoleReason, ImageOutcome, Reconnect, Refusal},
};

/// Follows the log until the task is dropped. Requests of other nodes for an image go to `images`.
pub(super) async fn follow(shared: &NodeContext, images: mpsc::Sender<Request>) -> Infallible {
    let log = shared.log.clone();
    let (cursor, notes_after) = (Position::START, Position::START);
    let mut reader = Reader { shared, images, log, cursor, notes_after, refusal: None, astray_at: None };
    let mut patience = Patience::new("reader");
    loop {
        let why = reader.connected(&mut patience).await;
        shared.unanswered();
        shared.metrics.attached(false);
        shared.count(&why);
        patience.after(&why).await;
    }
}

pub(super) struct Reader<'a> {
    pub(super) shared: &'a NodeContext,
    images: mpsc::Sender<Request>,
    pub(super) log: Log,
    /// The last batch that was read; while in step it is the last one that was applied.
    pub(super) cursor: Position,
    notes_after: Position,
    /// Why the node does not take part, told once.
    refusal: Option<(Refusal, &'static str)>,
    /// Since when it is astray.
    astray_at: Option<Instant>,
}

impl Reader<'_> {
    /// Follows until the log fails.
    async fn connected(&mut self, patience: &mut Patience) -> LogError {
        loop {
            if let Err(why) = self.turn(patience).await {
                return why;
            }
        }
    }

    async fn turn(&mut self, patience: &mut Patience) -> Result<(), LogError> {
        if !self.is_attached() {
            self.arrive().await?;
            patience.reset();
        }
        match self.standing() {
            Standing::Joining => self.join().await,
            Standing::InStep => self.step().await,
            Standing::Astray(_) => self.find_back().await,
        }
    }

    fn is_attached(&self) -> bool {
        self.shared.seen.borrow().answers_since.is_some()
    }

    pub(super) fn standing(&self) -> Standing {
        self.shared.seen.borrow().standing
    }

    /// Looks how the log is after it was not reached for a time.
    async fn arrive(&mut self) -> Result<(), LogError> {
        self.check_server().await?;
        if self.notes_after == Position::START {
            self.notes_after = self.log.notes_now().await?;
        }
        let state = self.log.state().await?;
        self.shared.answered(Instant::now());
        self.shared.metrics.attached(true);
        self.judge(&state);
        Ok(())
    }

    /// A node that has nothing yet refuses a server that may lose the log; one that serves clients says so and goes on.
    async fn check_server(&mut self) -> Result<(), LogError> {
        let complaints = self.log.check_server(self.shared.hub.clock().now()).await?;
        for complaint in complaints {
            if complaint.is_fatal() && self.standing() == Standing::Joining {
                self.shared.metrics.refused(match complaint {
                    Complaint::Policy(_) => Refusal::Policy,
                    Complaint::Role(_) => Refusal::Replica,
                    Complaint::Version(_) | Complaint::Clock(_) => Refusal::Server,
                });
                let (code, text) = ("SERVER".into(), complaint.to_string());
                return Err(LogError::Refused { call: "check_server", code, text });
            }
            tracing::warn!("the log's server: {complaint}");
        }
        Ok(())
    }

    /// Whether what was applied is still what the log says, as far as its two ends tell.
    fn judge(&self, state: &LogState) {
        self.shared.seen.send_modify(|seen| {
            seen.has_log = state.newest.is_some();
            if let Some(newest) = state.newest {
                seen.known_term = seen.known_term.max(newest.term);
            }
        });
        if self.standing() != Standing::InStep {
            return;
        }
        match state.newest {
            None => self.astray(HoleReason::Gone),
            Some(newest) if newest < self.cursor => self.astray(HoleReason::Regressed),
            Some(_) => {}
        }
    }

    /// What comes does not follow from what this node has.
    fn astray(&self, reason: HoleReason) {
        tracing::error!(position = %self.cursor, reason = reason.as_str(), "the log does not go on from here");
        self.shared.metrics.hole(reason);
        self.shared.seen.send_modify(|seen| seen.standing = Standing::Astray(reason));
    }

    /// Reads on.
    async fn step(&mut self) -> Result<(), LogError> {
        let read = self.log.read(self.cursor, self.notes_after, LOG_BLOCK).await?;
        let Some(state) = self.took(read).await else { return Ok(()) };
        self.judge(&state);
        if self.standing() != Standing::InStep {
            return Ok(());
        }
        if state.newest > Some(self.cursor) || self.is_silent() {
            // Whatever answers may be no master any more: the next connection asks anew who is.
            self.shared.metrics.reconnected(Reconnect::Silent);
            self.log = self.shared.log.clone();
            self.check_server().await?;
        }
        Ok(())
    }

    fn is_silent(&self) -> bool {
        self.shared.seen.borrow().quiet(Instant::now()) >= Some(self.shared.config.silence)
    }

    /// Takes what a read has brought. Returns how the log is when it was silent for the whole time.
    async fn took(&mut self, read: Read) -> Option<LogState> {
        self.shared.answered(Instant::now());
        for (at, note) in read.notes {
            self.notes_after = self.notes_after.max(at);
            self.noted(note);
        }
        for (at, bytes) in read.batches {
            self.room().await;
            self.take(at, &bytes).await;
            tokio::task::yield_now().await;
        }
        read.silent
    }

    fn noted(&self, note: Note) {
        let shared = self.shared;
        match note {
            Note::Demand { .. } => shared.demand.notify_one(),
            // When it is full the node that asks will ask again.
            Note::ImageWanted { id, node } if node != shared.id => {
                let _asked_again = self.images.try_send(Request { id, node });
            }
            Note::Resigned { node } => {
                shared.seen.send_if_modified(|seen| {
                    let is_news = seen.led.node == node && !seen.leads && !seen.is_resigned;
                    seen.is_resigned |= is_news;
                    is_news
                });
                shared.chance.notify_one();
            }
            Note::RollCall { .. } => shared.beat.notify_one(),
            Note::ImageWanted { .. } | Note::Unknown => {}
        }
    }

    /// Lets the shards empty their lanes before more comes, but not for ever: a stuck one is lapped.
    async fn room(&self) {
        let until = Instant::now() + APPLY_PATIENCE;
        while self.shared.hub.is_congested() && Instant::now() < until {
            sleep(APPLY_PAUSE).await;
        }
    }

    /// Takes one batch: applies it where it follows.
    pub(super) async fn take(&mut self, at: Position, bytes: &[u8]) {
        self.cursor = self.cursor.max(at);
        let shared = self.shared;
        shared.seen.send_modify(|seen| {
            seen.known_term = seen.known_term.max(at.term);
            seen.batch_at = Some(Instant::now());
            seen.has_log = true;
        });
        let is_in_step = self.standing() == Standing::InStep;
        if !is_in_step && at.seq != 0 {
            // Only another leader's beginning can follow from what this node has.
            return;
        }
        let (entries, sent, applied) = match Batch::decode(bytes) {
            Ok(batch) => (batch.entries.len(), batch.time, self.apply(at, batch).await),
            Err(why) => (0, UnixMicros(0), Err(Hole::Unreadable(at, why))),
        };
        match applied {
            Ok(applied) => {
                let delay = u64::try_from(shared.hub.clock().now().0.saturating_sub(sent.0)).unwrap_or(0);
                shared.metrics.applied(bytes.len(), entries, Duration::from_micros(delay));
                shared.window.lock().note(at, bytes.len(), Instant::now());
                self.is_applied(at, applied);
            }
            Err(hole) if is_in_step => {
                tracing::error!(%at, "{hole}");
                let reason = self.reason_of(at, &hole).await;
                self.astray(reason);
            }
            Err(hole) => tracing::debug!(%at, "{hole}"),
        }
    }

    /// What the metrics call a hole. Where the log begins with what came, the batches in between were trimmed.
    async fn reason_of(&mut self, at: Position, hole: &Hole) -> HoleReason {
        match hole {
            Hole::Skipped { .. } => match self.log.state().await {
                Ok(state) if state.oldest >= Some(at) => HoleReason::Trimmed,
                Ok(_) | Err(_) => HoleReason::Skipped,
            },
            Hole::Regressed { .. } => HoleReason::Regressed,
            Hole::Differs(_) => HoleReason::Differs,
            Hole::Unreadable(_, WireError::Version(_)) | Hole::Refused { .. } => HoleReason::Version,
            Hole::Unreadable(..) | Hole::Unsound { .. } => HoleReason::Unreadable,
        }
    }

    /// Applies in turns, so that shards can empty their lanes in between.
    async fn apply(&self, at: Position, batch: Batch) -> Result<Applied, Hole> {
        let applied = self.shared.follower.lock().apply(at, batch)?;
        let mut has_more = applied.has_more;
        while has_more {
            self.room().await;
            has_more = self.shared.follower.lock().proceed()?;
        }
        Ok(applied)
    }

    /// The node has all that the log said up to there.
    fn is_applied(&mut self, at: Position, applied: Applied) {
        let Applied { open, is_closed, feeds, .. } = applied;
        if let Some(feeds) = feeds {
            self.shared.feeds.send_replace(feeds);
        }
        self.astray_at = None;
        let inbox = self.shared.follower.lock().inbox();
        self.shared.in_step(at, inbox, open.map(|open| Led::of(&open)));
        if is_closed {
            self.shared.seen.send_modify(|seen| seen.is_resigned = !seen.leads);
            self.shared.chance.notify_one();
        }
        self.shared.metrics.term(at.term);
    }

    /// Waits until there is something to join: a numbering that others have, or that this node founds itself.
    async fn join(&mut self) -> Result<(), LogError> {
        if self.founds() {
            let read = self.log.read(self.cursor, self.notes_after, LOG_LOOK).await?;
            self.took(read).await;
            return Ok(());
        }
        let state = self.log.state().await?;
        self.judge(&state);
        if !self.fits().await? || !self.shared.seen.borrow().has_company || state.newest.is_none() {
            let mut changes = self.shared.seen.subscribe();
            let _looks_again = timeout(LOG_LOOK, changes.wait_for(|seen| seen.founds.is_some())).await;
            return Ok(());
        }
        self.load_image().await
    }

    /// Whether this node founds a numbering on whatever the log says: it reads on from there.
    fn founds(&mut self) -> bool {
        let founds = self.shared.seen.borrow().founds;
        self.cursor = founds.unwrap_or(self.cursor);
        founds.is_some()
    }

    /// Whether this node is made as the others are. It cannot follow what it derives otherwise, and cannot lead with other
    /// feeds.
    async fn fits(&mut self) -> Result<bool, LogError> {
        let Some(meta) = self.log.meta().await? else { return Ok(true) };
        let own = &self.shared.made_of;
        let refusal = match &meta {
            meta if meta.rules != RULES => Some((Refusal::Rules, "it derives by other rules")),
            meta if meta.format != u32::from(WIRE_VERSION) => {
                Some((Refusal::Format, "it writes another form"))
            }
            meta if meta.intervals != own.intervals => Some((
                Refusal::Digest,
                "its history.intervals are others; started again it takes the cluster's",
            )),
            _ => None,
        };
        let fits = refusal.is_none() && meta.feeds == own.feeds;
        self.shared.seen.send_if_modified(|seen| std::mem::replace(&mut seen.fits, fits) != fits);
        if self.refusal != refusal {
            self.refusal = refusal;
            if let Some((reason, why)) = refusal {
                self.shared.metrics.refused(reason);
                tracing::error!("this node cannot follow the cluster: {why}");
            } else if !fits && self.shared.config.role != Role::Edge {
                self.shared.metrics.refused(Refusal::Digest);
                tracing::error!("this node has other feeds than the cluster: it follows, and does not lead");
            }
        }
        Ok(refusal.is_none())
    }

    /// Asks the others for an image, and takes it over.
    async fn load_image(&mut self) -> Result<(), LogError> {
        let Some((image, led)) = images::fetch(self.shared, &mut self.log).await? else { return Ok(()) };
        let loaded = {
            let mut follower = self.shared.follower.lock();
            follower.load(image).map(|()| (follower.position(), follower.inbox()))
        };
        match loaded {
            Ok((position, inbox)) => {
                self.cursor = position;
                self.astray_at = None;
                self.shared.in_step(position, inbox, Some(led));
            }
            Err(why) => {
                self.shared.metrics.image(ImageOutcome::Unreadable);
                tracing::error!("an image does not fit together: {why}");
                self.shared.seen.send_modify(|seen| seen.standing = Standing::Joining);
            }
        }
        Ok(())
    }

    /// Waits for a beginning that follows from what this node has; loads an image where others have one.
    async fn find_back(&mut self) -> Result<(), LogError> {
        let since = *self.astray_at.get_or_insert_with(Instant::now);
        self.founds();
        let read = self.log.read(self.cursor, self.notes_after, LOG_LOOK).await?;
        self.took(read).await;
        let Standing::Astray(reason) = self.standing() else { return Ok(()) };
        // Where the log is lost, a leader that knows as much as this node begins anew in a moment.
        let waits =
            matches!(reason, HoleReason::Gone | HoleReason::Regressed) && since.elapsed() < ASTRAY_GRACE;
        if !waits && self.shared.seen.borrow().has_company {
            self.load_image().await?;
        }
        Ok(())
    }
}
