//! The blocking side of a replay: files to batches of ticks with the times at which they were recorded.

use std::{
    borrow::Cow,
    collections::HashSet,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Format, Plan, csv,
    dbn::Records,
    envelope::{Content, Envelope},
    input::{self, Lines, Next},
    native,
};
use crate::{
    dialect::{ParseError, Parsed, Venue},
    limits::{MAX_RECORDED_FRAME, MAX_TOPICS, REPLAY_BATCH},
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
    taken: Arc<AtomicU64>,
}

impl Reader {
    /// At the beginning; `feed` is the source of ticks whose recording names none.
    pub(super) fn new(plan: Arc<Plan>, feed: Source) -> Self {
        Self { plan, feed, next_file: 0, recording: None, seen: HashSet::new(), taken: Arc::default() }
    }

    /// Reads on until the batch is full or the recording ends. Blocks on the files.
    pub(super) fn read(mut self) -> (Self, Batch) {
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
        (self, batch)
    }

    /// Reads one line or record; `Some` at the end of the last file.
    fn step(&mut self, batch: &mut Batch) -> Result<Option<()>, String> {
        let Some(recording) = &mut self.recording else {
            let Some(path) = self.plan.files.get(self.next_file) else { return Ok(Some(())) };
            self.next_file += 1;
            self.recording = Some(Recording::open(path, &self.plan.format, &self.taken)?);
            return Ok(None);
        };
        let before = batch.ticks.len();
        match recording.step(&self.plan, self.feed, &mut batch.ticks)? {
            None => self.recording = None,
            Some(decoded) => batch.count(decoded, before),
        }
        Ok(None)
    }
}

/// One open file.
pub(super) struct Recording {
    name: String,
    content: Opened,
}

enum Opened {
    Venue(Lines, Venue, Option<Envelope>),
    Native(Lines),
    Csv(Lines, csv::Rows),
    Dbn(Box<Records>),
}

impl Recording {
    /// Opens a file and reads its head, if it has one.
    pub(super) fn open(path: &Path, format: &Format, taken: &Arc<AtomicU64>) -> Result<Self, String> {
        let name = path.display().to_string();
        let failed = |error: io::Error| format!("{name}: {error}");
        let bytes = input::open(path, Arc::clone(taken)).map_err(failed)?;
        let content = match format {
            Format::Venue(venue) => Opened::Venue(Lines::new(bytes), *venue, None),
            Format::Native => Opened::Native(Lines::new(bytes)),
            Format::Csv(layout) => {
                let mut lines = Lines::new(bytes);
                let rows = layout.open(&mut lines).map_err(|why| format!("{name}: {why}"))?;
                Opened::Csv(lines, rows)
            }
            Format::Dbn => Opened::Dbn(Box::new(Records::open(bytes).map_err(|why| format!("{name}: {why}"))?)),
        };
        Ok(Self { name, content })
    }

    /// Reads one line or record; `None` at the end of the file.
    fn step(
        &mut self,
        plan: &Plan,
        feed: Source,
        out: &mut Vec<Tick>,
    ) -> Result<Option<Result<Decoded, Skipped>>, String> {
        let before = out.len();
        let own_source = plan.source.unwrap_or(feed);
        let (line, decoded) = match &mut self.content {
            Opened::Dbn(records) => {
                let next = records.advance(plan, out).map_err(|why| format!("{}: {why}", self.name))?;
                let Some(decoded) = next else { return Ok(None) };
                (records.number(), decoded)
            }
            Opened::Venue(lines, _, _) | Opened::Native(lines) | Opened::Csv(lines, _) => {
                let next = lines.advance();
                let number = lines.number();
                match next.map_err(|error| format!("{}: line {number}: {error}", self.name))? {
                    Next::End => return Ok(None),
                    Next::Oversize => (number, Err(oversize())),
                    Next::Line => (number, self.decode_line(plan, own_source, out)),
                }
            }
        };
        if matches!(self.content, Opened::Venue(..) | Opened::Native(_)) {
            for tick in out.iter_mut().skip(before) {
                plan.symbols.rename(tick, plan.source);
            }
        }
        Ok(Some(decoded.map_err(|skipped| Skipped { why: format!("{}:{line}: {}", self.name, skipped.why), ..skipped })))
    }

    fn decode_line(&mut self, plan: &Plan, source: Source, out: &mut Vec<Tick>) -> Result<Decoded, Skipped> {
        match &mut self.content {
            Opened::Venue(lines, venue, envelope) => venue_line(lines.line(), *venue, envelope, out),
            Opened::Native(lines) => native::decode(lines.line(), source, out),
            Opened::Csv(lines, rows) => {
                let Format::Csv(layout) = &plan.format else { return Ok(Decoded::Ignored("format")) };
                rows.decode(lines.line(), layout, csv::Names { symbols: &plan.symbols, source }, out)
            }
            Opened::Dbn(_) => Ok(Decoded::Ignored("format")),
        }
    }
}

fn oversize() -> Skipped {
    Skipped::new("oversize", format!("the line has more than {MAX_RECORDED_FRAME} bytes"))
}

fn venue_line(
    line: &[u8],
    venue: Venue,
    envelope: &mut Option<Envelope>,
    out: &mut Vec<Tick>,
) -> Result<Decoded, Skipped> {
    if line.is_empty() {
        return Ok(Decoded::Ignored("empty"));
    }
    if envelope.is_none() {
        *envelope = Envelope::detect(line);
    }
    let Some(envelope) = *envelope else {
        return Err(Skipped::new("envelope", "neither a frame nor a line of a known recorder"));
    };
    let (at, frame) = match envelope.open(line)? {
        Content::Frame(at, frame) => (at, frame),
        Content::Other(rule) => return Ok(Decoded::Ignored(rule)),
    };
    venue_frame(&frame, at, venue, out)
}

fn venue_frame(
    frame: &Cow<'_, [u8]>,
    at: Option<UnixMicros>,
    venue: Venue,
    out: &mut Vec<Tick>,
) -> Result<Decoded, Skipped> {
    let before = out.len();
    match venue.parse(frame, at.unwrap_or(UnixMicros(0)), out)? {
        Parsed::Ignored(rule) => Ok(Decoded::Ignored(rule)),
        Parsed::Ticks(_) => {
            let event_time = || out.get(before..).unwrap_or_default().iter().find_map(event_time);
            Ok(Decoded::Ticks(at.or_else(event_time)))
        }
    }
}

const fn event_time(tick: &Tick) -> Option<UnixMicros> {
    match tick {
        Tick::Trade(trade) => trade.te,
        Tick::Quote(quote) => quote.te,
        Tick::Status(_) => None,
    }
}
