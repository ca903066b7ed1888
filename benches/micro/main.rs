//! The pieces of the hot path, each alone: `cargo bench --bench micro`.

mod fixture;

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tickcast::{
    clock::Clock,
    cluster::{Batch, Entry, Follower, Position},
    dialect::{
        Venue,
        native::{Encoding, encode_event},
    },
    hub::{Body, Event, Hub, HubConfig, Input},
    market::{Print, Tick, Trade, TradeId, UnixMicros},
    metrics::Metrics,
};

use fixture::{Fixture, quote, source, symbol};

fn trade(i: usize) -> Tick {
    Tick::Trade(Trade {
        symbol: symbol(i),
        price: "67210.10".parse().expect("a price"),
        size: "0.015".parse().expect("a size"),
        side: None,
        id: Some(TradeId::Number(995_098_700)),
        source: source(),
        te: Some(UnixMicros(1_767_623_400_041_986)),
        tr: UnixMicros(1_767_623_400_042_000),
        print: Print::default(),
    })
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for encoding in Encoding::ALL {
        for (name, tick) in [("trade", trade(1)), ("quote", quote(1))] {
            let body = Body::from(tick);
            group.bench_function(format!("{}/{name}", encoding.as_str()), |b| {
                b.iter(|| encode_event(black_box(9_001), black_box(&body), encoding));
            });
        }
    }
    group.finish();
}

fn publish(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish");
    group.throughput(Throughput::Elements(100));
    for (name, clients) in [("no shard listens", 0), ("one shard listens", 1)] {
        let mut fixture = Fixture::new(500, clients, 500, "stream", Encoding::Json);
        let ticks: Vec<_> = (0..100).map(|i| quote(i * 5)).collect();
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    // What was published last is handed out, so that the lane never fills.
                    fixture.shard.drain_lane();
                    while fixture.shard.fan_out() {}
                    ticks.clone()
                },
                |ticks| fixture.hub.publish(source(), ticks),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// A burst through lane, outboxes, assembly and a write that costs nothing: W1, a hundred deliveries a tick.
fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("fan-out");
    for (mode, encoding) in
        [("stream", Encoding::Json), ("merge", Encoding::Json), ("stream", Encoding::MsgPack)]
    {
        for ticks in [1, 10, 100] {
            let mut fixture = Fixture::new(500, 1_000, 50, mode, encoding);
            group.throughput(Throughput::Elements(ticks as u64 * 100));
            group.bench_function(format!("{mode}/{}/{ticks} ticks a burst", encoding.as_str()), |b| {
                b.iter(|| fixture.burst(ticks));
            });
        }
    }
    group.finish();
}

/// Events for clients whose sockets are full: nothing but the pending mark.
fn merge(c: &mut Criterion) {
    let mut group = c.benchmark_group("merge");
    group.throughput(Throughput::Elements(10_000));
    let mut fixture = Fixture::new(500, 1_000, 50, "merge", Encoding::Json);
    fixture.sink.full.set(true);
    group.bench_function("sockets full, 100 ticks a burst", |b| b.iter(|| fixture.burst(100)));
    group.finish();
}

/// One write's worth out of a full stream queue.
fn assemble(c: &mut Criterion) {
    let mut group = c.benchmark_group("assemble");
    for ticks in [1, 10, 100] {
        let mut fixture = Fixture::new(1, 1, 1, "stream", Encoding::Json);
        fixture.sink.full.set(true);
        group.throughput(Throughput::Elements(ticks));
        group.bench_function(format!("{ticks} events"), |b| {
            b.iter_custom(|rounds| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..rounds {
                    fixture.burst(usize::try_from(ticks).expect("few"));
                    let began = tokio::time::Instant::now();
                    black_box(fixture.shard.outgoing(fixture.clients[0], tokio::time::Instant::now()));
                    spent += began.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

/// The first delivery of an event pays for its encoding, the others do not.
fn share(c: &mut Criterion) {
    let topic = Fixture::new(1, 0, 1, "stream", Encoding::Json).hub.all_topics()[0].id();
    let event = Event::new(topic, 1, quote(0).into(), tokio::time::Instant::now());
    c.bench_function("encoded once", |b| b.iter(|| black_box(event.encoded(Encoding::Json)).len()));
}

/// Frames of the venues, typed from their documentation.
fn parse(c: &mut Criterion) {
    use Venue::{Binance, Coinbase};
    let mut group = c.benchmark_group("parse");
    let frames = [
        (
            "binance/trade",
            Binance,
            r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,"p":"67210.10000000","q":"0.01500000","T":1672515782136,"m":true,"M":true}}"#,
        ),
        (
            "binance/bookTicker",
            Binance,
            r#"{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}}"#,
        ),
        (
            "coinbase/match",
            Coinbase,
            r#"{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#,
        ),
    ];
    let mut ticks = Vec::new();
    for (label, venue, frame) in frames {
        group.bench_function(label, |b| {
            b.iter(|| {
                ticks.clear();
                venue.parse(black_box(frame.as_bytes()), UnixMicros(1), &mut ticks).expect("a good frame")
            });
        });
    }
    group.finish();
}

/// What a node of a cluster pays for a batch of fifty trades: to write it, to read it, and to take it in with ticker and all
/// bars.
fn cluster(c: &mut Criterion) {
    const TRADES: usize = 50;
    let mut group = c.benchmark_group("cluster");
    group.throughput(Throughput::Elements(TRADES as u64));
    let batch = || Batch {
        time: UnixMicros(1_767_623_400_042_100),
        passes: false,
        inbox: None,
        entries: (0..TRADES).map(|i| Entry::Input(Input::Tick(trade(i)))).collect(),
    };
    let whole = batch();
    let bytes = whole.encode();
    let per_trade = bytes.len() / TRADES;
    group.bench_function(format!("write, {per_trade} bytes a trade"), |b| {
        b.iter(|| black_box(&whole).encode())
    });
    group.bench_function("read", |b| b.iter(|| Batch::decode(black_box(&bytes)).expect("a batch")));
    let hub = Hub::new(HubConfig::default(), "bench".to_owned(), Clock::system(), Arc::new(Metrics::new()));
    let symbols = (0..TRADES).map(|i| Input::Symbol(symbol(i), source()));
    hub.apply(symbols).expect("room for some symbols");
    let mut follower = Follower::new(Arc::new(hub));
    follower.found(Position::START);
    group.bench_function("take in", |b| {
        b.iter_batched(
            batch,
            |batch| {
                let at = follower.position().next();
                follower.apply(at, batch).expect("the next batch")
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, encode, publish, fan_out, merge, assemble, share, parse, cluster);
criterion_main!(benches);
