//! Plays batches: waits until their moments are due and publishes what is due together as one burst.

use super::{
    decoded::Batch,
    playback::{Playback, Speed},
    progress::Progress,
    times::Times,
};
use crate::{
    clock::Instant,
    feed::Publisher,
    limits::{MAX_BURST_TICKS, REPLAY_LATE},
    market::{Tick, UnixMicros},
};

/// Whether to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    Stop,
}

/// One pass through the recording.
pub(super) struct Player<'a> {
    out: &'a Publisher,
    pace: Playback,
    progress: &'a mut Progress,
    times: &'a mut Times,
    burst: Vec<Tick>,
    /// Whether to play as fast as the shards take it: at full speed, or to catch up.
    hurried: bool,
    full_speed: bool,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        out: &'a Publisher,
        speed: Speed,
        progress: &'a mut Progress,
        times: &'a mut Times,
    ) -> Self {
        let full_speed = matches!(speed, Speed::Max);
        let burst = Vec::with_capacity(MAX_BURST_TICKS);
        Self { out, pace: Playback::new(speed), progress, times, burst, hurried: full_speed, full_speed }
    }

    /// Counts a batch and plays its ticks.
    ///
    /// # Cancel safety
    /// Ticks of the batch are lost when the future is dropped.
    pub(super) async fn play(&mut self, batch: Batch) -> Flow {
        self.count(&batch);
        let mut ticks = batch.ticks.into_iter();
        for mark in batch.marks {
            let now = Instant::now();
            let due = self.pace.due(mark.at, now);
            if let Some(due) = due.filter(|due| *due > now) {
                self.hurried = self.full_speed;
                if self.flush().await == Flow::Stop || self.wait(due).await == Flow::Stop {
                    return Flow::Stop;
                }
            } else if due.is_some_and(|due| now - due > REPLAY_LATE) {
                self.hurried = true;
            }
            self.progress.at(mark.at);
            for tick in ticks.by_ref().take(mark.ticks) {
                self.burst.push(tick);
                if self.burst.len() >= MAX_BURST_TICKS && self.flush().await == Flow::Stop {
                    return Flow::Stop;
                }
            }
        }
        // The next batch may not be read yet.
        self.flush().await
    }

    fn count(&mut self, batch: &Batch) {
        self.out.count_messages(batch.messages);
        for (rule, count) in &batch.ignored {
            self.out.count_ignored_by(rule, *count);
        }
        for skipped in &batch.skipped {
            self.out.count_skipped(skipped.kind, &skipped.why);
        }
        // Declared under this feed's name, so that its end or loss is told for them. Too many are no reason to stop: the hub
        // counts the ticks that it refuses.
        if let Err(full) = self.out.declare(batch.symbols.iter().copied()) {
            tracing::warn!(feed = %self.out.name(), "{full}");
        }
        self.progress.bytes(batch.bytes);
    }

    async fn wait(&mut self, due: Instant) -> Flow {
        loop {
            let wake = self.progress.next().map_or(due, |line| line.min(due));
            tokio::select! {
                biased;
                () = self.out.cancelled() => return Flow::Stop,
                () = tokio::time::sleep_until(wake) => {}
            }
            self.progress.tell();
            if Instant::now() >= due {
                return Flow::Go;
            }
        }
    }

    async fn flush(&mut self) -> Flow {
        if self.hurried {
            self.out.room().await;
        }
        if self.out.is_cancelled() {
            return Flow::Stop;
        }
        if self.burst.is_empty() {
            return Flow::Go;
        }
        let now = self.out.clock().now();
        for tick in &mut self.burst {
            stamp(tick, now, self.times);
        }
        self.progress.add(self.burst.len());
        self.out.publish(&mut self.burst);
        self.progress.tell();
        tokio::task::yield_now().await;
        Flow::Go
    }
}

/// Sets the receive time: for clients the tick is live.
fn stamp(tick: &mut Tick, now: UnixMicros, times: &mut Times) {
    match tick {
        Tick::Trade(trade) => {
            trade.te = trade.te.map(|te| times.shift(te));
            trade.tr = now;
        }
        Tick::Quote(quote) => {
            quote.te = quote.te.map(|te| times.shift(te));
            quote.tr = now;
        }
        Tick::Status(status) => status.since = now,
        Tick::Correction(correction) => {
            correction.te = correction.te.map(|te| times.shift(te));
            correction.tr = now;
        }
        Tick::Loss(_) => {}
    }
}
