//! One client of the mock venue, and how its connection can end.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        self, Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    fault::Fault,
    peers::{NextFault, PeerCommand, PeerState},
    protocol::{self, Present},
    rules::{BINANCE_FRAME_BYTES, COINBASE_SUBSCRIBE_WITHIN},
    values,
};
use crate::{
    dialect::{Venue, VenueRequest},
    market::Channel,
};

/// Serves one client.
pub(super) async fn serve(
    mut stream: TcpStream,
    key: usize,
    shared: Arc<PeerState>,
    next_fault: Option<NextFault>,
) {
    if next_fault == Some(NextFault::NoAnswer) {
        return drain(&mut stream).await;
    }
    let alpaca = shared.venue == Venue::Alpaca;
    let status = match next_fault {
        Some(NextFault::TooMany) => Some(429),
        Some(NextFault::NotLetIn) if !alpaca => Some(403),
        Some(NextFault::NotLetIn | NextFault::NoAnswer) | None => None,
    };
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let answer = |_request: &Request, mut response: Response| match status {
        None => {
            if let Ok(date) = shared.rules.date().parse() {
                response.headers_mut().insert("date", date);
            }
            Ok(response)
        }
        Some(status) => {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = tungstenite::http::StatusCode::from_u16(status).unwrap_or_default();
            Err(refusal)
        }
    };
    let Ok(mut socket) = accept_hdr_async(stream, answer).await else { return };
    if let Some(greeting) = shared.venue.greeting()
        && socket.send(Message::Text(greeting.into())).await.is_err()
    {
        return;
    }
    if next_fault == Some(NextFault::NotLetIn) {
        // Read the credentials and refuse them.
        let _credentials = socket.next().await;
        let _told = socket.send(Message::Text(protocol::not_let_in().into())).await;
        let _closed = socket.close(None).await;
        return;
    }
    let commands = shared.enter(key);
    // The reason for the end does not matter here.
    let _why = work(&mut socket, key, &shared, commands).await;
    shared.leave(key);
}

async fn work(
    socket: &mut WebSocketStream<TcpStream>,
    key: usize,
    shared: &PeerState,
    mut commands: mpsc::Receiver<PeerCommand>,
) -> Result<(), tungstenite::Error> {
    let mut let_in = shared.venue != Venue::Alpaca;
    let every = shared.rules.ping_every;
    let mut pings = tokio::time::interval(every.unwrap_or(Duration::from_secs(3_600)));
    let mut must_subscribe = shared.venue == Venue::Coinbase;
    let deadline = tokio::time::sleep(COINBASE_SUBSCRIBE_WITHIN);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            message = socket.next() => {
                let Some(message) = message.transpose()? else { return Ok(()) };
                let is_last = matches!(message, Message::Close(_));
                if !is_last && shared.has_too_many(key) && shared.venue == Venue::Binance {
                    let close = CloseFrame { code: CloseCode::Policy, reason: "Too many requests".into() };
                    return socket.close(Some(close)).await;
                }
                // The library answers pings.
                if let Message::Text(text) = message {
                    let_in |= answer(socket, key, shared, (&text, let_in)).await?;
                    must_subscribe &= shared.subscriptions(key).0.is_empty();
                }
            }
            command = commands.recv() => match command {
                Some(PeerCommand::Text(text)) => socket.send(Message::Text(text.into())).await?,
                Some(PeerCommand::End(fault, frame)) => return end(socket, fault, &frame).await,
                None => return Ok(()),
            },
            () = &mut deadline, if must_subscribe => {
                shared.counts.lock().breaches += 1;
                return socket.close(None).await;
            }
            _ = pings.tick(), if every.is_some() => {
                socket.send(Message::Ping(tungstenite::Bytes::from_static(b"1"))).await?;
            }
        }
    }
}

/// Answers a request. Returns whether the client is authenticated.
async fn answer(
    socket: &mut WebSocketStream<TcpStream>,
    key: usize,
    shared: &PeerState,
    (text, let_in): (&str, bool),
) -> Result<bool, tungstenite::Error> {
    let venue = shared.venue;
    if venue == Venue::Binance && text.len() > BINANCE_FRAME_BYTES {
        // Binance never answers such a frame.
        return Ok(false);
    }
    let request = venue.request_of(text);
    if shared.is_over(key)
        && let Some(refusal) = protocol::too_many(venue, &request, &shared.rules)
    {
        socket.send(Message::Text(refusal.into())).await?;
        return Ok(false);
    }
    if matches!(request, VenueRequest::Topics { .. }) && shared.takes_fault() {
        socket.send(Message::Text(protocol::at_fault(venue, &request).into())).await?;
        return Ok(false);
    }
    let (topics, states) = shared.subscriptions(key);
    let present = Present { topics: &topics, states: &states, known: &shared.known, rules: &shared.rules };
    let outcome = protocol::answer(venue, request, present);
    if !let_in && !outcome.let_in {
        socket.send(Message::Text(protocol::not_authenticated().into())).await?;
        return Ok(false);
    }
    if outcome.let_in && !shared.let_in(key) {
        socket.send(Message::Text(protocol::too_many_connections().into())).await?;
        socket.close(None).await?;
        return Err(tungstenite::Error::ConnectionClosed);
    }
    for answer in outcome.answers {
        socket.send(Message::Text(answer.into())).await?;
    }
    let opened: Vec<_> = outcome.add.iter().filter(|topic| topic.0 == Channel::Quotes).cloned().collect();
    shared.change(key, (outcome.add, outcome.states), &outcome.remove);
    for frame in opened.iter().filter_map(|(_, theirs)| values::opening(shared, theirs)) {
        socket.send(Message::Text(frame.into())).await?;
    }
    Ok(true)
}

async fn end(
    socket: &mut WebSocketStream<TcpStream>,
    fault: Fault,
    frame: &str,
) -> Result<(), tungstenite::Error> {
    match fault {
        Fault::Stall => drain(socket.get_mut()).await,
        Fault::HalfFrame => {
            let mut bytes = vec![0x81];
            match (u8::try_from(frame.len()), u16::try_from(frame.len())) {
                (Ok(short @ 0..=125), _) => bytes.push(short),
                (_, Ok(long)) => {
                    bytes.push(126);
                    bytes.extend(long.to_be_bytes());
                }
                _longer => {
                    bytes.push(127);
                    bytes.extend((frame.len() as u64).to_be_bytes());
                }
            }
            bytes.extend(&frame.as_bytes()[..frame.len() / 2]);
            socket.get_mut().write_all(&bytes).await?;
            socket.get_mut().shutdown().await?;
            drain(socket.get_mut()).await;
        }
        Fault::Close1006 => {
            socket.get_mut().shutdown().await?;
            drain(socket.get_mut()).await;
        }
        Fault::Close1012 => {
            let close = CloseFrame { code: CloseCode::Restart, reason: "service restart".into() };
            socket.close(Some(close)).await?;
            while let Some(Ok(_rest)) = socket.next().await {}
        }
        Fault::Drop | Fault::SlowAccept | Fault::AuthFailure | Fault::RateLimit => {
            // A reset discards bytes in flight, so each run would lose something else. The pong shows that the client has
            // read everything so far.
            socket.send(Message::Ping(tungstenite::Bytes::new())).await?;
            while !matches!(socket.next().await.transpose()?, Some(Message::Pong(_)) | None) {}
            socket2::SockRef::from(socket.get_ref()).set_linger(Some(Duration::ZERO))?;
        }
        Fault::Garbage | Fault::Duplicate | Fault::OutOfOrder => {}
    }
    Ok(())
}

/// Discards input until the client leaves.
pub(super) async fn drain(stream: &mut TcpStream) {
    let mut scratch = [0; 1_024];
    while matches!(stream.read(&mut scratch).await, Ok(count) if count > 0) {}
}
