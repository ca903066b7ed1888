//! The blocking side of a replay: files to batches of ticks with the times at which they were recorded.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{ReplayPlan, decoded::Batch, recording::Recording, stamps::Stamps};
use crate::{
    limits::MAX_TOPICS,
    market::{Source, Symbol},
};

/// Reads the files of a plan from the beginning to the end.
pub(super) struct Reader {
    plan: Arc<ReplayPlan>,
    feed: Source,
    next_file: usize,
    recording: Option<Recording>,
    seen: HashSet<Symbol>,
    stamps: Stamps,
    /// The batch that waits until the one behind it is read.
    ahead: Option<Batch>,
    taken: Arc<AtomicU64>,
}

impl Reader {
    /// Starts at the beginning. `feed` is the source of ticks that name none.
    pub(super) fn new(plan: Arc<ReplayPlan>, feed: Source) -> Self {
        Self {
            plan,
            feed,
            next_file: 0,
            recording: None,
            seen: HashSet::new(),
            stamps: Stamps::default(),
            ahead: None,
            taken: Arc::default(),
        }
    }

    /// The next batch, with mended times. Blocks on the files.
    pub(super) fn read(mut self) -> (Self, Batch) {
        let mut batch = self.ahead.take().unwrap_or_else(|| self.next());
        if batch.end.is_none() {
            self.ahead = Some(self.next());
        }
        let mended = self.stamps.mend(&mut batch, self.ahead.as_ref());
        if mended > 0 {
            batch.ignored.push(("far_off_time", mended));
        }
        (self, batch)
    }

    /// Reads until a batch is full or the recording ends.
    fn next(&mut self) -> Batch {
        let mut batch = Batch::default();
        while batch.end.is_none() && !batch.is_full() {
            batch.end = self.step(&mut batch).transpose();
        }
        for tick in &batch.ticks {
            // The hub takes no more symbols than this either, and counts the rest.
            if self.seen.len() < MAX_TOPICS && self.seen.insert(tick.symbol()) {
                batch.symbols.push(tick.symbol());
            }
        }
        batch.bytes = self.taken.load(Ordering::Relaxed);
        batch
    }

    /// Reads one line or record; `Some` at the end of the last file.
    fn step(&mut self, batch: &mut Batch) -> Result<Option<()>, String> {
        let Some(recording) = &mut self.recording else {
            let Some(path) = self.plan.files.get(self.next_file) else { return Ok(Some(())) };
            self.next_file += 1;
            self.recording = Some(Recording::open(path, &self.plan.format, &self.taken)?);
            return Ok(None);
        };
        if !recording.read(&self.plan, self.feed, batch)? {
            self.recording = None;
        }
        Ok(None)
    }
}
