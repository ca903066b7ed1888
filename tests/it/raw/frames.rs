//! Frames and messages: which are refused with which code, and which must be taken.

use serde_json::json;
use tickcast::{limits::MAX_FRAGMENTS, server::Driver, session::SessionConfig};

use super::{Case, Frame, MASK, Raw, Witness, beside, brisk, cases, closes, code, counted, frame, text};
use crate::util::TestGateway;

on_both_drivers! {
    violations_of_framing_close_with_1002,
    what_is_not_utf8_closes_with_1007,
    allowed_closes_are_echoed,
    too_large_closes_with_1009_before_it_is_buffered,
    the_wrong_kind_of_frame_closes_with_1003,
    pings_are_answered_in_every_shape,
    a_flood_of_pings_closes_with_4102,
}

async fn violations_of_framing_close_with_1002(driver: Driver) {
    let ping = json!({"op": "ping"}).to_string();
    let mut all = cases(
        1002,
        [
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
    );
    for bad in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535] {
        let bytes = frame(0x88, &bad.to_be_bytes());
        all.push(Case { name: format!("close with {bad}"), bytes, code: Some(1002) });
    }
    closes(driver, all, "protocol_error").await;
}

async fn what_is_not_utf8_closes_with_1007(driver: Driver) {
    let all = [
        ("in one frame", frame(0x81, b"\"\xff\"")),
        ("across fragments", [frame(0x01, b"\"\xc3"), frame(0x80, b"\x28\"")].concat()),
        ("cut at the end", [frame(0x01, b"\"\xe2\x82"), frame(0x80, b"")].concat()),
        ("in a close reason", frame(0x88, b"\x03\xe8\xff\xfe")),
    ];
    closes(driver, cases(1007, all), "not_utf8").await;
}

async fn allowed_closes_are_echoed(driver: Driver) {
    let mut all = vec![Case { name: "empty".to_owned(), bytes: frame(0x88, b""), code: None }];
    for good in [1000_u16, 1001, 1003, 1007, 1011, 3000, 4999] {
        let payload = [&good.to_be_bytes()[..], b"bye"].concat();
        all.push(Case { name: good.to_string(), bytes: frame(0x88, &payload), code: Some(good) });
    }
    closes(driver, all, "client").await;
}

async fn too_large_closes_with_1009_before_it_is_buffered(driver: Driver) {
    let limit = SessionConfig::default().frame_bytes;
    let announced = [&[0x81, 0xFF][..], &(limit as u64 + 1).to_be_bytes(), &MASK].concat();
    let huge = [&[0x82, 0xFF][..], &(1_u64 << 40).to_be_bytes(), &MASK].concat();
    let half = vec![b' '; limit / 2 + 1];
    let pieces = [frame(0x01, &half), frame(0x80, &half)].concat();
    let mut tiny = frame(0x01, b" ");
    (0..MAX_FRAGMENTS).for_each(|_| tiny.extend(frame(0x00, b"")));
    let all = [
        ("announced by its header only", announced),
        ("a terabyte, announced", huge),
        ("built of fragments", pieces),
        ("thousands of tiny fragments", tiny),
    ];
    closes(driver, cases(1009, all), "too_large").await;
}

async fn the_wrong_kind_of_frame_closes_with_1003(driver: Driver) {
    closes(driver, cases(1003, [("binary on JSON", frame(0x82, b"\x81\xa2op\xa4ping"))]), "unsupported")
        .await;
    let gateway = brisk(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded_msgpack(&gateway);
    raw.send(&text(&json!({"op": "ping"})));
    assert_eq!(code(&beside(move || raw.closed()).await), Some(1003), "text on MessagePack");
    witness.is_well(&gateway).await;
    counted(&gateway, "unsupported", 1).await;
}

async fn pings_are_answered_in_every_shape(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    for payload in [&b""[..], b"hello", &[0x7F; 125]] {
        raw.send(&frame(0x89, payload));
        assert_eq!(raw.next(), Some(Frame { opcode: 10, payload: payload.to_vec() }));
    }
    // A ping between the fragments of a command, and a pong without a ping.
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
    let flood = std::iter::repeat_n(frame(0x89, b"x"), 1_000).flatten().collect();
    closes(driver, cases(4102, [("pings", flood)]), "rate_limited").await;
}
