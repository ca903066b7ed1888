//! The actix driver's way out: the body of the upgrade response.
//!
//! actix polls it only when its write buffer has room, so frames are assembled no earlier than they can be taken.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use actix_web::body::{BodySize, BoxBody, MessageBody};
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
}

impl Port {
    pub(super) fn new(gauge: Rc<Gauge>) -> Self {
        Self { gauge, writer: RefCell::new(None), resumed: Notify::new() }
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

    fn cut(&self) {
        self.gauge.cut();
        self.resume();
        self.wake();
    }
}

/// The response's body: ticks around actix-ws' queue.
pub(super) struct Body {
    pub(super) shard: LocalShard,
    pub(super) key: SessionKey,
    pub(super) port: Rc<Port>,
    /// actix-ws' own body. It yields nothing, since nothing is sent through its session, but dropping it would end
    /// the response.
    pub(super) inner: BoxBody,
    /// Keeps `inner` open.
    pub(super) _session: actix_ws::Session,
}

impl MessageBody for Body {
    type Error = actix_web::Error;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.port.is_cut() {
            return Poll::Ready(None);
        }
        this.port.remember(cx);
        let outgoing = this.shard.borrow_mut().outgoing(this.key, Instant::now());
        match outgoing {
            Outgoing::Frames(bytes) => Poll::Ready(Some(Ok(bytes))),
            Outgoing::Over => {
                this.port.gauge.finish();
                Poll::Ready(None)
            }
            Outgoing::Nothing => match Pin::new(&mut this.inner).poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) => Poll::Ready(Some(Ok(bytes))),
                Poll::Ready(Some(Err(_)) | None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.shard.borrow_mut().leave(self.key, Instant::now());
        self.port.resume();
    }
}
