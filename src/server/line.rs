//! The stream under every connection: it knows since when the socket takes nothing, how long the head of a request
//! has been under way, and it can be cut.
//!
//! actix offers none of these, and a stalled client can be recognised and ended only here, below every buffer.

use std::{
    cell::{Cell, RefCell},
    future::Future as _,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use actix_rt::net::{ActixStream, Ready};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::clock::Instant;

/// A TCP stream with a [`Gauge`].
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    gauge: Rc<Gauge>,
    request_timeout: Duration,
    /// The time by which the head that has begun must be complete.
    head_due: Option<Pin<Box<Sleep>>>,
}

/// What is known of a connection, shared with its session.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    blocked_since: Cell<Option<Instant>>,
    cut: Cell<bool>,
    finished: Cell<bool>,
    /// The client has closed its side.
    left: Cell<bool>,
    /// A request was answered and the next one may begin.
    between_requests: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl Gauge {
    /// Since when the socket has taken nothing although bytes were offered.
    pub(super) const fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since.get()
    }

    /// The gateway was held up for so long, which does not count as blocked.
    pub(super) fn excuse(&self, late: Duration) {
        self.blocked_since.set(self.blocked_since.get().map(|since| (since + late).min(Instant::now())));
    }

    /// Makes every further read and write fail, and wakes whoever waits for one.
    pub(super) fn cut(&self) {
        self.cut.set(true);
        for waiting in [&self.reader, &self.writer] {
            if let Some(waker) = waiting.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// The session is over and everything was said: reads report the end. actix would otherwise wait for the client
    /// to close first, which RFC 6455 (section 7.1.1) has the server do.
    pub(super) fn finish(&self) {
        self.finished.set(true);
    }

    /// Whether the client has closed its side. actix would go on with an answer that it writes nothing of, and keep the
    /// place of a client that is gone.
    pub(super) const fn has_left(&self) -> bool {
        self.left.get()
    }

    /// Whether the next bytes begin a request. actix watches over the first head of a connection only, so a client
    /// could ask once and then hold the connection with half a head for ever.
    pub(super) fn between_requests(&self, between: bool) {
        self.between_requests.set(between);
    }

    pub(super) const fn is_cut(&self) -> bool {
        self.cut.get()
    }

    fn refuse_when_cut(&self) -> io::Result<()> {
        if self.cut.get() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    fn written(&self, result: &Poll<io::Result<usize>>, cx: &Context<'_>) {
        match result {
            Poll::Pending => {
                if self.blocked_since.get().is_none() {
                    self.blocked_since.set(Some(Instant::now()));
                }
                remember(&self.writer, cx);
            }
            Poll::Ready(_) => self.blocked_since.set(None),
        }
    }
}

fn remember(slot: &RefCell<Option<Waker>>, cx: &Context<'_>) {
    let mut slot = slot.borrow_mut();
    match &mut *slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

impl Line {
    /// A head must be complete `request_timeout` after it began.
    pub(super) fn new(stream: TcpStream, request_timeout: Duration) -> Self {
        Self { stream, gauge: Rc::default(), request_timeout, head_due: None }
    }

    /// The socket itself, for a driver that has a gauge of its own.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    pub(super) fn gauge(&self) -> Rc<Gauge> {
        Rc::clone(&self.gauge)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.gauge.refuse_when_cut()?;
        if self.gauge.finished.get() {
            return Poll::Ready(Ok(()));
        }
        let between = self.gauge.between_requests.get();
        if !between {
            self.head_due = None;
        } else if let Some(due) = &mut self.head_due
            && due.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if result.is_pending() {
            remember(&self.gauge.reader, cx);
        }
        ready!(result)?;
        if buf.filled().len() == before && buf.remaining() > 0 {
            self.gauge.left.set(true);
        }
        if between && self.head_due.is_none() && buf.filled().len() > before {
            // Polled with the next read, which actix does until nothing is left.
            self.head_due = Some(Box::pin(sleep(self.request_timeout)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.gauge.refuse_when_cut()?;
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.gauge.written(&result, cx);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.gauge.refuse_when_cut()?;
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.gauge.written(&result, cx);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl ActixStream for Line {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.gauge.refuse_when_cut()?;
        ActixStream::poll_read_ready(&self.stream, cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.gauge.refuse_when_cut()?;
        ActixStream::poll_write_ready(&self.stream, cx)
    }
}
