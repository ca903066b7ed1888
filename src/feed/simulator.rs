//! Simulated ticks: made up, but in the shape of a real market, and the same for the same seed.
//!
//! A [`Generator`] is the market: a pure sequence of arrivals with their offsets from the start. The feed only paces
//! it against the clock. It does not model an order book, sessions or news.
//!
//! It is paced by a thread of its own: the runtime's timer has steps of a millisecond, and ticks would be released half of
//! that late. The thread sleeps until the next release, and publishing never waits.

mod definition;
mod draw;
mod generator;
mod instrument;
mod schedule;

pub use definition::Definition;
pub use generator::{Arrival, Generator};
pub use instrument::Instrument;

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::schedule::Schedule;
use super::{End, Feed, FeedError, Publisher};
use crate::{
    clock::Instant,
    market::{Increments, Source},
};

/// A simulated market as a feed.
#[derive(Debug)]
pub struct Simulator {
    /// Locked by the thread that paces it, for as long as it runs.
    generator: Arc<Mutex<Generator>>,
    source: Option<Source>,
    seed: u64,
}

impl Simulator {
    fn new(generator: Generator, source: Option<Source>, seed: u64) -> Self {
        Self { generator: Arc::new(Mutex::new(generator)), source, seed }
    }

    /// Its market, for recording without waiting; `None` while it runs as a feed.
    #[must_use]
    pub fn into_generator(self) -> Option<Generator> {
        Arc::into_inner(self.generator).map(Mutex::into_inner)
    }

    /// How many symbols it has.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.generator.lock().instruments().len()
    }

    fn announce(&self, out: &Publisher) -> Result<(), FeedError> {
        let generator = self.generator.lock();
        out.declare(generator.instruments().iter().map(|instrument| instrument.symbol))?;
        out.describe(generator.instruments().iter().map(|instrument| {
            (instrument.symbol, Increments { tick: Some(instrument.price(1)), lot: None })
        }));
        let symbols = generator.instruments().len();
        tracing::info!(feed = %out.name(), seed = self.seed, symbols, "simulating");
        Ok(())
    }
}

impl Feed for Simulator {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        self.announce(out)?;
        let source = self.source.unwrap_or(out.name());
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (ended, mut end) = oneshot::channel::<()>();
        let (generator, publisher, stopped) =
            (Arc::clone(&self.generator), out.clone(), Arc::clone(&is_stopped));
        let thread = thread::Builder::new().name("simulator".into()).spawn(move || {
            // Dropped at the end, and by a panic.
            let _ended = ended;
            pace(&mut generator.lock(), source, &publisher, &stopped);
        })?;
        let guard = Stop { is_stopped, thread: thread.thread().clone() };
        tokio::select! {
            () = out.cancelled() => {}
            _ = &mut end => {}
        }
        drop(guard);
        // It ends as soon as it has seen that.
        let _ended = end.await;
        match thread.join() {
            Ok(()) => Ok(End::Cancelled),
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Ends the thread when it is dropped, whatever becomes of the feed's future.
struct Stop {
    is_stopped: Arc<AtomicBool>,
    thread: Thread,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Publishes each tick at its time until it is told to stop.
fn pace(generator: &mut Generator, source: Source, out: &Publisher, is_stopped: &AtomicBool) {
    let mut schedule = Schedule::new(generator, source, (Instant::now(), out.clock().now()));
    while !is_stopped.load(Ordering::Acquire) {
        let now = Instant::now();
        match schedule.due().checked_duration_since(now).filter(|left| !left.is_zero()) {
            // Wakes early when it is to stop, or for no reason.
            Some(left) => thread::park_timeout(left),
            None => schedule.release(now, out.clock().now(), out),
        }
    }
}

#[cfg(test)]
mod tests;
