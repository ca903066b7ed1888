//! Bytes that a WebSocket library would never send, straight to `/v1/ws`: every one gets the right close or error,
//! and a healthy client on the same symbol goes on.

mod commands;
mod ends;
mod frames;
mod upgrades;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use tickcast::{
    server::{Driver, ServerConfig},
    session::SessionConfig,
};

use crate::util::{Client, PATIENCE, TestGateway, eventually, trade};

const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// A masked client frame with that first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn text(command: &Value) -> Vec<u8> {
    frame(0x81, command.to_string().as_bytes())
}

/// A frame from the gateway.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    opcode: u8,
    payload: Vec<u8>,
}

/// A plain socket that has upgraded.
struct Raw(TcpStream);

impl Raw {
    fn dial(gateway: &TestGateway) -> Self {
        let stream = TcpStream::connect(gateway.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends an upgrade request with these further headers and returns the head of the answer.
    fn request(&mut self, path: &str, version: &str, more: &str) -> String {
        write!(
            self.0,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {version}\r\n{more}\r\n"
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    fn upgraded(gateway: &TestGateway) -> Self {
        let mut raw = Self::dial(gateway);
        let head = raw.request("/v1/ws", "13", "");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(raw.message("welcome").is_object());
        raw
    }

    /// A session in MessagePack; its welcome is still to be read.
    fn upgraded_msgpack(gateway: &TestGateway) -> Self {
        let mut raw = Self::dial(gateway);
        let head = raw.request("/v1/ws", "13", "Sec-WebSocket-Protocol: other, tickcast.v1.msgpack\r\n");
        assert!(head.to_lowercase().contains("sec-websocket-protocol: tickcast.v1.msgpack"), "{head}");
        raw
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next frame, or nothing at the orderly end of the connection; a reset is none.
    fn next(&mut self) -> Option<Frame> {
        let mut header = [0; 2];
        if self.0.read(&mut header[..1]).expect("a frame or an end") == 0 {
            return None;
        }
        self.0.read_exact(&mut header[1..]).unwrap();
        assert_eq!(header[0] & 0x70, 0, "no reserved bits");
        assert_eq!(header[1] & 0x80, 0, "servers do not mask");
        let len = match header[1] {
            126 => {
                let mut len = [0; 2];
                self.0.read_exact(&mut len).unwrap();
                usize::from(u16::from_be_bytes(len))
            }
            127 => {
                let mut len = [0; 8];
                self.0.read_exact(&mut len).unwrap();
                usize::try_from(u64::from_be_bytes(len)).unwrap()
            }
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        self.0.read_exact(&mut payload).unwrap();
        Some(Frame { opcode: header[0] & 0x0F, payload })
    }

    /// The next message of that type; whatever else comes is passed over.
    fn message(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().unwrap_or_else(|| panic!("ended while waiting for {kind}"));
            if frame.opcode == 1 {
                let messages: Vec<Value> = serde_json::from_slice(&frame.payload).unwrap();
                if let Some(found) = messages.into_iter().find(|message| message["T"] == kind) {
                    return found;
                }
            }
            assert_ne!(frame.opcode, 8, "closed while waiting for {kind}");
        }
    }

    /// Reads up to the close frame and the end behind it; returns the payload of the close frame.
    fn closed(&mut self) -> Vec<u8> {
        let close = loop {
            let frame = self.next().expect("a close frame goes before the connection");
            if frame.opcode == 8 {
                break frame.payload;
            }
        };
        // A client answers, and then the gateway is the one that ends the connection.
        let _gone = self.0.write_all(&frame(0x88, &close[..close.len().min(2)]));
        assert_eq!(self.next(), None, "nothing comes after a close frame");
        close
    }
}

fn code(payload: &[u8]) -> Option<u16> {
    payload.first_chunk().map(|code| u16::from_be_bytes(*code))
}

/// A healthy client that must get every trade.
struct Witness {
    client: Client,
    next: u64,
}

impl Witness {
    async fn on(gateway: &TestGateway) -> Self {
        gateway.declare(&["A"]);
        let mut client = gateway.connect().await;
        client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"]})).await;
        client.expect("subscribed").await;
        Self { client, next: 1 }
    }

    async fn is_well(&mut self, gateway: &TestGateway) {
        gateway.publish([trade("A", self.next, "1.10")]);
        let event = self.client.expect("t").await;
        assert_eq!(event["n"].as_u64(), Some(self.next), "nothing is lost");
        self.next += 1;
    }
}

/// A gateway that counts what happened within milliseconds, since the shortest time rules how often it looks.
fn brisk(driver: Driver) -> TestGateway {
    let session = SessionConfig { heartbeat: Duration::from_millis(40), ..SessionConfig::default() };
    TestGateway::with(ServerConfig { driver, ..ServerConfig::default() }, session)
}

/// Waits until exactly that number of sessions was closed for that reason.
async fn counted(gateway: &TestGateway, reason: &str, count: u32) {
    let sample = format!("tickcast_sessions_closed_total{{reason=\"{reason}\"}}");
    gateway.metric_reaches(&sample, f64::from(count)).await;
    assert!(gateway.metric(&sample) < f64::from(count + 1), "{sample} is counted once each");
}

/// Runs what blocks beside the test's own tasks.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// What is sent on a fresh connection, and the close code that it gets (none: an empty close frame).
struct Case {
    name: String,
    bytes: Vec<u8>,
    code: Option<u16>,
}

/// Cases that all get that code.
fn cases<const N: usize>(code: u16, all: [(&str, Vec<u8>); N]) -> Vec<Case> {
    all.map(|(name, bytes)| Case { name: name.to_owned(), bytes, code: Some(code) }).into()
}

/// Every case gets its close frame and then the end of the connection, is counted under that reason, and harms
/// no other session.
async fn closes(driver: Driver, all: Vec<Case>, reason: &str) {
    let gateway = brisk(driver);
    let mut witness = Witness::on(&gateway).await;
    for (count, case) in (1..).zip(all) {
        let mut raw = Raw::upgraded(&gateway);
        raw.send(&case.bytes);
        let close = beside(move || raw.closed()).await;
        assert_eq!(code(&close), case.code, "{}", case.name);
        // What the client itself ended needs no reason; else the text says what was wrong, not only that something was.
        let text = String::from_utf8_lossy(close.get(2..).unwrap_or_default()).into_owned();
        assert_eq!(text.len() > "protocol error".len(), reason != "client", "{}: {text:?}", case.name);
        witness.is_well(&gateway).await;
        counted(&gateway, reason, count).await;
    }
    eventually("only the witness is left", || gateway.gateway.connections.total() == 1).await;
}
