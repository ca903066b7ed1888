//! A process that was stopped, a machine that was paused, a thread that was held up: on return what has come is read first,
//! and no session is judged by the time that was lost.

use std::time::Duration;

use crate::session::test_client::{Bench, Client, source, symbol};
use crate::{
    clock::Instant,
    hub::HubConfig,
    session::{CloseReason, Flood, SessionConfig},
};

const PING: Duration = Duration::from_millis(400);
const SWEEP: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3_600);

fn bench() -> Bench {
    let (ping, pong_timeout, heartbeat, stall_timeout) = (PING, PING, PING, PING);
    let config = SessionConfig { ping, pong_timeout, heartbeat, stall_timeout, ..SessionConfig::default() };
    let bench = Bench::new(HubConfig::default(), config);
    bench.hub.declare(symbol(0), source()).unwrap();
    bench
}

/// Sweeps as the shard's own task does, until that time has passed. `read` is what the client sends meanwhile.
async fn pass(bench: &mut Bench, time: Duration, mut read: impl FnMut(&mut Bench)) {
    for _ in 0..time.as_millis() / SWEEP.as_millis() {
        tokio::time::advance(SWEEP).await;
        read(bench);
        bench.shard.sweep();
    }
}

fn speaks(bench: &mut Bench, client: &Client) {
    bench.shard.heard(client.key, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_evicts_nobody_on_return() {
    let mut bench = bench();
    let mut client = bench.connect();
    pass(&mut bench, PING, |bench| speaks(bench, &client)).await;
    for _ in 0..3 {
        tokio::time::advance(HOUR).await;
        bench.shard.sweep();
        assert_eq!(bench.shard.closing(client.key), None, "a sweep that was late judges nobody");
        // What has come is read before the next sweep.
        pass(&mut bench, 3 * PING, |bench| speaks(bench, &client)).await;
        assert_eq!(bench.shard.closing(client.key), None);
    }
    client.take_all(&mut bench);
    // It is silent now: that is judged as ever.
    pass(&mut bench, 2 * PING, |_| ()).await;
    assert_eq!(bench.shard.closing(client.key), Some(CloseReason::NoPong));
    assert_eq!(bench.metric("tickcast_stalls_total{task=\"worker\"}"), "3");
}

#[tokio::test(start_paused = true)]
async fn silence_before_a_stop_counts_and_the_stop_does_not() {
    let mut bench = bench();
    let client = bench.connect();
    pass(&mut bench, PING, |_| ()).await;
    tokio::time::advance(HOUR).await;
    bench.shard.sweep();
    pass(&mut bench, PING - 2 * SWEEP, |_| ()).await;
    assert_eq!(bench.shard.closing(client.key), None, "it has the rest of its time");
    pass(&mut bench, 3 * SWEEP, |_| ()).await;
    assert_eq!(bench.shard.closing(client.key), Some(CloseReason::NoPong));
}

#[tokio::test(start_paused = true)]
async fn goodbyes_wait_for_their_answers_as_long_as_they_should() {
    let mut bench = bench();
    let client = bench.connect();
    bench.shard.close(client.key, CloseReason::Draining, Instant::now());
    tokio::time::advance(HOUR).await;
    bench.shard.sweep();
    bench.shard.sweep();
    assert!(!client.fake.cut.get(), "its answer may have come meanwhile");
    pass(&mut bench, crate::limits::CLOSE_TIMEOUT + 2 * SWEEP, |_| ()).await;
    assert!(client.fake.cut.get());
}

#[tokio::test(start_paused = true)]
async fn what_piled_up_during_a_stop_is_within_the_client_s_limits() {
    let mut bench = bench();
    let client = bench.connect();
    pass(&mut bench, PING, |bench| speaks(bench, &client)).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    // It is read before the late sweep comes.
    speaks(&mut bench, &client);
    let now = Instant::now();
    // A ping each 100 ms of the minute, and a client that floods.
    (0..600).for_each(|_| bench.shard.pinged(client.key, b"", now));
    assert_eq!(bench.shard.closing(client.key), None);
    (0..2_000).for_each(|_| bench.shard.pinged(client.key, b"", now));
    assert_eq!(bench.shard.closing(client.key), Some(CloseReason::RateLimited(Flood::Pings)));
}
