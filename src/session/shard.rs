//! The sessions of one worker thread, and what they listen to.
//!
//! Everything here is called on that thread only. Drivers call [`Shard::open`], [`Shard::command`],
//! [`Shard::outgoing`] and [`Shard::leave`]; [`run`] drains the lane from the hub ([`Shard::drain_lane`],
//! [`Shard::fan_out`]) and tends to timers.

mod ahead;
mod answers;
mod commands;
#[cfg(feature = "test-endpoints")]
mod echo;
mod epoch;
mod fanout;
mod flush;
mod forget;
mod grants;
mod jobs;
mod late;
mod mail;

mod positioned;
mod search;
mod source;
mod sweep;
#[cfg(test)]
mod tests;
mod work;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    Admission, CloseReason, Flood, Frame, Framing, Mailbox, Protocol, Refusal, SessionConfig, SessionKey,
    Transport,
    assemble::assemble,
    followers::Followers,
    intake::Intake,
    local_topics::LocalTopics,
    mailbox::{Letter, Letters},
    outbox::Wire,
    scratch::Scratch,
    sessions::Sessions,
    shard_metrics::ShardMetrics,
    state::{Closing, Session},
    symbols::Symbols,
};
use crate::{
    clock::Instant,
    dialect::{
        Code, Reply,
        talk::{ErrorReply, Goodbye, Welcome, WelcomeLimits},
    },
    drill,
    hub::{Hub, HubError},
    limits::{CLOSE_TIMEOUT, EVICT_TIMEOUT, FAULT_DRAIN, PING_RATE},
    metrics::Subject,
};

/// What a driver is to do next.
#[derive(Debug)]
pub enum Outgoing {
    /// Write these frames.
    Frames(Bytes),
    /// Nothing waits; the transport is woken when something does.
    Nothing,
    /// The session is over: close the connection.
    Over,
}

/// The sessions of one thread.
pub struct Shard {
    hub: Arc<Hub>,
    node: Rc<str>,
    config: Rc<SessionConfig>,
    intake: Intake,
    topics: LocalTopics,
    symbols: Symbols,
    sessions: Sessions,
    followers: Followers,
    sweeps: late::Sweeps,
    scratch: Scratch,
    metrics: ShardMetrics,
    mailbox: Mailbox,
    letters: Option<Letters>,
    epoch: epoch::EpochChange,
    source: source::SourceNews,
    ahead: ahead::Ahead,
    has_failed: bool,
}

impl Shard {
    /// A shard without sessions, on a lane of its own.
    ///
    /// # Errors
    /// When the gateway has too many shards.
    pub fn new(hub: Arc<Hub>, node: &str, config: SessionConfig) -> Result<Self, HubError> {
        let (mailbox, letters) = Mailbox::new();
        Ok(Self {
            mailbox,
            letters: Some(letters),
            intake: Intake::new(hub.open_lane()?),
            node: node.into(),
            topics: LocalTopics::default(),
            symbols: Symbols::default(),
            sessions: Sessions::new(hub.instant()),
            followers: Followers::new(hub.next_topic()),
            sweeps: late::Sweeps::new(hub.instant(), sweep::sweep_interval(&config)),
            scratch: Scratch::default(),
            metrics: ShardMetrics::new(hub.metrics()),
            config: Rc::new(config),
            epoch: epoch::EpochChange::new(hub.epoch_and_serial()),
            source: source::SourceNews::new(hub.source_serial()),
            ahead: ahead::Ahead::default(),
            has_failed: false,
            hub,
        })
    }

    /// Opens a session; its first message is the welcome. Without an admission the session is told which limit is
    /// reached and closed.
    pub fn open(
        &mut self,
        protocol: impl Into<Protocol>,
        transport: Rc<dyn Transport>,
        admission: Result<Admission, Refusal>,
        now: Instant,
    ) -> SessionKey {
        let refused = admission.as_ref().err().map(|limit| CloseReason::ConnectionLimit(*limit));
        let key = self.enter(Framing::WebSocket(protocol.into()), transport, admission.ok(), now);
        if let Some(reason) = refused {
            let (code, msg) = (Code::ConnectionLimit, reason.frame().text);
            let error = ErrorReply { id: None, code, msg, retry: code.retry() };
            self.sessions[key.index].say(&Reply::Error(error));
            self.close(key, reason, now);
        } else {
            self.welcome(key.index);
        }
        key
    }

    /// Makes a session to which nothing was said yet.
    fn enter(
        &mut self,
        framing: Framing,
        transport: Rc<dyn Transport>,
        admission: Option<Admission>,
        now: Instant,
    ) -> SessionKey {
        // A numbering that the shard has not begun yet is not told to the session twice.
        let _begins_now = self.is_changing_epoch();
        let key = self.sessions.enter(framing, transport, admission, now);
        self.metrics.opened(framing);
        key
    }

    fn welcome(&mut self, index: usize) {
        let epoch = self.epoch.name();
        let session = &mut self.sessions[index];
        let name = session.name(&self.node);
        session.say(&Reply::Welcome(Welcome {
            session: &name,
            node: &self.node,
            epoch: &epoch,
            time: self.hub.clock().now(),
            ping_s: self.config.ping.as_secs(),
            auth: "none",
            simulated: &self.config.simulated.get(),
            limits: WelcomeLimits {
                symbols: self.config.symbols_per_session,
                commands_per_s: self.config.commands_per_second,
                frame_bytes: self.config.frame_bytes,
            },
        }));
        self.greet_with_source(index);
        self.touch(index);
    }

    /// Whom a log line is about.
    fn subject(&self, index: usize) -> Subject {
        let session = &self.sessions[index];
        Subject {
            address: session.admission.as_ref().map(Admission::ip),
            session: Some(session.name(&self.node)),
            subscriptions: Some(session.subs.len()),
        }
    }

    fn get(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.sessions.of(key)
    }

    /// The frames that wait, as many as one write should take, or what else the driver is to do.
    pub fn outgoing(&mut self, key: SessionKey, now: Instant) -> Outgoing {
        if self.get(key).is_none() {
            return Outgoing::Over;
        }
        let session = &mut self.sessions[key.index];
        if session.is_over() {
            return Outgoing::Over;
        }
        if session.is_joining() {
            return Outgoing::Nothing;
        }
        self.assemble(key.index, now);
        if self.scratch.bytes.is_empty() {
            Outgoing::Nothing
        } else {
            // As many bytes as there are: they may wait for long.
            Outgoing::Frames(Bytes::copy_from_slice(self.scratch.frame()))
        }
    }

    /// Whether a driver that was just given frames should ask again; if not, the transport is woken in time.
    pub fn has_more(&self, key: SessionKey) -> bool {
        self.sessions.has_more(key)
    }

    /// Puts what waits for a session into the scratch buffer.
    fn assemble(&mut self, index: usize, now: Instant) {
        let session = &mut self.sessions[index];
        if session.closing.is_some() && session.subs.len() > 0 {
            // What came since for subscriptions that still have to end.
            session.outbox.drop_data();
        }
        assemble(session, &self.topics, now, &mut self.metrics, &mut self.scratch);
        session.outbox.release();
        if session.has_untold {
            // What it lost cannot be told in its dialect, so it starts over.
            self.close(self.sessions.key(index), CloseReason::Slow, now);
            return;
        }
        if session.paused && !session.must_wait() {
            session.paused = false;
            session.transport.resume();
        }
        let waits = session.job.is_some() || session.requests.is_some() || session.is_behind;
        if waits && !session.at_work && !session.outbox.is_paused() {
            self.line_up(index);
        }
    }

    /// Whether the driver should read no more for now; the transport's `resume` tells when it may again.
    pub fn must_pause(&mut self, key: SessionKey) -> bool {
        let Some(session) = self.get(key) else { return false };
        session.paused = session.must_wait();
        session.paused
    }

    /// Bytes came from the client.
    pub fn heard(&mut self, key: SessionKey, now: Instant) {
        self.excuse(now);
        if let Some(session) = self.get(key) {
            session.liveness.heard(now);
        }
    }

    /// A ping frame came: it is answered, unless the client floods.
    pub fn pinged(&mut self, key: SessionKey, payload: &[u8], now: Instant) {
        let Some(session) = self.get(key) else { return };
        if session.closing.is_some() {
            return;
        }
        if session.pings.take(now, PING_RATE.0, PING_RATE.1) {
            session.outbox.cold().wire.push_back(Wire::Pong(payload.into()));
            self.touch(key.index);
            self.wake_dirty();
        } else {
            self.close(key, CloseReason::RateLimited(Flood::Pings), now);
        }
    }

    /// A pong frame came.
    pub fn ponged(&mut self, key: SessionKey, now: Instant) {
        if let Some(session) = self.get(key) {
            session.liveness.ponged(now);
        }
    }

    /// Starts to close a session: it loses its subscriptions and whatever data waits, says goodbye, and is cut when
    /// the client does not answer in time.
    pub fn close(&mut self, key: SessionKey, reason: CloseReason, now: Instant) {
        let Some(session) = self.get(key) else { return };
        if let Some(closing) = &mut session.closing {
            // A close frame that crosses ours, or that answers it, ends the handshake.
            closing.answered |= matches!(reason, CloseReason::Client(_));
            session.transport.wake();
            return;
        }
        let patience = if reason.is_eviction() { EVICT_TIMEOUT } else { CLOSE_TIMEOUT };
        session.closing = Some(Box::new(Closing {
            reason,
            deadline: now + patience,
            close_sent: false,
            answered: matches!(reason, CloseReason::Client(_)),
        }));
        let frame = reason.frame();
        self.metrics.closed(reason, || self.subject(key.index));
        self.unsubscribe_all(key.index);
        let session = &mut self.sessions[key.index];
        if reason.says_bye() {
            let after_ms = reason.spread().map(|spread| {
                let most = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
                rand::RngExt::random_range(&mut rand::rng(), 0..=most)
            });
            let Frame { code, text: msg, reconnect, .. } = frame;
            session.say(&Reply::Goodbye(Goodbye { code, msg, reconnect, after_ms }));
            if let (Framing::Sse, Some(ms)) = (session.framing, after_ms) {
                session.outbox.cold().wire.push_back(Wire::Retry(ms));
            }
        }
        tracing::debug!(
            session = session.name(&self.node),
            reason = frame.label,
            code = frame.code,
            "closing"
        );
        if session.paused {
            session.paused = false;
            session.transport.resume();
        }
        session.transport.wake();
    }

    /// After a violation nothing the client sends can be understood: whatever comes once our close frame is out
    /// counts as its answer.
    pub fn answered(&mut self, key: SessionKey) {
        if let Some(closing) = self.get(key).and_then(|session| session.closing.as_mut())
            && closing.close_sent
        {
            closing.answered = true;
            self.sessions[key.index].transport.wake();
        }
    }

    /// Whether the session is on its way out, and why.
    pub fn closing(&mut self, key: SessionKey) -> Option<CloseReason> {
        self.get(key)?.closing()
    }

    /// The connection is gone: forgets the session.
    pub fn leave(&mut self, key: SessionKey, now: Instant) {
        let Some(session) = self.get(key) else { return };
        if session.closing.is_none() {
            self.close(key, CloseReason::Disconnected, now);
        }
        self.metrics.left(self.sessions[key.index].framing);
        self.abandon(key.index);
    }

    /// Gives the shard up: its task ends at its next sweep.
    pub const fn fail(&mut self) {
        self.has_failed = true;
    }

    /// Sessions here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is no session here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.len() == 0
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.hub.close_lane(&self.intake.lane);
    }
}

/// Drives a shard: events from its lane, timers, heartbeats, and the goodbyes when `drain` is cancelled, spread over
/// `window`, or over a shorter time when `hurry` was cancelled. Completes when the shard was [given up](Shard::fail);
/// else it is dropped with its worker.
pub async fn run(
    shard: Rc<RefCell<Shard>>,
    drain: CancellationToken,
    hurry: CancellationToken,
    window: Duration,
) {
    let lane = Arc::clone(&shard.borrow().intake.lane);
    let mut sweep = tokio::time::interval(sweep::sweep_interval(&shard.borrow().config));
    let has_work = Rc::clone(&shard.borrow().sessions.has_work);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut letters = shard.borrow_mut().take_letters();
    let mut draining = false;
    loop {
        let next = shard.borrow().next_timer();
        let timer = async {
            match next {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = lane.woken() => {
                shard.borrow_mut().drain_lane();
                // A long burst is handed out in turns. After each the runtime looks at the sockets: a shard that is always
                // busy would otherwise starve the sessions whose sockets have room again.
                loop {
                    let more = shard.borrow_mut().fan_out();
                    tokio::task::yield_now().await;
                    if !more {
                        break;
                    }
                }
            }
            () = has_work.notified() => {
                // One turn only: events and timers get theirs, too.
                if shard.borrow_mut().work() {
                    has_work.notify_one();
                }
                tokio::task::yield_now().await;
            }
            letter = next_letter(&mut letters) => {
                // One a turn, as with work.
                shard.borrow_mut().open_letter(letter);
                tokio::task::yield_now().await;
            }
            _ = sweep.tick() => {
                drill::strike("shard");
                if shard.borrow().has_failed {
                    return;
                }
                shard.borrow_mut().sweep();
            }
            () = timer => shard.borrow_mut().fire_timers(),
            () = drain.cancelled(), if !draining => {
                draining = true;
                let window = if hurry.is_cancelled() { window.min(FAULT_DRAIN) } else { window };
                sweep = tokio::time::interval(shard.borrow_mut().start_drain(window));
            }
        }
    }
}

/// The next letter; never, where another drives the shard's mailbox.
async fn next_letter(letters: &mut Option<Letters>) -> Letter {
    if let Some(letters) = letters
        && let Some(letter) = letters.recv().await
    {
        return letter;
    }
    std::future::pending().await
}
