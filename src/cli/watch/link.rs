//! The connection of `watch`: connects, subscribes, passes frames on, measures the round trip, and comes back.
//!
//! It reads no further than its receiver takes, so a slow terminal makes the gateway merge instead of filling memory.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{Instant, interval, sleep, timeout, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        http::{StatusCode, Uri},
        protocol::WebSocketConfig,
    },
};

use super::{
    WatchArgs, protocol,
    reconnect::{Ending, Next},
};
use crate::{
    feed::Backoff,
    limits::{WATCH_BACKOFF, WATCH_FRAME_BYTES, WATCH_PING, WATCH_SILENCE},
};

/// Symbols in one subscribe command, so that it stays below the gateway's limit on a message.
const SYMBOLS_A_COMMAND: usize = 1_000;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the connection has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Update {
    /// An attempt has begun.
    Connecting,
    /// Connected, and the subscriptions are sent.
    Connected,
    /// A frame.
    Frame(Utf8Bytes),
    /// A ping was answered after this.
    RoundTrip(Duration),
    /// The connection ended; the next attempt comes after the pause.
    Waiting { why: String, pause: Duration },
    /// The connection ended for good.
    Ended(String),
}

/// The subscribe commands for the watched symbols.
pub(super) fn commands(args: &WatchArgs) -> Vec<String> {
    let mut commands = Vec::new();
    for channel in &args.channels {
        for symbols in args.symbols.chunks(SYMBOLS_A_COMMAND) {
            let id = commands.len() + 1;
            let command =
                serde_json::json!({"op": "subscribe", "id": id, "channel": channel, "symbols": symbols});
            commands.push(command.to_string());
        }
    }
    commands
}

/// Keeps connected until the gateway says to stay away or `updates` has no receiver any more.
///
/// # Cancel safety
/// Dropped, it closes the socket without a goodbye.
pub(super) async fn run(url: Uri, commands: Vec<String>, updates: mpsc::Sender<Update>) {
    let mut backoff = Backoff::new(WATCH_BACKOFF.0, WATCH_BACKOFF.1);
    loop {
        let started = Instant::now();
        let Some(ending) = connection(&url, &commands, &updates).await else { return };
        let lived = started.elapsed();
        if lived >= WATCH_BACKOFF.1 {
            backoff.reset();
        }
        let pause = match ending.next(lived) {
            Next::Stop => {
                // The receiver may be gone; then there is no one to tell.
                let _told = updates.send(Update::Ended(ending.why)).await;
                return;
            }
            Next::Backoff => backoff.next(&mut rand::rng()),
            Next::After(pause) => pause,
        };
        if updates.send(Update::Waiting { why: ending.why, pause }).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = updates.closed() => return,
        }
    }
}

/// One connection from its beginning to its end; nothing when `updates` has no receiver any more.
async fn connection(url: &Uri, commands: &[String], updates: &mpsc::Sender<Update>) -> Option<Ending> {
    updates.send(Update::Connecting).await.ok()?;
    let connected = tokio::select! {
        connected = timeout(WATCH_SILENCE, connect(url)) => connected,
        () = updates.closed() => return None,
    };
    let mut socket = match connected {
        Ok(Ok(socket)) => socket,
        Ok(Err(ending)) => return Some(ending),
        Err(_elapsed) => return Some(Ending::broken("the gateway did not answer in time")),
    };
    for command in commands {
        if let Err(ending) = send(&mut socket, Message::text(command.as_str())).await {
            return Some(ending);
        }
    }
    updates.send(Update::Connected).await.ok()?;
    let ending = read(&mut socket, updates).await;
    // The other side may be gone already.
    let _closed = timeout(GOODBYE, socket.close(None)).await;
    ending
}

async fn connect(url: &Uri) -> Result<Socket, Ending> {
    let largest = Some(WATCH_FRAME_BYTES);
    let config = WebSocketConfig::default().max_message_size(largest).max_frame_size(largest);
    match Box::pin(connect_async_with_config(url.clone(), Some(config), true)).await {
        Ok((socket, _response)) => Ok(socket),
        Err(Error::Http(response)) => {
            let status = response.status();
            let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
            let is_final = !status.is_server_error() && !passing;
            Err(Ending { is_final, ..Ending::broken(format!("{url} answers {status}, not a WebSocket")) })
        }
        Err(error @ Error::Url(_)) => Err(Ending { is_final: true, ..Ending::broken(error.to_string()) }),
        Err(error) => Err(Ending::broken(format!("no connection to {url}: {error}"))),
    }
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), Ending> {
    match timeout(WATCH_SILENCE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Ending::broken(error.to_string())),
        Err(_elapsed) => Err(Ending::broken("the gateway takes no more bytes")),
    }
}

/// Reads until the connection ends.
async fn read(socket: &mut Socket, updates: &mpsc::Sender<Update>) -> Option<Ending> {
    let mut pings = interval(WATCH_PING);
    let mut asked: Option<(u64, Instant)> = None;
    let mut count = 0_u64;
    let mut bye = None;
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! {
            message = timeout_at(heard + WATCH_SILENCE, socket.next()) => message,
            _ = pings.tick() => {
                if asked.is_none() {
                    count += 1;
                    asked = Some((count, Instant::now()));
                    if let Err(ending) = send(socket, Message::Ping(count.to_be_bytes().to_vec().into())).await {
                        return Some(ending);
                    }
                }
                continue;
            }
            () = updates.closed() => return None,
        };
        match message {
            Ok(Some(Ok(Message::Text(frame)))) => {
                bye = protocol::bye(&frame).or(bye);
                updates.send(Update::Frame(frame)).await.ok()?;
            }
            Ok(Some(Ok(Message::Pong(payload)))) => {
                if let Some((_, at)) = asked.take_if(|(count, _)| payload.as_ref() == count.to_be_bytes()) {
                    updates.send(Update::RoundTrip(at.elapsed())).await.ok()?;
                }
            }
            Ok(Some(Ok(Message::Close(frame)))) => {
                let code = frame.as_ref().map(|frame| u16::from(frame.code));
                let said = bye.as_ref().map(|bye: &protocol::Bye| bye.msg.clone());
                let said = said.or_else(|| frame.map(|frame| frame.reason.to_string())).unwrap_or_default();
                let number = code.map_or_else(String::new, |code| format!(" ({code})"));
                return Some(Ending {
                    why: format!("closed by the gateway{number}: {said}"),
                    code,
                    bye,
                    is_final: false,
                });
            }
            Ok(Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Frame(_)))) => {}
            Ok(Some(Err(error))) => return Some(Ending { bye, ..Ending::broken(error.to_string()) }),
            Ok(None) => return Some(Ending { bye, ..Ending::broken("the connection was closed") }),
            Err(_elapsed) => return Some(Ending::broken("the gateway fell silent")),
        }
        heard = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_tungstenite::{
        accept_async,
        tungstenite::protocol::{CloseFrame, frame::coding::CloseCode},
    };

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    async fn next(inbox: &mut mpsc::Receiver<Update>) -> Update {
        loop {
            let update = timeout(DEADLINE, inbox.recv()).await.expect("in time").expect("more");
            if !matches!(update, Update::RoundTrip(_)) {
                return update;
            }
        }
    }

    /// Accepts a connection, reads its command, sends a frame, and closes with that code.
    async fn serve_one(listener: &TcpListener, frame: &str, code: u16) -> String {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        let command = loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                break text.to_string();
            }
        };
        socket.send(Message::text(frame)).await.unwrap();
        let close = CloseFrame { code: CloseCode::from(code), reason: "reason".into() };
        socket.close(Some(close)).await.unwrap();
        while socket.next().await.is_some_and(|message| message.is_ok()) {}
        command
    }

    #[tokio::test]
    async fn it_comes_back_and_subscribes_again_until_it_is_told_to_stay_away() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Uri = format!("ws://{}/v1/ws", listener.local_addr().unwrap()).parse().unwrap();
        let (updates, mut inbox) = mpsc::channel(8);
        let link = tokio::spawn(run(url, vec!["the command".into()], updates));
        let bye = r#"[{"T":"bye","code":4201,"msg":"draining","reconnect":true,"after_ms":1}]"#;
        let gateway =
            async { (serve_one(&listener, bye, 4201).await, serve_one(&listener, "[]", 4005).await) };
        let told = async {
            let mut told = Vec::new();
            loop {
                told.push(next(&mut inbox).await);
                if matches!(told.last(), Some(Update::Ended(_))) {
                    return told;
                }
            }
        };
        let ((first, second), told) = timeout(DEADLINE, async { tokio::join!(gateway, told) }).await.unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("the command", "the command"));
        let why = "closed by the gateway (4201): draining".to_owned();
        let expected = [
            Update::Connecting,
            Update::Connected,
            Update::Frame(bye.into()),
            Update::Waiting { why, pause: Duration::from_millis(1) },
            Update::Connecting,
            Update::Connected,
            Update::Frame("[]".into()),
            Update::Ended("closed by the gateway (4005): reason".into()),
        ];
        assert_eq!(told, expected);
        link.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_listening_ends_it_with_a_goodbye() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Uri = format!("ws://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (updates, mut inbox) = mpsc::channel(8);
        let link = tokio::spawn(run(url, Vec::new(), updates));
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        while next(&mut inbox).await != Update::Connected {}
        drop(inbox);
        let closed = async {
            loop {
                if let Message::Close(_) = socket.next().await.unwrap().unwrap() {
                    return;
                }
            }
        };
        timeout(DEADLINE, closed).await.expect("a close frame in time");
        drop(socket);
        timeout(DEADLINE, link).await.expect("it ends").unwrap();
    }

    #[tokio::test]
    async fn a_gateway_that_is_not_there_is_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Uri = format!("ws://{}/", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);
        let (updates, mut inbox) = mpsc::channel(8);
        let link = tokio::spawn(run(url, Vec::new(), updates));
        assert_eq!(next(&mut inbox).await, Update::Connecting);
        let Update::Waiting { why, pause } = next(&mut inbox).await else { panic!("a pause") };
        assert!(
            why.starts_with("no connection to ws://127.0.0.1:") && pause <= WATCH_BACKOFF.0,
            "{why} {pause:?}"
        );
        drop(inbox);
        link.await.unwrap();
    }

    #[test]
    fn commands_are_one_a_channel_and_not_too_long() {
        let mut args = WatchArgs {
            symbols: vec!["BTC-*".into()],
            url: "ws://localhost/".parse().unwrap(),
            channels: vec!["quotes".into(), "trades".into()],
            json: false,
            count: None,
        };
        let all = commands(&args);
        assert_eq!(all.len(), 2);
        let first: serde_json::Value = serde_json::from_str(&all[0]).unwrap();
        let expected = serde_json::json!({"op":"subscribe","id":1,"channel":"quotes","symbols":["BTC-*"]});
        assert_eq!(first, expected);
        args.symbols = vec!["A".repeat(32); SYMBOLS_A_COMMAND + 1];
        let all = commands(&args);
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|command| command.len() < crate::limits::DEFAULT_FRAME_BYTES));
    }
}
