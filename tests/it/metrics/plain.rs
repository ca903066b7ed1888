//! Scripts of connections that are silent, cut or refused, and of corrections that come too late.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use tickcast::{
    market::{Change, Correction, Tick, Trade, TradeId, UnixMicros},
    server::ServerConfig,
    session::SessionConfig,
};

use super::samples::{Scrapes, Three};
use crate::util::{PATIENCE, TestGateway, source, symbol, trade};

/// A body that stops half way, a connection that says nothing, and one more than the address may have.
pub(super) async fn connections() -> Three {
    let server = ServerConfig {
        request_timeout: Duration::from_millis(600),
        body_timeout: Duration::from_millis(600),
        unproven_per_address: 2,
        ..ServerConfig::default()
    };
    let gateway = TestGateway::with_everything(server, SessionConfig::default(), &[("desk", true)]);
    let mut scrapes = Scrapes::begin_directly(&gateway).await;
    let dial = || {
        let stream = TcpStream::connect(gateway.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let (mut half, mut silent) = (dial(), dial());
    gateway.metric_reaches("tickcast_plain_connections", 2.0).await;
    let mut refused = dial();
    assert_eq!(refused.read_to_end(&mut Vec::new()).unwrap_or_default(), 0, "one more is closed");
    let head = "POST /v1/publish?feed=desk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";
    half.write_all(head.as_bytes()).unwrap();
    gateway.metric_reaches("tickcast_bodies_bytes", 1.0).await;
    scrapes.take_directly();
    for stream in [&mut half, &mut silent] {
        let mut told = String::new();
        stream.read_to_string(&mut told).unwrap();
        assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    }
    gateway.metric_is("tickcast_plain_connections", |open| open < 1.0).await;
    gateway.metric_is("tickcast_bodies_bytes", |bytes| bytes < 1.0).await;
    scrapes.take_directly();
    scrapes.done()
}

/// A trade of a final bar is taken back.
pub(super) async fn corrected() -> Three {
    let gateway = TestGateway::start();
    gateway.declare(&["A"]);
    let at = |id: u64, second: i64| {
        let Tick::Trade(trade) = trade("A", id, "1.00") else { panic!("a trade") };
        Tick::Trade(Trade { te: Some(UnixMicros(second * 1_000_000)), ..trade })
    };
    gateway.publish([at(1, 100), at(2, 200)]);
    let mut scrapes = Scrapes::begin(&gateway).await;
    gateway.publish([Tick::Correction(Box::new(Correction {
        symbol: symbol("A"),
        id: TradeId::Number(1),
        source: source(),
        change: Change::Busted { price: None, size: None },
        te: None,
        tr: UnixMicros(201_000_000),
        of: None,
    }))]);
    scrapes.take();
    scrapes.end()
}
