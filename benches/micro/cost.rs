//! What a delivery costs apart from the system call: allocations here, instructions under callgrind
//! (`benches/instructions.sh`). Counts, not times: the same on every machine.
//!
//! `cost [MODE ENCODING TICKS BURSTS]`: without arguments a table of all; with them that one alone and quietly.

#![expect(
    clippy::float_arithmetic,
    clippy::print_stdout,
    reason = "a bench is rates, ratios and a table on the terminal; no price is near"
)]

mod fixture;

use tickcast::dialect::Encoding;

use fixture::Fixture;

/// Ticks of a burst: what a feed of 10,000 ticks a second yields in a millisecond, and what has come of it when a busy
/// shard gets round to its sessions.
const BURSTS_OF: [usize; 2] = [10, 100];

/// Of 500 symbols each of 1,000 clients has 50.
const SUBSCRIBERS: usize = 100;

fn fixture(mode: &str, encoding: Encoding, ticks: usize) -> Fixture {
    let mut fixture = Fixture::new(500, 1_000, 50, mode, encoding);
    // Queues grow to what they need.
    for _ in 0..200 {
        fixture.burst(ticks);
    }
    fixture
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [mode, encoding, ticks, bursts] = &args[..] {
        let encoding = if encoding == "msgpack" { Encoding::MsgPack } else { Encoding::Json };
        let ticks = ticks.parse().unwrap_or(0);
        let mut fixture = fixture(mode, encoding, ticks);
        for _ in 0..bursts.parse().unwrap_or(0) {
            fixture.burst(ticks);
        }
        return;
    }
    println!("| delivery | deliveries a write | allocations | allocated bytes | written bytes |");
    println!("| --- | --- | --- | --- | --- |");
    for (mode, encoding) in [
        ("stream", Encoding::Json),
        ("merge", Encoding::Json),
        ("stream", Encoding::MsgPack),
        ("merge", Encoding::MsgPack),
    ] {
        for ticks in BURSTS_OF {
            row(mode, encoding, ticks);
        }
    }
}

fn row(mode: &str, encoding: Encoding, ticks: usize) {
    const BURSTS: usize = 1_000;
    let mut fixture = fixture(mode, encoding, ticks);
    let (bytes, writes) = (fixture.sink.bytes.get(), fixture.sink.writes.get());
    let counted = allocation_counter::measure(|| {
        for _ in 0..BURSTS {
            fixture.burst(ticks);
        }
    });
    let deliveries = (BURSTS * ticks * SUBSCRIBERS) as f64;
    println!(
        "| {mode}, {} | {:.2} | {:.4} | {:.1} | {:.1} |",
        encoding.as_str(),
        deliveries / (fixture.sink.writes.get() - writes) as f64,
        counted.count_total as f64 / deliveries,
        counted.bytes_total as f64 / deliveries,
        (fixture.sink.bytes.get() - bytes) as f64 / deliveries,
    );
}
