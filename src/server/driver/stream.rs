//! The stream under every connection: it hands actix one request at a time, knows how long a head, a body or a stuck
//! answer takes, and can be cut.
//!
//! actix offers none of these. A client that stalls can be recognised and ended only here, below every buffer; and
//! only here can it be told whether a client is slow or merely quiet.

mod deadline;
mod exchange;
mod message;

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use actix_rt::net::{ActixStream, Ready};
use actix_web::{HttpRequest, http::StatusCode};
use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

pub(crate) use self::message::Framing;
use self::{
    deadline::{Deadline, is_over},
    exchange::Exchange,
};
use super::offers::{self, Pieces};
use crate::{
    clock::Instant,
    limits::READ_AHEAD_BYTES,
    metrics::{ClosedConnection, ConnectionMetrics},
    server::{path, refusal::Refusal, slots::Slot},
};

/// Bytes read ahead at once.
const READ: usize = 1_024;

/// The answer to a request that took too long to come.
const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// How long the parts of a connection may take.
#[derive(Debug, Clone)]
pub(crate) struct StreamTimes {
    /// A head, from its first byte to the application; the first one from the start of the connection.
    pub(crate) head: Duration,
    /// A body, from the end of its head.
    pub(crate) body: Duration,
    /// The socket takes nothing of a plain answer. Sessions have their own watch.
    pub(crate) stall: Duration,
}

/// A TCP stream with a [`ConnState`].
#[derive(Debug)]
pub(crate) struct CountedStream {
    stream: TcpStream,
    state: Rc<ConnState>,
}

/// What is known of a connection, shared with the application.
#[derive(Debug)]
pub(crate) struct ConnState {
    blocked_since: Cell<Option<Instant>>,
    cut: Cell<bool>,
    finished: Cell<bool>,
    /// The client has closed its side.
    left: Cell<bool>,
    /// The answer is a session's, which is ended for its own reasons.
    in_session: Cell<bool>,
    slot: Rc<Slot>,
    /// Why the connection ends by itself.
    late: Cell<Option<ClosedConnection>>,
    exchange: RefCell<Exchange>,
    times: StreamTimes,
    /// A head that did not come in one piece.
    pieces: RefCell<Option<Box<Pieces>>>,
    /// The end of the time that the head or body under way has.
    due: RefCell<Option<Deadline>>,
    /// The end of the time that the answer under way is given while the socket takes nothing.
    stalled: RefCell<Option<Deadline>>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    metrics: ConnectionMetrics,
}

impl ConnState {
    /// That of a request's connection.
    pub(crate) fn of(request: &HttpRequest) -> Result<&Rc<Self>, Refusal> {
        request.conn_data::<Rc<Self>>().ok_or_else(|| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 500, "the connection is not known")
        })
    }

    /// Since when the socket has taken nothing although bytes were offered.
    pub(crate) const fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since.get()
    }

    /// The gateway was held up for `late`, which does not count as blocked.
    pub(crate) fn excuse(&self, late: Duration) {
        self.blocked_since.set(self.blocked_since.get().map(|since| (since + late).min(Instant::now())));
    }

    /// Makes every further read and write fail, and wakes the tasks that wait for one.
    pub(crate) fn cut(&self) {
        self.cut.set(true);
        for waiting in [&self.reader, &self.writer] {
            if let Some(waker) = waiting.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// The session is over and everything was said: reads report the end. actix would otherwise wait for the client
    /// to close first, which RFC 6455 (section 7.1.1) has the server do.
    pub(crate) fn finish(&self) {
        self.finished.set(true);
    }

    /// Whether the client has closed its side. actix would go on with an answer that it writes nothing of, and keep the
    /// place of a client that is gone.
    pub(crate) const fn has_left(&self) -> bool {
        self.left.get()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.get() || self.slot.is_evicted()
    }

    /// Its place among the connections.
    pub(crate) fn slot(&self) -> &Rc<Slot> {
        &self.slot
    }

    /// The application has a request whose body ends so. Its head's time is over.
    pub(crate) fn called(&self, framing: Framing) {
        self.exchange.borrow_mut().called(framing);
        *self.due.borrow_mut() = None;
        if self.exchange.borrow().takes_bytes()
            && let Some(reader) = &*self.reader.borrow()
        {
            // The body may have been read ahead, and its time begins with the next read.
            reader.wake_by_ref();
        }
    }

    /// All of the answer is with actix.
    pub(crate) fn answered(&self) {
        self.exchange.borrow_mut().answered();
        self.slot.prove();
    }

    /// Whether the request's body did not come in time.
    pub(crate) fn body_is_late(&self) -> bool {
        self.late.get() == Some(ClosedConnection::BodyTimeout)
    }

    /// A session has the connection from now on, and watches over what is written. It has a place among the sessions if
    /// it was admitted.
    pub(crate) fn carries_session(&self, admitted: bool) {
        self.in_session.set(true);
        if admitted {
            self.slot.carry_session(true);
        }
    }

    fn refuse_when_cut(&self) -> io::Result<()> {
        if self.is_cut() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Notes what became of a write, and gives a plain answer up that the socket takes nothing of.
    fn written(&self, result: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.blocked_since.set(None);
            self.stalled.take();
            return result;
        }
        if self.blocked_since.get().is_none() {
            self.blocked_since.set(Some(Instant::now()));
        }
        remember(&self.writer, cx);
        if self.in_session.get() {
            self.stalled.take();
        } else if is_over(&self.stalled, self.times.stall, cx) {
            self.metrics.closed(ClosedConnection::Stalled);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }

    /// Whether the head or body under way has taken too long. Called whenever the reader is about to wait.
    fn is_late(&self, cx: &mut Context<'_>) -> bool {
        let exchange = self.exchange.borrow();
        let (time, reason) = if exchange.is_in_head() {
            (self.times.head, ClosedConnection::HeadTimeout)
        } else if exchange.is_in_body() {
            (self.times.body, ClosedConnection::BodyTimeout)
        } else {
            self.due.take();
            return false;
        };
        let late = is_over(&self.due, time, cx);
        if late {
            self.late.set(Some(reason));
            self.metrics.closed(reason);
        }
        late
    }
}

fn remember(slot: &RefCell<Option<Waker>>, cx: &Context<'_>) {
    let mut slot = slot.borrow_mut();
    match &mut *slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

impl CountedStream {
    pub(crate) fn new(stream: TcpStream, slot: Slot, times: StreamTimes, metrics: ConnectionMetrics) -> Self {
        let state = ConnState {
            blocked_since: Cell::default(),
            cut: Cell::default(),
            finished: Cell::default(),
            left: Cell::default(),
            in_session: Cell::default(),
            slot: Rc::new(slot),
            late: Cell::default(),
            exchange: RefCell::new(Exchange::new()),
            times,
            pieces: RefCell::default(),
            due: RefCell::default(),
            stalled: RefCell::default(),
            reader: RefCell::default(),
            writer: RefCell::default(),
            metrics,
        };
        Self { stream, state: Rc::new(state) }
    }

    /// The socket itself, for a driver that keeps a state of its own, and what was read behind the request.
    pub(crate) fn into_stream(self) -> (TcpStream, BytesMut) {
        // A task that somebody could still wake keeps its memory, which is more than a session takes. The runtime forgets it
        // when another task asks, even one that does nothing.
        self.state.slot.unwatch();
        let _ready = self.stream.poll_read_ready(&mut Context::from_waker(Waker::noop()));
        let ahead = self.state.exchange.replace(Exchange::new()).into_ahead();
        (self.stream, ahead)
    }

    pub(crate) fn state(&self) -> Rc<ConnState> {
        Rc::clone(&self.state)
    }

    /// Reads what belongs to the request under way.
    fn poll_pass(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let mut exchange = self.state.exchange.borrow_mut();
        let mut pieces = self.state.pieces.borrow_mut();
        loop {
            if let Some(head) = &mut *pieces {
                let moved = head.put(buf);
                if head.is_over() {
                    *pieces = None;
                }
                if moved {
                    return Poll::Ready(Ok(()));
                }
            }
            let waited = exchange.ahead().len().min(buf.remaining());
            if waited > 0 {
                buf.put_slice(&exchange.ahead()[..waited]);
            } else if self.state.left.get() {
                return Poll::Ready(Ok(()));
            } else {
                ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
            }
            let came = &buf.filled()[before..];
            let blank = exchange.blank(came);
            let (of_head, of_body) = (exchange.reads_head(), exchange.is_in_body());
            let taken = exchange.pass(&came[blank..]);
            if of_body && !exchange.is_in_body() {
                // Its time is over; a head that follows has its own.
                self.state.due.take();
            }
            if waited > 0 {
                exchange.advance(blank + taken);
            } else if came.is_empty() {
                self.state.left.set(buf.remaining() > 0);
                if let Some(head) = &mut *pieces {
                    head.end();
                    let _any = head.put(buf);
                }
                return Poll::Ready(Ok(()));
            } else {
                exchange.keep(&came[blank + taken..]);
            }
            buf.filled_mut().copy_within(before + blank..before + blank + taken, before);
            buf.set_filled(before + taken);
            if taken > 0 {
                self.state.slot.set_idle(exchange.is_idle());
                if !of_head {
                    return Poll::Ready(Ok(()));
                }
                let whole = !exchange.reads_head();
                if whole && pieces.is_none() {
                    offers::single_out(&mut buf.filled_mut()[before..], path::is_socket);
                    return Poll::Ready(Ok(()));
                }
                pieces.get_or_insert_default().push(&buf.filled()[before..], whole, path::is_socket);
                buf.set_filled(before);
            }
        }
    }

    /// Reads what belongs to a later request, some of it: so the end of the client's side is seen.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut exchange = self.state.exchange.borrow_mut();
        while exchange.ahead().len() < READ_AHEAD_BYTES && !self.state.left.get() {
            let mut bytes = [0; READ];
            let mut buf = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            self.state.left.set(buf.filled().is_empty());
            exchange.keep(buf.filled());
        }
        // Bytes that wait come before the end that was read behind them.
        if exchange.ahead().is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.state.slot.watch(cx);
        self.state.refuse_when_cut()?;
        if self.state.finished.get() || self.state.late.get().is_some() {
            return Poll::Ready(Ok(()));
        }
        let takes_bytes = self.state.exchange.borrow().takes_bytes() || self.state.pieces.borrow().is_some();
        let result = if takes_bytes { self.poll_pass(cx, buf) } else { self.poll_ahead(cx) };
        if result.is_ready() {
            return result;
        }
        remember(&self.state.reader, cx);
        if !self.state.is_late(cx) {
            return Poll::Pending;
        }
        if !self.state.body_is_late() {
            // The answer before it is with the socket, and the next one is not begun: it stands alone.
            let _gone = Pin::new(&mut self.stream).poll_write(cx, TOO_LATE);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.state.refuse_when_cut()?;
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.state.written(result, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.state.refuse_when_cut()?;
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.state.written(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// actix asks for it when the socket has taken all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut exchange = self.state.exchange.borrow_mut();
        if exchange.flushed() {
            if exchange.ahead().is_empty() {
                self.state.slot.set_idle(true);
            } else {
                // What waited may go up, and no socket will tell of it.
                cx.waker().wake_by_ref();
            }
        }
        drop(exchange);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl ActixStream for CountedStream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.state.refuse_when_cut()?;
        ActixStream::poll_read_ready(&self.stream, cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.state.refuse_when_cut()?;
        ActixStream::poll_write_ready(&self.stream, cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Wake};

    use super::*;
    use crate::{
        metrics::Metrics,
        server::slots::{SlotLimits, Slots},
    };

    const SECOND: Duration = Duration::from_secs(1);

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[tokio::test]
    async fn what_takes_the_socket_over_frees_the_task_that_had_it() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let (metrics, times) =
            (Arc::new(Metrics::new()), StreamTimes { head: SECOND, body: SECOND, stall: SECOND });
        let limits =
            SlotLimits { plain: 9, total: 9, per_address: 9, unproven: 9, rate: None, loopback_counts: true };
        let slots = Slots::new(limits, |_| false, Arc::clone(&metrics));
        let slot = slots.take(peer.ip(), Instant::now()).unwrap();
        let mut stream = CountedStream::new(stream, slot, times, metrics.connections.clone());
        let state = stream.state();
        let task = Arc::new(Task);
        let (waker, mut buffer) = (Waker::from(Arc::clone(&task)), [0; 64]);
        let mut cx = Context::from_waker(&waker);
        while stream.poll_pass(&mut cx, &mut ReadBuf::new(&mut buffer)).is_ready() {}
        state.slot.watch(&cx);
        drop(waker);
        assert!(Arc::strong_count(&task) > 1, "the socket and the slot know it");
        let _taken_over = stream.into_stream();
        assert_eq!(Arc::strong_count(&task), 1);
    }
}
