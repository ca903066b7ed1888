//! One client: what it subscribed to, what waits for it, and whether it is alive.

use std::{num::NonZeroU16, rc::Rc, time::Duration, vec::IntoIter};

use super::{
    Admission, CloseReason, Framing, Protocol, SessionConfig, Transport,
    bucket::Bucket,
    grants::Access,
    job::{Job, Joining},
    liveness::Liveness,
    outbox::Outbox,
    position::Position,
    queue::Streamed,
    subs::Subs,
    subscription::{Delivery, EventRef, Lost, PatternSubscription, Pending, RateLimit, SubIndex},
};
use crate::{
    clock::Instant,
    dialect::{Gap, Messages, Reply, Request},
    market::{MustDeliver, Symbol},
};

/// What a session has had, for `info`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) delivered: u64,
    pub(super) merged: u64,
    pub(super) dropped: u64,
}

/// What a session needs to tell positions, apart from its subscriptions.
#[derive(Debug)]
pub(super) struct Track {
    /// Incarnation of the numbers.
    pub(super) epoch: String,
}

/// On its way out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closing {
    pub(super) reason: CloseReason,
    /// The connection is cut at this time whatever the client does.
    pub(super) deadline: Instant,
    pub(super) close_sent: bool,
    pub(super) answered: bool,
}

/// One client. After each write into a socket little of a session is left in the processor's cache, and the next event
/// fetches it again: what fan-out touches is in the first line of the cache, what each write touches in the next two.
#[repr(C, align(64))]
pub(super) struct Session {
    /// Among the shard's dirty sessions.
    pub(super) dirty: bool,
    /// Waits among the paced ones until it may be written to again.
    pub(super) held: bool,
    /// Something waits that does not wait for the pace.
    pub(super) urgent: bool,
    /// Its reader waits for the control queue to drain.
    pub(super) paused: bool,
    pub(super) framing: Framing,
    pub(super) flush: Flush,
    /// No write of data before this.
    pub(super) next_write: Instant,
    pub(super) outbox: Outbox,
    pub(super) transport: Rc<dyn Transport>,
    /// Something was lost that its dialect has no word for: it must end.
    pub(super) has_untold: bool,
    /// Where the transport tells positions.
    pub(super) track: Option<Box<Track>>,
    pub(super) closing: Option<Box<Closing>>,
    pub(super) counts: Counts,
    pub(super) liveness: Liveness,
    pub(super) subs: Subs,
    pub(super) serial: u64,
    /// Gives the session's place back when the session goes.
    pub(super) admission: Option<Admission>,
    pub(super) patterns: Vec<PatternSubscription>,
    /// How many topics its patterns were matched against.
    pub(super) known: u32,
    /// Whether there are more by now.
    pub(super) is_behind: bool,
    /// Stands in the shard's queue for work.
    pub(super) at_work: bool,
    /// Its connection has gone: it is there until its subscriptions have ended.
    pub(super) gone: bool,
    /// Requests of the last message that wait for those before them.
    pub(super) requests: Option<Box<IntoIter<Request>>>,
    /// The command under way.
    pub(super) job: Option<Box<Job>>,
    /// Beside WebSocket: the subscriptions that it is still to get.
    pub(super) joining: Option<Box<Joining>>,
    /// Units of work that its commands had at once, since it last waited for a turn.
    pub(super) spent: usize,
    /// Whether a pattern has stopped growing for want of room, which is told once.
    pub(super) following_full: bool,
    /// What it may have; nothing is here where that is everything.
    pub(super) access: Option<Box<Access>>,
    /// Whether it wants to be told of another numbering, instead of being closed.
    pub(super) resyncs: bool,
    pub(super) statuses: usize,
    pub(super) commands: Bucket,
    pub(super) pings: Bucket,
    pub(super) refused_in_a_row: u32,
    /// When a drain says goodbye to it.
    pub(super) leaves_at: Option<Instant>,
}

const _: () = assert!(std::mem::offset_of!(Session, outbox) + Outbox::HOT <= 64, "fan-out touches one line");

/// A client's own time between two writes, if it has one; small, since it is looked at for every event.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flush(Option<NonZeroU16>);

impl Flush {
    /// That time, in whole milliseconds.
    pub(super) fn of(time: Duration) -> Self {
        let millis = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        Self(NonZeroU16::new(millis.saturating_add(1)))
    }

    /// The client's own time.
    pub(super) fn own(self) -> Option<Duration> {
        self.0.map(|more| Duration::from_millis(u64::from(more.get() - 1)))
    }
}

/// What became of an event that was offered to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// Queued.
    Queued,
    /// Replaced one that was still waiting.
    Merged,
    /// Waits for its time, which the shard is to keep: [`Delivery::keep_time`] tells it.
    Timer,
}

impl Session {
    /// A session to which nothing was said yet.
    pub(super) fn new(
        serial: u64,
        framing: Framing,
        transport: Rc<dyn Transport>,
        admission: Option<Admission>,
        now: Instant,
    ) -> Self {
        Self {
            dirty: false,
            held: false,
            urgent: false,
            paused: false,
            framing,
            flush: Flush::default(),
            next_write: now,
            outbox: Outbox::default(),
            transport,
            track: None,
            closing: None,
            counts: Counts::default(),
            liveness: Liveness::new(now),
            subs: Subs::default(),
            serial,
            has_untold: false,
            admission,
            patterns: Vec::new(),
            known: 0,
            is_behind: false,
            at_work: false,
            gone: false,
            requests: None,
            job: None,
            joining: None,
            spent: 0,
            following_full: false,
            access: None,
            resyncs: false,
            statuses: 0,
            commands: Bucket::new(now),
            pings: Bucket::new(now),
            refused_in_a_row: 0,
            leaves_at: None,
        }
    }

    /// What it speaks.
    pub(super) const fn protocol(&self) -> Protocol {
        self.framing.protocol()
    }

    /// The gateway was held up for `late`: none of the session's deadlines counts that time, and what came meanwhile is within
    /// its limits.
    pub(super) fn excuse(&mut self, late: Duration, now: Instant) {
        self.liveness.excuse(late, now);
        self.transport.excuse(late);
        self.commands.excuse(late);
        self.pings.excuse(late);
        if let Some(closing) = &mut self.closing {
            closing.deadline += late;
        }
    }

    /// Its name on that node, in messages and logs.
    pub(super) fn name(&self, node: &str) -> String {
        match &self.admission {
            Some(admission) => format!("{node}-{}", admission.serial()),
            None => format!("{node}-refused"),
        }
    }

    /// Says something in the control queue, if the dialect has a word for it.
    pub(super) fn say(&mut self, reply: &Reply<'_>) {
        let messages = self.protocol().write(reply);
        self.outbox.say(&messages);
    }

    /// Adds the gap of a subscription to `messages`. A dialect without a word for it must not skip it silently.
    pub(super) fn write_gap(&mut self, gap: Gap, messages: &mut Messages) {
        let before = messages.len();
        self.protocol().dialect().write(&Reply::Gap(gap), messages);
        self.has_untold |= messages.len() == before;
    }

    /// Hands one event, of that many bytes, to a subscription that gets every one; the queue holds `cap` bytes. Returns how many older events went for it.
    #[inline]
    pub(super) fn enqueue(&mut self, sub: SubIndex, (event, size): (&EventRef, usize), cap: usize) -> u64 {
        self.outbox.stream.push_event(sub, event, size);
        if self.outbox.stream.bytes() <= cap {
            return 0;
        }
        let dropped = self.outbox.shorten(cap, &mut self.subs);
        self.counts.dropped += dropped;
        dropped
    }

    /// Hands one event to a subscription that merges, or to one of the control queue.
    #[inline]
    pub(super) fn offer(&mut self, sub: SubIndex, event: &EventRef, now: Instant) -> Offered {
        let Delivery::Merge { pending, limit } = &mut self.subs[sub].delivery else {
            self.outbox.push_status(sub, Rc::clone(event));
            return Offered::Queued;
        };
        match (*pending, limit) {
            (Pending::No, Some(limit)) if limit.next > now => {
                *pending = Pending::Timer;
                Offered::Timer
            }
            (Pending::No, _) => {
                *pending = Pending::Socket;
                self.outbox.merge.push_back(sub);
                Offered::Queued
            }
            (Pending::Socket | Pending::Queue | Pending::Timer, _) => {
                self.counts.merged += 1;
                Offered::Merged
            }
        }
    }

    /// Hands an event that must be delivered to a subscription that merges: it goes through the stream queue, whatever
    /// the rate limit. Returns how many older events went for it.
    pub(super) fn offer_whole(&mut self, sub: SubIndex, event: &EventRef, config: &SessionConfig) -> u64 {
        self.subs[sub].queued += 1;
        self.enqueue(sub, (event, event.bytes().len()), config.stream_bytes)
    }

    /// A stream, sent up to `sent`, becomes a merge. What must be delivered stays in the queue, and a gap stays where it
    /// is, on channels that have such events; a newer one that is replaceable comes after them. Elsewhere the newest
    /// event stands for all that waits.
    pub(super) fn become_merge(
        &mut self,
        sub: SubIndex,
        limit: Option<Box<RateLimit>>,
        newest: Option<&EventRef>,
        sent: u64,
    ) {
        let queued = if self.subs[sub].channel.must_deliver() == MustDeliver::None {
            self.outbox.purge(|other| other == sub);
            self.subs[sub].gap = None;
            0
        } else {
            self.outbox.drop_replaceable(sub)
        };
        let is_behind = newest.is_some_and(|newest| newest.n > sent && newest.is_replaceable());
        let pending = match (is_behind, queued) {
            (false, _) => Pending::No,
            (true, 0) => Pending::Socket,
            (true, _) => Pending::Queue,
        };
        if pending == Pending::Socket {
            self.outbox.merge.push_back(sub);
        }
        self.subs[sub].delivery = Delivery::Merge { pending, limit };
        (self.subs[sub].sent, self.subs[sub].queued) = (sent, queued);
    }

    /// Before a merge becomes a stream: says the events that must be delivered, and gaps of them, that wait in the stream
    /// queue ahead of the answer. What follows the answer has no holes then. Returns how many gaps that are.
    pub(super) fn say_queued(&mut self, sub: SubIndex, symbol: Symbol) -> u64 {
        let mut messages = self.protocol().messages();
        let subscription = &self.subs[sub];
        let (mut gaps, mut sent) = (0, subscription.sent);
        let first = subscription.gap.as_deref().copied();
        let queued = self.outbox.stream.iter().filter(|entry| entry.sub() == sub);
        let entries: Vec<_> =
            first.map(|lost| Streamed::Gap { sub, lost }).into_iter().chain(queued).collect();
        for entry in entries {
            match entry {
                Streamed::Event { event, .. } => {
                    sent = event.n;
                    messages.push(event.bytes());
                }
                Streamed::Gap { lost, .. } => {
                    sent = lost.to;
                    gaps += 1;
                    self.write_gap(self.subs[sub].gap(symbol, lost), &mut messages);
                }
            }
        }
        self.outbox.purge(|other| other == sub);
        let subscription = &mut self.subs[sub];
        (subscription.sent, subscription.gap, subscription.queued) = (sent, None, 0);
        self.outbox.say(&messages);
        gaps
    }

    /// Where the client stands once it has taken everything that was written. `None` where positions are not told.
    pub(super) fn stands(&self) -> Option<Position> {
        let track = self.track.as_ref()?;
        let known = (!self.patterns.is_empty()).then_some(self.known);
        Some(Position::of(&track.epoch, &self.subs, known))
    }

    /// Number up to which the client has a subscription's events, or was told of their loss, when the shard has
    /// handed out everything up to `seen`. What waits is looked for: it is not counted for each event.
    pub(super) fn position(&self, sub: SubIndex, seen: u64) -> u64 {
        let subscription = &self.subs[sub];
        let first = match subscription.delivery {
            Delivery::Merge { .. } => return subscription.sent,
            Delivery::Stream => {
                let queued =
                    self.outbox.stream.iter().find(|entry| entry.sub() == sub).map(|entry| entry.first());
                subscription.gap.as_ref().map(|gap| gap.from).or(queued)
            }
            // What waits in the control queue goes out before the answer that tells the position.
            Delivery::Control => None,
        };
        first.map_or(seen, |first| first - 1)
    }

    /// Tells a subscription of events that the shard itself never got. Streams hear of it, and merges when events that
    /// must be delivered may be among them: they have the newest event anyway. Returns how many older events went for it, if something waits now.
    pub(super) fn lose(
        &mut self,
        sub: SubIndex,
        symbol: Symbol,
        lost: Lost,
        config: &SessionConfig,
    ) -> Option<u64> {
        let mut dropped = 0;
        let subscription = &mut self.subs[sub];
        match &subscription.delivery {
            Delivery::Merge { .. } if subscription.channel.must_deliver() == MustDeliver::None => {
                return None;
            }
            Delivery::Merge { .. } | Delivery::Stream => {
                subscription.queued += u32::from(subscription.merges());
                let cap = config.stream_bytes;
                dropped = self.outbox.push_loss(sub, lost, cap, &mut self.subs);
            }
            Delivery::Control => {
                let (gap, mut messages) = (subscription.gap(symbol, lost), self.protocol().messages());
                self.write_gap(gap, &mut messages);
                self.outbox.say(&messages);
            }
        }
        self.counts.dropped += dropped + lost.to - lost.from + 1;
        Some(dropped)
    }

    /// Whether its commands are read no further for now.
    pub(super) fn must_wait(&self) -> bool {
        self.closing.is_none() && (self.job.is_some() || self.requests.is_some() || self.outbox.is_paused())
    }

    /// Whether nothing is written yet: all that it is to get from the start belongs together.
    pub(super) fn is_joining(&self) -> bool {
        self.closing.is_none() && self.joining.as_ref().is_some_and(|joining| joining.result.is_none())
    }

    /// Whether events alone wait, if anything does, for a client of WebSocket: no answer, no gap and no end.
    #[inline]
    pub(super) fn waits_for_events_alone(&self) -> bool {
        self.outbox.cold.is_none() && self.closing.is_none() && self.track.is_none() && !self.has_untold
    }

    /// Whether something is still to be written: messages, or the end.
    pub(super) fn has_more(&self) -> bool {
        !self.outbox.is_empty() || self.closing.is_some()
    }

    /// Whether the driver has nothing more to do for it.
    pub(super) fn is_over(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.close_sent && closing.answered)
    }

    /// Why it is on its way out, if it is.
    pub(super) fn closing(&self) -> Option<CloseReason> {
        self.closing.as_ref().map(|closing| closing.reason)
    }
}
