//! `GET /v1/sse`: a session as an event stream, for clients that only listen and for proxies that break WebSocket.
//!
//! The set of subscriptions is that of the request and cannot be changed: a client that wants another one opens
//! another stream with its last position, which loses nothing. A way to change it in place would need a handle that
//! no other client can guess, and would work only while client and worker stay together.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, MessageBody},
    http::Method,
    web,
};
use bytes::Bytes;
use rand::RngExt as _;

use super::{
    budget::Spent,
    query::{StreamQuery, stream_query},
};
use crate::{
    clock::Instant,
    dialect::{Fault, Subscribe},
    limits::SSE_RETRY_MS,
    server::{
        admit,
        driver::{body::BodyTransport, stream::ConnState},
        gateway::{Gateway, LocalShard},
        parameters::Parameters,
        refusal::Refusal,
    },
    session::{Admission, Framing, Outgoing, SessionKey},
};

stream_query! {
    /// `?symbols=BTC-USD,ETH-*&channels=trades,quotes&mode=&max_rate=`
    Query {
        #[serde(rename = "lastEventId")]
        last_event_id,
    }
}

/// Opens a session and answers with its stream.
pub(crate) async fn sse(
    request: HttpRequest,
    Parameters(query): Parameters<Query>,
    gateway: web::Data<Gateway>,
    shard: web::Data<LocalShard>,
) -> Result<HttpResponse, Refusal> {
    let wanted = query.commands()?;
    if request.method() == Method::HEAD {
        return Ok(head().body(actix_web::body::None::new()));
    }
    let admission = admit::admit(&request, &gateway)?;
    let conn = ConnState::of(&request)?;
    // The header comes from a client that was cut off, and is newer than what stands in its address.
    let header = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let after = header.or(query.last_event_id.as_deref()).filter(|text| !text.is_empty());
    let stream = Stream::open(&shard, conn, admission, wanted, after).await?;
    let count = stream.shard.borrow_mut().subscription_count(stream.key);
    let mut response = head().force_close().body(stream);
    response.extensions_mut().insert(Spent::joining(0, count));
    Ok(response)
}

/// What comes before a stream.
fn head() -> HttpResponseBuilder {
    let mut head = HttpResponse::Ok();
    head.content_type("text/event-stream")
        // A proxy that compresses would hold events back until it has enough of them.
        .insert_header(("cache-control", "no-store, no-transform"))
        // nginx would collect the stream otherwise.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header(("x-content-type-options", "nosniff"));
    head
}

/// The body: blocks of the event stream, as the socket takes them.
struct Stream {
    shard: LocalShard,
    key: SessionKey,
    transport: Rc<BodyTransport>,
    /// What comes before the first block.
    first: Option<Bytes>,
}

impl Stream {
    async fn open(
        shard: &LocalShard,
        conn: &Rc<ConnState>,
        admission: Admission,
        wanted: Vec<Subscribe>,
        after: Option<&str>,
    ) -> Result<Self, Refusal> {
        let now = Instant::now();
        let transport = Rc::new(BodyTransport::new(Rc::clone(conn), true));
        let key =
            shard.borrow_mut().open_positioned(Framing::Sse, Rc::clone(&transport) as Rc<_>, admission, now);
        let retry = rand::rng().random_range(SSE_RETRY_MS);
        let first = Some(format!("retry: {retry}\n\n").into());
        let stream = Self { shard: LocalShard::clone(shard), key, transport, first };
        shard.borrow_mut().join(key, wanted, after, usize::MAX);
        loop {
            let joined = shard.borrow_mut().joined(key);
            match joined {
                Some(Ok(())) => return Ok(stream),
                Some(Err(Fault { code, msg, .. })) => {
                    return Err(Refusal::bad(code, format!("symbols: {msg}")));
                }
                None => stream.transport.resumed().await,
            }
        }
    }
}

impl MessageBody for Stream {
    type Error = actix_web::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        // One task reads the end of the client's side and then polls the body: no wake-up is needed.
        if this.transport.is_cut() || this.transport.has_left() {
            return Poll::Ready(None);
        }
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        this.transport.remember(cx);
        let outgoing = this.shard.borrow_mut().outgoing(this.key, Instant::now());
        match outgoing {
            Outgoing::Frames(blocks) => Poll::Ready(Some(Ok(blocks))),
            Outgoing::Over => Poll::Ready(None),
            Outgoing::Nothing => Poll::Pending,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shard.borrow_mut().leave(self.key, Instant::now());
    }
}
