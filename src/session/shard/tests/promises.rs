//! The promises under concurrent publishers, churn and laps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::session::test_client::{Bench, Client, loss, quote, source, symbol, trade, trade_at};
use crate::{
    hub::{BarSpan, Hub, HubConfig},
    market::{Channel, UnixMicros},
    session::SessionConfig,
};

const SYMBOLS: usize = 6;
const PUBLISHERS: u64 = 3;
const BURSTS: usize = 120;

/// Publishes bursts of random ticks on the same symbols as every other publisher.
fn publisher(hub: &Hub, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for burst in 0..BURSTS {
        let ticks: Vec<_> = (0..random.random_range(1..12))
            .map(|_| {
                let i = random.random_range(0..SYMBOLS);
                let at = burst as i64 * 200_000 + random.random_range(-300_000..300_000);
                match random.random_range(0..20) {
                    0 => loss(i, Channel::Trades),
                    1 => loss(i, Channel::Quotes),
                    2..11 => trade_at(i, burst as u64, at),
                    _ => quote(i),
                }
            })
            .collect();
        hub.publish(source(), ticks);
        if random.random_range(0..8) == 0 {
            hub.tick_clock(UnixMicros(burst as i64 * 200_000));
        }
        if random.random_range(0..4) == 0 {
            thread::yield_now();
        }
    }
}

fn random_command(random: &mut ChaCha8Rng) -> String {
    let channels = ["trades", "quotes", "status", "ticker", "bars.1s", "bars.1s", "bars.1m"];
    let channel = channels[random.random_range(0..channels.len())];
    let op = ["subscribe", "subscribe", "unsubscribe", "update"][random.random_range(0..4)];
    let symbols = match random.random_range(0..6) {
        0 => "\"*\"".to_owned(),
        1 => "\"S1*\",\"NONE\"".to_owned(),
        i => format!("\"S{}\",\"S{}\"", i % SYMBOLS, random.random_range(0..SYMBOLS)),
    };
    let mode =
        ["", ",\"mode\":\"merge\"", ",\"mode\":\"stream\"", ",\"max_rate\":500"][random.random_range(0..4)];
    let mode = if op == "unsubscribe" { "" } else { mode };
    format!("{{\"op\":\"{op}\",\"channel\":\"{channel}\",\"symbols\":[{symbols}]{mode}}}")
}

/// Runs publishers on threads of their own against a shard whose clients subscribe, unsubscribe, come, go, and take
/// what waits at random times. Returns the shard's bench and its clients, after everyone has taken everything.
fn storm(hub: HubConfig, session: SessionConfig, seed: u64) -> (Bench, Vec<Client>) {
    let mut bench = Bench::new(hub, session);
    for i in 0..SYMBOLS {
        bench.hub.declare(symbol(i), source()).unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let publishers = {
        let hub = Arc::clone(&bench.hub);
        let done = Arc::clone(&done);
        thread::spawn(move || {
            thread::scope(|scope| {
                for i in 0..PUBLISHERS {
                    let hub = &hub;
                    scope.spawn(move || publisher(hub, seed ^ (i << 32)));
                }
            });
            done.store(true, Ordering::Release);
        })
    };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut clients: Vec<_> = (0..5).map(|_| bench.connect()).collect();
    let mut turns = 0;
    while !done.load(Ordering::Acquire) || turns < 300 {
        turns += 1;
        let i = random.random_range(0..clients.len());
        match random.random_range(0..12) {
            0..4 => bench.settle(),
            4..8 => {
                clients[i].take(&mut bench);
            }
            8..11 => clients[i].send(&mut bench, &random_command(&mut random)),
            _ => {
                bench.shard.leave(clients[i].key, bench.hub.instant());
                clients[i] = bench.connect();
            }
        }
    }
    publishers.join().unwrap();
    // Paced events come when their time has; the clients then have everything.
    let deadline = bench.hub.instant() + std::time::Duration::from_secs(10);
    loop {
        bench.settle();
        bench.shard.fire_timers();
        clients.iter_mut().for_each(|client| client.take_all(&mut bench));
        if bench.shard.sessions.next_timer().is_none() {
            break;
        }
        assert!(bench.hub.instant() < deadline, "timers run out");
        thread::yield_now();
    }
    (bench, clients)
}

fn everybody_is_up_to_date(bench: &Bench, clients: &[Client]) {
    for client in clients {
        for ((name, channel), at) in &client.at {
            let topic = bench.hub.topic(name.parse().unwrap()).unwrap();
            let head = topic.last(Channel::parse(channel).unwrap()).map_or(0, |event| event.n);
            // A stream may also have been told of a loss behind the newest one.
            assert!(at.n >= head, "the newest event of {name} {channel} arrived");
            if let Some(Channel::Bars(interval)) = Channel::parse(channel) {
                let had = &client.bars[&(name.clone(), *channel)];
                let bars = topic.bars(interval, &BarSpan::ALL, usize::MAX).events;
                for bar in bars.iter().filter(|bar| bar.body.is_final_bar()) {
                    let told = had.gaps.iter().any(|(from, to)| (*from..=*to).contains(&bar.n));
                    let reached = bar.n <= had.from || told || had.finals.contains(&bar.n);
                    assert!(
                        reached,
                        "final bar {} of {name} {channel} arrived or was in a gap: {had:?}",
                        bar.n
                    );
                }
            }
        }
    }
}

fn config() -> SessionConfig {
    SessionConfig { commands_per_second: 1_000_000, control_messages: 1_000_000, ..SessionConfig::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_hole_no_repeat_no_reorder_under_churn(seed: u64) {
        let (bench, clients) = storm(HubConfig::default(), config(), seed);
        everybody_is_up_to_date(&bench, &clients);
        prop_assert_eq!(bench.metric("tickcast_lane_laps_total"), "0");
        prop_assert_eq!(clients.iter().map(|client| client.gaps).sum::<u64>(), 0, "nobody was slow or lapped");
    }

    #[test]
    fn slow_streams_get_gaps_that_name_what_is_missing(seed: u64) {
        let session = SessionConfig { stream_bytes: 1_500, ..config() };
        let (bench, clients) = storm(HubConfig::default(), session, seed);
        everybody_is_up_to_date(&bench, &clients);
    }

    #[test]
    fn lapped_shards_catch_up(seed: u64) {
        let hub = HubConfig { trades_per_symbol: 8, bars: 3, lane_events: 24, ..HubConfig::default() };
        let (bench, clients) = storm(hub, config(), seed);
        everybody_is_up_to_date(&bench, &clients);
    }
}

#[test]
fn a_lap_recovers_from_the_ring_and_gaps_what_it_no_longer_holds() {
    let mut bench =
        Bench::new(HubConfig { trades_per_symbol: 5, lane_events: 10, ..HubConfig::default() }, config());
    bench.hub.declare(symbol(0), source()).unwrap();
    let mut client = bench.connect();
    client.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["S0"]}"#);
    client.send(&mut bench, r#"{"op":"subscribe","channel":"quotes","symbols":["S0"]}"#);
    // Ten events fit into the lane; of the others the ring holds the last five.
    bench.hub.publish(source(), (1..=30).map(|id| trade(0, id)));
    bench.hub.publish(source(), [quote(0), quote(0)]);
    bench.settle();
    client.take_all(&mut bench);
    let ids: Vec<_> = client.log.iter().filter_map(|m| m["id"].as_str().map(ToOwned::to_owned)).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "26", "27", "28", "29", "30"]);
    let gap = client.last("gap");
    assert_eq!(
        (gap["from"].as_u64(), gap["to"].as_u64(), gap["why"].as_str()),
        (Some(11), Some(25), Some("overload"))
    );
    assert_eq!(client.last("q")["n"], 2);
    assert_eq!(bench.metric("tickcast_lane_laps_total"), "1");
    // The lane works again.
    bench.hub.publish(source(), [trade(0, 31)]);
    bench.settle();
    client.take_all(&mut bench);
    assert_eq!(client.last("t")["id"], "31");
}
