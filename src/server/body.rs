//! The actix driver's way out: the body of the upgrade response.
//!
//! actix polls it only when its write buffer has room, so frames are assembled no earlier than they can be taken.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::sync::Notify;

use super::{LocalShard, line::Gauge};
use crate::{
    clock::Instant,
    session::{Outgoing, SessionKey, Transport},
};

/// What the shard holds of a connection.
pub(super) struct Port {
    gauge: Rc<Gauge>,
    writer: RefCell<Option<Waker>>,
    resumed: Notify,
    /// All that waited has been taken, and nobody has said since that there is more. actix asks for more after every
    /// chunk and whenever its connection is polled: this answers without the shard.
    drained: Cell<bool>,
}

impl Port {
    /// `admitted`: whether the session has a place; one without is there to say so.
    pub(super) fn new(gauge: Rc<Gauge>, admitted: bool) -> Self {
        gauge.carries_session(admitted);
        Self { gauge, writer: RefCell::new(None), resumed: Notify::new(), drained: Cell::new(false) }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.gauge.is_cut()
    }

    /// Whether the client has closed its side, which ends a stream of one direction.
    pub(super) fn has_left(&self) -> bool {
        self.gauge.has_left()
    }

    /// Whom to wake when something waits.
    pub(super) fn remember(&self, cx: &Context<'_>) {
        let mut writer = self.writer.borrow_mut();
        match &mut *writer {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *writer = Some(cx.waker().clone()),
        }
    }

    /// Waits until commands may be read again.
    pub(super) async fn resumed(&self) {
        self.resumed.notified().await;
    }
}

impl Transport for Port {
    fn wake(&self) {
        self.drained.set(false);
        if let Some(waker) = self.writer.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    fn resume(&self) {
        self.resumed.notify_one();
    }

    fn blocked_since(&self) -> Option<Instant> {
        self.gauge.blocked_since()
    }

    fn excuse(&self, late: Duration) {
        self.gauge.excuse(late);
    }

    fn cut(&self) {
        self.gauge.cut();
        self.resume();
        self.wake();
    }
}

/// The response's body.
pub(super) struct Body {
    pub(super) shard: LocalShard,
    pub(super) key: SessionKey,
    pub(super) port: Rc<Port>,
}

impl MessageBody for Body {
    type Error = actix_web::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.port.is_cut() {
            return Poll::Ready(None);
        }
        this.port.remember(cx);
        if this.port.drained.get() {
            return Poll::Pending;
        }
        let mut shard = this.shard.borrow_mut();
        match shard.outgoing(this.key, Instant::now()) {
            Outgoing::Frames(bytes) => {
                this.port.drained.set(!shard.has_more(this.key));
                Poll::Ready(Some(Ok(bytes)))
            }
            Outgoing::Over => {
                this.port.gauge.finish();
                Poll::Ready(None)
            }
            Outgoing::Nothing => {
                this.port.drained.set(true);
                Poll::Pending
            }
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.shard.borrow_mut().leave(self.key, Instant::now());
        self.port.resume();
    }
}
