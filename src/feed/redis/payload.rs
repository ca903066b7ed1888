//! What a message, or a field of an entry, holds: ticks in the words of `/v1/publish`, as JSON or MessagePack, or the raw frame
//! of a venue.
//!
//! A tick that cannot be read is counted and skipped; what stands beside it in the same message is not.

use serde::Deserialize as _;
use serde_json::value::RawValue;

use crate::{
    dialect::{
        Message, Sequence, Venue,
        native::{TickError, TickMessage},
        without_mark,
    },
    feed::{Publisher, replay::Symbols},
    limits::{PUBLISH_CORRECTIONS, REDIS_MESSAGE_BYTES},
    market::{Tick, UnixMicros},
};

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Ticks in the words of the protocol.
    Native {
        /// Whether their `n` counts.
        has_numbers: bool,
    },
    /// A venue's frame.
    Venue(Venue),
}

/// The rule for a message with nothing in it.
const EMPTY: &str = "empty";

/// A tick, and its place among those of its symbol and channel where it says one.
pub(super) type Placed = (Tick, Option<Sequence>);

/// Reads payloads of one feed.
#[derive(Debug)]
pub(super) struct Payload {
    format: Format,
    symbols: Symbols,
    said: Vec<Message>,
    corrections: usize,
}

impl Payload {
    pub(super) const fn new(format: Format, symbols: Symbols) -> Self {
        Self { format, symbols, said: Vec::new(), corrections: 0 }
    }

    /// By which rules what is no tick may be passed over.
    pub(super) fn rules(&self) -> Vec<&'static str> {
        match self.format {
            Format::Native { .. } => vec![EMPTY],
            Format::Venue(venue) => venue.rules().collect(),
        }
    }

    /// Our names of symbols.
    pub(super) const fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Appends the ticks of a payload that was received at `tr`, and counts what it cannot read.
    pub(super) fn read(&mut self, out: &Publisher, bytes: &[u8], tr: UnixMicros, ticks: &mut Vec<Placed>) {
        out.count_message();
        if bytes.len() > REDIS_MESSAGE_BYTES {
            let why = format!("a message of {} bytes, over {REDIS_MESSAGE_BYTES}", bytes.len());
            return out.count_skipped("oversize", &why);
        }
        self.corrections = 0;
        match self.format {
            Format::Venue(venue) => self.frame(out, venue, (bytes, tr), ticks),
            Format::Native { has_numbers } => {
                let mut read = Native { payload: self, out, tr, has_numbers, ticks };
                match bytes.trim_ascii_start().first() {
                    None => out.count_ignored(EMPTY),
                    // A number in MessagePack, which no tick begins with: so this is text.
                    Some(b'{' | b'[' | 0xef) => read.text(bytes),
                    Some(_) => read.packed(bytes),
                }
            }
        }
    }

    fn frame(
        &mut self,
        out: &Publisher,
        venue: Venue,
        (bytes, tr): (&[u8], UnixMicros),
        ticks: &mut Vec<Placed>,
    ) {
        if let Err(why) = venue.parse_as(bytes, tr, &self.symbols, &mut self.said) {
            return out.count_parse_error(&why);
        }
        for said in self.said.drain(..) {
            match said {
                Message::Tick { tick, sequence } => ticks.push((tick, sequence)),
                Message::Unnamed(theirs) => {
                    let why = format!("symbol {theirs:?} is none of ours: give it a name in `symbols`");
                    out.count_skipped("symbol", &why);
                }
                Message::Ack(_)
                | Message::Refused(_)
                | Message::Heartbeat
                | Message::Mark { .. }
                | Message::Status { .. }
                | Message::Shutdown
                | Message::Ignored(_)
                | Message::Unknown => out.count_ignored(said.rule().unwrap_or("unknown")),
            }
        }
    }
}

/// One payload in the words of the protocol.
struct Native<'a> {
    payload: &'a mut Payload,
    out: &'a Publisher,
    tr: UnixMicros,
    has_numbers: bool,
    ticks: &'a mut Vec<Placed>,
}

impl Native<'_> {
    /// A tick, an array of them, or one a line.
    fn text(&mut self, bytes: &[u8]) {
        let text = match without_mark(bytes) {
            Ok(text) => text.trim_ascii_start(),
            Err(why) => return self.refused(&TickError::shape(&why)),
        };
        if !text.starts_with(b"[") {
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
                self.take(serde_json::from_slice(line).map_err(|why| TickError::shape(&why)));
            }
            return;
        }
        match serde_json::from_slice::<Vec<&RawValue>>(text) {
            Ok(all) => {
                for raw in all {
                    self.take(serde_json::from_str(raw.get()).map_err(|why| TickError::shape(&why)));
                }
            }
            Err(why) => self.refused(&TickError::shape(&format_args!("not a JSON array: {why}"))),
        }
    }

    /// A map, or an array of them.
    fn packed(&mut self, bytes: &[u8]) {
        match rmp_serde::from_slice::<serde_json::Value>(bytes) {
            Ok(serde_json::Value::Array(all)) => {
                for value in &all {
                    self.take(TickMessage::deserialize(value).map_err(|why| TickError::shape(&why)));
                }
            }
            Ok(value) => self.take(TickMessage::deserialize(&value).map_err(|why| TickError::shape(&why))),
            Err(why) => self.refused(&TickError::shape(&format_args!("neither JSON nor MessagePack: {why}"))),
        }
    }

    fn take(&mut self, message: Result<TickMessage<'_>, TickError>) {
        let read = message.and_then(|message| {
            Ok((message.tick(self.out.name(), self.tr)?, message.number().filter(|_| self.has_numbers)))
        });
        match read {
            Ok((Tick::Correction(_), _)) if self.payload.corrections == PUBLISH_CORRECTIONS => {
                let why = format!("more than {PUBLISH_CORRECTIONS} corrections in one message");
                self.out.count_skipped("long", &why);
            }
            Ok((tick, number)) => {
                self.payload.corrections += usize::from(matches!(tick, Tick::Correction(_)));
                let sequence = number.and_then(|number| sequence(&tick, number));
                self.ticks.push((tick, sequence));
            }
            Err(why) => self.refused(&why),
        }
    }

    fn refused(&self, why: &TickError) {
        self.out.count_skipped(why.kind(), why);
    }
}

/// The place of a tick by its `n`. Every trade has the next number; quotes may have been merged on their way. Without an event
/// time a count that began anew could not be told from a repetition, so the number of such a tick says nothing.
fn sequence(tick: &Tick, number: u64) -> Option<Sequence> {
    match tick {
        Tick::Trade(trade) => trade.te.map(|_| Sequence::Counted(number)),
        Tick::Quote(quote) => quote.te.map(|_| Sequence::Rising(number)),
        Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => None,
    }
}
