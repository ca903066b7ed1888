//! A batch read from a recording: ticks with their recorded times, and counts of what was ignored.

use crate::{
    dialect::ParseError,
    limits::REPLAY_BATCH,
    market::{Symbol, Tick, UnixMicros},
};

/// Ticks that were recorded at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchMark {
    /// The recorded receive time, or the event time if there is none.
    pub(super) at: Option<UnixMicros>,
    /// How many.
    pub(super) ticks: usize,
}

/// One batch.
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
    /// The venues whose frames some lines without a tick look like.
    pub(super) looks: Vec<&'static str>,
    /// Bytes of the lines.
    pub(super) length: usize,
    /// Bytes read from the files since the beginning.
    pub(super) bytes: u64,
    /// Set on the last batch: the end, or the error that ended the reading.
    pub(super) end: Option<Result<(), String>>,
}

/// The result of a line or record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoded {
    /// Ticks were appended; holds their recorded time.
    Ticks(Option<UnixMicros>),
    /// No tick, by this rule.
    Ignored(&'static str),
}

/// A line or record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::feed) struct Skipped {
    /// A metric label.
    pub(in crate::feed) kind: &'static str,
    pub(in crate::feed) why: String,
}

impl Skipped {
    pub(in crate::feed) fn new(kind: &'static str, why: impl Into<String>) -> Self {
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
