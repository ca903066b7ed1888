//! The buffer in which a shard puts frames together, and what the frame in it is made of.

use std::{rc::Rc, time::Duration};

use super::{shard_metrics::ShardMetrics, subscription::EventRef};
use crate::dialect::Encoding;

/// One frame at a time.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) bytes: Vec<u8>,
    /// Where in the buffer the frame begins.
    pub(super) start: usize,
    /// The one event of a frame that holds nothing else.
    pub(super) lone: Option<Lone>,
}

/// The event of a frame that may be written again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lone {
    /// Where the event lies in memory: its identity for as long as it lives.
    place: *const (),
    /// [`Channel::index`](crate::market::Channel::index).
    pub(super) channel: usize,
    /// [`Framing::index`](super::Framing::index) of the frame, and the row of its encoding.
    pub(super) framing: usize,
    encoding: usize,
    /// How old the event is at the time of the round of writes.
    pub(super) age: Duration,
    /// How many sessions got the frame again. All is counted for them together.
    pub(super) repeats: u64,
}

impl Lone {
    pub(super) fn of(event: &EventRef, framing: usize, encoding: Encoding) -> Self {
        Self {
            place: Rc::as_ptr(event).cast(),
            channel: event.channel_index(),
            framing,
            encoding: encoding.index(),
            age: Duration::ZERO,
            repeats: 0,
        }
    }

    #[inline]
    pub(super) fn is(&self, event: &EventRef) -> bool {
        self.place == Rc::as_ptr(event).cast()
    }
}

impl Scratch {
    /// Counts those who got the frame again. From here on it is another one's, or stands for none: events may go, and others lie
    /// where they lay.
    pub(super) fn settle(&mut self, metrics: &mut ShardMetrics) {
        let Some(lone) = self.lone.take() else { return };
        if lone.repeats > 0 {
            metrics.delivered[lone.encoding][lone.channel] += lone.repeats;
            metrics.frames += lone.repeats;
            metrics.bytes += lone.repeats * self.frame().len() as u64;
            metrics.latency(lone.age, lone.repeats);
        }
    }

    /// Empties the buffer, with room for a frame.
    pub(super) fn clear(&mut self, room: usize) {
        debug_assert!(self.lone.is_none(), "it is settled before");
        self.bytes.clear();
        self.bytes.reserve(room);
    }

    /// The frame, and what follows it.
    #[inline]
    pub(super) fn frame(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}
