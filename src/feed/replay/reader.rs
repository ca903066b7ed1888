//! The blocking side of a replay: files to batches of ticks with the times at which they were recorded.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Plan, recording::Recording, stamps::Stamps};
use crate::{
    dialect::ParseError,
    limits::{MAX_TOPICS, REPLAY_BATCH},
    market::{Source, Symbol, Tick, UnixMicros},
};

/// Ticks that were recorded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// When, by the receive clock of the recording, or the event time where it kept none.
    pub(super) at: Option<UnixMicros>,
    /// How many.
    pub(super) ticks: usize,
}

/// What was read at one go.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) ticks: Vec<Tick>,
    pub(super) marks: Vec<Mark>,
    /// Symbols that appear for the first time.
    pub(super) symbols: Vec<Symbol>,
    /// Lines or records read.
    pub(super) messages: u64,
    pub(super) ignored: Vec<(&'static str, u64)>,
    pub(super) skipped: Vec<Skipped>,
    /// Whose frames some lines without a tick look like.
    pub(super) looks: Vec<&'static str>,
    /// Bytes of the lines.
    pub(super) length: usize,
    /// Bytes taken from the files since the beginning.
    pub(super) bytes: u64,
    /// Set on the last batch: all was read, or why no more can be.
    pub(super) end: Option<Result<(), String>>,
}

/// What a line or record turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoded {
    /// Ticks were appended; when they were recorded.
    Ticks(Option<UnixMicros>),
    /// No tick, by that rule.
    Ignored(&'static str),
}

/// A line or record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    /// A metric label.
    pub(super) kind: &'static str,
    pub(super) why: String,
}

impl Skipped {
    pub(super) fn new(kind: &'static str, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }
}

impl From<ParseError> for Skipped {
    fn from(error: ParseError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

impl From<serde_json::Error> for Skipped {
    fn from(error: serde_json::Error) -> Self {
        ParseError::from(error).into()
    }
}

impl Batch {
    /// Reads one line or record of a file; false at its end.
    pub(super) fn step(
        &mut self,
        recording: &mut Recording,
        plan: &Plan,
        feed: Source,
    ) -> Result<bool, String> {
        let before = self.ticks.len();
        match recording.step(plan, feed, self) {
            Ok(None) => return Ok(false),
            Ok(Some(decoded)) => self.count(decoded, before),
            Err(why) => {
                self.skipped.push(Skipped::new("cut_off", why.as_str()));
                return Err(why);
            }
        }
        Ok(true)
    }

    fn count(&mut self, decoded: Result<Decoded, Skipped>, before: usize) {
        self.messages += 1;
        match decoded {
            Ok(Decoded::Ticks(at)) => self.marks.push(Mark { at, ticks: self.ticks.len() - before }),
            Ok(Decoded::Ignored(rule)) => match self.ignored.iter_mut().find(|(known, _)| *known == rule) {
                Some((_, count)) => *count += 1,
                None => self.ignored.push((rule, 1)),
            },
            Err(skipped) => {
                self.ticks.truncate(before);
                self.skipped.push(skipped);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.messages >= REPLAY_BATCH.0 as u64 || self.ticks.len() >= REPLAY_BATCH.1
    }
}

/// Reads the files of a plan from the beginning to the end.
pub(super) struct Reader {
    plan: Arc<Plan>,
    feed: Source,
    next_file: usize,
    recording: Option<Recording>,
    seen: HashSet<Symbol>,
    stamps: Stamps,
    /// Read, and not handed on before what comes behind it is known.
    ahead: Option<Batch>,
    taken: Arc<AtomicU64>,
}

impl Reader {
    /// At the beginning; `feed` is the source of ticks whose recording names none.
    pub(super) fn new(plan: Arc<Plan>, feed: Source) -> Self {
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

    /// The next batch, whose times are mended. Blocks on the files.
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

    /// Reads on until a batch is full or the recording ends.
    fn next(&mut self) -> Batch {
        let mut batch = Batch::default();
        while batch.end.is_none() && !batch.is_full() {
            batch.end = self.step(&mut batch).transpose();
        }
        for tick in &batch.ticks {
            // The hub takes no more symbols than these either; the rest is counted there.
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
        if !batch.step(recording, &self.plan, self.feed)? {
            self.recording = None;
        }
        Ok(None)
    }
}
