//! The socket driver: after the upgrade the session has the TCP socket to itself.
//!
//! actix accepts the connection and reads the request; then its codec and buffers are dropped. The shard writes
//! assembled frames straight into the socket, one call for each session and burst, without a task being woken; only
//! what the socket refuses is kept, and then the session's task waits for room. Reads go through a buffer on the
//! stack, so an idle session holds none.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind},
    net::Shutdown,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_http::{
    ConnectionType, Request, Response,
    body::{BodySize, BoxBody, MessageBody as _},
    h1,
};
use actix_web::{
    ResponseError as _,
    http::{Method, StatusCode},
};
use bytes::{Buf as _, BytesMut};
use futures_util::SinkExt as _;
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream, sync::Notify};

use super::{
    connect,
    endpoint::{self, Endpoint},
    guard::guarded,
    handshake,
    inbound::Inbound,
    stream::CountedStream,
};
use crate::{
    clock::Instant,
    server::{
        door::Door,
        gateway::LocalShard,
        path,
        refusal::{self, Refusal},
        slots::Slot,
    },
    session::{Outgoing, SessionKey, Transport, WriteMode},
};

/// A connection as actix hands it over.
type Framed = actix_codec::Framed<CountedStream, h1::Codec>;

/// Bytes read from a socket at once.
const READ: usize = 8 * 1024;

/// Reads from one socket before other tasks of the thread get a turn.
const READS_A_TURN: usize = 8;

/// The shard's end of a socket. What every write looks at comes first.
#[repr(C)]
pub(crate) struct SocketTransport {
    cut: Cell<bool>,
    blocked: Cell<bool>,
    stream: TcpStream,
    blocked_since: Cell<Option<Instant>>,
    /// What the socket has refused.
    rest: RefCell<BytesMut>,
    /// Wakes the session's task: something to fetch, room to read, or the end.
    turn: Notify,
}

impl SocketTransport {
    fn new(stream: TcpStream) -> Self {
        Self {
            cut: Cell::new(false),
            blocked: Cell::new(false),
            stream,
            blocked_since: Cell::new(None),
            rest: RefCell::default(),
            turn: Notify::new(),
        }
    }

    /// Writes what the socket takes at once, without asking the runtime whether it takes anything: it nearly always
    /// does, and the runtime's own record of the socket stays out of the processor's cache.
    fn send(&self, bytes: &[u8]) -> usize {
        // Rust programs ignore SIGPIPE: a client that has gone is an error like others.
        match SockRef::from(&self.stream).send(bytes) {
            Ok(n) if n == bytes.len() => n,
            // The rest goes by the runtime, which has to know that the socket is full, or broken.
            Ok(n) => n + self.try_write(&bytes[n..]),
            Err(_) => self.try_write(bytes),
        }
    }

    /// Writes what the socket takes. Returns how many bytes that were.
    fn try_write(&self, mut bytes: &[u8]) -> usize {
        let mut written = 0;
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(0) => {
                    self.cut();
                    break;
                }
                Ok(n) => {
                    written += n;
                    bytes = &bytes[n..];
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                // The client is gone; the task finds out and leaves.
                Err(_) => {
                    self.cut();
                    break;
                }
            }
        }
        written
    }

    /// The socket may have room again. Returns whether everything it had refused is out.
    fn flush(&self) -> bool {
        let mut rest = self.rest.borrow_mut();
        let written = self.try_write(&rest);
        rest.advance(written);
        if written > 0 {
            self.block(!rest.is_empty());
        }
        if rest.is_empty() {
            *rest = BytesMut::new();
        }
        rest.is_empty()
    }

    /// Notes that the socket is full from now on, or that it is not.
    fn block(&self, blocked: bool) {
        self.blocked.set(blocked);
        self.blocked_since.set(blocked.then(Instant::now));
    }

    const fn is_blocked(&self) -> bool {
        self.blocked.get()
    }
}

impl Transport for SocketTransport {
    fn write_mode(&self) -> WriteMode {
        match (self.cut.get(), self.is_blocked()) {
            (true, _) => WriteMode::Pull,
            (false, true) => WriteMode::Full,
            (false, false) => WriteMode::Open,
        }
    }

    fn write(&self, frames: &[u8]) {
        let written = if self.is_blocked() { 0 } else { self.send(frames) };
        if written < frames.len() {
            self.rest.borrow_mut().extend_from_slice(&frames[written..]);
            if !self.is_blocked() {
                self.block(true);
                // The task has to wait for room.
                self.turn.notify_one();
            }
        }
    }

    fn wake(&self) {
        self.turn.notify_one();
    }

    fn resume(&self) {
        self.turn.notify_one();
    }

    fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since.get()
    }

    fn excuse(&self, late: Duration) {
        self.blocked_since.set(self.blocked_since.get().map(|since| (since + late).min(Instant::now())));
    }

    fn cut(&self) {
        self.cut.set(true);
        self.turn.notify_one();
    }
}

/// Answers an upgrade request: with a session of its own task, or over HTTP.
///
/// # Errors
/// When the client goes away meanwhile.
pub(crate) async fn upgrade(
    request: Request,
    framed: Framed,
    door: Arc<Door>,
    shard: Option<LocalShard>,
) -> io::Result<()> {
    let gateway = door.gateway();
    let path = path::plain(request.path()).into_owned();
    let asked = door.ask(request.head(), &path).and_then(|asking| {
        if !path::is_socket(&path) {
            return Err(no_stream(&request, &path));
        }
        let vetted = handshake::verify(request.head()).and_then(|protocol| {
            Ok((asking.client.ip, protocol, connect::vet(request.uri().query(), gateway)?))
        });
        vetted.inspect_err(|refusal| door.count(refusal, &path, asking.client.ip))
    });
    let (ip, protocol, options) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return answer(framed, refusal.error_response().into()).await,
    };
    let Some(shard) = shard else {
        let msg = "the connection's worker has no shard";
        let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 500, msg);
        return answer(framed, refusal.error_response().into()).await;
    };
    let endpoint = match path.as_str() {
        #[cfg(feature = "test-endpoints")]
        path::ECHO => Endpoint::Echo,
        _ => Endpoint::Commands(connect::encoding(protocol), options),
    };
    let refused = |reason| gateway.hub.metrics().refuse_session(reason, Some(ip));
    let slot = Rc::clone(framed.io_ref().state().slot());
    let (stream, read) = shake_hands(&request, framed, protocol).await?;
    slot.prove();
    let admission = gateway.connections.admit(ip).inspect_err(|limit| refused(limit.as_str()));
    slot.carry_session(admission.is_ok());
    let transport = Rc::new(SocketTransport::new(stream));
    let (key, most) = endpoint.open(&shard, &gateway.session, Rc::clone(&transport) as Rc<_>, admission);
    let whose = (LocalShard::clone(&shard), key);
    let session = SocketTask { shard, key, transport, endpoint, inbound: Inbound::new(most), _slot: slot };
    // On its own, so that actix' state of the connection goes.
    actix_rt::spawn(guarded(session.run(read), whose, Arc::clone(&gateway.hub)));
    Ok(())
}

/// The answer to an upgrade where there is no WebSocket, which is a rare one: [`upgrades`](super::offers) makes others
/// plain requests.
fn no_stream(request: &Request, path: &str) -> Refusal {
    if request.method() == Method::CONNECT {
        return refusal::wrong_method(refusal::ALLOW_ALL);
    }
    let path: String = path.chars().take(100).collect();
    Refusal::new(StatusCode::NOT_FOUND, 404, format!("no stream at {path:?}"))
}

/// Accepts the upgrade and takes the socket out of actix' hands, with what was read behind the request.
async fn shake_hands(
    request: &Request,
    mut framed: Framed,
    protocol: Option<&str>,
) -> io::Result<(TcpStream, BytesMut)> {
    let response = handshake::accept(request.head(), protocol).finish().drop_body();
    framed.send(h1::Message::Item((response, BodySize::None))).await?;
    let mut parts = framed.into_parts();
    let (stream, ahead) = parts.io.into_stream();
    parts.read_buf.unsplit(ahead);
    Ok((stream, parts.read_buf))
}

async fn answer(mut framed: Framed, mut response: Response<BoxBody>) -> io::Result<()> {
    response.head_mut().set_connection_type(ConnectionType::Close);
    let (response, body) = response.into_parts();
    let body = body.try_into_bytes().unwrap_or_default();
    framed.send(h1::Message::Item((response, BodySize::Sized(body.len() as u64)))).await?;
    if !body.is_empty() {
        framed.send(h1::Message::Chunk(Some(body))).await?;
    }
    framed.send(h1::Message::Chunk(None)).await?;
    framed.close().await?;
    Ok(())
}

/// One session's task.
struct SocketTask {
    shard: LocalShard,
    key: SessionKey,
    transport: Rc<SocketTransport>,
    endpoint: Endpoint,
    inbound: Inbound,
    /// Given back with the socket.
    _slot: Rc<Slot>,
}

/// What reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// Everything there was.
    Drained,
    /// More may be there: others first.
    More,
    /// The client has closed its side, or is gone.
    End,
}

impl SocketTask {
    /// To the end of the session. A block with what it was given, and no `async` function, which would have room for that
    /// twice.
    fn run(mut self, first: BytesMut) -> impl Future<Output = ()> {
        let mut understood = true;
        async move {
            understood = self.take_in(&first, understood);
            drop(first);
            loop {
                if !self.write_out() {
                    break;
                }
                let paused = self.shard.borrow_mut().must_pause(self.key);
                if !paused && understood {
                    // What was buffered while reading had paused comes first.
                    understood = self.take_in(&[], understood);
                    if self.shard.borrow_mut().must_pause(self.key) {
                        continue;
                    }
                }
                match self.wait(paused).await {
                    Ok(false) => {}
                    Ok(true) => match self.read(&mut understood) {
                        Read::Drained => {}
                        Read::More => tokio::task::yield_now().await,
                        Read::End => break,
                    },
                    Err(_) => break,
                }
            }
            self.shard.borrow_mut().leave(self.key, Instant::now());
        }
    }

    /// Fetches and writes until the socket is full or nothing waits. Returns whether the session goes on.
    fn write_out(&self) -> bool {
        let transport = &self.transport;
        loop {
            if transport.cut.get() {
                return false;
            }
            if transport.is_blocked() && !transport.flush() {
                return !transport.cut.get();
            }
            let outgoing = self.shard.borrow_mut().outgoing(self.key, Instant::now());
            match outgoing {
                Outgoing::Frames(frames) => transport.write(&frames),
                Outgoing::Nothing => return true,
                Outgoing::Over => {
                    // The close frame is out: the server is the one that ends the connection.
                    let _gone = SockRef::from(&transport.stream).shutdown(Shutdown::Write);
                    return false;
                }
            }
        }
    }

    /// Waits for bytes (unless reading pauses), for room (if the socket was full), or for the shard. Returns whether
    /// there may be bytes.
    async fn wait(&self, paused: bool) -> io::Result<bool> {
        let transport = &self.transport;
        let interest = match (paused, transport.is_blocked()) {
            (false, false) => Interest::READABLE,
            (false, true) => Interest::READABLE | Interest::WRITABLE,
            (true, true) => Interest::WRITABLE,
            (true, false) => {
                transport.turn.notified().await;
                return Ok(false);
            }
        };
        tokio::select! {
            ready = transport.stream.ready(interest) => Ok(ready?.is_readable()),
            () = transport.turn.notified() => Ok(false),
        }
    }

    fn read(&mut self, understood: &mut bool) -> Read {
        let mut buffer = [0; READ];
        for _ in 0..READS_A_TURN {
            match self.transport.stream.try_read(&mut buffer) {
                Ok(0) => return Read::End,
                Ok(n) => {
                    *understood = self.take_in(&buffer[..n], *understood);
                    if n < READ {
                        return Read::Drained;
                    }
                    if self.shard.borrow_mut().must_pause(self.key) {
                        return Read::Drained;
                    }
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Read::Drained,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Read::End,
            }
        }
        Read::More
    }

    /// Hands bytes to the session, message by message, until too many replies wait. Returns whether what comes
    /// next can still be understood.
    fn take_in(&mut self, bytes: &[u8], understood: bool) -> bool {
        let mut shard = self.shard.borrow_mut();
        if !understood {
            if !bytes.is_empty() {
                shard.answered(self.key);
            }
            return false;
        }
        if !bytes.is_empty() {
            shard.heard(self.key, Instant::now());
            self.inbound.push(bytes);
        }
        while !shard.must_pause(self.key) {
            match self.inbound.next() {
                Ok(None) => break,
                Ok(Some(message)) => endpoint::handle(&mut shard, self.key, self.endpoint, message),
                Err(reason) => {
                    shard.close(self.key, reason, Instant::now());
                    return false;
                }
            }
        }
        true
    }
}
