//! One client: what it subscribed to, what waits for it, and whether it is alive.

use std::{collections::BTreeMap, rc::Rc};

use serde::Serialize;
use slab::Slab;

use super::{
    Admission, CloseReason, Framing, SessionConfig, Transport,
    bucket::Bucket,
    liveness::Liveness,
    outbox::{Control, Outbox, Streamed},
    position::Track,
    subscription::{Delivery, Following, Lost, Pending, Shared, Subscription},
};
use crate::{clock::Instant, dialect::native::Encoding, hub::TopicId, market::Channel};

/// What a session has had, for `info`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) delivered: u64,
    pub(super) merged: u64,
    pub(super) dropped: u64,
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

/// One client.
pub(super) struct Session {
    pub(super) serial: u64,
    /// Gives the session's place back when the session goes.
    pub(super) _admission: Option<Admission>,
    pub(super) name: String,
    pub(super) encoding: Encoding,
    pub(super) framing: Framing,
    /// On roads that tell positions.
    pub(super) track: Option<Box<Track>>,
    pub(super) transport: Rc<dyn Transport>,
    pub(super) subs: Slab<Subscription>,
    pub(super) by_topic: BTreeMap<(TopicId, Channel), usize>,
    pub(super) following: Vec<Following>,
    /// Whether a pattern has stopped growing for want of room, which is told once.
    pub(super) following_full: bool,
    pub(super) statuses: usize,
    pub(super) outbox: Outbox,
    pub(super) liveness: Liveness,
    pub(super) commands: Bucket,
    pub(super) pings: Bucket,
    pub(super) refused_in_a_row: u32,
    pub(super) counts: Counts,
    pub(super) closing: Option<Closing>,
    /// When a drain says goodbye to it.
    pub(super) leaves_at: Option<Instant>,
    /// Already among the shard's dirty sessions.
    pub(super) dirty: bool,
    /// Its reader waits for the control lane to drain.
    pub(super) paused: bool,
}

/// What became of an event that was offered to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// Queued; so many older events went for it.
    Queued { dropped: u64 },
    /// Replaced one that was still waiting.
    Merged,
    /// Waits for its time.
    Timer(Instant),
}

impl Session {
    /// Says one message in the control lane.
    pub(super) fn say(&mut self, message: &impl Serialize) {
        let bytes = self.encoding.encode(message);
        self.outbox.say(1, bytes);
    }

    /// Hands one event to a subscription that gets every one.
    pub(super) fn enqueue(&mut self, sub: usize, event: &Shared, config: &SessionConfig) -> Offered {
        let entry = Streamed::Event { sub, event: Rc::clone(event) };
        let dropped = self.outbox.push_stream(entry, self.encoding, config.stream_bytes, &mut self.subs);
        self.counts.dropped += dropped;
        Offered::Queued { dropped }
    }

    /// Hands one event to a subscription that merges, or to one of the control lane.
    pub(super) fn offer(&mut self, sub: usize, event: &Shared, now: Instant) -> Offered {
        let Delivery::Merge { pending, pace } = &mut self.subs[sub].delivery else {
            self.outbox.push_status(sub, Rc::clone(event));
            return Offered::Queued { dropped: 0 };
        };
        match (*pending, pace) {
            (Pending::No, Some(pace)) if pace.next > now => {
                *pending = Pending::Until(pace.next);
                Offered::Timer(pace.next)
            }
            (Pending::No, _) => {
                *pending = Pending::Socket;
                self.outbox.merge.push_back(sub);
                Offered::Queued { dropped: 0 }
            }
            (Pending::Socket | Pending::Until(_), _) => {
                self.counts.merged += 1;
                Offered::Merged
            }
        }
    }

    /// Number up to which the client has a subscription's events, or was told of their loss, when the shard has
    /// handed out everything up to `seen`. What waits is looked for: it is not counted for each event.
    pub(super) fn position(&self, sub: usize, seen: u64) -> u64 {
        let subscription = &self.subs[sub];
        let first = match subscription.delivery {
            Delivery::Merge { .. } => return subscription.sent,
            Delivery::Stream => {
                let queued = self.outbox.stream.iter().find(|entry| entry.sub() == sub).map(Streamed::first);
                subscription.gap.map(|gap| gap.from).or(queued)
            }
            Delivery::Control => self.outbox.control.iter().find_map(|control| match control {
                Control::Event { sub: of, event } if *of == sub => Some(event.n),
                Control::Event { .. } | Control::Messages { .. } => None,
            }),
        };
        first.map_or(seen, |first| first - 1)
    }

    /// Tells a subscription of events that the shard itself never got. Only streams hear of it: a merge has its
    /// newest event anyway. Returns whether something waits now, and how many older events went for it.
    pub(super) fn lose(&mut self, sub: usize, lost: Lost, config: &SessionConfig) -> Option<u64> {
        let mut dropped = 0;
        match self.subs[sub].delivery {
            Delivery::Merge { .. } => return None,
            Delivery::Stream => {
                let entry = Streamed::Gap { sub, lost };
                dropped = self.outbox.push_stream(entry, self.encoding, config.stream_bytes, &mut self.subs);
            }
            Delivery::Control => {
                let gap = self.subs[sub].gap_message(lost);
                self.say(&gap);
            }
        }
        self.counts.dropped += dropped + lost.to - lost.from + 1;
        Some(dropped)
    }

    /// Whether the driver has nothing more to do for it.
    pub(super) fn is_over(&self) -> bool {
        self.closing.is_some_and(|closing| closing.close_sent && closing.answered)
    }
}
