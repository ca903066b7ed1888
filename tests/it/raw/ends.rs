//! How connections end: clients that do not answer a close, do not stop, vanish, or never show a sign of life.

use std::{io::Read as _, net::Shutdown, time::Duration};

use serde_json::json;
use tickcast::{
    limits::{CLOSE_TIMEOUT, MAX_FRAGMENTS},
    server::{Driver, ServerConfig},
    session::SessionConfig,
};
use tokio::time::Instant;

use super::{Frame, Raw, Witness, beside, brisk, code, counted, frame, text};
use crate::util::{TestGateway, eventually};

on_both_drivers! {
    a_client_that_does_not_answer_the_close_is_ended_all_the_same,
    who_goes_on_after_a_violation_still_finds_the_close_frame,
    nothing_is_carried_out_after_a_close,
    who_vanishes_without_a_close_is_counted_and_forgotten,
    who_reads_but_never_answers_a_ping_gets_4104,
}

async fn a_client_that_does_not_answer_the_close_is_ended_all_the_same(driver: Driver) {
    let gateway = brisk(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    raw.send(&frame(0xC1, b"x"));
    let started = Instant::now();
    let close = beside(move || {
        let close = std::iter::from_fn(|| raw.next()).find(|frame| frame.opcode == 8).unwrap();
        assert_eq!(raw.next(), None, "an orderly end");
        close.payload
    })
    .await;
    assert_eq!(code(&close), Some(1002));
    assert!(started.elapsed() < 2 * CLOSE_TIMEOUT, "{:?}", started.elapsed());
    witness.is_well(&gateway).await;
    counted(&gateway, "protocol_error", 1).await;
}

async fn who_goes_on_after_a_violation_still_finds_the_close_frame(driver: Driver) {
    let gateway = brisk(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut fragments = frame(0x01, b" ");
    (0..MAX_FRAGMENTS).for_each(|_| fragments.extend(frame(0x00, b"")));
    for (name, violation, code) in
        [("reserved bit", frame(0xC1, b"x"), 1002_u16), ("pieces", fragments, 1009)]
    {
        let mut raw = Raw::upgraded(&gateway);
        let tail = beside(move || {
            use std::io::Write as _;
            let more: Vec<u8> = frame(0x82, &[7; 1_000]).repeat(4_000);
            // The gateway reads no more at some time, and what is on its way then may be answered with a reset.
            let _gone = raw.0.write_all(&[violation, more].concat());
            let mut all = Vec::new();
            let _reset = raw.0.read_to_end(&mut all);
            all.split_off(all.len().saturating_sub(100))
        })
        .await;
        assert!(tail.windows(2).any(|two| two == code.to_be_bytes()), "{name}: {tail:?}");
        witness.is_well(&gateway).await;
    }
    counted(&gateway, "protocol_error", 1).await;
    counted(&gateway, "too_large", 1).await;
    eventually("only the witness is left", || gateway.gateway.connections.total() == 1).await;
}

async fn nothing_is_carried_out_after_a_close(driver: Driver) {
    let gateway = brisk(driver);
    for first in [frame(0x88, b"\x03\xe8"), frame(0xC1, b"x")] {
        let mut raw = Raw::upgraded(&gateway);
        raw.send(&[first, text(&json!({"op": "list"})), frame(0x89, b"ping")].concat());
        let after: Vec<Frame> = beside(move || std::iter::from_fn(|| raw.next()).collect()).await;
        let told = |frame: &&Frame| !String::from_utf8_lossy(&frame.payload).contains("\"hb\"");
        let after: Vec<_> = after.iter().filter(told).map(|frame| frame.opcode).collect();
        assert_eq!(after, [8], "the close frame and nothing else");
    }
    counted(&gateway, "client", 1).await;
    counted(&gateway, "protocol_error", 1).await;
}

async fn who_vanishes_without_a_close_is_counted_and_forgotten(driver: Driver) {
    let gateway = brisk(driver);
    let mut witness = Witness::on(&gateway).await;
    let mut half = Raw::upgraded(&gateway);
    half.0.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    half.0.read_to_end(&mut rest).unwrap();
    drop(Raw::upgraded(&gateway));
    let reset = Raw::upgraded(&gateway);
    socket2::SockRef::from(&reset.0).set_linger(Some(Duration::ZERO)).unwrap();
    drop(reset);
    let mut amid = Raw::upgraded(&gateway);
    amid.send(&frame(0x01, b"{\"op\":")[..9]);
    drop(amid);
    counted(&gateway, "disconnected", 4).await;
    eventually("only the witness is left", || gateway.gateway.connections.total() == 1).await;
    witness.is_well(&gateway).await;
}

async fn who_reads_but_never_answers_a_ping_gets_4104(driver: Driver) {
    let session = SessionConfig {
        ping: Duration::from_millis(100),
        pong_timeout: Duration::from_millis(200),
        ..SessionConfig::default()
    };
    let gateway = TestGateway::with(ServerConfig { driver, ..ServerConfig::default() }, session);
    let mut witness = Witness::on(&gateway).await;
    let mut raw = Raw::upgraded(&gateway);
    let mute = tokio::task::spawn_blocking(move || {
        let ping = raw.next().unwrap();
        assert_eq!((ping.opcode, raw.message("bye")["code"].as_u64()), (9, Some(4104)));
        raw.closed()
    });
    while !mute.is_finished() {
        // Reading answers the pings.
        witness.is_well(&gateway).await;
    }
    assert_eq!(code(&mute.await.unwrap()), Some(4104));
    counted(&gateway, "no_pong", 1).await;
    witness.is_well(&gateway).await;
}
