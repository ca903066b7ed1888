//! What a delivery costs apart from the system call: allocations here, instructions under callgrind
//! (`benches/instructions.sh`). Counts, not times: the same on every machine.
//!
//! `cost [MODE ENCODING BURSTS]`: without arguments a table of all; with them that one alone and quietly.

#![expect(
    clippy::float_arithmetic,
    clippy::print_stdout,
    reason = "a bench is rates, ratios and a table on the terminal; no price is near"
)]

mod fixture;

use tickcast::dialect::native::Encoding;

use fixture::Fixture;

/// Ticks of a burst: what a feed of 10,000 ticks a second yields in a millisecond.
const TICKS: usize = 10;

/// Of 500 symbols each of 1,000 clients has 50: a tick is delivered a hundred times.
const DELIVERIES: usize = TICKS * 100;

fn fixture(mode: &str, encoding: Encoding) -> Fixture {
    let mut fixture = Fixture::new(500, 1_000, 50, mode, encoding);
    // Queues grow to what they need.
    for _ in 0..200 {
        fixture.burst(TICKS);
    }
    fixture
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [mode, encoding, bursts] = &args[..] {
        let encoding = if encoding == "msgpack" { Encoding::MsgPack } else { Encoding::Json };
        let mut fixture = fixture(mode, encoding);
        for _ in 0..bursts.parse().unwrap_or(0) {
            fixture.burst(TICKS);
        }
        return;
    }
    println!("| delivery | allocations | allocated bytes | written bytes | deliveries a write |");
    println!("| --- | --- | --- | --- | --- |");
    for (mode, encoding) in [
        ("stream", Encoding::Json),
        ("merge", Encoding::Json),
        ("stream", Encoding::MsgPack),
        ("merge", Encoding::MsgPack),
    ] {
        const BURSTS: usize = 1_000;
        let mut fixture = fixture(mode, encoding);
        let (bytes, writes) = (fixture.sink.bytes.get(), fixture.sink.writes.get());
        let counted = allocation_counter::measure(|| {
            for _ in 0..BURSTS {
                fixture.burst(TICKS);
            }
        });
        let each = |count: u64| count as f64 / (BURSTS * DELIVERIES) as f64;
        println!(
            "| {mode}, {} | {:.4} | {:.1} | {:.1} | {:.2} |",
            encoding.as_str(),
            each(counted.count_total),
            each(counted.bytes_total),
            each((fixture.sink.bytes.get() - bytes) as u64),
            (BURSTS * DELIVERIES) as f64 / (fixture.sink.writes.get() - writes) as f64,
        );
    }
}
