//! All that a node has, as others take it over: slices of some topics each, taken between batches and marked with the place
//! in the log up to which they are in step.
//!
//! So nothing stands still for an image: while it is taken and sent the log goes on, and who has put it together reads the log
//! from the first slice on and passes over what each topic has already.

mod topics;

use std::{collections::HashMap, sync::Arc};

use super::{
    bytes::{Reader, WireError, Writer},
    position::{InboxId, Position},
    wire::{InputReader, InputWriter, WIRE_VERSION, decompress},
};
use crate::{
    hub::{Event, Hub, Image, Numbered, Numbering},
    limits::{MAX_LOG_NAME, MAX_SLICE_BYTES, MAX_TOPICS, SLICE_EVENTS, SLICE_TOPICS},
    market::{Symbol, UnixMicros},
};

/// Level of the compression: the fastest.
const LEVEL: i32 = 1;

/// Some topics, in the order of their numbers; `E` is how an event is held.
#[derive(Debug, Clone)]
pub struct Slice<E> {
    /// The last batch that they have.
    pub at: Position,
    /// The name of the numbering.
    pub epoch: String,
    /// The leaders' time at that batch.
    pub time: UnixMicros,
    /// The newest entry of the inbox up to that batch.
    pub inbox: Option<InboxId>,
    /// The number from which on these are the first topics.
    pub from: u32,
    /// The topics.
    pub topics: Vec<Image<E>>,
    /// Where the next slice begins; with the last one the numbers that new topics get.
    pub next: Result<u32, Numbering>,
}

impl Slice<Arc<Event>> {
    /// The first topics of a hub from that number on, and some words on where the hub stands.
    #[must_use]
    pub(super) fn take(
        hub: &Hub,
        (at, time, inbox): (Position, UnixMicros, Option<InboxId>),
        from: u32,
        most: usize,
    ) -> Self {
        let mut topics = Vec::new();
        let (mut events, mut next) = (0, from);
        for topic in hub.topics_since(from, most) {
            let image = topic.whole();
            next = image.id.saturating_add(1);
            events +=
                image.trades.events.len() + image.bars.iter().map(|bars| bars.events.len()).sum::<usize>();
            events += image.minutes.len();
            topics.push(image);
            if events >= SLICE_EVENTS {
                break;
            }
        }
        let next = if hub.topics_since(next, 1).is_empty() { Err(hub.numbering()) } else { Ok(next) };
        Self { at, epoch: hub.epoch().to_string(), time, inbox, from, topics, next }
    }

    /// The bytes of the slice, compressed. Some milliseconds' work: not for a thread that serves clients.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = InputWriter::new(Writer::default(), self.time);
        out.int(self.time.0);
        out.text(&self.epoch);
        out.uint(self.at.term);
        out.uint(self.at.seq);
        out.byte(u8::from(self.inbox.is_some()));
        if let Some(InboxId(first, second)) = self.inbox {
            out.uint(first);
            out.uint(second);
        }
        out.uint(u64::from(self.from));
        match &self.next {
            Ok(next) => {
                out.byte(0);
                out.uint(u64::from(*next));
            }
            Err(numbering) => {
                out.byte(1);
                put_numbering(&mut out, numbering);
            }
        }
        out.uint(self.topics.len() as u64);
        self.topics.iter().for_each(|image| topics::put(&mut out, image));
        let plain = out.into_bytes();
        let mut bytes = vec![WIRE_VERSION];
        let compressed = zstd::encode_all(&*plain, LEVEL).expect("memory takes what is written");
        bytes.extend(compressed);
        bytes
    }
}

impl Slice<Numbered> {
    /// The slice of the bytes.
    ///
    /// # Errors
    /// When another version wrote them, or nothing that this one reads.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader(bytes);
        let version = reader.byte()?;
        if version != WIRE_VERSION {
            return Err(WireError::Version(version));
        }
        let plain = decompress(reader.0, MAX_SLICE_BYTES)?;
        let mut reader = Reader(&plain);
        let time = UnixMicros(reader.int()?);
        let mut reader = InputReader::new(reader, time);
        let epoch = reader.text(MAX_LOG_NAME)?.to_owned();
        let at = Position { term: reader.uint()?, seq: reader.uint()? };
        let inbox = if reader.flag()? { Some(InboxId(reader.uint()?, reader.uint()?)) } else { None };
        let from = reader.small()?;
        let next = if reader.flag()? { Err(take_numbering(&mut reader)?) } else { Ok(reader.small()?) };
        let count = reader.uint()?;
        if count > SLICE_TOPICS as u64 {
            return Err(WireError::Large("the number of topics"));
        }
        let topics = (0..count).map(|_| topics::take(&mut reader)).collect::<Result<_, _>>()?;
        if !reader.is_empty() {
            return Err(WireError::Damaged("more than a slice"));
        }
        Ok(Self { at, epoch, time, inbox, from, topics, next })
    }
}

fn put_numbering(out: &mut InputWriter, Numbering { next, floor, waiting }: &Numbering) {
    out.uint(u64::from(*next));
    out.uint(*floor);
    out.uint(waiting.len() as u64);
    for (symbol, highest) in waiting {
        out.symbol(*symbol);
        out.uint(*highest);
    }
}

fn take_numbering(reader: &mut InputReader<'_>) -> Result<Numbering, WireError> {
    let (next, floor, count) = (reader.small()?, reader.uint()?, reader.uint()?);
    let waiting = (0..count).map(|_| Ok((reader.symbol()?, reader.uint()?)));
    let waiting = waiting.collect::<Result<HashMap<_, _>, WireError>>()?;
    // No topic counts that far, and new ones go on from here.
    if waiting.values().chain([&floor]).any(|highest| *highest >= u64::MAX / 2) {
        return Err(WireError::Large("a number"));
    }
    Ok(Numbering { next, floor, waiting })
}

/// All topics of a node.
#[derive(Debug)]
pub struct WholeImage {
    pub(super) epoch: String,
    pub(super) time: UnixMicros,
    pub(super) inbox: Option<InboxId>,
    /// Where the first slice stands, and the last one.
    pub(super) first: Position,
    pub(super) last: Position,
    /// Up to where each symbol is in step.
    pub(super) marks: HashMap<Symbol, Position>,
    pub(super) topics: Vec<Image<Numbered>>,
    pub(super) numbering: Numbering,
}

impl WholeImage {
    /// The last batch that all of it has: the log must be read from there on.
    #[must_use]
    pub const fn first(&self) -> Position {
        self.first
    }

    /// How many topics it has.
    #[must_use]
    pub const fn topics(&self) -> usize {
        self.topics.len()
    }
}

/// Why slices make no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// One is missing or came twice.
    #[error("a slice begins at topic {found} where {expected} was expected")]
    OutOfOrder {
        /// Where the next one should begin.
        expected: u32,
        /// Where it begins.
        found: u32,
    },
    /// They are of two numberings, or one goes back.
    #[error("its slices are of two numberings")]
    Broken,
    /// More topics than a gateway takes.
    #[error("it has more than {MAX_TOPICS} topics")]
    Large,
}

/// Puts slices together, in their order.
#[derive(Debug, Default)]
pub struct ImageBuilder {
    begun: Option<WholeImage>,
    next: u32,
    places: HashMap<Symbol, usize>,
}

impl ImageBuilder {
    /// Where the slice that is missing begins.
    #[must_use]
    pub const fn next(&self) -> u32 {
        self.next
    }

    /// Adds the next slice. Returns the image with the last one.
    ///
    /// # Errors
    /// When it is not the next one; then the image must be asked for anew.
    pub fn add(&mut self, slice: Slice<Numbered>) -> Result<Option<WholeImage>, ImageError> {
        if slice.from != self.next {
            return Err(ImageError::OutOfOrder { expected: self.next, found: slice.from });
        }
        let Slice { at, epoch, time, inbox, topics, next, .. } = slice;
        let image = self.begun.get_or_insert_with(|| WholeImage {
            epoch: epoch.clone(),
            time,
            inbox,
            first: at,
            last: at,
            marks: HashMap::new(),
            topics: Vec::new(),
            numbering: Numbering::default(),
        });
        if image.epoch != epoch || at < image.last {
            return Err(ImageError::Broken);
        }
        image.last = at;
        for topic in topics {
            let symbol = topic.symbol;
            if image.topics.len() >= MAX_TOPICS {
                return Err(ImageError::Large);
            }
            image.marks.insert(symbol, at);
            if let Some(place) = self.places.insert(symbol, image.topics.len()) {
                // The symbol was removed and came back behind the earlier slice.
                image.topics.remove(place);
                self.places.values_mut().filter(|other| **other > place).for_each(|other| *other -= 1);
            }
            image.topics.push(topic);
        }
        match next {
            Ok(next) => {
                self.next = next;
                Ok(None)
            }
            Err(numbering) => {
                image.numbering = numbering;
                Ok(self.begun.take())
            }
        }
    }
}

#[cfg(test)]
mod tests;
