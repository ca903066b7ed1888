//! Bytes that a WebSocket library would never send, straight to `/v1/ws`: every one gets the right close or error,
//! and a healthy client on the same symbol goes on.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use tickcast::{
    limits::MAX_FRAGMENTS,
    server::{Driver, ServerConfig},
    session::SessionConfig,
};

use crate::util::{Client, PATIENCE, TestGateway, eventually, trade};

on_both_drivers! {
    violations_of_framing_close_with_1002,
    what_is_not_utf8_closes_with_1007,
    allowed_closes_are_echoed,
    too_large_closes_with_1009_before_it_is_buffered,
    the_wrong_kind_of_frame_closes_with_1003,
    pings_are_answered_in_every_shape,
    a_flood_of_pings_closes_with_4102,
    bad_upgrades_are_refused_as_http,
    a_half_sent_upgrade_is_ended,
    bad_commands_get_errors_and_the_session_lives,
    ten_thousand_symbols_are_all_or_nothing,
    a_thousand_commands_at_once_are_each_answered,
}

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

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next frame, or nothing at the end of the connection.
    fn next(&mut self) -> Option<Frame> {
        let mut header = [0; 2];
        match self.0.read_exact(&mut header) {
            Ok(()) => {}
            Err(why) if matches!(why.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                return None;
            }
            Err(why) => panic!("neither a frame nor an end: {why}"),
        }
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

/// Each case on a fresh connection: what is sent, the expected close code (none: an empty close frame).
async fn closes(driver: Driver, cases: Vec<(String, Vec<u8>, Option<u16>)>, reason: &str) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let count = f64::from(u32::try_from(cases.len()).unwrap());
    for (name, bytes, expected) in cases {
        let mut raw = Raw::upgraded(&gateway);
        raw.send(&bytes);
        let close = tokio::task::spawn_blocking(move || raw.closed()).await.unwrap();
        assert_eq!(code(&close), expected, "{name}");
        witness.is_well(&gateway).await;
    }
    gateway.metric_reaches(&format!("tickcast_sessions_closed_total{{reason=\"{reason}\"}}"), count).await;
    eventually("only the witness is left", || gateway.gateway.census.total() == 1).await;
}

fn named(cases: &[(&str, Vec<u8>)], code: u16) -> Vec<(String, Vec<u8>, Option<u16>)> {
    cases.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone(), Some(code))).collect()
}

async fn violations_of_framing_close_with_1002(driver: Driver) {
    let ping = json!({"op": "ping"}).to_string();
    let mut cases = named(
        &[
            ("unmasked", [&[0x81, u8::try_from(ping.len()).unwrap()], ping.as_bytes()].concat()),
            ("RSV1", frame(0xC1, b"{}")),
            ("RSV2", frame(0xA1, b"{}")),
            ("RSV3", frame(0x91, b"{}")),
            ("opcode 3", frame(0x83, b"")),
            ("opcode 7", frame(0x87, b"")),
            ("opcode B", frame(0x8B, b"")),
            ("opcode F", frame(0x8F, b"")),
            ("fragmented ping", frame(0x09, b"a")),
            ("fragmented close", frame(0x08, b"")),
            ("ping of 126 bytes", frame(0x89, &[0; 126])),
            ("close of 126 bytes", frame(0x88, &[3; 126])),
            ("continuation without a start", frame(0x80, b"{}")),
            ("text inside a fragmented message", [frame(0x01, b"{"), frame(0x81, b"}")].concat()),
            ("64-bit length with the top bit", [&[0x81, 0xFF, 0x80][..], &[0; 7], &MASK].concat()),
            ("close of one byte", frame(0x88, &[3])),
        ],
        1002,
    );
    for bad in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535] {
        cases.push((format!("close with {bad}"), frame(0x88, &bad.to_be_bytes()), Some(1002)));
    }
    closes(driver, cases, "protocol_error").await;
}

async fn what_is_not_utf8_closes_with_1007(driver: Driver) {
    let cases = [
        ("in one frame", frame(0x81, b"\"\xff\"")),
        ("across fragments", [frame(0x01, b"\"\xc3"), frame(0x80, b"\x28\"")].concat()),
        ("cut at the end", [frame(0x01, b"\"\xe2\x82"), frame(0x80, b"")].concat()),
        ("in a close reason", frame(0x88, b"\x03\xe8\xff\xfe")),
    ];
    closes(driver, named(&cases, 1007), "not_utf8").await;
}

async fn allowed_closes_are_echoed(driver: Driver) {
    let mut cases = vec![("empty".to_owned(), frame(0x88, b""), None)];
    for good in [1000_u16, 1001, 1003, 1007, 1011, 3000, 4999] {
        let payload = [&good.to_be_bytes()[..], b"bye"].concat();
        cases.push((format!("{good}"), frame(0x88, &payload), Some(good)));
    }
    closes(driver, cases, "client").await;
}

async fn too_large_closes_with_1009_before_it_is_buffered(driver: Driver) {
    let limit = SessionConfig::default().frame_bytes;
    let announced = [&[0x81, 0xFF][..], &(limit as u64 + 1).to_be_bytes(), &MASK].concat();
    let huge = [&[0x82, 0xFF][..], &(1_u64 << 40).to_be_bytes(), &MASK].concat();
    let half = vec![b' '; limit / 2 + 1];
    let pieces = [frame(0x01, &half), frame(0x80, &half)].concat();
    let mut tiny = frame(0x01, b" ");
    (0..MAX_FRAGMENTS).for_each(|_| tiny.extend(frame(0x00, b"")));
    let cases = [
        ("announced by its header only", announced),
        ("a terabyte, announced", huge),
        ("built of fragments", pieces),
        ("thousands of tiny fragments", tiny),
    ];
    closes(driver, named(&cases, 1009), "too_large").await;
}

async fn the_wrong_kind_of_frame_closes_with_1003(driver: Driver) {
    let cases = [("binary on a JSON session", frame(0x82, b"\x81\xa2op\xa4ping"))];
    closes(driver, named(&cases, 1003), "unsupported").await;
    let gateway = TestGateway::on(driver);
    let mut raw = Raw::dial(&gateway);
    let head = raw.request("/v1/ws", "13", "Sec-WebSocket-Protocol: other, tickcast.v1.msgpack\r\n");
    assert!(head.to_lowercase().contains("sec-websocket-protocol: tickcast.v1.msgpack"), "{head}");
    raw.send(&text(&json!({"op": "ping"})));
    assert_eq!(code(&raw.closed()), Some(1003));
}

async fn pings_are_answered_in_every_shape(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    for payload in [&b""[..], b"hello", &[0x7F; 125]] {
        raw.send(&frame(0x89, payload));
        assert_eq!(raw.next(), Some(Frame { opcode: 10, payload: payload.to_vec() }));
    }
    // A ping between the fragments of a command, and a pong that nobody asked for.
    raw.send(&frame(0x01, b"{\"op\":\"ping\","));
    raw.send(&frame(0x89, b"between"));
    assert_eq!(raw.next(), Some(Frame { opcode: 10, payload: b"between".to_vec() }));
    raw.send(&frame(0x8A, b"unasked"));
    raw.send(&frame(0x80, b"\"id\":5}"));
    assert_eq!(raw.message("pong")["id"], 5);
    // One byte at a time.
    for byte in text(&json!({"op": "ping", "id": 6})) {
        raw.send(&[byte]);
    }
    assert_eq!(raw.message("pong")["id"], 6);
    // An empty last continuation, as some clients send it.
    raw.send(&[frame(0x01, b"{\"op\":\"ping\",\"id\":7}"), frame(0x80, b"")].concat());
    assert_eq!(raw.message("pong")["id"], 7);
    witness.is_well(&gateway).await;
}

async fn a_flood_of_pings_closes_with_4102(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    let flood: Vec<u8> = std::iter::repeat_n(frame(0x89, b"x"), 1_000).flatten().collect();
    raw.send(&flood);
    let close = tokio::task::spawn_blocking(move || raw.closed()).await.unwrap();
    assert_eq!(code(&close), Some(4102));
    gateway.metric_reaches("tickcast_sessions_closed_total{reason=\"rate_limited\"}", 1.0).await;
    witness.is_well(&gateway).await;
}

async fn bad_upgrades_are_refused_as_http(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    for (path, version, more, status) in [
        ("/v1/ws", "12", "", 426),
        ("/v2/ws", "13", "", 404),
        ("/v1/ws", "13", "Origin: http://evil.example\r\n", 403),
        ("/v1/ws", "13", "Origin: http://localhost\r\n", 101),
    ] {
        let head = Raw::dial(&gateway).request(path, version, more);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{path} {version} {more}: {head}");
    }
    witness.is_well(&gateway).await;
}

async fn a_half_sent_upgrade_is_ended(driver: Driver) {
    let server =
        ServerConfig { driver, request_timeout: Duration::from_millis(200), ..ServerConfig::default() };
    let gateway = TestGateway::with(server, SessionConfig::default());
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::dial(&gateway);
    raw.send(b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgr");
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        raw.0.read_to_string(&mut answer).unwrap();
        answer
    })
    .await
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    witness.is_well(&gateway).await;
}

async fn bad_commands_get_errors_and_the_session_lives(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    for (command, code) in [
        (&b"garbage"[..], 400),
        (b"", 400),
        (b"[]", 400),
        (b"{\"op\":1}", 400),
        (b"{\"op\":\"subscribe\",\"channel\":\"trades\",\"symbols\":[1]}", 416),
        (b"{\"op\":\"subscribe\",\"channel\":\"trades\",\"symbols\":\"A\"}", 416),
        (b"{\"op\":\"subscribe\",\"channel\":\"books\",\"symbols\":[\"A\"]}", 415),
        (b"{\"op\":\"auth\",\"key\":\"k\",\"secret\":\"s\"}", 403),
    ] {
        raw.send(&frame(0x81, command));
        let error = raw.message("error");
        assert_eq!(error["code"], code, "{}", String::from_utf8_lossy(command));
        assert!(
            error["msg"].as_str().is_some_and(|msg| !msg.is_empty()) && error["retry"].is_boolean(),
            "{error}"
        );
    }
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    raw.send(&frame(0x81, nested.as_bytes()));
    assert_eq!(raw.message("error")["code"], 400, "deep nesting is no command either");
    witness.is_well(&gateway).await;
}

async fn ten_thousand_symbols_are_all_or_nothing(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let names: Vec<_> = (0..10_000).map(|i| format!("S{i}")).collect();
    gateway.declare(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut raw = Raw::upgraded(&gateway);
    raw.send(&text(&json!({"op": "subscribe", "id": 1, "channel": "quotes", "symbols": names})));
    let error = raw.message("error");
    assert_eq!((&error["code"], &error["id"]), (&json!(405), &json!(1)));
    raw.send(&text(&json!({"op": "list"})));
    assert_eq!(raw.message("list")["subscriptions"], json!([]));
    witness.is_well(&gateway).await;
}

async fn a_thousand_commands_at_once_are_each_answered(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    let all: Vec<u8> = (0..1_000).flat_map(|id| text(&json!({"op": "ping", "id": id}))).collect();
    raw.send(&all);
    let (mut pongs, mut refused) = (0, 0);
    let raw = tokio::task::spawn_blocking(move || {
        let mut next = 0;
        while next < 1_000 {
            let frame = raw.next().unwrap();
            let messages: Vec<Value> = serde_json::from_slice(&frame.payload).unwrap();
            for message in messages {
                match message["T"].as_str() {
                    Some("pong") => pongs += 1,
                    Some("error") if message["code"] == 429 => refused += 1,
                    _ => continue,
                }
                assert_eq!(message["id"], next, "answers come in order");
                next += 1;
            }
        }
        assert!(pongs >= 200 && pongs + refused == 1_000, "{pongs} {refused}");
        raw
    })
    .await
    .unwrap();
    witness.is_well(&gateway).await;
    drop(raw);
}
