//! How a venue is reached: over the address that answers, with whom we say we are, and after the process stood still.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tickcast::{
    dialect::Venue,
    feed::{
        Publisher, supervise,
        upstream::network::{Journey, Stage, connect, within},
    },
    market::Source,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use super::{
    build,
    front::{Front, HOST},
    tape,
};
use crate::{
    store::Program,
    util::{PATIENCE, TestGateway, eventually},
};

/// An address that takes no connection and refuses none, as long as what is returned lives: a listener whose queue is full.
async fn black_hole(at: SocketAddr) -> Option<(Socket, Vec<TcpStream>)> {
    let listener = Socket::new(Domain::for_address(at), Type::STREAM, None).unwrap();
    listener.bind(&at.into()).ok()?;
    listener.listen(0).unwrap();
    let at = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    // What is not taken at once will not be taken: nothing accepts here.
    while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(at)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 16, "the queue is endless");
    }
    Some((listener, queued))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_is_live_over_the_second_address_when_the_first_is_a_black_hole() {
    let front = Front::start().await;
    let mut holes = Vec::new();
    for dead in [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))] {
        if let Some(hole) = black_hole(SocketAddr::new(dead, front.port)).await {
            holes.push((dead, hole));
        }
    }
    assert!(!holes.is_empty(), "this machine has no second address on loopback");
    let addresses: Vec<_> = holes.iter().map(|(dead, _)| format!("\"{dead}\"")).collect();
    // The whole time would be over long before the first address gives up.
    let keys = front.keys(HOST)
        + &format!(
            "connect_timeout_ms = 5000\nproducts_timeout_ms = 5000\n\
             resolve = {{ \"{HOST}\" = [{}, \"127.0.0.1\"] }}\n",
            addresses.join(", ")
        );
    let (gateway, stop) = (TestGateway::start(), CancellationToken::new());
    let hub = gateway.gateway.hub.clone();
    let publisher = Publisher::new(Source::new("feed").unwrap(), hub, stop.clone());
    tokio::spawn(supervise(build(Venue::Binance, &keys), publisher));
    eventually("the symbol is subscribed", || front.mock.counts().active.len() == 1).await;
    let lists = "tickcast_upstream_product_lists_total{feed=\"feed\",outcome=\"ok\"}";
    gateway.metric_reaches(lists, 1.0).await;
    for reason in ["connect", "connect_timeout"] {
        let name = format!("tickcast_feed_restarts_total{{feed=\"feed\",reason=\"{reason}\"}}");
        assert!(gateway.metric(&name) < 1.0, "{reason}");
    }
    stop.cancel();
}

#[tokio::test]
async fn every_address_that_failed_is_named_with_its_reason() {
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let hole = black_hole(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let full = hole.0.local_addr().unwrap().as_socket().unwrap().port();
    let keys = |port| {
        format!(
            "url = \"wss://{HOST}:{port}/\"\nsymbols = [\"BTC-USD\"]\n\
             resolve = {{ \"{HOST}\" = [\"127.0.0.1\", \"127.0.0.2\"] }}"
        )
    };
    let patience = Duration::from_millis(600);
    for (port, words) in [
        (dead, format!("{HOST} cannot be reached: 127.0.0.1:{dead}, 127.0.0.2:{dead}: Connection refused")),
        (
            full,
            format!(
                "connect to 127.0.0.1:{full}: not done within 600 ms; connect to 127.0.0.2:{full}: Connection refused"
            ),
        ),
    ] {
        let (feed, journey) = (build(Venue::Binance, &keys(port)), Journey::default());
        let connecting = Box::pin(connect(feed.network(), &feed.addresses()[0], &journey));
        let why = match within(patience, connecting).await {
            Ok(done) => done.map(drop).unwrap_err(),
            Err(_late) => journey.late(patience),
        };
        assert!(why.to_string().starts_with(&words), "{why}\n{words}");
        let steps: Vec<_> = journey.steps().iter().map(|step| step.stage).collect();
        assert_eq!(steps, [Stage::Route, Stage::Resolve, Stage::Dial, Stage::Dial]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handshake_says_who_we_are() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let keys = format!(
        "url = \"ws://{}/\"\nsymbols = [\"BTC-USD\"]\ndemand = \"always\"",
        listener.local_addr().unwrap()
    );
    let (gateway, stop) = (TestGateway::start(), CancellationToken::new());
    let hub = gateway.gateway.hub.clone();
    let publisher = Publisher::new(Source::new("feed").unwrap(), hub, stop.clone());
    tokio::spawn(supervise(build(Venue::Binance, &keys), publisher));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap() > 0 {}
    stop.cancel();
    let head = String::from_utf8(head).unwrap();
    let agent = concat!("user-agent: tickcast/", env!("CARGO_PKG_VERSION"), "\r\n");
    assert!(head.to_ascii_lowercase().contains(agent), "{head}");
}

/// Longer than the program's time for connecting and for a list.
const STOPPED: Duration = Duration::from_millis(2_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_came_while_the_process_stood_still_is_read_before_its_deadline() {
    let [stream, list] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\nbind = \"127.0.0.1:0\"\n[[feed]]\nname = \"feed\"\nkind = \"binance\"\n\
         url = \"ws://{}/\"\nproducts_url = \"http://{}/list\"\nsymbols = [\"BTC-USD\", \"*-EUR\"]\n\
         demand = \"always\"\nconnect_timeout_ms = 1000\nproducts_timeout_ms = 1000\nretry_ms = 60000\n\
         retry_max_ms = 60000\n",
        stream.local_addr().unwrap(),
        list.local_addr().unwrap()
    );
    std::fs::write(folder.path().join("tickcast.toml"), config).unwrap();
    let program = Program::start(folder.path());
    let accept = async |listener: std::net::TcpListener| {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        timeout(PATIENCE, listener.accept()).await.expect("it comes").unwrap().0
    };
    let (stream, mut list) = tokio::join!(accept(stream), accept(list));
    // Both requests are there, and unanswered.
    let mut byte = [0];
    stream.peek(&mut byte).await.unwrap();
    list.peek(&mut byte).await.unwrap();
    program.signal("-STOP");
    // Not for something to happen: that it lasts is what is tried.
    tokio::time::sleep(STOPPED).await;
    let body = r#"{"symbols":[{"symbol":"BTCEUR","status":"TRADING","baseAsset":"BTC","quoteAsset":"EUR"}]}"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    list.write_all(answer.as_bytes()).await.unwrap();
    let mut socket = accept_async(stream).await.unwrap();
    program.signal("-CONT");
    let trade = tape::trade(Venue::Binance, "BTC-USD", tape::FIRST);
    futures_util::SinkExt::send(&mut socket, Message::Text(trade.into())).await.unwrap();
    program.metric_reaches("tickcast_feed_ticks_total{channel=\"trades\",feed=\"feed\"}", 1.0).await;
    program.metric_reaches("tickcast_upstream_product_lists_total{feed=\"feed\",outcome=\"ok\"}", 1.0).await;
    let late = program.metric("tickcast_feed_restarts_total{feed=\"feed\",reason=\"connect_timeout\"}").await;
    assert!(late < 1.0, "the attempt was judged for the time in which nothing ran");
    let late =
        program.metric("tickcast_upstream_product_lists_total{feed=\"feed\",outcome=\"timeout\"}").await;
    assert!(late < 1.0, "so was the list");
}
