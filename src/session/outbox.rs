//! What waits for one client: a control lane that data never blocks, a stream queue bounded in bytes, and the set of
//! merged events. Nothing here is assembled into frames before the socket can take them.

use std::collections::VecDeque;

use super::{
    SessionConfig,
    subscription::{Lost, Shared, Subscription, Why},
};
use crate::{
    dialect::native::Encoding,
    limits::{CONTROL_PAUSE, CONTROL_PAUSE_BYTES, STATUS_PER_SYMBOL},
};
use slab::Slab;

/// One entry of the control lane: never split over two frames, never dropped.
#[derive(Debug)]
pub(super) enum Control {
    /// Encoded messages, joined as the encoding joins them.
    Messages { count: u32, bytes: Box<[u8]> },
    /// A status event of that subscription.
    Event { sub: usize, event: Shared },
}

/// One entry of the stream queue.
#[derive(Debug)]
pub(super) enum Streamed {
    /// An event of that subscription.
    Event { sub: usize, event: Shared },
    /// A loss that the queue's earlier events of that subscription come before.
    Gap { sub: usize, lost: Lost },
}

impl Streamed {
    pub(super) const fn sub(&self) -> usize {
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

/// Everything that waits.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) control: VecDeque<Control>,
    control_bytes: usize,
    statuses: usize,
    pub(super) wire: VecDeque<Wire>,
    /// Subscriptions with a gap to tell.
    pub(super) gapped: VecDeque<usize>,
    pub(super) stream: VecDeque<Streamed>,
    stream_bytes: usize,
    /// Subscriptions with a merged event for the socket, in the order in which they became pending.
    pub(super) merge: VecDeque<usize>,
}

impl Outbox {
    pub(super) const fn stream_bytes(&self) -> usize {
        self.stream_bytes
    }

    /// Whether reading commands should pause until replies were taken.
    pub(super) fn is_paused(&self) -> bool {
        self.control.len() - self.statuses + self.wire.len() >= CONTROL_PAUSE
            || self.control_bytes >= CONTROL_PAUSE_BYTES
    }

    /// Whether the control lane holds more than it may.
    pub(super) fn is_overflowing(&self, config: &SessionConfig, statuses_subscribed: usize) -> bool {
        self.control.len() + self.wire.len()
            > config.control_messages + statuses_subscribed.saturating_mul(STATUS_PER_SYMBOL)
    }

    pub(super) fn say(&mut self, count: u32, bytes: Vec<u8>) {
        self.control_bytes += bytes.len();
        self.control.push_back(Control::Messages { count, bytes: bytes.into_boxed_slice() });
    }

    pub(super) fn push_status(&mut self, sub: usize, event: Shared) {
        self.statuses += 1;
        self.control.push_back(Control::Event { sub, event });
    }

    pub(super) fn pop_control(&mut self) -> Option<Control> {
        let control = self.control.pop_front()?;
        match &control {
            Control::Messages { bytes, .. } => self.control_bytes -= bytes.len(),
            Control::Event { .. } => self.statuses -= 1,
        }
        Some(control)
    }

    /// Appends to the stream queue. When it holds too many bytes, its oldest half goes, remembered as gaps of the
    /// subscriptions. Returns the events that went.
    ///
    /// Half, and not one for one: each event that goes may cost a gap message, and a gateway that is busy telling
    /// gaps falls further behind. A client that is so late is better off with fewer and newer events.
    pub(super) fn push_stream(
        &mut self,
        entry: Streamed,
        encoding: Encoding,
        cap: usize,
        subs: &mut Slab<Subscription>,
    ) -> u64 {
        self.stream_bytes += size(&entry, encoding);
        self.stream.push_back(entry);
        let mut gone = 0;
        let keep = if self.stream_bytes > cap { cap / 2 } else { cap };
        while self.stream_bytes > keep && self.stream.len() > 1 {
            let Some(oldest) = self.pop_stream(encoding) else { break };
            let (sub, lost) = match oldest {
                Streamed::Event { sub, event } => {
                    gone += 1;
                    (sub, Lost { from: event.n, to: event.n, why: Why::SlowClient })
                }
                Streamed::Gap { sub, lost } => (sub, lost),
            };
            let gap = &mut subs[sub].gap;
            match gap {
                Some(gap) => {
                    debug_assert_eq!(gap.to + 1, lost.from, "the entries of one subscription are contiguous");
                    gap.to = lost.to;
                }
                None => {
                    *gap = Some(lost);
                    self.gapped.push_back(sub);
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

    /// Forgets everything that waits for the subscriptions that `gone` tells. Returns how many of the stream
    /// queue's events went.
    pub(super) fn purge(&mut self, encoding: Encoding, gone: impl Fn(usize) -> bool) {
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
        self.gapped.retain(|sub| !gone(*sub));
        let mut statuses = 0;
        self.control.retain(|control| match control {
            Control::Event { sub, .. } if gone(*sub) => {
                statuses += 1;
                false
            }
            Control::Event { .. } | Control::Messages { .. } => true,
        });
        self.statuses -= statuses;
    }

    /// Forgets all data; what the control lane says stays.
    pub(super) fn drop_data(&mut self, encoding: Encoding) {
        self.purge(encoding, |_| true);
        self.stream = VecDeque::new();
        self.merge = VecDeque::new();
        self.gapped = VecDeque::new();
    }

    /// Gives memory back that a burst has taken.
    pub(super) fn release(&mut self) {
        /// Entries that an idle queue may keep room for.
        const IDLE: usize = 64;
        if self.stream.is_empty() && self.stream.capacity() > IDLE {
            self.stream = VecDeque::new();
        }
        if self.control.is_empty() && self.control.capacity() > IDLE {
            self.control = VecDeque::new();
        }
    }
}

/// What an entry counts against the queue's limit: an event its encoded bytes, a gap about as much as it says.
fn size(entry: &Streamed, encoding: Encoding) -> usize {
    match entry {
        Streamed::Event { event, .. } => event.encoded(encoding).len(),
        Streamed::Gap { .. } => 100,
    }
}
