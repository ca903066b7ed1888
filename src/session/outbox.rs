//! What waits for one client: a control lane that data never blocks, a stream queue bounded in bytes, and the set of
//! merged events. Nothing here is assembled into frames before the socket can take them.

use std::{collections::VecDeque, rc::Rc};

use super::{
    SessionConfig,
    subs::Subs,
    subscription::{Lost, Shared, SubIndex, Why},
};
use crate::{
    dialect::native::Encoding,
    limits::{CONTROL_PAUSE, CONTROL_PAUSE_BYTES, STATUS_PER_SYMBOL},
};

/// One entry of the control lane: never split over two frames, never dropped.
#[derive(Debug)]
pub(super) enum Control {
    /// Encoded messages, joined as the encoding joins them.
    Messages { count: u32, bytes: Box<[u8]> },
    /// A status event of that subscription.
    Event { sub: SubIndex, event: Shared },
}

/// One entry of the stream queue. Small: there is one for each event and client.
#[derive(Debug)]
pub(super) enum Streamed {
    /// An event of that subscription.
    Event { sub: SubIndex, event: Shared },
    /// A loss that the queue's earlier events of that subscription come before.
    Gap { sub: SubIndex, lost: Box<Lost> },
}

const _: () = assert!(size_of::<Streamed>() == 16);

impl Streamed {
    pub(super) const fn sub(&self) -> SubIndex {
        match self {
            Self::Event { sub, .. } | Self::Gap { sub, .. } => *sub,
        }
    }

    /// The number it starts with.
    pub(super) fn first(&self) -> u64 {
        match self {
            Self::Event { event, .. } => event.n,
            Self::Gap { lost, .. } => lost.from,
        }
    }
}

/// Frames besides data frames.
#[derive(Debug)]
pub(super) enum Wire {
    Ping,
    Pong(Box<[u8]>),
    /// A comment, so that proxies and the client see that the event stream lives.
    Comment,
    /// The time after which an event stream is to be opened again, in milliseconds.
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
pub(super) struct Rare {
    pub(super) control: VecDeque<Control>,
    control_bytes: usize,
    statuses: usize,
    pub(super) wire: VecDeque<Wire>,
    /// Subscriptions with a gap to tell.
    pub(super) gapped: VecDeque<SubIndex>,
}

impl Rare {
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
    pub(super) stream: VecDeque<Streamed>,
    stream_bytes: usize,
    pub(super) rare: Option<Box<Rare>>,
    /// Subscriptions with a merged event for the socket, in the order in which they became pending.
    pub(super) merge: VecDeque<SubIndex>,
}

impl Outbox {
    /// Bytes of its front that fan-out touches for each event.
    pub(super) const HOT: usize = std::mem::offset_of!(Self, rare);

    pub(super) const fn stream_bytes(&self) -> usize {
        self.stream_bytes
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.stream.is_empty() && self.rare.is_none() && self.merge.is_empty()
    }

    /// Whether reading commands should pause until replies were taken.
    pub(super) fn is_paused(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| {
            rare.control.len() - rare.statuses + rare.wire.len() >= CONTROL_PAUSE
                || rare.control_bytes >= CONTROL_PAUSE_BYTES
        })
    }

    /// Whether the control lane holds more than it may.
    pub(super) fn is_overflowing(&self, config: &SessionConfig, statuses_subscribed: usize) -> bool {
        self.rare.as_ref().is_some_and(|rare| {
            rare.control.len() + rare.wire.len()
                > config.control_messages + statuses_subscribed.saturating_mul(STATUS_PER_SYMBOL)
        })
    }

    /// What seldom waits, with room for more of it.
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn say(&mut self, count: u32, bytes: Vec<u8>) {
        let rare = self.rare();
        rare.control_bytes += bytes.len();
        rare.control.push_back(Control::Messages { count, bytes: bytes.into_boxed_slice() });
    }

    pub(super) fn push_status(&mut self, sub: SubIndex, event: Shared) {
        let rare = self.rare();
        rare.statuses += 1;
        rare.control.push_back(Control::Event { sub, event });
    }

    /// Entries of the control lane.
    pub(super) fn control(&self) -> impl Iterator<Item = &Control> {
        self.rare.iter().flat_map(|rare| &rare.control)
    }

    /// Appends an event to the stream queue. Returns whether the queue is longer than `cap` now, and is to be
    /// [shortened](Self::shorten).
    #[inline]
    pub(super) fn push_event(
        &mut self,
        sub: SubIndex,
        event: &Shared,
        encoding: Encoding,
        cap: usize,
    ) -> bool {
        self.stream_bytes += event.bytes(encoding).len();
        self.stream.push_back(Streamed::Event { sub, event: Rc::clone(event) });
        self.stream_bytes > cap
    }

    /// Appends to the stream queue and shortens it when it is too long. Returns the events that went.
    pub(super) fn push_stream(
        &mut self,
        entry: Streamed,
        encoding: Encoding,
        cap: usize,
        subs: &mut Subs,
    ) -> u64 {
        self.stream_bytes += size(&entry, encoding);
        self.stream.push_back(entry);
        if self.stream_bytes <= cap { 0 } else { self.shorten(encoding, cap, subs) }
    }

    /// Lets the oldest half of what the queue may hold go, remembered as gaps of the subscriptions; one entry stays.
    /// Returns the events that went.
    ///
    /// Half, and not one for one: each event that goes may cost a gap message, and a gateway that is busy telling
    /// gaps falls further behind. A client that is so late is better off with fewer and newer events.
    #[cold]
    pub(super) fn shorten(&mut self, encoding: Encoding, cap: usize, subs: &mut Subs) -> u64 {
        let (mut gone, keep) = (0, cap / 2);
        while self.stream_bytes > keep && self.stream.len() > 1 {
            let Some(oldest) = self.pop_stream(encoding) else { break };
            let (sub, lost) = match oldest {
                Streamed::Event { sub, event } => {
                    gone += 1;
                    (sub, Lost { from: event.n, to: event.n, why: Why::SlowClient })
                }
                Streamed::Gap { sub, lost } => (sub, *lost),
            };
            if subs[sub].queued > 0 && subs[sub].dequeued() {
                self.merge.push_back(sub);
            }
            let merges = subs[sub].merges_bars();
            let gap = &mut subs[sub].gap;
            match gap {
                Some(gap) => {
                    // Between two final bars lie forming ones that were merged away.
                    debug_assert!(
                        gap.to + 1 == lost.from || merges && gap.to < lost.from,
                        "the entries of one subscription are contiguous"
                    );
                    gap.to = lost.to;
                }
                None => {
                    *gap = Some(Box::new(lost));
                    self.rare().gapped.push_back(sub);
                }
            }
        }
        gone
    }

    pub(super) fn pop_stream(&mut self, encoding: Encoding) -> Option<Streamed> {
        let entry = self.stream.pop_front()?;
        self.stream_bytes -= size(&entry, encoding);
        Some(entry)
    }

    /// Hands out the events at the front of the stream queue, each with its encoded bytes, for as long as `more` of them
    /// are wanted; up to the first gap or final bar, which ask for more than to be written.
    #[inline]
    pub(super) fn pop_events(
        &mut self,
        encoding: Encoding,
        mut more: impl FnMut(SubIndex, &Shared, &[u8]) -> bool,
    ) {
        let (mut taken, mut bytes) = (0, 0);
        let (front, back) = self.stream.as_slices();
        'queue: for entries in [front, back] {
            for entry in entries {
                let Streamed::Event { sub, event } = entry else { break 'queue };
                if event.is_final_bar() {
                    break 'queue;
                }
                let message = event.bytes(encoding);
                taken += 1;
                bytes += message.len();
                if !more(*sub, event, message) {
                    break 'queue;
                }
            }
        }
        self.stream_bytes -= bytes;
        self.stream.drain(..taken);
    }

    /// Forgets everything that waits for the subscriptions that `gone` tells. Returns how many of the stream
    /// queue's events went.
    pub(super) fn purge(&mut self, encoding: Encoding, gone: impl Fn(SubIndex) -> bool) {
        let mut bytes = 0;
        self.stream.retain(|entry| {
            let keep = !gone(entry.sub());
            if !keep {
                bytes += size(entry, encoding);
            }
            keep
        });
        self.stream_bytes -= bytes;
        self.merge.retain(|sub| !gone(*sub));
        let Some(rare) = &mut self.rare else { return };
        rare.gapped.retain(|sub| !gone(*sub));
        let mut statuses = 0;
        rare.control.retain(|control| match control {
            Control::Event { sub, .. } if gone(*sub) => {
                statuses += 1;
                false
            }
            Control::Event { .. } | Control::Messages { .. } => true,
        });
        rare.statuses -= statuses;
    }

    /// Forgets the forming bars that wait for a subscription. Returns how many of its entries are left.
    pub(super) fn keep_final_bars(&mut self, sub: SubIndex, encoding: Encoding) -> u32 {
        let (mut bytes, mut left) = (0, 0);
        self.stream.retain(|entry| {
            let forming = matches!(entry, Streamed::Event { event, .. } if !event.is_final_bar());
            let keep = entry.sub() != sub || !forming;
            bytes += if keep { 0 } else { size(entry, encoding) };
            left += u32::from(entry.sub() == sub && keep);
            keep
        });
        self.stream_bytes -= bytes;
        left
    }

    /// Forgets all data; what the control lane says stays.
    pub(super) fn drop_data(&mut self, encoding: Encoding) {
        self.purge(encoding, |_| true);
        self.stream = VecDeque::new();
        self.merge = VecDeque::new();
    }

    /// Gives memory back that a burst has taken.
    pub(super) fn release(&mut self) {
        /// Entries that an idle queue may keep room for.
        const IDLE: usize = 64;
        if self.stream.is_empty() {
            start_over(&mut self.stream, IDLE);
        }
        if self.merge.is_empty() {
            start_over(&mut self.merge, IDLE);
        }
        if self.rare.as_ref().is_some_and(|rare| rare.is_empty()) {
            self.rare = None;
        }
    }
}

/// An empty queue gives back much room, and begins at the front of what little it keeps: the same memory is used again,
/// which may still be in the processor's cache, and not all of it in turn.
fn start_over<T>(queue: &mut VecDeque<T>, keep: usize) {
    if queue.capacity() > keep {
        *queue = VecDeque::new();
    } else {
        queue.clear();
    }
}

/// What an entry counts against the queue's limit: an event its encoded bytes, a gap about as much as it says.
fn size(entry: &Streamed, encoding: Encoding) -> usize {
    match entry {
        Streamed::Event { event, .. } => event.bytes(encoding).len(),
        Streamed::Gap { .. } => 100,
    }
}
