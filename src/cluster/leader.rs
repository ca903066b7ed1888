//! A candidate waits for its chance; the leader runs the feeds and writes what they say.
//!
//! ```text
//!  chance ─▶ take the lease ─▶ fence ─▶ read up to it ─▶ fill the origin hub ─▶ start feeds ─▶ write ─▶ stop feeds
//!     ▲                                                                                                    │
//!     └──────────────────────────── deposed, lost (then at once, in a new numbering) ──────────────────────┘
//! ```
//!
//! Nothing that the origin hub says is seen by a client of this node before the log has it.

use std::{future::ready, sync::Arc};

use tokio::{
    select,
    time::{MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Check, Entry, Follower, Pending, Position, Sources, WIRE_VERSION,
    context::{NodeContext, Patience, Seen, random_name},
    demand,
    inbox::{self, Arrived, Coming, Parcel},
    log::{Appended, Log, LogError, Meta, Note},
    roles::{Identity, Outlook, Standing, renumbers},
    writer::{WriteEnd, Writer},
};
use crate::{
    clock::Instant,
    hub::{Hub, RULES},
    limits::{
        BATCH_BYTES_AT_ONCE, CATCH_UP_TIME, CHECK_TOPICS, FEED_WORDS_EVERY, INBOX_PART_TICKS, LEAD_LOOK,
        LIFE_SIGN, PUSHED_BATCHES, PUSHED_BEHIND_BYTES,
    },
    metrics::{EpochReason, TakeoverReason},
};

/// Stands for the lead and leads, until it is told to stop; then resigns in order.
///
/// # Errors
/// When a feed has ended in a way that it should not.
pub(super) async fn run_candidate(
    shared: &NodeContext,
    mut sources: impl Sources,
    stop: CancellationToken,
) -> Result<(), String> {
    let mut candidate = Candidate { shared, log: shared.log.clone(), lost: None };
    let mut patience = Patience::new("candidate");
    while !stop.is_cancelled() {
        let Some(reason) = stop.run_until_cancelled(candidate.chance()).await else { break };
        let taken = stop.run_until_cancelled(candidate.take(reason)).await;
        match taken {
            None => break,
            Some(Ok(None)) => sleep(LEAD_LOOK).await,
            Some(Ok(Some(opened))) => {
                patience.reset();
                shared.metrics.took_over(reason);
                let lead = Lead::begin(shared, opened, &mut sources, stop.clone())?;
                candidate.lost = lead.run().await?;
            }
            Some(Err(why)) => {
                shared.count(&why);
                patience.after(&why).await;
            }
        }
    }
    Ok(())
}

/// The log was opened by this node, which is in step with it.
struct Opened {
    at: Position,
    identity: Identity,
    /// In a new numbering: others may have had what this node has not.
    is_new: bool,
}

struct Candidate<'a> {
    shared: &'a NodeContext,
    log: Log,
    /// What this node wrote as the leader is lost: it begins anew at once, having the newest state.
    lost: Option<EpochReason>,
}

impl Candidate<'_> {
    /// Waits until this node should try to lead.
    async fn chance(&self) -> TakeoverReason {
        if self.lost.is_some() {
            return TakeoverReason::Resumed;
        }
        loop {
            if let Some(reason) = self.outlook().chance() {
                return reason;
            }
            select! {
                () = sleep(LEAD_LOOK) => {}
                () = self.shared.chance.notified() => {}
            }
        }
    }

    fn outlook(&self) -> Outlook {
        let NodeContext { config, seen, .. } = self.shared;
        let seen = seen.borrow();
        Outlook {
            standing: seen.standing,
            role: config.role,
            fits: seen.fits,
            quiet: seen.quiet(Instant::now()),
            is_resigned: seen.is_resigned,
            has_log: seen.has_log,
            has_company: seen.has_company,
            lease: config.lease,
            found: config.found,
        }
    }

    /// Takes the lead and opens the log, if nothing has changed meanwhile.
    async fn take(&mut self, reason: TakeoverReason) -> Result<Option<Opened>, LogError> {
        let NodeContext { id, config, .. } = self.shared;
        let known = self.known_term().await?;
        let Some(term) = self.log.take(id, known, config.lease).await? else {
            self.lost = None;
            return Ok(None);
        };
        self.shared.seen.send_modify(|seen| seen.known_term = seen.known_term.max(term));
        let opened = self.open(Position { term, seq: 0 }, reason).await;
        if !matches!(opened, Ok(Some(_))) {
            self.undo();
            let _expires_anyway = self.log.resign(id, term).await;
        }
        opened
    }

    /// The latest term that there ever was, as far as this node can know.
    async fn known_term(&mut self) -> Result<u64, LogError> {
        let newest = self.log.state().await?.newest.map_or(0, |newest| newest.term);
        Ok(self.shared.seen.borrow().known_term.max(newest))
    }

    async fn open(&mut self, at: Position, reason: TakeoverReason) -> Result<Option<Opened>, LogError> {
        let state = self.log.state().await?;
        let Some(seen) = self.read_up_to(state.newest).await else { return Ok(None) };
        let shared = self.shared;
        let identity = Identity::from(&state.server);
        let proven = renumbers(seen.standing, seen.position, state.newest, (&seen.led.server, &identity));
        let new = self.lost.or(proven);
        let epoch = match new {
            Some(_) => format!("{:x}-{}", shared.hub.clock().now().0, random_name(&mut rand::rng())),
            None => shared.hub.epoch().to_string(),
        };
        let follows = self.follows(&seen, state.newest);
        let batch = shared.first_batch(shared.opening(epoch.clone(), follows, &identity));
        let appended = match state.newest {
            None => self.log.found(at, &batch.encode()).await?,
            Some(_) => {
                let keep = shared.window.lock().from();
                self.log.append(at, &batch.encode(), keep).await?
            }
        };
        if appended != Appended::Written || !self.has_applied(at).await {
            tracing::warn!(
                ?appended,
                "another node was faster, or this one is not in step: it does not lead"
            );
            return Ok(None);
        }
        self.lost = None;
        if let Some(reason) = new {
            shared.metrics.epoch(reason);
        }
        tracing::info!(term = at.term, epoch, reason = reason.as_str(), "leads");
        self.log.put_meta(&meta(shared, epoch)).await?;
        let inbox = *shared.inbox.borrow();
        self.log.open_inbox(inbox).await?;
        Ok(Some(Opened { at, identity, is_new: new.is_some() }))
    }

    /// The batch that this node's term follows. In a log that is lost it is what this node has, so that others who have the
    /// same go on; in a log that says more than this node knows it is the end of that, whatever it says.
    fn follows(&self, seen: &Seen, newest: Option<Position>) -> Position {
        if seen.standing != Standing::Joining && newest.is_none_or(|newest| newest <= seen.position) {
            return seen.position;
        }
        let end = newest.unwrap_or(Position::START);
        self.shared.follower.lock().found(end);
        self.shared.seen.send_modify(|seen| seen.founds = Some(end));
        end
    }

    /// It has not become the leader: where it had prepared to found a numbering, it waits for an image as before.
    fn undo(&self) {
        self.shared.seen.send_if_modified(|seen| {
            let Some(_) = seen.founds.take() else { return false };
            let mut follower = self.shared.follower.lock();
            match seen.standing {
                Standing::Joining => *follower = Follower::new(Arc::clone(&self.shared.hub)),
                // No beginning follows from there.
                Standing::InStep | Standing::Astray(_) => {
                    follower.found(Position { term: u64::MAX, seq: u64::MAX });
                }
            }
            true
        });
    }

    /// Waits until this node has applied that batch.
    async fn has_applied(&self, at: Position) -> bool {
        let mut changes = self.shared.seen.subscribe();
        let has_it = |seen: &Seen| seen.standing == Standing::InStep && seen.position >= at;
        timeout(CATCH_UP_TIME, changes.wait_for(has_it)).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Waits until this node has applied what the log has, if it is in step at all; nothing if that does not come about.
    async fn read_up_to(&self, newest: Option<Position>) -> Option<Seen> {
        let mut changes = self.shared.seen.subscribe();
        let has_it = |seen: &Seen| {
            seen.standing != Standing::InStep || newest.is_none_or(|newest| seen.position >= newest)
        };
        let seen = timeout(CATCH_UP_TIME, changes.wait_for(has_it)).await.ok()?.ok()?.clone();
        Some(seen)
    }
}

fn meta(shared: &NodeContext, epoch: String) -> Meta {
    let made_of = shared.made_of.clone();
    Meta {
        epoch,
        format: u32::from(WIRE_VERSION),
        rules: RULES,
        feeds: made_of.feeds,
        intervals: made_of.intervals,
        trades_per_symbol: made_of.trades_per_symbol,
        bars: made_of.bars,
        founder: shared.id.clone(),
    }
}

/// The leader's work.
struct Lead<'a, S: Sources> {
    shared: &'a NodeContext,
    sources: &'a mut S,
    origin: Arc<Hub>,
    pending: Arc<Pending>,
    writer: Writer<'a>,
    stop: CancellationToken,
    /// Since when no other node could help this one, which does not see what it writes.
    alone_since: Option<Instant>,
    laps: u64,
    /// The topic from which the next check goes on.
    checked: u32,
}

impl<'a, S: Sources> Lead<'a, S> {
    /// Fills the origin hub with what clients see, and starts the feeds.
    fn begin(
        shared: &'a NodeContext,
        Opened { at, identity, is_new }: Opened,
        sources: &'a mut S,
        stop: CancellationToken,
    ) -> Result<Self, String> {
        let (serving, pending) = (&shared.hub, Pending::new(shared.config.pending_bytes));
        let origin = Hub::origin(sources.failover(), serving.clock().clone(), Arc::clone(serving.metrics()));
        let origin = origin.tapped(pending.tap());
        sources.enlist(&origin);
        origin.take_over(serving, &sources.interrupted(is_new)).map_err(|why| why.to_string())?;
        let origin = Arc::new(origin);
        let writer = Writer::new(shared, at, identity, stop.clone());
        sources.start(&origin);
        shared.seen.send_modify(|seen| seen.leads = true);
        shared.beat.notify_one();
        Ok(Self { shared, sources, origin, pending, writer, stop, alone_since: None, laps: 0, checked: 0 })
    }

    /// Leads until it is deposed, told to stop, or has lost the log: returns why in that case.
    async fn run(mut self) -> Result<Option<EpochReason>, String> {
        let (pushed, mut coming) = inbox::channel();
        let ended = {
            let (shared, origin) = (self.shared, Arc::clone(&self.origin));
            let (pump, wants) = (inbox::pump(shared, pushed), demand::gather(shared, &origin));
            select! {
                ended = self.write(&mut coming) => ended,
                never = pump => match never {},
                never = wants => match never {},
            }
        };
        let stopped = self.sources.stop().await;
        let lost = match ended? {
            WriteEnd::Asked => {
                let lease = self.shared.config.lease;
                if timeout(lease, self.resign()).await.is_err() {
                    tracing::warn!("the log was not reached: the lead runs out by itself");
                }
                None
            }
            WriteEnd::Deposed => {
                self.shared.metrics.fenced();
                None
            }
            WriteEnd::Lost(reason) => Some(reason),
        };
        self.shared.seen.send_modify(|seen| seen.leads = false);
        self.shared.metrics.pending(0);
        self.shared.beat.notify_one();
        tracing::info!(lost = lost.map(EpochReason::as_str), "leads no more");
        stopped.map(|()| lost)
    }

    async fn write(&mut self, coming: &mut Coming) -> Result<WriteEnd, String> {
        let mut renew = interval(self.shared.config.lease / 3);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut words = interval(FEED_WORDS_EVERY);
        words.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (stop, pending) = (self.stop.clone(), Arc::clone(&self.pending));
        loop {
            let life_sign = self.writer.written_at() + LIFE_SIGN;
            let (waits, has_room) = (!pending.is_empty(), pending.bytes() < PUSHED_BEHIND_BYTES);
            let written = select! {
                biased;
                () = stop.cancelled() => return Ok(WriteEnd::Asked),
                why = self.sources.failed() => return Err(why),
                _ = renew.tick() => self.renew().await,
                _ = words.tick() => {
                    let entries = vec![Entry::Feeds(self.sources.words(&self.origin)), self.check()];
                    self.writer.write(entries, None).await
                }
                Some(first) = coming.recv(), if has_room => self.write_pushed(first, coming).await,
                () = ready(()), if waits => self.flush(1).await,
                () = pending.woken() => Ok(()),
                () = sleep_until(life_sign) => self.writer.write(Vec::new(), None).await,
            };
            if let Err(end) = written {
                return Ok(end);
            }
        }
    }

    /// Has nodes compare some topics, all of them in turn, and tells what this one has come to the last time.
    fn check(&mut self) -> Entry {
        let told = self.shared.follower.lock().newest_sum();
        let (from, most) = (self.checked, CHECK_TOPICS);
        let topics = self.shared.hub.topics_since(from, most as usize);
        let is_last = topics.len() < most as usize;
        self.checked = topics.last().filter(|_| !is_last).map_or(0, |topic| topic.id().number() + 1);
        Entry::Check(Check { from, most, told })
    }

    /// Keeps the lead, as long as this node is in step itself or another one can bring it back.
    async fn renew(&mut self) -> Result<(), WriteEnd> {
        self.shared.metrics.pending(self.pending.bytes());
        while self.laps < self.pending.laps() {
            self.laps += 1;
            self.shared.metrics.lapped();
            tracing::error!("too much is pending: only newest values are kept, and what was lost is told");
        }
        let is_alone = {
            let seen = self.shared.seen.borrow();
            matches!(seen.standing, Standing::Astray(_)) && !seen.has_company
        };
        let now = Instant::now();
        let since = *self.alone_since.get_or_insert(now);
        if !is_alone {
            self.alone_since = None;
        } else if now.saturating_duration_since(since) >= self.shared.config.lease {
            tracing::error!("no node is in step with the log: what it says cannot be known any more");
            return Err(WriteEnd::Lost(EpochReason::Unproven));
        }
        self.writer.renew().await
    }

    /// Writes what is pending, in at most `most` batches.
    async fn flush(&mut self, most: usize) -> Result<(), WriteEnd> {
        for _ in 0..most {
            let entries = self.pending.take(BATCH_BYTES_AT_ONCE);
            if entries.is_empty() {
                return Ok(());
            }
            self.writer.write(entries, None).await?;
        }
        Ok(())
    }

    /// Publishes what producers have sent, and has it written together with the id of the last of it. What was pending goes
    /// first; it is little, or nothing would be taken from the inbox.
    async fn write_pushed(&mut self, first: Arrived, coming: &mut Coming) -> Result<(), WriteEnd> {
        self.flush(PUSHED_BATCHES).await?;
        let (mut newest, mut parcel, mut ticks) = (first.0, first.1, 0);
        loop {
            if let Some(Parcel { feed, ticks: some }) = parcel {
                ticks += some.len();
                self.sources.push(feed, some);
            }
            if ticks >= INBOX_PART_TICKS {
                break;
            }
            let Ok(next) = coming.try_recv() else { break };
            (newest, parcel) = next;
        }
        for last in (0..PUSHED_BATCHES).rev() {
            let entries = self.pending.take(BATCH_BYTES_AT_ONCE);
            if last == 0 || self.pending.is_empty() {
                return self.writer.write(entries, Some(newest)).await;
            }
            self.writer.write(entries, None).await?;
        }
        Ok(())
    }

    /// Writes what is left and lets go: the next leader has everything.
    async fn resign(&mut self) {
        let written = async {
            while !self.pending.is_empty() {
                self.flush(1).await?;
            }
            self.writer.close().await
        };
        let closed = written.await;
        let (id, mut log) = (self.shared.id.clone(), self.shared.log.clone());
        let resigned = log.resign(&id, self.writer.term()).await;
        let told = log.note(&Note::Resigned { node: id }).await;
        tracing::info!(?closed, ?resigned, ?told, "resigned");
    }
}
