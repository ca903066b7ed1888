//! Clients that take too little, or nothing, and what that does to the others.

use std::{io::Read as _, net::TcpStream, time::Duration};

use serde_json::json;
use tickcast::{
    server::{Driver, ServerConfig},
    session::SessionConfig,
};
use tokio::{task::JoinSet, time::Instant};

use crate::util::{Client, PATIENCE, TestGateway, eventually, quote, trade};

on_both_drivers! {
    a_stalled_client_is_evicted_while_200_healthy_ones_lose_nothing,
    a_stalled_client_that_wakes_up_finds_4103,
    a_mute_client_is_evicted_with_4104,
    a_slow_but_live_client_in_merge_mode_stays_and_has_the_last_price,
    a_client_that_floods_and_does_not_read_harms_itself_only,
}

const SYMBOLS: [&str; 4] = ["A", "B", "C", "D"];

/// A connection that has upgraded and subscribed with a plain socket and then reads nothing.
fn stalled(gateway: &TestGateway, channel: &str) -> TcpStream {
    use std::io::Write as _;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    // A small receive buffer, so that the stall reaches the gateway after little data.
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&gateway.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET /v1/ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        gateway.address
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let command =
        json!({"op": "subscribe", "channel": channel, "symbols": ["*"], "mode": "stream"}).to_string();
    let mut frame = vec![0x81, 0x80 | u8::try_from(command.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(command.bytes());
    stream.write_all(&frame).unwrap();
    stream
}

/// Subscribes to everything of a channel and then takes events until the given last trade came on every symbol.
/// Returns how many came.
async fn healthy(mut client: Client, last: u64) -> u64 {
    let last = last.to_string();
    let mut open = SYMBOLS.len();
    let mut next = std::collections::HashMap::new();
    let mut count = 0;
    while open > 0 {
        let event = client.expect("t").await;
        let (symbol, n) = (event["S"].as_str().unwrap().to_owned(), event["n"].as_u64().unwrap());
        let expected = next.entry(symbol).or_insert(n);
        assert_eq!(n, *expected, "nothing is lost");
        *expected += 1;
        count += 1;
        if event["id"].as_str() == Some(last.as_str()) {
            open -= 1;
        }
    }
    count
}

async fn a_stalled_client_is_evicted_while_200_healthy_ones_lose_nothing(driver: Driver) {
    let session = SessionConfig { stall_timeout: Duration::from_millis(600), ..SessionConfig::default() };
    let gateway = TestGateway::with(ServerConfig { driver, ..ServerConfig::default() }, session);
    gateway.declare(&SYMBOLS);
    let mut all = JoinSet::new();
    let last = 1_500;
    for _ in 0..200 {
        let mut client = gateway.connect().await;
        client.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["*"]})).await;
        client.expect("subscribed").await;
        all.spawn(healthy(client, last));
    }
    let mut stalled = stalled(&gateway, "trades");
    gateway.metric_reaches("tickcast_subscriptions{channel=\"trades\"}", 804.0).await;
    // As fast as the healthy ones take it: none of them may fall behind its queue for the test's own haste.
    for id in 1..=last {
        gateway.publish(SYMBOLS.map(|symbol| trade(symbol, id, "1.10")));
        let published = u32::try_from(id).unwrap() * 4;
        if id % 50 == 0 {
            gateway
                .metric_reaches(
                    "tickcast_events_delivered_total{channel=\"trades\",encoding=\"json\"}",
                    f64::from(published * 200 - 1_000),
                )
                .await;
        }
    }
    while let Some(count) = all.join_next().await {
        assert_eq!(count.unwrap(), last * 4);
    }
    gateway.metric_reaches("tickcast_sessions_closed_total{reason=\"slow\"}", 1.0).await;
    gateway.metric_is("tickcast_subscriptions{channel=\"trades\"}", |open| open < 801.0).await;
    // The connection is cut, not merely forgotten.
    let mut rest = Vec::new();
    let end = stalled.read_to_end(&mut rest);
    assert!(end.is_ok() || end.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
}

async fn a_stalled_client_that_wakes_up_finds_4103(driver: Driver) {
    let session = SessionConfig { stall_timeout: Duration::from_millis(200), ..SessionConfig::default() };
    let gateway = TestGateway::with(ServerConfig { driver, ..ServerConfig::default() }, session);
    gateway.declare(&SYMBOLS);
    let mut stalled = stalled(&gateway, "trades");
    gateway.metric_reaches("tickcast_subscriptions{channel=\"trades\"}", 4.0).await;
    let closed = || gateway.metric("tickcast_sessions_closed_total{reason=\"slow\"}") > 0.0;
    let deadline = Instant::now() + PATIENCE;
    while !closed() {
        gateway.publish(SYMBOLS.map(|symbol| trade(symbol, 1, "1.10")));
        assert!(Instant::now() < deadline, "it is evicted");
        tokio::task::yield_now().await;
    }
    let mut rest = Vec::new();
    let _end = stalled.read_to_end(&mut rest);
    let tail = String::from_utf8_lossy(&rest[rest.len().saturating_sub(200)..]).into_owned();
    assert!(tail.contains("\"T\":\"bye\",\"code\":4103") && tail.contains("too slow"), "{tail}");
}

async fn a_mute_client_is_evicted_with_4104(driver: Driver) {
    let session = SessionConfig {
        ping: Duration::from_millis(100),
        pong_timeout: Duration::from_millis(200),
        ..SessionConfig::default()
    };
    let gateway = TestGateway::with(ServerConfig { driver, ..ServerConfig::default() }, session);
    gateway.declare(&SYMBOLS);
    // It reads, but the protocol library never gets to answer a ping.
    let mut mute = stalled(&gateway, "status");
    let mut lively = gateway.connect().await;
    let watch = tokio::spawn(async move {
        // Reading answers pings.
        lively.expect("welcome").await;
        let _never = tokio::time::timeout(Duration::from_secs(1), lively.expect("never")).await;
        lively.send(json!({"op": "ping", "id": 1})).await;
        lively.expect("pong").await
    });
    let text = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        let _end = mute.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    })
    .await
    .unwrap();
    assert!(text.contains("\"T\":\"bye\",\"code\":4104"), "{text}");
    let evicted = gateway.metric("tickcast_sessions_closed_total{reason=\"no_pong\"}");
    assert!(evicted > 0.5 && evicted < 1.5, "one was evicted");
    assert_eq!(watch.await.unwrap()["id"], 1, "a client that answers pings stays");
}

async fn a_slow_but_live_client_in_merge_mode_stays_and_has_the_last_price(driver: Driver) {
    // A busy machine takes long to publish all that, and the client takes the next message only then.
    let session = SessionConfig { stall_timeout: PATIENCE * 2, ..SessionConfig::default() };
    let gateway = TestGateway::with(ServerConfig { driver, ..ServerConfig::default() }, session);
    gateway.declare(&SYMBOLS);
    let mut client = gateway.connect().await;
    client.send(json!({"op": "subscribe", "channel": "quotes", "symbols": ["*"]})).await;
    client.expect("subscribed").await;
    // Forty megabytes of quotes for a client that takes one message now and then.
    let mut taken = 0;
    for step in 0..4_000_u32 {
        gateway.publish((0..25).flat_map(|_| SYMBOLS.map(|symbol| quote(symbol, "1.10"))));
        if step % 400 == 0 {
            client.expect("q").await;
            taken += 1;
        }
    }
    gateway.publish(SYMBOLS.map(|symbol| quote(symbol, "77.77")));
    let mut last = std::collections::HashMap::new();
    let mut came = 0;
    while last.len() < 4 || last.values().any(|price| price != "77.77") {
        let event = client.expect("q").await;
        came += 1;
        last.insert(event["S"].as_str().unwrap().to_owned(), event["bp"].as_str().unwrap().to_owned());
    }
    assert!(taken == 10 && came < 40_000, "{came} of 400,004 quotes were written, the others were merged");
    assert!(gateway.metric("tickcast_events_merged_total{channel=\"quotes\"}") > 100_000.0);
    assert!(gateway.metric("tickcast_outbox_bytes") < 1.0, "a merge holds no events");
    client.send(json!({"op": "info"})).await;
    let info = client.expect("info").await;
    assert_eq!((&info["dropped"], &info["queue"]["merge"]), (&json!(0), &json!(0)));
}

async fn a_client_that_floods_and_does_not_read_harms_itself_only(driver: Driver) {
    let gateway = TestGateway::with(
        ServerConfig { driver, ..ServerConfig::default() },
        SessionConfig { stall_timeout: Duration::from_millis(500), ..SessionConfig::default() },
    );
    gateway.declare(&SYMBOLS);
    let mut other = gateway.connect().await;
    other.send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"]})).await;
    other.expect("subscribed").await;
    let flood = stalled(&gateway, "quotes");
    let writer = flood.try_clone().unwrap();
    let flooding = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        writer.set_write_timeout(Some(PATIENCE)).unwrap();
        let command = b"\x81\x8d\0\0\0\0{\"op\":\"info\"}";
        let many: Vec<u8> = command.iter().copied().cycle().take(command.len() * 2_000).collect();
        // Until the gateway reads no more and, in the end, cuts the connection.
        while (&writer).write_all(&many).is_ok() {}
    });
    gateway.publish([trade("A", 1, "1.10")]);
    assert_eq!(other.expect("t").await["id"], "1");
    flooding.await.unwrap();
    gateway.publish([trade("A", 2, "1.10")]);
    assert_eq!(other.expect("t").await["id"], "2");
    eventually("the flood is gone", || gateway.gateway.connections.total() == 1).await;
    drop(flood);
}
