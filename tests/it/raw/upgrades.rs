//! Requests that never become a session, or take their time.

use std::{io::Read as _, time::Duration};

use serde_json::json;
use tickcast::{
    limits::REQUEST_TIMEOUT_MS_RANGE,
    server::{Driver, ServerConfig},
    session::SessionConfig,
};

use super::{Raw, Witness, beside, text};
use crate::util::TestGateway;

on_both_drivers! {
    bad_upgrades_are_refused_as_http,
    what_is_no_upgrade_gets_an_http_error,
    a_command_that_comes_with_the_upgrade_is_carried_out,
    a_list_of_offers_in_pieces_is_one_websocket,
    a_half_sent_upgrade_is_ended,
    a_half_sent_request_after_a_whole_one_is_ended,
    an_idle_connection_and_a_session_outlive_the_request_timeout,
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

impl Raw {
    /// The whole answer to [`HEALTH`].
    fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(b"alive\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        String::from_utf8(answer).unwrap()
    }
}

/// A whole upgrade request with these headers in place of the usual ones.
fn request(start: &str, headers: &[&str]) -> Vec<u8> {
    format!("{start}\r\nHost: localhost\r\n{}\r\n\r\n", headers.join("\r\n")).into()
}

/// The shortest time that may be set.
fn hurried(driver: Driver) -> TestGateway {
    let request_timeout = Duration::from_millis(*REQUEST_TIMEOUT_MS_RANGE.start());
    TestGateway::with(
        ServerConfig { driver, request_timeout, ..ServerConfig::default() },
        SessionConfig::default(),
    )
}

/// Everything up to the end of the connection.
async fn rest(mut raw: Raw) -> String {
    beside(move || {
        let mut rest = Vec::new();
        raw.0.read_to_end(&mut rest).unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    })
    .await
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

async fn what_is_no_upgrade_gets_an_http_error(driver: Driver) {
    const GET: &str = "GET /v1/ws HTTP/1.1";
    const UPGRADE: &str = "Upgrade: websocket";
    const CONNECTION: &str = "Connection: Upgrade";
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const VERSION: &str = "Sec-WebSocket-Version: 13";
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let long = format!("X-Long: {}", "x".repeat(300_000));
    for (name, bytes, status) in [
        ("no key", request(GET, &[UPGRADE, CONNECTION, VERSION]), 400),
        ("short key", request(GET, &[UPGRADE, CONNECTION, "Sec-WebSocket-Key: abc", VERSION]), 400),
        ("no version", request(GET, &[UPGRADE, CONNECTION, KEY]), 400),
        (
            "bad flush_ms",
            request("GET /v1/ws?flush_ms=1001 HTTP/1.1", &[UPGRADE, CONNECTION, KEY, VERSION]),
            400,
        ),
        ("no upgrade", request(GET, &["Accept: */*"]), 426),
        ("another method", request("POST /v1/ws HTTP/1.1", &[UPGRADE, CONNECTION, KEY, VERSION]), 405),
        ("a head without end", request(GET, &[&long]), 431),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400),
    ] {
        let mut raw = Raw::dial(&gateway);
        // A head that is refused before its end is not read to it.
        let _refused = std::io::Write::write_all(&mut raw.0, &bytes);
        let mut start = [0; 12];
        raw.0.read_exact(&mut start).unwrap();
        assert_eq!(String::from_utf8_lossy(&start), format!("HTTP/1.1 {status}"), "{name}");
        witness.is_well(&gateway).await;
    }
    gateway.metric_reaches("tickcast_sessions_refused_total{reason=\"handshake\"}", 4.0).await;
}

async fn a_command_that_comes_with_the_upgrade_is_carried_out(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut raw = Raw::dial(&gateway);
    let upgrade = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    raw.send(&[upgrade.as_bytes(), &text(&json!({"op": "ping", "id": 1}))].concat());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        raw.0.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert_eq!(raw.message("pong")["id"], 1);
}

async fn a_list_of_offers_in_pieces_is_one_websocket(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut other = Raw::dial(&gateway);
    let upgrade = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c, web|socket, x|\r\nConnection: Up|grade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r|\n\r\n";
    let mut raw = Raw::dial(&gateway);
    raw.0.set_nodelay(true).unwrap();
    for piece in upgrade.split('|') {
        raw.send(piece.as_bytes());
        // The gateway reads the piece before the next one: it has answered something that was asked behind it.
        other.send(HEALTH);
        assert!(other.answer().ends_with("alive\n"));
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        raw.0.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    raw.send(&text(&json!({"op": "ping", "id": 1})));
    assert_eq!(raw.message("pong")["id"], 1);
}

async fn a_half_sent_upgrade_is_ended(driver: Driver) {
    let gateway = hurried(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::dial(&gateway);
    raw.send(b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgr");
    let answer = rest(raw).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    witness.is_well(&gateway).await;
}

async fn a_half_sent_request_after_a_whole_one_is_ended(driver: Driver) {
    let gateway = hurried(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::dial(&gateway);
    for _ in 0..2 {
        raw.send(HEALTH);
        assert!(raw.answer().ends_with("alive\n"), "whole requests are answered");
    }
    raw.send(b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgr");
    assert!(rest(raw).await.starts_with("HTTP/1.1 408"));
    witness.is_well(&gateway).await;
}

async fn an_idle_connection_and_a_session_outlive_the_request_timeout(driver: Driver) {
    let gateway = hurried(driver);
    let mut session = Raw::upgraded(&gateway);
    let mut idle = Raw::dial(&gateway);
    idle.send(HEALTH);
    assert!(idle.answer().ends_with("alive\n"));
    // A third connection tells when the time has passed.
    let mut late = Raw::dial(&gateway);
    late.send(HEALTH);
    assert!(late.answer().ends_with("alive\n"));
    late.send(b"GET /heal");
    assert!(rest(late).await.starts_with("HTTP/1.1 408"));
    idle.send(HEALTH);
    assert!(idle.answer().ends_with("alive\n"), "between requests there is no hurry");
    session.send(&text(&json!({"op": "ping", "id": 2})));
    assert_eq!(session.message("pong")["id"], 2);
}
