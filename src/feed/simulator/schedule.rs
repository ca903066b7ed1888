//! When a market's ticks are released: each at its own time, several together where they come closer than a step.
//! No I/O; the time is passed in.

use std::time::Duration;

use super::generator::{Arrival, Generator};
use crate::{
    clock::Instant,
    feed::Publisher,
    limits::{
        MAX_BURST_TICKS, SIMULATOR_CLOCK_STEP, SIMULATOR_COARSE_RATE, SIMULATOR_COARSE_STEP,
        SIMULATOR_FINE_STEP, SIMULATOR_LAG,
    },
    market::{Source, Tick, UnixMicros},
};

/// A market on its way.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    generator: &'a mut Generator,
    source: Source,
    next: Arrival,
    /// Offset 0 of the market, on both clocks.
    start: Instant,
    epoch: i64,
    /// No two releases are closer together.
    step: Duration,
    /// The last release.
    released: Instant,
    burst: Vec<Tick>,
}

impl<'a> Schedule<'a> {
    /// The market begins now.
    pub(super) fn new(
        generator: &'a mut Generator,
        source: Source,
        (now, wall): (Instant, UnixMicros),
    ) -> Self {
        let next = generator.arrival();
        let is_coarse = generator.rate() > SIMULATOR_COARSE_RATE;
        let step = if is_coarse { SIMULATOR_COARSE_STEP } else { SIMULATOR_FINE_STEP };
        let burst = Vec::with_capacity(MAX_BURST_TICKS);
        // A generator that ran before goes on where it was.
        let start = now.checked_sub(next.at).unwrap_or(now);
        Self {
            generator,
            source,
            next,
            start,
            epoch: wall.0 - micros(now - start),
            step,
            released: now,
            burst,
        }
    }

    /// When the next release is due.
    pub(super) fn due(&self) -> Instant {
        (self.start + self.next.at).max(self.released + self.step)
    }

    /// Publishes what is due.
    pub(super) fn release(&mut self, now: Instant, wall: UnixMicros, out: &Publisher) {
        let mut elapsed = now.saturating_duration_since(self.start);
        if let Some(late) = elapsed.checked_sub(self.next.at + SIMULATOR_LAG) {
            // The machine slept or is too slow: the market moves on to the present instead of flooding.
            tracing::warn!(feed = %out.name(), late_ms = late.as_millis(), "late: skipped to the present");
            self.start += elapsed - self.next.at;
            self.epoch = wall.0 - micros(self.next.at);
            elapsed = self.next.at;
        }
        let apart = wall.0 - (self.epoch + micros(elapsed));
        if apart.unsigned_abs() > SIMULATOR_CLOCK_STEP.as_micros().try_into().unwrap_or(u64::MAX) {
            // The wall clock was set, or ran on while the machine was suspended: event times follow it.
            tracing::info!(feed = %out.name(), apart_ms = apart / 1_000, "the clock was set: event times follow");
            self.epoch += apart;
        }
        while self.next.at <= elapsed {
            let te = UnixMicros((self.epoch + micros(self.next.at)).min(wall.0));
            self.burst.push(self.generator.tick(&self.next, self.source, te, wall));
            self.next = self.generator.arrival();
            if self.burst.len() == MAX_BURST_TICKS {
                out.publish(&mut self.burst);
            }
        }
        out.publish(&mut self.burst);
        self.released = now;
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
