//! Between a connection and the application: the line is told when a request is with the application, and when all of
//! its answer is with actix.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::{Request, Response, header};
use actix_service::{ServiceFactory, apply_fn_factory};
use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    dev::{Service as _, ServiceResponse},
    http::Method,
};
use bytes::Bytes;

use super::stream::{ConnState, Framing};

/// The application, with the line told of each request. All of it: what refuses a request before a handler has it is
/// inside.
pub(crate) fn watched<F>(
    application: F,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Response<Answer>,
    Error = F::Error,
    InitError = F::InitError,
>
where
    F: ServiceFactory<Request, Config = (), Response = ServiceResponse<BoxBody>>,
{
    apply_fn_factory(application, |request: Request, application: &F::Service| {
        let conn = request.conn_data::<Rc<ConnState>>().cloned();
        if let Some(conn) = &conn {
            conn.called(framing(&request));
        }
        let answer = application.call(request);
        async move {
            // Dropped with the answer's body, or here if there is none.
            let end = End(conn);
            let answer: Response<BoxBody> = answer.await?.into();
            Ok(answer.map_body(|_head, body| Answer { body, _end: end }))
        }
    })
}

/// How the request's body ends, as actix has it: it refuses requests that say it twice.
fn framing(request: &Request) -> Framing {
    let headers = &request.head().headers;
    let text = |name| headers.get_all(name).filter_map(|value| value.to_str().ok()).map(str::trim);
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Framing::Chunked;
    }
    if text(header::UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
        return Framing::Stream;
    }
    match text(header::CONTENT_LENGTH).find_map(|length| length.parse().ok()) {
        Some(length) if length > 0 => Framing::Length(length),
        _ if request.head().method == Method::CONNECT => Framing::Stream,
        _ => Framing::None,
    }
}

/// The body of an answer.
pub(crate) struct Answer {
    body: BoxBody,
    _end: End,
}

/// Tells the line of the end when dropped.
struct End(Option<Rc<ConnState>>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some(conn) = &self.0 {
            conn.answered();
        }
    }
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_as_the_head_says() {
        for (method, name, value, expected) in [
            (Method::GET, header::ACCEPT, "*/*", Framing::None),
            (Method::POST, header::CONTENT_LENGTH, "0", Framing::None),
            (Method::POST, header::CONTENT_LENGTH, "12", Framing::Length(12)),
            (Method::POST, header::TRANSFER_ENCODING, "Chunked", Framing::Chunked),
            (Method::GET, header::UPGRADE, "WebSocket", Framing::Stream),
            (Method::GET, header::UPGRADE, "h2c", Framing::None),
            (Method::CONNECT, header::ACCEPT, "*/*", Framing::Stream),
        ] {
            let mut request = Request::new();
            request.head_mut().method = method;
            request.head_mut().headers.insert(name, header::HeaderValue::from_static(value));
            assert_eq!(framing(&request), expected, "{value}");
        }
    }
}
