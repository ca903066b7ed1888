//! The harness itself: a gateway without `[cluster]` passes, two of them that only pretend to be one are found out, and the
//! line to Redis does what it says.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

use crate::{
    client::Seen,
    proxy::{Line, Proxy},
    stage::{Options, Stage},
};

fn alone() -> Options {
    Options { roles: vec![""], clients: 10, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_gateway_alone_passes_every_check() {
    let stage = Stage::begin(alone()).await;
    let begun = stage.mark();
    stage.quiet().await;
    stage.resume();
    stage.every_client_hears().await;
    assert_eq!(stage.since(begun), [], "nothing happens to any client");
    assert!(stage.producers[0].published.load(std::sync::atomic::Ordering::SeqCst) > 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_killed_is_seen_by_all_its_clients() {
    let stage = Stage::begin(alone()).await;
    let begun = stage.mark();
    stage.nodes[0].kill();
    stage
        .until("all have lost it", Duration::from_secs(5), async |stage| {
            let all = stage.since(begun);
            all.iter().filter(|it| matches!(it.3, Seen::Lost(_))).count() == stage.records.len()
        })
        .await;
    stage.nodes[0].start();
    stage.all_ready().await;
    stage.every_client_hears().await;
    // Without a store the numbering is another one, and trades that were confirmed may be lost between the two.
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_that_share_nothing_are_found_out() {
    let options = Options { roles: vec!["", ""], clients: 8, wanderers: 4, ..Options::default() };
    let stage = Stage::begin(options).await;
    let found = stage.finish().await.expect("they do not hold the same");
    assert!(found.contains("nodes differ"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_stalls_cuts_and_carries_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await;
    let mut near = TcpStream::connect(proxy.address).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let mut byte = [0; 1];
    near.write_all(b"a").await.unwrap();
    far.read_exact(&mut byte).await.unwrap();
    proxy.set(Line::StallsUp);
    far.write_all(b"b").await.unwrap();
    near.read_exact(&mut byte).await.unwrap();
    near.write_all(b"c").await.unwrap();
    let soon = Duration::from_millis(50);
    assert!(timeout(soon, far.read_exact(&mut byte)).await.is_err(), "nothing goes up");
    proxy.set(Line::StallsDown);
    far.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"c", "what has stalled arrives");
    proxy.set(Line::Cut);
    let begun = Instant::now();
    assert!(matches!(near.read(&mut byte).await, Ok(0) | Err(_)));
    assert!(begun.elapsed() < Duration::from_secs(5));
    let mut refused = TcpStream::connect(proxy.address).await.unwrap();
    assert!(matches!(refused.read(&mut byte).await, Ok(0) | Err(_)), "new ones are closed, too");
}
