//! What was read of a recording: ticks with the times at which they were recorded, and what was passed over.

use crate::{
    dialect::ParseError,
    limits::REPLAY_BATCH,
    market::{Symbol, Tick, UnixMicros},
};

/// Ticks that were recorded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchMark {
    /// When, by the receive clock of the recording, or the event time where it kept none.
    pub(super) at: Option<UnixMicros>,
    /// How many.
    pub(super) ticks: usize,
}

/// What was read at one go.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) ticks: Vec<Tick>,
    pub(super) marks: Vec<BatchMark>,
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
    pub(super) fn count(&mut self, decoded: Result<Decoded, Skipped>, before: usize) {
        self.messages += 1;
        match decoded {
            Ok(Decoded::Ticks(at)) => self.marks.push(BatchMark { at, ticks: self.ticks.len() - before }),
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

    pub(super) fn is_full(&self) -> bool {
        self.messages >= REPLAY_BATCH.0 as u64 || self.ticks.len() >= REPLAY_BATCH.1
    }
}
