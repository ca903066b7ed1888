//! One open file of a recording, read a line or a record at a time.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use super::{
    Format, ReplayPlan, csv,
    dbn::Records,
    decoded::{Batch, Decoded, Skipped},
    envelope::{Content, Envelope},
    input::{self, Lines, Next},
    names::{self, Symbols},
    native,
};
use crate::{
    dialect::{Message, Venue, looks_like},
    limits::{MAX_RECORDED_FRAME, RECOGNISED_LINES},
    market::{Source, Symbol, Tick, UnixMicros},
};

/// The rule for lines with nothing in them, or in their frame.
pub(super) const EMPTY: &str = "empty";

/// One open file.
pub(super) struct Recording {
    name: String,
    content: Opened,
    /// Whether it was told that the file breaks off.
    told_cut: bool,
    /// How many more lines without a tick to look at.
    to_recognise: usize,
}

enum Opened {
    Lines(Lines, LineFormat),
    Records(Box<Records>),
}

/// Frames of a venue, one a line.
struct Frames {
    venue: Venue,
    /// Known after the first line that has one.
    envelope: Option<Envelope>,
    /// The messages of the present frame; a reused buffer.
    said: Vec<Message>,
}

enum LineFormat {
    Venue(Frames),
    Native,
    Csv(Box<csv::Rows>),
}

impl Recording {
    /// Opens a file and reads its header, if it has one. `taken` counts the bytes read.
    pub(super) fn open(path: &Path, format: &Format, taken: &Arc<AtomicU64>) -> Result<Self, String> {
        let name = path.display().to_string();
        let bytes = input::open(path, Arc::clone(taken)).map_err(|error| format!("{name}: {error}"))?;
        let lines = |bytes| Lines::new(bytes).map_err(|error| format!("{name}: {error}"));
        let content = match format {
            Format::Venue(venue) => {
                let frames = Frames { venue: *venue, envelope: None, said: Vec::new() };
                Opened::Lines(lines(bytes)?, LineFormat::Venue(frames))
            }
            Format::Native => Opened::Lines(lines(bytes)?, LineFormat::Native),
            Format::Csv(layout) => {
                let mut lines = lines(bytes)?;
                let rows = csv::Rows::open(layout, &mut lines).map_err(|why| format!("{name}: {why}"))?;
                Opened::Lines(lines, LineFormat::Csv(Box::new(rows)))
            }
            Format::Dbn => {
                let records = Records::open(bytes).map_err(|why| format!("{name}: {why}"))?;
                Opened::Records(Box::new(records))
            }
        };
        Ok(Self { name, content, told_cut: false, to_recognise: RECOGNISED_LINES })
    }

    /// Appends one line or record to the batch; false at the end of the file. `feed` is the source of ticks that name none.
    pub(super) fn read(
        &mut self,
        plan: &ReplayPlan,
        feed: Source,
        batch: &mut Batch,
    ) -> Result<bool, String> {
        let before = batch.ticks.len();
        match self.step(plan, feed, batch) {
            Ok(None) => return Ok(false),
            Ok(Some(decoded)) => batch.count(decoded, before),
            Err(why) => {
                batch.skipped.push(Skipped::new("cut_off", why.as_str()));
                return Err(why);
            }
        }
        Ok(true)
    }

    /// Reads one line or record; `None` at the end of the file.
    fn step(
        &mut self,
        plan: &ReplayPlan,
        feed: Source,
        out: &mut Batch,
    ) -> Result<Option<Result<Decoded, Skipped>>, String> {
        let name = &self.name;
        let (before, ticks_before) = (out.skipped.len(), out.ticks.len());
        let (number, decoded) = match &mut self.content {
            Opened::Records(records) => {
                let next = records.advance(plan, &mut out.ticks).map_err(|why| format!("{name}: {why}"))?;
                match next {
                    Some(decoded) => (records.number(), decoded),
                    None if records.is_cut() && !self.told_cut => (records.number() + 1, Err(cut())),
                    None => return Ok(None),
                }
            }
            Opened::Lines(lines, format) => {
                let next = lines.advance();
                let number = lines.number();
                out.length += lines.line().len();
                let read = match next.map_err(|error| format!("{name}: line {number}: {error}"))? {
                    Next::End if lines.broke_off() && !self.told_cut => (number, Err(cut())),
                    Next::End => return Ok(None),
                    Next::Oversize => (number, Err(oversize())),
                    Next::Line if lines.line().is_empty() => (number, Ok(Decoded::Ignored(EMPTY))),
                    Next::Line if lines.is_cut() => {
                        let decoded = format.decode((lines.line(), lines.may_be_cut()), plan, feed, out);
                        (number, decoded.map_err(cut_off))
                    }
                    Next::Line => (number, format.decode((lines.line(), false), plan, feed, out)),
                };
                if self.to_recognise > 0 && out.ticks.len() == ticks_before && !lines.line().is_empty() {
                    self.to_recognise -= 1;
                    out.looks.extend(format.looks_like(lines.line()));
                }
                read
            }
        };
        self.told_cut |= decoded.as_ref().is_err_and(|skipped| skipped.kind == CUT_OFF);
        let placed =
            |skipped: Skipped| Skipped { why: format!("{name}:{number}: {}", skipped.why), ..skipped };
        for skipped in out.skipped.iter_mut().skip(before) {
            skipped.why = format!("{name}:{number}: {}", skipped.why);
        }
        Ok(Some(decoded.map_err(placed)))
    }
}

impl LineFormat {
    /// Reads a line, and tells whether it may be cut off.
    fn decode(
        &mut self,
        (line, may_be_cut): (&[u8], bool),
        plan: &ReplayPlan,
        feed: Source,
        out: &mut Batch,
    ) -> Result<Decoded, Skipped> {
        let before = out.ticks.len();
        let decoded = match self {
            Self::Venue(frames) => frames.decode(line, &plan.symbols, out)?,
            Self::Native => native::decode(line, feed, &plan.symbols, &mut out.ticks)?,
            Self::Csv(rows) => {
                let names = csv::Names { symbols: &plan.symbols, source: plan.source.unwrap_or(feed) };
                return rows.decode(line, may_be_cut, names, &mut out.ticks);
            }
        };
        if let Some(source) = plan.source {
            out.ticks.iter_mut().skip(before).for_each(|tick| names::resource(tick, source));
        }
        Ok(decoded)
    }
}

impl LineFormat {
    /// The venue whose frame a line looks like.
    fn looks_like(&self, line: &[u8]) -> Option<&'static str> {
        let known = match self {
            Self::Venue(frames) => frames.envelope,
            Self::Native | Self::Csv(_) => None,
        };
        match known.or_else(|| Envelope::detect(line))?.open(line) {
            Ok(Content::Frame(_, frame)) => looks_like(&frame),
            Ok(Content::Other(_)) | Err(_) => None,
        }
    }
}

/// The error of a file that ends inside a line.
fn cut_off(skipped: Skipped) -> Skipped {
    Skipped::new(CUT_OFF, format!("the file ends inside this line: {}", skipped.why))
}

/// The metric label of a cut-off end.
const CUT_OFF: &str = "cut_off";

fn cut() -> Skipped {
    Skipped::new(
        CUT_OFF,
        "the file breaks off here, as after a recorder was killed; all before it was played",
    )
}

fn oversize() -> Skipped {
    Skipped::new("oversize", format!("the line has more than {MAX_RECORDED_FRAME} bytes"))
}

impl Frames {
    fn decode(&mut self, line: &[u8], symbols: &Symbols, out: &mut Batch) -> Result<Decoded, Skipped> {
        if self.envelope.is_none() {
            self.envelope = Envelope::detect(line);
        }
        let Some(envelope) = self.envelope else {
            return Err(Skipped::new("envelope", "neither a frame nor a line of a known recorder"));
        };
        let (at, frame) = match envelope.open(line)? {
            Content::Frame(at, frame) => (at, frame),
            Content::Other(rule) => return Ok(Decoded::Ignored(rule)),
        };
        self.venue.parse_as(&frame, at.unwrap_or(UnixMicros(0)), symbols, &mut self.said)?;
        let before = out.ticks.len();
        let (mut rule, mut unnamed) = (None, None);
        for said in self.said.drain(..) {
            if let Message::Unnamed(theirs) = &said {
                // If the line has nothing else, its last message counts.
                out.skipped.extend(unnamed.replace(nameless(theirs)));
                continue;
            }
            rule = rule.or(said.rule());
            if let Message::Tick { tick, .. } = said {
                out.ticks.push(tick);
            }
        }
        // Count a line once: as ticks if it has any, else by its first message.
        let ticks = out.ticks.get(before..).unwrap_or_default();
        if ticks.is_empty() {
            if let Some(unnamed) = unnamed {
                return Err(unnamed);
            }
            return Ok(Decoded::Ignored(rule.unwrap_or(EMPTY)));
        }
        out.skipped.extend(unnamed);
        Ok(Decoded::Ticks(at.or_else(|| ticks.iter().find_map(event_time))))
    }
}

/// A symbol that is not in the definition's map and is not a valid name of ours.
fn nameless(theirs: &str) -> Skipped {
    let why = Symbol::new(theirs).err().map(|why| format!(", which {why}")).unwrap_or_default();
    Skipped::new("symbol", format!("symbol {theirs:?}{why}: give it a name in `symbols`"))
}

const fn event_time(tick: &Tick) -> Option<UnixMicros> {
    match tick {
        Tick::Trade(trade) => trade.te,
        Tick::Quote(quote) => quote.te,
        Tick::Correction(correction) => correction.te,
        Tick::Status(_) | Tick::Loss(_) => None,
    }
}
