//! `/test/echo`: what comes goes back. For the conformance suite, in test builds only: the same frames, limits per
//! message apart, and the same close codes as `/v1/ws`.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::ws::{OpCode, Parser};
use actix_web::{
    FromRequest as _, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::Payload,
    web,
};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::{
    inbound::{Inbound, Message},
    line::Gauge,
};
use crate::session::CloseReason;

/// Largest message: the suite's cases outside its performance section stay below.
const MESSAGE: usize = 1024 * 1024;

/// Upgrades and echoes until the client closes.
pub(super) async fn echo(
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let nothing = web::Payload::from_request(&request, &mut Payload::None).await?;
    let (response, session, _messages) = actix_ws::handle(&request, nothing)?;
    actix_rt::spawn(run(payload.into_inner(), session));
    let gauge = request.conn_data::<Rc<Gauge>>().cloned();
    Ok(response.map_body(|_head, inner| EchoBody { inner, gauge }.boxed()))
}

async fn run(mut payload: Payload, mut session: actix_ws::Session) {
    let mut inbound = Inbound::new(MESSAGE);
    while let Some(Ok(bytes)) = payload.next().await {
        inbound.push(&bytes);
        let reason = loop {
            let sent = match inbound.next() {
                Ok(None) => break None,
                Ok(Some(Message::Text(text))) => {
                    session.text(String::from_utf8_lossy(&text).into_owned()).await
                }
                Ok(Some(Message::Binary(bytes))) => session.binary(bytes).await,
                Ok(Some(Message::Ping(payload))) => session.pong(&payload).await,
                Ok(Some(Message::Pong)) => Ok(()),
                Ok(Some(Message::Close(code))) => break Some(CloseReason::client(code)),
                Err(reason) => break Some(reason),
            };
            if sent.is_err() {
                return;
            }
        };
        if let Some(reason) = reason {
            // A close frame without a code is answered without one.
            let frame = (reason != CloseReason::client(None)).then(|| actix_ws::CloseReason {
                code: reason.frame().code.into(),
                description: Some(reason.frame().text.into()),
            });
            // The client may be gone already.
            let _gone = session.close(frame).await;
            return;
        }
    }
}

/// The same on a socket of its own; `read` came behind the request.
pub(super) async fn direct(mut stream: tokio::net::TcpStream, read: bytes::BytesMut) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut inbound = Inbound::new(MESSAGE);
    inbound.push(&read);
    let mut buffer = vec![0; 8 * 1024];
    loop {
        let mut out = bytes::BytesMut::new();
        let mut over = false;
        loop {
            let (payload, opcode) = match inbound.next() {
                Ok(None) => break,
                Ok(Some(Message::Text(text))) => (text, OpCode::Text),
                Ok(Some(Message::Binary(bytes))) => (bytes, OpCode::Binary),
                Ok(Some(Message::Ping(payload))) => (payload, OpCode::Pong),
                Ok(Some(Message::Pong)) => continue,
                Ok(Some(Message::Close(code))) => (closing(CloseReason::client(code)), OpCode::Close),
                Err(reason) => (closing(reason), OpCode::Close),
            };
            Parser::write_message(&mut out, &payload, opcode, true, false);
            over = opcode == OpCode::Close;
            if over {
                break;
            }
        }
        if stream.write_all(&out).await.is_err() || over {
            let _gone = stream.shutdown().await;
            return;
        }
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => inbound.push(&buffer[..n]),
            _ => return,
        }
    }
}

fn closing(reason: CloseReason) -> Bytes {
    if reason == CloseReason::client(None) {
        return Bytes::new();
    }
    let frame = reason.frame();
    [&frame.code.to_be_bytes()[..], frame.text.as_bytes()].concat().into()
}

/// actix-ws' own body, at whose end the connection is closed from this side.
struct EchoBody {
    inner: BoxBody,
    gauge: Option<Rc<Gauge>>,
}

impl MessageBody for EchoBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_next(cx);
        if let (Poll::Ready(None), Some(gauge)) = (&polled, &this.gauge) {
            gauge.finish();
        }
        polled
    }
}
