//! Venues that do not talk to us: a server that answers the handshake with 451, and a venue that says when to come back.

use std::time::Duration;

use tickcast::{
    dialect::Venue,
    feed::{Publisher, supervise},
    market::Source,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Setup, build, tape};
use crate::util::{TestGateway, eventually};

/// Answers every request with that status and these headers, and tells when it was asked.
async fn refusing(
    head: &'static str,
) -> (std::net::SocketAddr, std::sync::Arc<parking_lot::Mutex<Vec<Instant>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    let times = std::sync::Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            times.lock().push(Instant::now());
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.unwrap() > 0 {}
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

fn start(gateway: &TestGateway, keys: &str) -> CancellationToken {
    let stop = CancellationToken::new();
    let publisher = Publisher::new(Source::new("feed").unwrap(), gateway.gateway.hub.clone(), stop.clone());
    tokio::spawn(supervise(build(Venue::Binance, keys), publisher));
    stop
}

fn has(gateway: &TestGateway, line: &str) -> bool {
    String::from_utf8(gateway.gateway.hub.metrics().render().unwrap()).unwrap().contains(line)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_where_the_venue_may_not_be_used_is_named_as_such() {
    for (head, reason) in [("451 Unavailable For Legal Reasons", "blocked"), ("403 Forbidden", "blocked")] {
        let (address, _asked) = refusing(head).await;
        let gateway = TestGateway::start();
        let stop = start(
            &gateway,
            &format!(
                "url = \"ws://{address}/\"\nsymbols = [\"BTC-USD\"]\ndemand = \"always\"\nretry_max_ms = 300"
            ),
        );
        let line = format!("tickcast_feed_restarts_total{{feed=\"feed\",reason=\"{reason}\"}} 1");
        eventually("it is counted by its reason", || has(&gateway, &line)).await;
        stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_venue_asks_for_is_kept_by_stream_and_list_beyond_the_longest_pause_of_our_own() {
    let (stream, stream_asked) = refusing("429 Too Many Requests\r\nretry-after: 2").await;
    let (list, list_asked) = refusing("503 Service Unavailable").await;
    let gateway = TestGateway::start();
    let stop = start(
        &gateway,
        &format!(
            "url = \"ws://{stream}/\"\nproducts_url = \"http://{list}/\"\nsymbols = [\"BTC-USD\", \"*-EUR\"]\n\
             demand = \"always\"\nretry_ms = 10\nretry_max_ms = 50"
        ),
    );
    eventually("the stream was asked twice", || stream_asked.lock().len() >= 2).await;
    stop.cancel();
    let times = stream_asked.lock().clone();
    let (first, second) = (times[0], times[1]);
    assert!(second - first >= Duration::from_secs(2), "{:?}", second - first);
    // Those that were on their way when the stream was told may come.
    let late =
        |at: &&Instant| **at > first + Duration::from_millis(500) && **at < first + Duration::from_secs(2);
    assert_eq!(list_asked.lock().iter().filter(late).count(), 0, "the list keeps to it, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_list_is_told_keeps_the_stream_away() {
    let (list, list_asked) = refusing("418 I'm a teapot\r\nretry-after: 2").await;
    let (stream, stream_asked) = refusing("503 Service Unavailable").await;
    let gateway = TestGateway::start();
    let stop = start(
        &gateway,
        &format!(
            "url = \"ws://{stream}/\"\nproducts_url = \"http://{list}/\"\nsymbols = [\"BTC-USD\", \"*-EUR\"]\n\
             demand = \"always\"\nretry_ms = 10\nretry_max_ms = 50"
        ),
    );
    eventually("the list was asked twice", || list_asked.lock().len() >= 2).await;
    stop.cancel();
    let first = list_asked.lock()[0];
    assert!(list_asked.lock()[1] - first >= Duration::from_secs(2));
    let late =
        |at: &&Instant| **at > first + Duration::from_millis(500) && **at < first + Duration::from_secs(2);
    assert_eq!(stream_asked.lock().iter().filter(late).count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_port_is_left_for_the_next_address() {
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let frames = tape::session(Venue::Binance, &["BTC-USD"], 1);
    let setup = Setup::at_addresses(Venue::Binance, &["BTC-USD"], frames, &[&format!("ws://{dead}/")]).await;
    setup.subscribed(1).await;
    setup.end().await;
}
