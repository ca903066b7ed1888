//! The ticks that the peers send: quotes as tickcast sends them, on the schedule of its simulator.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tickcast::clock::{Clock, Instant};

/// Releases ticks at a rate, each with the time at which it was due.
pub(crate) struct Market {
    rate: f64,
    symbols: usize,
    start: Instant,
    epoch: u64,
    released: u64,
    random: ChaCha8Rng,
    numbers: Vec<u64>,
}

impl Market {
    pub(crate) fn new(rate: f64, symbols: usize) -> Self {
        let epoch = u64::try_from(Clock::system().now().0).unwrap_or(0);
        let random = ChaCha8Rng::seed_from_u64(1);
        Self { rate, symbols, start: Instant::now(), epoch, released: 0, random, numbers: vec![0; symbols] }
    }

    pub(crate) fn symbols(&self) -> usize {
        self.symbols
    }

    /// The name of a symbol, as long as the simulator's.
    pub(crate) fn name(symbol: usize) -> String {
        format!("SYM{symbol:05}")
    }

    /// Hands out what has become due.
    pub(crate) fn release(&mut self, mut tick: impl FnMut(usize, &str)) {
        let due = (self.start.elapsed().as_secs_f64() * self.rate) as u64;
        while self.released < due {
            let at = self.epoch + (self.released as f64 / self.rate * 1e6) as u64;
            self.released += 1;
            let symbol = self.random.random_range(0..self.symbols);
            self.numbers[symbol] += 1;
            let (name, n) = (Self::name(symbol), self.numbers[symbol]);
            let (now, bid) = (
                self.epoch + self.start.elapsed().as_micros() as u64,
                format!("{}.25", 100 + self.released % 900),
            );
            let text = format!(
                r#"{{"T":"q","S":"{name}","n":{n},"bp":"{bid}","bs":"521","ap":"{bid}","as":"104","x":"load","te":{at},"tr":{now}}}"#
            );
            tick(symbol, &text);
        }
    }
}
