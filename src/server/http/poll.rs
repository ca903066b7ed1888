//! `GET /v1/poll`: a session that lives for one request. It is opened at the client's position, waits for news if there
//! are none, and is left with the answer; the position in the answer is all that is kept, and the client keeps it.

use std::{cell::Cell, future::poll_fn, rc::Rc, task::Poll, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
    web,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{
    budget::Spent,
    fresh,
    query::{self, StreamQuery, stream_query},
    source,
};
use crate::{
    dialect::{Code, Encoding, Fault, Subscribe},
    hub::Hub,
    limits::{DEFAULT_POLL_WAIT, POLL_SUBSCRIPTIONS, POLL_WAIT},
    server::{
        admit,
        driver::stream::ConnState,
        gateway::{Gateway, LocalShard},
        parameters::{self, Parameters},
        refusal::Refusal,
    },
    session::{CloseReason, Framing, Outgoing, SessionKey, Transport},
};

stream_query! {
    /// `?symbols=BTC-USD&channels=trades&after=POSITION&wait=25`
    Query { after, wait, }
}

impl Query {
    fn wait(&self) -> Result<Duration, Refusal> {
        let Some(text) = self.wait.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(Duration::from_secs(DEFAULT_POLL_WAIT));
        };
        let seconds = text.parse().ok().filter(|seconds| POLL_WAIT.contains(seconds));
        seconds.map(Duration::from_secs).ok_or_else(|| {
            let (least, most) = (POLL_WAIT.start(), POLL_WAIT.end());
            let found = parameters::cut(text);
            Refusal::parameter(format!(
                "wait: {found:?} is not a whole number of seconds from {least} to {most}"
            ))
        })
    }

    /// How long the request is held before it is looked for news, so that a loop of them gets no more than `max_rate`
    /// events a second of each symbol. Nothing is kept between two requests, so a pause cannot be longer than one.
    #[expect(clippy::float_arithmetic, reason = "a rate becomes an interval; no price is near")]
    fn pause(max_rate: Option<f64>, wait: Duration) -> Result<Duration, Refusal> {
        let pause = max_rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        if pause > wait {
            let (pause, wait) = (pause.as_secs_f64(), wait.as_secs());
            let msg = format!("max_rate: one event in {pause} s is rarer than an answer, wait is {wait} s");
            return Err(Refusal::parameter(msg));
        }
        Ok(pause)
    }
}

/// Answers with the events behind the client's position, once there are any.
pub(crate) async fn poll(
    request: HttpRequest,
    Parameters(query): Parameters<Query>,
    gateway: web::Data<Gateway>,
    shard: web::Data<LocalShard>,
) -> Result<HttpResponse, Refusal> {
    let wanted = query.commands()?;
    let wait = query.wait()?;
    // A change from here on is news.
    let serial = gateway.hub.source_serial();
    let pause = Query::pause(wanted.iter().find_map(|command| command.max_rate), wait)?;
    let (known, unknown) = query::known(&wanted, &gateway.hub);
    if !known {
        let (status, code) = (StatusCode::NOT_FOUND, Code::UnknownSymbol.number());
        return Err(Refusal::new(status, code, "symbols: none of them is known"));
    }
    if request.method() == Method::HEAD {
        // What comes before an answer is known without one.
        return Ok(fresh::head().body(actix_web::body::None::new()));
    }
    let admission = admit::admit(&request, &gateway)?;
    let conn = ConnState::of(&request)?;
    let now = Instant::now();
    let transport = Rc::new(PollTransport::default());
    let key =
        shard.borrow_mut().open_positioned(Framing::Poll, Rc::clone(&transport) as Rc<_>, admission, now);
    conn.slot().carry_session(true);
    let session = PollSession { shard: LocalShard::clone(&shard), key, transport, conn: Rc::clone(conn) };
    let after = query.after.as_deref().filter(|text| !text.is_empty());
    // Joined only then: what is merged meanwhile would be a second event of its symbol in one answer.
    if after.is_some() && !session.pause(now + pause).await {
        return Err(over());
    }
    shard.borrow_mut().join(key, wanted, after, POLL_SUBSCRIPTIONS);
    let joined = session.joined().await;
    joined.map_err(|fault| Refusal::bad(fault.code, format!("symbols: {}", fault.msg)))?;
    // The first request of a client asks for a beginning, which is there at once.
    let deadline = if after.is_some() { now + wait } else { now };
    let messages = session.news((&gateway.hub, serial), deadline).await.ok_or_else(over)?;
    Ok(answer(&session, &gateway.hub, &messages, &unknown))
}

fn over() -> Refusal {
    let msg = "the gateway is draining: ask another one, or later";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 503, msg)
}

fn answer(session: &PollSession, hub: &Hub, messages: &[u8], unknown: &[String]) -> HttpResponse {
    let position = session.shard.borrow_mut().position_of(session.key);
    let mut body = Vec::with_capacity(messages.len() + position.len() + 64);
    body.extend_from_slice(b"{\"position\":");
    Encoding::Json.encode_into(&position, &mut body);
    if !unknown.is_empty() {
        body.extend_from_slice(b",\"unknown\":");
        Encoding::Json.encode_into(&unknown, &mut body);
    }
    source::append(hub, &mut body);
    body.extend_from_slice(b",\"messages\":[");
    body.extend_from_slice(messages);
    body.extend_from_slice(b"]}");
    let spent = Spent::joining(body.len(), session.shard.borrow_mut().subscription_count(session.key));
    let mut response = fresh::json(body);
    response.extensions_mut().insert(spent);
    response
}

/// The session of one request; left with it, also when the client goes away first.
struct PollSession {
    shard: LocalShard,
    key: SessionKey,
    transport: Rc<PollTransport>,
    conn: Rc<ConnState>,
}

impl PollSession {
    /// What waits, or else what comes first; nothing when the deadline passes, or when values come no more, or again.
    /// `None` when the session was closed, or the client is gone.
    async fn news(&self, (hub, serial): (&Hub, u64), deadline: Instant) -> Option<Vec<u8>> {
        loop {
            let messages = self.fetch()?;
            if !messages.is_empty() || Instant::now() >= deadline || hub.source_serial() != serial {
                return Some(messages);
            }
            // The task that reads the end of the client's side also polls this: no wake-up is needed.
            let gone = poll_fn(|_| if self.conn.has_left() { Poll::Ready(()) } else { Poll::Pending });
            tokio::select! {
                _late = timeout_at(deadline, self.transport.turn.notified()) => {}
                () = gone => return None,
            }
        }
    }

    /// Waits until everything is subscribed, or nothing is.
    async fn joined(&self) -> Result<(), Fault> {
        loop {
            if let Some(result) = self.shard.borrow_mut().joined(self.key) {
                return result;
            }
            self.transport.turn.notified().await;
        }
    }

    /// Waits without looking for news. Returns whether the session is still open, and the client there.
    async fn pause(&self, until: Instant) -> bool {
        while Instant::now() < until {
            if self.is_over() {
                return false;
            }
            let gone = poll_fn(|_| if self.conn.has_left() { Poll::Ready(()) } else { Poll::Pending });
            tokio::select! {
                _turn = timeout_at(until, self.transport.turn.notified()) => {}
                () = gone => return false,
            }
        }
        !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.transport.cut.get() || self.shard.borrow_mut().closing(self.key).is_some()
    }

    /// Everything that waits, which the session's own queues bound.
    fn fetch(&self) -> Option<Vec<u8>> {
        let mut messages = Vec::new();
        loop {
            if self.is_over() {
                return None;
            }
            let outgoing = self.shard.borrow_mut().outgoing(self.key, Instant::now());
            match outgoing {
                Outgoing::Frames(more) => {
                    if !messages.is_empty() {
                        messages.push(b',');
                    }
                    messages.extend_from_slice(&more);
                }
                Outgoing::Nothing => return Some(messages),
                Outgoing::Over => return None,
            }
        }
    }
}

impl Drop for PollSession {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut shard = self.shard.borrow_mut();
        shard.close(self.key, CloseReason::Client(1000), now);
        shard.leave(self.key, now);
        // Its answer is a plain one.
        self.conn.slot().carry_session(false);
    }
}

/// The shard's end of a request. It takes everything at any time: the answer is written when the session is over.
#[derive(Default)]
struct PollTransport {
    turn: Notify,
    cut: Cell<bool>,
}

impl Transport for PollTransport {
    fn wake(&self) {
        self.turn.notify_one();
    }

    fn resume(&self) {
        self.turn.notify_one();
    }

    fn blocked_since(&self) -> Option<Instant> {
        None
    }

    fn cut(&self) {
        self.cut.set(true);
        self.turn.notify_one();
    }
}
