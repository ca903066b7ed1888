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

use super::stream::ConnState;
use crate::{
    clock::Instant,
    server::gateway::LocalShard,
    session::{Outgoing, SessionKey, Transport},
};

/// What the shard holds of a connection.
pub(crate) struct BodyTransport {
    conn: Rc<ConnState>,
    writer: RefCell<Option<Waker>>,
    resumed: Notify,
    /// All that waited has been taken, and the shard has not said since that there is more. actix asks for more after every
    /// chunk and whenever its connection is polled: this answers without the shard.
    drained: Cell<bool>,
}

impl BodyTransport {
    /// `admitted`: whether the session has a place; one without is there to say so.
    pub(crate) fn new(conn: Rc<ConnState>, admitted: bool) -> Self {
        conn.carries_session(admitted);
        Self { conn, writer: RefCell::new(None), resumed: Notify::new(), drained: Cell::new(false) }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.conn.is_cut()
    }

    /// Whether the client has closed its side, which ends a stream of one direction.
    pub(crate) fn has_left(&self) -> bool {
        self.conn.has_left()
    }

    /// Whom to wake when something waits.
    pub(crate) fn remember(&self, cx: &Context<'_>) {
        let mut writer = self.writer.borrow_mut();
        match &mut *writer {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *writer = Some(cx.waker().clone()),
        }
    }

    /// Waits until commands may be read again.
    pub(crate) async fn resumed(&self) {
        self.resumed.notified().await;
    }
}

impl Transport for BodyTransport {
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
        self.conn.blocked_since()
    }

    fn excuse(&self, late: Duration) {
        self.conn.excuse(late);
    }

    fn cut(&self) {
        self.conn.cut();
        self.resume();
        self.wake();
    }
}

/// The response's body.
pub(crate) struct Body {
    pub(crate) shard: LocalShard,
    pub(crate) key: SessionKey,
    pub(crate) transport: Rc<BodyTransport>,
}

impl MessageBody for Body {
    type Error = actix_web::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.transport.is_cut() {
            return Poll::Ready(None);
        }
        this.transport.remember(cx);
        if this.transport.drained.get() {
            return Poll::Pending;
        }
        let mut shard = this.shard.borrow_mut();
        match shard.outgoing(this.key, Instant::now()) {
            Outgoing::Frames(bytes) => {
                this.transport.drained.set(!shard.has_more(this.key));
                Poll::Ready(Some(Ok(bytes)))
            }
            Outgoing::Over => {
                this.transport.conn.finish();
                Poll::Ready(None)
            }
            Outgoing::Nothing => {
                this.transport.drained.set(true);
                Poll::Pending
            }
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.shard.borrow_mut().leave(self.key, Instant::now());
        self.transport.resume();
    }
}
