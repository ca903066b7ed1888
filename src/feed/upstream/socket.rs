//! The WebSocket to a venue: the handshake, reading, and writing with a deadline.
//!
//! Compression is not offered: it would cost more latency than it saves bandwidth.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Bytes, Message,
        client::IntoClientRequest as _,
        error::{CapacityError, ProtocolError},
        http::{HeaderValue, header::USER_AGENT},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    UpstreamPlan,
    broken::{Break, Reason, status_name},
    hold,
    network::{self, AGENT, Address, ConnectError, Journey, Stage, Stream, within},
};
use crate::{
    clock::Instant,
    dialect::Venue,
    limits::{UPSTREAM_MESSAGE_BYTES, UPSTREAM_WRITE_TIMEOUT},
};

/// The addresses of a venue, of which one is in use: another one after the way to it has failed.
#[derive(Debug)]
pub(super) struct Addresses {
    all: Vec<Address>,
    at: AtomicUsize,
}

impl Addresses {
    /// At least one.
    pub(super) const fn new(all: Vec<Address>) -> Self {
        Self { all, at: AtomicUsize::new(0) }
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Address] {
        &self.all
    }

    /// The one in use.
    pub(super) fn current(&self) -> &Address {
        &self.all[self.at.load(Ordering::Relaxed) % self.all.len()]
    }

    /// The next one is tried.
    fn advance(&self) {
        self.at.fetch_add(1, Ordering::Relaxed);
    }
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    /// A message of the venue, text or binary.
    Message(Bytes),
    /// A ping or pong frame: a sign of life only.
    Control,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Socket {
    stream: WebSocketStream<Stream>,
    /// A ping came. The library answers it with the next read, write or flush, so none of these may happen before an
    /// answer may leave.
    owes_pong: bool,
}

impl Socket {
    /// Connects; everything up to the answered handshake must be done within `patience`.
    ///
    /// # Cancel safety
    /// A connection half made is dropped.
    pub(super) async fn connect(plan: &UpstreamPlan) -> Result<Self, Break> {
        let (address, journey) = (plan.addresses.current(), Journey::default());
        let opening = Box::pin(Self::open(plan, address, &journey));
        let opened = match within(plan.connect_timeout, opening).await {
            Ok(opened) => opened,
            Err(_late) => Err(unreached(address, &journey.late(plan.connect_timeout))),
        };
        if opened.as_ref().is_err_and(|broken| broken.reason.is_about_the_way()) {
            plan.addresses.advance();
        }
        opened
    }

    async fn open(plan: &UpstreamPlan, address: &Address, journey: &Journey) -> Result<Self, Break> {
        let refused =
            |why: &dyn std::fmt::Display| Reason::Connect.because(format!("{}: {why}", address.url()));
        let stream = network::connect(&plan.network, address, journey).await;
        let stream = stream.map_err(|why| unreached(address, &why))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(UPSTREAM_MESSAGE_BYTES))
            .max_frame_size(Some(UPSTREAM_MESSAGE_BYTES));
        let mut request = address.url().into_client_request().map_err(|why| refused(&why))?;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let step = journey.begin(Stage::Talk, format!("WebSocket handshake with {}", address.host()), false);
        let opened = client_async_with_config(request, stream, Some(config)).await;
        match step.end(opened) {
            Ok((stream, answer)) => {
                plan.dated.note(answer.headers(), plan.clock.now());
                Ok(Self { stream, owes_pong: false })
            }
            Err(tungstenite::Error::Http(answer)) => {
                let status = answer.status().as_u16();
                plan.dated.note(answer.headers(), plan.clock.now());
                let asked = hold::asked_by(status, answer.headers(), plan.clock.now());
                if let Some(time) = asked {
                    plan.hold.extend(Instant::now(), time);
                }
                let (reason, mut what) = refused_by(status, plan.venue, plan.credentials.is_some());
                if let Some(time) = asked {
                    what.push_str(&format!("; it asks to be left alone for {} s", time.as_secs()));
                }
                Err(reason.because(format!("{}: {what}", address.url())))
            }
            Err(why) => Err(refused(&why)),
        }
    }

    /// The next frame. A ping that came before is answered first, if it was not yet.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Received, Break> {
        loop {
            return match self.stream.next().await {
                Some(Ok(Message::Text(text))) => Ok(Received::Message(text.into())),
                Some(Ok(Message::Binary(bytes))) => Ok(Received::Message(bytes)),
                Some(Ok(Message::Ping(_))) => {
                    self.owes_pong = true;
                    Ok(Received::Control)
                }
                Some(Ok(Message::Pong(_))) => Ok(Received::Control),
                Some(Ok(Message::Frame(_))) => continue,
                Some(Ok(Message::Close(frame))) => Err(closed(frame.as_ref())),
                Some(Err(why)) => Err(failed(&why)),
                None => Err(Reason::Dropped.because("the connection ended without a goodbye")),
            };
        }
    }

    /// The next frame, if it is there already, and nothing must be sent before.
    pub(super) fn now(&mut self) -> Option<Result<Received, Break>> {
        if self.owes_pong { None } else { self.next().now_or_never() }
    }

    /// Whether a ping must be answered before anything is read or sent.
    pub(super) const fn owes_pong(&self) -> bool {
        self.owes_pong
    }

    /// Answers the ping; of several that came, the newest.
    ///
    /// # Cancel safety
    /// The answer leaves with the next call.
    pub(super) async fn pong(&mut self) -> Result<(), Break> {
        match within(UPSTREAM_WRITE_TIMEOUT, self.stream.flush()).await {
            Ok(Ok(())) => {
                self.owes_pong = false;
                Ok(())
            }
            Ok(Err(why)) => Err(failed(&why)),
            Err(_late) => Err(Reason::Stuck.because("the venue takes nothing")),
        }
    }

    /// Sends a text.
    ///
    /// # Cancel safety
    /// The text may have been sent in part: the connection is good for nothing then.
    pub(super) async fn send(&mut self, text: String) -> Result<(), Break> {
        self.write(Message::Text(text.into())).await
    }

    /// Sends a ping frame.
    pub(super) async fn ping(&mut self) -> Result<(), Break> {
        self.write(Message::Ping(Bytes::from_static(b"tickcast"))).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Break> {
        match within(UPSTREAM_WRITE_TIMEOUT, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(failed(&why)),
            Err(_late) => Err(Reason::Stuck.because("the venue takes nothing")),
        }
    }

    /// Says goodbye, without waiting for an answer longer than a moment.
    pub(super) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        // Whether the venue hears it makes no difference.
        let _told = timeout(Duration::from_secs(1), async {
            self.stream.close(Some(frame)).await?;
            while let Some(Ok(_rest)) = self.stream.next().await {}
            Ok::<_, tungstenite::Error>(())
        })
        .await;
    }
}

/// Why there is no connection, with its class.
fn unreached(address: &Address, why: &ConnectError) -> Break {
    let reason = match why {
        ConnectError::Proxy(why) if why.is_about_credentials => Reason::ProxyAuth,
        why if why.is_proxy() => Reason::Proxy,
        ConnectError::Late { .. } => Reason::ConnectTimeout,
        ConnectError::Resolve { .. }
        | ConnectError::Unreachable { .. }
        | ConnectError::Proxy(_)
        | ConnectError::Tls { .. } => Reason::Connect,
    };
    reason.because(format!("{}: {why}", address.url()))
}

/// What a status says that is no handshake.
pub(super) fn refused_by(status: u16, venue: Venue, has_credentials: bool) -> (Reason, String) {
    let reason = match status {
        401 | 403 if has_credentials => Reason::Auth,
        // Without credentials it is the address that something dislikes.
        401 | 403 | 451 => Reason::Blocked,
        // 418 is how Binance bans an address.
        418 | 429 => Reason::RateLimited,
        _ => Reason::Connect,
    };
    let words = hold::kept_out_by(status, venue, has_credentials);
    let name = status_name(status);
    let what = words.map_or_else(|| name.clone(), |words| format!("{name}: {words}"));
    (reason, what)
}

fn closed(frame: Option<&CloseFrame>) -> Break {
    let Some(frame) = frame else { return Reason::Closed.because("close frame without a code") };
    let code = u16::from(frame.code);
    // 1008 is how venues end connections that ask too much.
    let reason = if code == 1008 { Reason::RateLimited } else { Reason::Closed };
    reason.because(format!("close frame {code} {:?}", frame.reason.as_str()))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the library's many errors a few mean something here")]
fn failed(why: &tungstenite::Error) -> Break {
    let reason = match why {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => Reason::Oversize,
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | tungstenite::Error::Io(_)
        | tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed => Reason::Dropped,
        _ => Reason::Protocol,
    };
    reason.because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_handshake_is_named_for_what_it_is() {
        for (status, venue, has_credentials, reason, words) in [
            (451, Venue::Binance, false, Reason::Blocked, "data-stream.binance.vision"),
            (451, Venue::Kraken, false, Reason::Blocked, "may not be used from this place"),
            (403, Venue::Binance, false, Reason::Blocked, "refuses this address"),
            (403, Venue::Coinbase, false, Reason::Blocked, "or a proxy on the way does"),
            (403, Venue::Alpaca, true, Reason::Auth, "HTTP 403"),
            (401, Venue::Alpaca, true, Reason::Auth, "HTTP 401"),
            (401, Venue::Binance, false, Reason::Blocked, "sends no credentials"),
            (418, Venue::Binance, false, Reason::RateLimited, "HTTP 418"),
            (429, Venue::Alpaca, true, Reason::RateLimited, "HTTP 429"),
            (502, Venue::Kraken, false, Reason::Connect, "HTTP 502"),
        ] {
            let (found, what) = refused_by(status, venue, has_credentials);
            assert_eq!(found, reason, "{status} {venue:?}");
            assert!(what.contains(words), "{what}");
        }
    }
}
