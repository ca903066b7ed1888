//! The batches of the log: what sources say and what leaders say about themselves, unnumbered and in one order.
//!
//! A batch stands for itself: it has its own tables of symbols and sources, so that a reader may begin with any. The first
//! two bytes are the version and whether the rest is compressed. Ticks are packed by hand and not by a general format, since
//! they are nearly all there is: some 25 bytes each.
//!
//! A client that can write to the log must not be able to crash a node: what is read is bounded by [`MAX_BATCH_BYTES`] and
//! [`MAX_BATCH_ENTRIES`], and everything that is not understood refuses the whole batch.

mod kinds;
mod read;
mod write;

use std::io::{Cursor, Read as _};

pub(super) use self::{read::InputReader, write::InputWriter};
use super::{
    bytes::{Reader, WireError, Writer},
    position::{InboxId, Position},
};
use crate::{
    hub::Input,
    limits::{MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, MAX_FEED_WORDS, MAX_LOG_NAME},
    market::{Source, State, UnixMicros},
};

/// The version that this gateway writes, and the only one that it reads.
pub const WIRE_VERSION: u8 = 1;

/// The rest is compressed.
const COMPRESSED: u8 = 1;

/// Level of the compression: the fastest.
const LEVEL: i32 = 1;

/// What one batch of the log says.
#[derive(Debug, Clone)]
pub struct Batch {
    /// When it was put together, by the leader's clock. It never goes back in a log.
    pub time: UnixMicros,
    /// Whether time has passed until then, behind all entries: bars that are over become final.
    pub passes: bool,
    /// The newest entry of the inbox that is in it or in an earlier one.
    pub inbox: Option<InboxId>,
    /// What it says, in order.
    pub entries: Vec<Entry>,
}

/// One thing that the log says.
#[derive(Debug, Clone)]
pub enum Entry {
    /// Another leader begins: the first entry of its term.
    Open(Open),
    /// The leader resigns: its last entry.
    Close,
    /// How the feeds are doing.
    Feeds(Vec<FeedWord>),
    /// What nodes compare.
    Check(Check),
    /// What enters the numbering.
    Input(Input),
}

/// What a leader says when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The name of the numbering from here on.
    pub epoch: String,
    /// The leader's name.
    pub node: String,
    /// The last batch that it had applied: what comes next follows from that one.
    pub follows: Position,
    /// Redis, by the name of its run.
    pub run_id: String,
    /// Redis, by the name of its history.
    pub replid: String,
    /// The rules by which values are derived.
    pub rules: u32,
    /// The version of the batches that follow.
    pub format: u8,
}

/// How one feed is doing, for nodes that have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedWord {
    /// Its name.
    pub name: Source,
    /// Of which kind it is.
    pub kind: String,
    /// What moves its quotes, where that is known.
    pub quotes_from: Option<String>,
    /// How it is doing.
    pub state: State,
    /// When it last published.
    pub last_tick: Option<UnixMicros>,
    /// Symbols that it carries while another feed is their source.
    pub standby: u64,
    /// How often it broke off, and why the last time.
    pub breaks: Option<(u64, String)>,
}

/// What nodes compare, so that a difference does not stay unseen: each computes a sum over some topics behind the batch, and
/// the leader's sum stands in a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The first topic, by number.
    pub from: u32,
    /// How many.
    pub most: u32,
    /// The sum of an earlier check, and the batch that it stood in.
    pub told: Option<(Position, u64)>,
}

// Kinds of entries; those of inputs are below 16.
const OPEN: u8 = 16;
const CLOSE: u8 = 17;
const FEEDS: u8 = 18;
const CHECK: u8 = 19;

impl Batch {
    /// The bytes of the batch.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(64 + 32 * self.entries.len()));
        out.byte(WIRE_VERSION);
        out.byte(0);
        out.int(self.time.0);
        out.byte(u8::from(self.passes) | u8::from(self.inbox.is_some()) << 1);
        if let Some(InboxId(first, second)) = self.inbox {
            out.uint(first);
            out.uint(second);
        }
        let mut out = InputWriter::new(out, self.time);
        for entry in &self.entries {
            put_entry(&mut out, entry);
        }
        out.into_bytes()
    }

    /// The same, compressed where that makes it shorter.
    #[must_use]
    pub fn encode_compressed(&self) -> Vec<u8> {
        let plain = self.encode();
        match plain.split_at_checked(2).map(|(_, rest)| zstd::encode_all(rest, LEVEL)) {
            Some(Ok(rest)) if rest.len() + 2 < plain.len() => {
                let mut bytes = Vec::with_capacity(rest.len() + 2);
                bytes.extend([WIRE_VERSION, COMPRESSED]);
                bytes.extend(rest);
                bytes
            }
            _ => plain,
        }
    }

    /// The batch of the bytes.
    ///
    /// # Errors
    /// When another version wrote them, or nothing that this one reads.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader(bytes);
        let version = reader.byte()?;
        if version != WIRE_VERSION {
            return Err(WireError::Version(version));
        }
        let flags = reader.byte()?;
        let plain = match flags {
            0 if bytes.len() <= MAX_BATCH_BYTES => None,
            0 => return Err(WireError::Large("a batch")),
            COMPRESSED => Some(decompress(reader.0, MAX_BATCH_BYTES)?),
            _ => return Err(WireError::Damaged("an unknown flag")),
        };
        let mut reader = Reader(plain.as_deref().unwrap_or(reader.0));
        let time = UnixMicros(reader.int()?);
        let flags = reader.byte()?;
        if flags > 3 {
            return Err(WireError::Damaged("an unknown flag"));
        }
        let inbox = if flags & 2 == 0 { None } else { Some(InboxId(reader.uint()?, reader.uint()?)) };
        let mut reader = InputReader::new(reader, time);
        let mut entries = Vec::new();
        let mut checks = 0;
        while !reader.is_empty() {
            if entries.len() >= MAX_BATCH_ENTRIES {
                return Err(WireError::Large("the number of entries"));
            }
            let entry = take_entry(&mut reader)?;
            checks += u32::from(matches!(entry, Entry::Check(_)));
            if checks > 1 {
                return Err(WireError::Damaged("a second check"));
            }
            entries.push(entry);
        }
        Ok(Self { time, passes: flags & 1 != 0, inbox, entries })
    }
}

/// What was compressed, if it is not longer than `most`.
pub(super) fn decompress(bytes: &[u8], most: usize) -> Result<Vec<u8>, WireError> {
    const BAD: WireError = WireError::Damaged("not compressed as it says");
    let decoder = zstd::Decoder::new(Cursor::new(bytes)).map_err(|_why| BAD)?;
    let mut plain = Vec::new();
    decoder.take(most as u64 + 1).read_to_end(&mut plain).map_err(|_why| BAD)?;
    if plain.len() > most { Err(WireError::Large("what was compressed")) } else { Ok(plain) }
}

fn put_entry(out: &mut InputWriter, entry: &Entry) {
    match entry {
        Entry::Input(input) => out.input(input),
        Entry::Close => out.byte(CLOSE),
        Entry::Open(open) => {
            out.byte(OPEN);
            out.text(&open.epoch);
            out.text(&open.node);
            put_position(out, open.follows);
            out.text(&open.run_id);
            out.text(&open.replid);
            out.uint(u64::from(open.rules));
            out.byte(open.format);
        }
        Entry::Feeds(feeds) => {
            out.byte(FEEDS);
            out.uint(feeds.len() as u64);
            feeds.iter().for_each(|feed| put_feed(out, feed));
        }
        Entry::Check(Check { from, most, told }) => {
            out.byte(CHECK);
            out.uint(u64::from(*from));
            out.uint(u64::from(*most));
            out.byte(u8::from(told.is_some()));
            if let Some((at, sum)) = told {
                put_position(out, *at);
                out.uint(*sum);
            }
        }
    }
}

fn take_entry(reader: &mut InputReader<'_>) -> Result<Entry, WireError> {
    Ok(match reader.byte()? {
        CLOSE => Entry::Close,
        OPEN => Entry::Open(Open {
            epoch: reader.text(MAX_LOG_NAME)?.to_owned(),
            node: reader.text(MAX_LOG_NAME)?.to_owned(),
            follows: take_position(reader)?,
            run_id: reader.text(MAX_LOG_NAME)?.to_owned(),
            replid: reader.text(MAX_LOG_NAME)?.to_owned(),
            rules: reader.small()?,
            format: reader.byte()?,
        }),
        FEEDS => {
            let count = reader.uint()?;
            if count > MAX_FEED_WORDS as u64 {
                return Err(WireError::Large("the number of feeds"));
            }
            Entry::Feeds((0..count).map(|_| take_feed(reader)).collect::<Result<_, _>>()?)
        }
        CHECK => Entry::Check(Check {
            from: reader.small()?,
            most: reader.small()?,
            told: if reader.flag()? { Some((take_position(reader)?, reader.uint()?)) } else { None },
        }),
        kind => Entry::Input(reader.input(kind)?),
    })
}

fn put_position(out: &mut InputWriter, at: Position) {
    out.uint(at.term);
    out.uint(at.seq);
}

fn take_position(reader: &mut InputReader<'_>) -> Result<Position, WireError> {
    Ok(Position { term: reader.uint()?, seq: reader.uint()? })
}

fn put_feed(out: &mut InputWriter, feed: &FeedWord) {
    let FeedWord { name, kind, quotes_from, state, last_tick, standby, breaks } = feed;
    let mark = |is: bool, bit: u8| u8::from(is) << bit;
    out.source(*name);
    out.byte(mark(quotes_from.is_some(), 0) | mark(last_tick.is_some(), 1) | mark(breaks.is_some(), 2));
    out.text(kind);
    quotes_from.iter().for_each(|text| out.text(text));
    out.state(*state);
    last_tick.iter().for_each(|time| out.time(*time));
    out.uint(*standby);
    if let Some((count, why)) = breaks {
        out.uint(*count);
        out.text(why);
    }
}

fn take_feed(reader: &mut InputReader<'_>) -> Result<FeedWord, WireError> {
    let name = reader.source()?;
    let flags = reader.byte()?;
    let has = |bit: u8| flags >> bit & 1 == 1;
    let kind = reader.text(MAX_LOG_NAME)?.to_owned();
    Ok(FeedWord {
        name,
        kind,
        quotes_from: if has(0) { Some(reader.text(MAX_LOG_NAME)?.to_owned()) } else { None },
        state: reader.state()?,
        last_tick: if has(1) { Some(reader.time()?) } else { None },
        standby: reader.uint()?,
        breaks: if has(2) { Some((reader.uint()?, reader.text(MAX_LOG_NAME)?.to_owned())) } else { None },
    })
}

#[cfg(test)]
mod tests;
