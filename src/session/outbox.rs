//! What waits for one client: a control queue that data never blocks, a stream queue bounded in bytes, and the set of
//! merged events. Nothing here is assembled into frames before the socket can take them.

use std::collections::VecDeque;

use super::{
    SessionConfig,
    queue::{StreamQueue, Streamed, start_over},
    subs::Subs,
    subscription::{EventRef, Lost, SubIndex, Why},
};
use crate::{
    dialect::Messages,
    limits::{CONTROL_PAUSE, CONTROL_PAUSE_BYTES, STATUS_PER_SYMBOL},
};

/// One entry of the control queue: never split over two frames, never dropped.
#[derive(Debug)]
pub(super) enum Control {
    /// Messages of one frame, joined as the dialect joins them.
    Messages { count: u32, bytes: Box<[u8]> },
    /// A status event of that subscription.
    Event { sub: SubIndex, event: EventRef },
}

/// Frames besides data frames.
#[derive(Debug)]
pub(super) enum Wire {
    Ping,
    Pong(Box<[u8]>),
    /// A comment, so that proxies and the client see that the event stream lives.
    Comment,
    /// The time after which a client opens an event stream again, in milliseconds.
    Retry(u64),
    /// A client's own message on its way back.
    #[cfg(feature = "test-endpoints")]
    Echo {
        text: bool,
        payload: Box<[u8]>,
    },
}

/// What seldom waits.
#[derive(Debug, Default)]
pub(super) struct ColdOutbox {
    pub(super) control: VecDeque<Control>,
    control_bytes: usize,
    statuses: usize,
    pub(super) wire: VecDeque<Wire>,
    /// Subscriptions with a gap to tell.
    pub(super) gapped: VecDeque<SubIndex>,
}

impl ColdOutbox {
    pub(super) fn pop_control(&mut self) -> Option<Control> {
        let control = self.control.pop_front()?;
        match &control {
            Control::Messages { bytes, .. } => self.control_bytes -= bytes.len(),
            Control::Event { .. } => self.statuses -= 1,
        }
        Some(control)
    }

    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.wire.is_empty() && self.gapped.is_empty()
    }
}

/// Everything that waits. What fan-out touches for each event comes first; what is rarely there is in a box that
/// goes when it is empty, so that neither an idle session nor a streaming one has it in memory or in the way.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Outbox {
    pub(super) stream: StreamQueue,
    pub(super) cold: Option<Box<ColdOutbox>>,
    /// Subscriptions with a merged event for the socket, in the order in which they became pending.
    pub(super) merge: VecDeque<SubIndex>,
}

impl Outbox {
    /// Bytes of its front that fan-out touches for each event.
    pub(super) const HOT: usize = StreamQueue::HOT;

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.stream.is_empty() && self.cold.is_none() && self.merge.is_empty()
    }

    /// Bytes of answers that wait.
    #[cfg(test)]
    pub(super) fn control_bytes(&self) -> usize {
        self.cold.as_ref().map_or(0, |cold| cold.control_bytes)
    }

    /// Whether reading commands should pause until replies were taken.
    pub(super) fn is_paused(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| {
            cold.control.len() - cold.statuses + cold.wire.len() >= CONTROL_PAUSE
                || cold.control_bytes >= CONTROL_PAUSE_BYTES
        })
    }

    /// Whether the control queue holds more than it may.
    pub(super) fn is_overflowing(&self, config: &SessionConfig, statuses_subscribed: usize) -> bool {
        self.cold.as_ref().is_some_and(|cold| {
            cold.control.len() + cold.wire.len()
                > config.control_messages + statuses_subscribed.saturating_mul(STATUS_PER_SYMBOL)
        })
    }

    /// What seldom waits, with room for more of it.
    pub(super) fn cold(&mut self) -> &mut ColdOutbox {
        self.cold.get_or_insert_default()
    }

    /// Puts messages into the control queue: those of one frame as one entry.
    pub(super) fn say(&mut self, messages: &Messages) {
        messages.each(|count, bytes| {
            let cold = self.cold();
            cold.control_bytes += bytes.len();
            cold.control.push_back(Control::Messages { count, bytes: bytes.into() });
        });
    }

    pub(super) fn push_status(&mut self, sub: SubIndex, event: EventRef) {
        let cold = self.cold();
        cold.statuses += 1;
        cold.control.push_back(Control::Event { sub, event });
    }

    /// Makes messages of the events that wait for a subscription in the control queue: they outlive it.
    pub(super) fn settle(&mut self, sub: SubIndex) {
        let Some(cold) = &mut self.cold else { return };
        for control in &mut cold.control {
            let Control::Event { sub: other, event } = control else { continue };
            if *other == sub {
                let bytes: Box<[u8]> = event.bytes().into();
                cold.control_bytes += bytes.len();
                cold.statuses -= 1;
                *control = Control::Messages { count: 1, bytes };
            }
        }
    }

    /// Entries of the control queue.
    pub(super) fn control(&self) -> impl Iterator<Item = &Control> {
        self.cold.iter().flat_map(|cold| &cold.control)
    }

    /// Appends a loss to the stream queue and shortens that when it is too long. Returns the events that went.
    pub(super) fn push_loss(&mut self, sub: SubIndex, lost: Lost, cap: usize, subs: &mut Subs) -> u64 {
        self.stream.push_loss(sub, lost);
        if self.stream.bytes() <= cap { 0 } else { self.shorten(cap, subs) }
    }

    /// Lets the oldest half of what the stream queue may hold go, remembered as gaps of the subscriptions; one entry stays.
    /// Returns the events that went.
    ///
    /// Half, and not one for one: each event that goes may cost a gap message, and a gateway that is busy telling
    /// gaps falls further behind. A client that is so late is better off with fewer and newer events.
    #[cold]
    pub(super) fn shorten(&mut self, cap: usize, subs: &mut Subs) -> u64 {
        let (mut gone, keep) = (0, cap / 2);
        while self.stream.bytes() > keep && self.stream.len() > 1 {
            let Some(oldest) = self.stream.pop() else { break };
            let (sub, lost) = match oldest {
                Streamed::Event { sub, event } => {
                    gone += 1;
                    (sub, Lost { from: event.n, to: event.n, why: Why::SlowClient })
                }
                Streamed::Gap { sub, lost } => (sub, lost),
            };
            if subs[sub].queued > 0 && subs[sub].dequeued() {
                self.merge.push_back(sub);
            }
            let merges = subs[sub].merges();
            let gap = &mut subs[sub].gap;
            match gap {
                Some(gap) => {
                    // Between two events that must be delivered lie others that were merged away.
                    debug_assert!(
                        gap.to + 1 == lost.from || merges && gap.to < lost.from,
                        "the entries of one subscription are contiguous"
                    );
                    gap.to = lost.to;
                }
                None => {
                    *gap = Some(Box::new(lost));
                    self.cold().gapped.push_back(sub);
                }
            }
        }
        gone
    }

    /// Forgets everything that waits for the subscriptions that `gone` tells. Returns how many of the stream
    /// queue's events went.
    pub(super) fn purge(&mut self, gone: impl Fn(SubIndex) -> bool) {
        self.stream.retain(|sub, _| !gone(sub));
        self.merge.retain(|sub| !gone(*sub));
        let Some(cold) = &mut self.cold else { return };
        cold.gapped.retain(|sub| !gone(*sub));
        let mut statuses = 0;
        cold.control.retain(|control| match control {
            Control::Event { sub, .. } if gone(*sub) => {
                statuses += 1;
                false
            }
            Control::Event { .. } | Control::Messages { .. } => true,
        });
        cold.statuses -= statuses;
    }

    /// Forgets the replaceable events that wait for a subscription. Returns how many of its entries are left.
    pub(super) fn drop_replaceable(&mut self, sub: SubIndex) -> u32 {
        let mut left = 0;
        self.stream.retain(|other, event| {
            let keep = other != sub || event.is_none_or(|event| !event.is_replaceable());
            left += u32::from(other == sub && keep);
            keep
        });
        left
    }

    /// Forgets all data; what the control queue says stays.
    pub(super) fn drop_data(&mut self) {
        self.purge(|_| true);
        self.stream = StreamQueue::default();
        self.merge = VecDeque::new();
    }

    /// Gives memory back that a burst has taken.
    pub(super) fn release(&mut self) {
        /// Entries that an idle queue may keep room for.
        const IDLE: usize = 64;
        self.stream.release(IDLE);
        if self.merge.is_empty() {
            start_over(&mut self.merge, IDLE);
        }
        if self.cold.as_ref().is_some_and(|cold| cold.is_empty()) {
            self.cold = None;
        }
    }
}
