//! One connection to a venue: greeting, credentials, requests, signs of life. It hands up what it receives in order; it
//! does not judge whether that is new.

use std::{collections::BTreeSet, time::Duration};

use super::{
    UpstreamPlan,
    broken::{Break, Reason},
    pacer::{FrameKind, RequestPacer},
    requests::{Answered, Requests},
    socket::{Received, Socket},
    strange::Strange,
    tap::Frame,
};
use crate::{
    clock::Instant,
    dialect::{Ack, Message, Refusal, RefusalClass, Sequence},
    feed::Publisher,
    limits::{LATE, UPSTREAM_BURST_FRAMES},
    market::{LossWhy, Symbol, Tick},
};

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for the venue's greeting.
    Greeting(Instant),
    /// The credentials were sent.
    Authenticating(Instant),
    /// Requests are taken.
    Open,
}

/// A tick under our name, with its place among the venue's.
pub(super) type SequencedTick = (Tick, Option<Sequence>);

/// What a connection received since the last call.
#[derive(Debug, Default)]
pub(super) struct LinkUpdate {
    /// Any frame came, also a ping or pong.
    pub(super) is_alive: bool,
    /// Ticks under our names, in order.
    pub(super) ticks: Vec<SequencedTick>,
    /// Numbers of the newest trades; they count after the ticks.
    pub(super) marks: Vec<(Symbol, u64)>,
    /// Symbols that are confirmed now.
    pub(super) on: Vec<Symbol>,
    /// Symbols that the venue refuses, with its words.
    pub(super) refused: Vec<(Symbol, String)>,
    /// Symbols for which the connection has no place.
    pub(super) without_place: Vec<Symbol>,
    /// Whether the whole venue works, if it said so.
    pub(super) online: Option<bool>,
    /// The venue will end this connection.
    pub(super) shutdown: bool,
    /// A frame could not be read, so any tick may be missing. `ticks` came before it.
    pub(super) unreadable: Option<LossWhy>,
}

impl LinkUpdate {
    fn answered(&mut self, answered: Answered) {
        self.on.extend(answered.on);
        self.refused.extend(answered.refused);
        self.without_place.extend(answered.without_place);
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    socket: Socket,
    pacer: RequestPacer,
    phase: Phase,
    pub(super) requests: Requests,
    pub(super) opened: Instant,
    heard: Instant,
    pinged: bool,
    /// A ping waits to be sent.
    ping_due: bool,
    messages: Vec<Message>,
    /// The venue's newest refusal, in its words.
    words: Option<String>,
    strange: Strange,
}

impl Link {
    /// Connects, and asks for these symbols as soon as it may.
    ///
    /// # Cancel safety
    /// A connection half made is dropped.
    pub(super) async fn open(plan: &UpstreamPlan, symbols: &BTreeSet<Symbol>) -> Result<Self, Break> {
        plan.hold.passed().await;
        let socket = Socket::connect(plan).await?;
        let now = Instant::now();
        let phase = if plan.credentials.is_some() { Phase::Greeting(now) } else { Phase::Open };
        let mut requests = Requests::new(plan.venue);
        symbols.iter().for_each(|symbol| requests.want(*symbol));
        Ok(Self {
            socket,
            pacer: RequestPacer::new(plan.venue.frame_limit()),
            phase,
            requests,
            opened: now,
            heard: now,
            pinged: false,
            ping_due: false,
            messages: Vec::new(),
            words: None,
            strange: Strange::default(),
        })
    }

    /// Waits for a frame.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn frame(&mut self) -> Result<Received, Break> {
        if self.socket.owes_pong() {
            if let Some(at) = self.pacer.ready(FrameKind::Keepalive) {
                tokio::time::sleep_until(at).await;
            }
            self.pong().await?;
        }
        self.socket.next().await
    }

    /// Answers a ping. Returns when that was done.
    async fn pong(&mut self) -> Result<Instant, Break> {
        self.socket.pong().await?;
        let now = Instant::now();
        self.pacer.sent(FrameKind::Keepalive, now);
        Ok(now)
    }

    /// Takes a frame and all further ones that are already there.
    ///
    /// # Cancel safety
    /// Frames are lost when the future is dropped.
    pub(super) async fn read(
        &mut self,
        first: Result<Received, Break>,
        plan: &UpstreamPlan,
        out: &Publisher,
        update: &mut LinkUpdate,
    ) -> Result<(), Break> {
        let names = plan.names();
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(received) = next {
            taken += 1;
            self.heard = Instant::now();
            self.pinged = false;
            let received = received?;
            update.is_alive = true;
            if let Received::Message(bytes) = received {
                let tr = out.clock().now();
                if let Some(tap) = &plan.tap {
                    tap.send(Frame { tr, bytes: bytes.clone() }).await;
                }
                out.count_message();
                let read = plan.venue.parse_as(&bytes, tr, &*names, &mut self.messages);
                if let Some(why) = self.strange.take(plan.venue, &bytes, &self.messages) {
                    tracing::warn!(feed = %out.name(), "{why}");
                }
                if let Err(error) = read {
                    out.count_parse_error(&error);
                    update.unreadable = Some(LossWhy::Venue);
                    break;
                }
                self.take(plan, out, update).await?;
            }
            // After the last frame of a turn, leave the next one in the socket.
            next = if taken < UPSTREAM_BURST_FRAMES { self.socket.now() } else { None };
        }
        Ok(())
    }

    async fn take(
        &mut self,
        plan: &UpstreamPlan,
        out: &Publisher,
        update: &mut LinkUpdate,
    ) -> Result<(), Break> {
        let mut messages = std::mem::take(&mut self.messages);
        for message in messages.drain(..) {
            if let Some(rule) = message.rule() {
                out.count_ignored(rule);
            }
            match message {
                Message::Tick { tick, sequence } => update.ticks.push((tick, sequence)),
                Message::Ack(Ack::Connected) => self.greeted(plan).await?,
                Message::Ack(Ack::Authenticated) => self.phase = Phase::Open,
                Message::Ack(Ack::Request(id)) => update.answered(self.requests.answered(id)),
                Message::Ack(Ack::Listed(list)) => {
                    update.answered(self.requests.listed(&list, &plan.names(), Instant::now()));
                }
                Message::Refused(refusal) => self.refused(plan, &refusal, update)?,
                Message::Status { online } => update.online = Some(online),
                Message::Shutdown => update.shutdown = true,
                Message::Mark { symbol, last_trade } => update.marks.push((symbol, last_trade)),
                Message::Heartbeat | Message::Unnamed(_) | Message::Ignored(_) | Message::Unknown => {}
            }
        }
        self.messages = messages;
        Ok(())
    }

    async fn greeted(&mut self, plan: &UpstreamPlan) -> Result<(), Break> {
        let Some(credentials) = &plan.credentials else { return Ok(()) };
        let frame = plan.venue.authenticate(credentials.key.reveal(), credentials.secret.reveal());
        match frame {
            Some(frame) => {
                self.socket.send(frame).await?;
                let now = Instant::now();
                self.pacer.sent(FrameKind::Request, now);
                self.phase = Phase::Authenticating(now);
            }
            None => self.phase = Phase::Open,
        }
        Ok(())
    }

    fn refused(
        &mut self,
        plan: &UpstreamPlan,
        refusal: &Refusal,
        update: &mut LinkUpdate,
    ) -> Result<(), Break> {
        let shown = match refusal.code {
            Some(code) => format!("{code} {}", refusal.words),
            None => refusal.words.clone(),
        };
        self.words = Some(shown.clone());
        // A stream or a plan without trading states refuses only those.
        let is_of_states = self.requests.is_of_states();
        match refusal.class {
            RefusalClass::Credentials if !is_of_states => return Err(Reason::Auth.because(shown)),
            RefusalClass::Connections => return Err(Reason::RateLimited.because(shown)),
            RefusalClass::Remark => {
                tracing::warn!(venue = plan.venue.as_str(), "the venue remarks: {shown}");
                return Ok(());
            }
            RefusalClass::Venue if self.phase != Phase::Open => return Err(Reason::Closed.because(shown)),
            _ if self.phase != Phase::Open => return Err(Reason::Auth.because(shown)),
            RefusalClass::Rate => self.pacer.slow_down(Instant::now()),
            RefusalClass::Symbol
            | RefusalClass::Place
            | RefusalClass::Channel
            | RefusalClass::Credentials
            | RefusalClass::Venue => {}
        }
        let answered = self.requests.refused(refusal, &plan.names(), Instant::now());
        if is_of_states {
            tracing::info!(venue = plan.venue.as_str(), "no trading states on this stream: {shown}");
        } else if !answered.is_known || refusal.class != RefusalClass::Symbol {
            tracing::warn!(venue = plan.venue.as_str(), "the venue complains: {shown}");
        }
        update.answered(answered);
        Ok(())
    }

    /// Sends what is due: requests, and a ping after half of the allowed silence. If the process was held up, it judges nothing
    /// and returns how late it was.
    ///
    /// # Cancel safety
    /// A frame may have been sent in part, and then the connection cannot be used any more.
    pub(super) async fn sweep(&mut self, plan: &UpstreamPlan) -> Result<Duration, Break> {
        let now = Instant::now();
        let late = now.saturating_duration_since(self.judged_at(plan));
        if late > LATE {
            // The process was held up. Read the frames that wait in the socket first.
            self.excuse(now, late);
            return Ok(late);
        }
        if now >= self.heard + plan.silence_timeout {
            let silence = plan.silence_timeout.as_millis();
            return Err(Reason::Silent.because(format!("nothing came for {silence} ms")));
        }
        match self.phase {
            Phase::Greeting(since) | Phase::Authenticating(since) if now >= since + plan.answer_timeout => {
                return Err(Reason::Unanswered.because("the venue does not let us in"));
            }
            Phase::Greeting(_) | Phase::Authenticating(_) => return Ok(Duration::ZERO),
            Phase::Open => {}
        }
        if self.requests.waiting_since().is_some_and(|since| now >= since + plan.answer_timeout) {
            return Err(Reason::Unanswered.because("a request was not answered"));
        }
        if !self.pinged && now >= self.heard + plan.silence_timeout / 2 {
            (self.pinged, self.ping_due) = (true, true);
        }
        self.send_due(plan, now).await?;
        Ok(Duration::ZERO)
    }

    /// Sends as much as the pacer allows. Any send also flushes a pending pong, so the pong goes first.
    async fn send_due(&mut self, plan: &UpstreamPlan, mut now: Instant) -> Result<(), Break> {
        if self.socket.owes_pong() {
            if !self.pacer.is_ready(FrameKind::Keepalive, now) {
                return Ok(());
            }
            now = self.pong().await?;
        }
        if self.ping_due && self.pacer.is_ready(FrameKind::Keepalive, now) {
            self.ping_due = false;
            match self.requests.ping() {
                Some(frame) => self.socket.send(frame).await?,
                None => self.socket.ping().await?,
            }
            now = Instant::now();
            self.pacer.sent(FrameKind::Keepalive, now);
        }
        let names = plan.names();
        while self.pacer.is_ready(FrameKind::Request, now)
            && let Some(frame) = self.requests.poll(&names, now)
        {
            self.socket.send(frame).await?;
            now = Instant::now();
            self.pacer.sent(FrameKind::Request, now);
        }
        Ok(())
    }

    /// Restarts the times that the venue has for everything.
    fn excuse(&mut self, now: Instant, late: Duration) {
        (self.heard, self.pinged) = (now, false);
        self.requests.excuse(now, late);
        match &mut self.phase {
            Phase::Greeting(since) | Phase::Authenticating(since) => *since = now,
            Phase::Open => {}
        }
    }

    /// When to check whether the venue is late.
    fn judged_at(&self, plan: &UpstreamPlan) -> Instant {
        let half = if self.pinged { plan.silence_timeout } else { plan.silence_timeout / 2 };
        let since = match self.phase {
            Phase::Greeting(since) | Phase::Authenticating(since) => Some(since),
            Phase::Open => self.requests.waiting_since(),
        };
        let alive = self.heard + half;
        since.map_or(alive, |since| alive.min(since + plan.answer_timeout))
    }

    /// When [`sweep`](Self::sweep) has something to do next.
    pub(super) fn next(&self, plan: &UpstreamPlan) -> Instant {
        let judged = self.judged_at(plan);
        if self.phase != Phase::Open {
            return judged;
        }
        let now = Instant::now();
        let paced = |at: Instant, kind| self.pacer.ready(kind).map_or(at, |ready| at.max(ready));
        let request = self.requests.next(now).map(|at| paced(at, FrameKind::Request));
        let is_due = self.ping_due || self.socket.owes_pong();
        let ping = is_due.then(|| paced(now, FrameKind::Keepalive));
        [request, ping, self.requests.decides_at(now)].into_iter().flatten().fold(judged, Instant::min)
    }

    /// Decides what the answers have left open for too long.
    pub(super) fn decide(&mut self, update: &mut LinkUpdate) {
        update.answered(self.requests.decide(Instant::now()));
    }

    /// Whether requests are taken.
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// The venue's newest refusal, in its words.
    pub(super) fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }

    /// Frames that were sent: all, and most within one window of the venue's limit.
    pub(super) const fn sent(&self) -> (u64, usize) {
        self.pacer.counts()
    }

    /// Whether it has all its subscriptions.
    pub(super) fn is_settled(&self) -> bool {
        self.is_open() && self.requests.is_settled()
    }

    /// A complaint about the connection, at its end.
    pub(super) fn complaint(&self, plan: &UpstreamPlan) -> Option<String> {
        self.strange.end(plan.venue)
    }

    /// Closes in the background.
    pub(super) fn close(self) {
        tokio::spawn(self.say_goodbye());
    }

    /// Closes the connection, as soon as the pacer allows a frame.
    pub(super) async fn say_goodbye(self) {
        if let Some(at) = self.pacer.ready(FrameKind::Keepalive) {
            tokio::time::sleep_until(at).await;
        }
        self.socket.close().await;
    }
}
