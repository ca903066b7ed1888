//! The buffer in which a shard puts frames together, and what the frame in it is made of.

use std::{rc::Rc, time::Duration};

use bytes::BytesMut;

use super::subscription::EventRef;

/// One frame at a time.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) bytes: BytesMut,
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
    /// [`Framing::index`](super::Framing::index) of the frame.
    pub(super) framing: usize,
    /// How old the event is at the time of the round of writes.
    pub(super) age: Duration,
}

impl Lone {
    pub(super) fn of(event: &EventRef, framing: usize) -> Self {
        let place = Rc::as_ptr(event).cast();
        Self { place, channel: event.channel_index(), framing, age: Duration::ZERO }
    }

    #[inline]
    pub(super) fn is(&self, event: &EventRef) -> bool {
        self.place == Rc::as_ptr(event).cast()
    }
}

impl Scratch {
    /// Empties the buffer, with room for a frame.
    pub(super) fn clear(&mut self, room: usize) {
        self.lone = None;
        self.bytes.clear();
        self.bytes.reserve(room);
    }

    /// The frame, and what follows it.
    #[inline]
    pub(super) fn frame(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}
