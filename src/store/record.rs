//! The bytes of one symbol in the file: MessagePack arrays of records that are the file's own, so that a change of a value
//! in the program does not change the file unnoticed. A test pins the bytes; other bytes need another [`FORMAT`].
//!
//! Records of every format from [`OLDEST`] on are read by the same types: what a format added comes last in its array and
//! has a default. Where a format says something in another way, the type reads both.

mod heads;

use self::heads::Heads;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    dialect::packed::{PackedEvent, Unreadable},
    hub::{Computed, Event, Image, Numbered, RingImage, SourceClock},
    market::{Channel, Interval, Source, Symbol, UnixMicros},
};

/// The version of everything in the file.
///
/// 1: heads in a list, by the place of their channel. 2: heads by the channel's id, which never moves. 3: a symbol's key is
/// the number of its topic, and numbers of derived channels count changes; where they counted events that were made, a
/// change that was not made takes its number now.
pub(super) const FORMAT: u32 = 3;

/// The oldest version that is read. A file of it is of the newest format from the start on.
pub(super) const OLDEST: u32 = 1;

/// What a symbol comes to without its rings and its ticker's minutes, which have tables of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TopicRecord {
    pub(super) symbol: Symbol,
    pub(super) feed: Source,
    heads: Heads,
    last: [Option<PackedEvent>; 2],
    lost: [Option<PackedEvent>; 2],
    /// Newest forgotten number of the trades, and of the bars by interval.
    pub(super) forgotten: (u64, [u64; Interval::COUNT]),
    pub(super) computed: Option<Computed>,
    /// Since when its feed has neither named nor sent it.
    pub(super) absent_since: Option<UnixMicros>,
    /// Not restored by the last run.
    pub(super) is_orphaned: bool,
    /// Newest forgotten number of the corrections.
    #[serde(default)]
    forgotten_corrections: u64,
    /// What is known of the source's clock; format 1 has it with what is computed.
    #[serde(default)]
    clock: Option<SourceClock>,
    /// Numbers begin behind this one.
    #[serde(default)]
    base: u64,
}

/// The bytes of a record.
pub(super) fn encode(record: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(record).expect("records have nothing that MessagePack has not")
}

/// The record of the bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    rmp_serde::from_slice(bytes)
}

impl TopicRecord {
    /// The record of a topic.
    pub(super) fn of<E: AsRef<Event>>(image: &Image<E>, absent_since: Option<UnixMicros>) -> Self {
        let entry = |event: &Option<E>| {
            event.as_ref().and_then(|event| PackedEvent::of(event.as_ref().n, &event.as_ref().body))
        };
        Self {
            symbol: image.symbol,
            feed: image.feed,
            heads: Heads(image.heads),
            last: image.last.each_ref().map(entry),
            lost: image.lost.each_ref().map(entry),
            forgotten: (image.trades.forgotten, image.bars.each_ref().map(|run| run.forgotten)),
            computed: image.computed.clone(),
            absent_since,
            is_orphaned: false,
            forgotten_corrections: image.corrections.forgotten,
            clock: Some(image.clock),
            base: image.base,
        }
    }

    /// The record as the newest format says it.
    pub(super) fn migrated(mut self, format: u32) -> Self {
        if format < 3
            && let Some(computed) = &self.computed
        {
            for channel in Channel::DERIVED.into_iter().filter(|channel| computed.is_deferred(*channel)) {
                self.heads.0[channel.index()] += 1;
            }
        }
        self
    }

    /// The highest number that the topic has given.
    pub(super) fn highest(&self) -> u64 {
        self.heads.0.into_iter().max().unwrap_or(0)
    }

    /// The topic of a record, with empty rings.
    pub(super) fn image(&self, id: u32) -> Image<Numbered> {
        let channels = [Channel::Trades, Channel::Quotes];
        let both = |entries: &[Option<PackedEvent>; 2]| {
            let mut channels = channels.into_iter();
            entries.clone().map(|entry| {
                let channel = channels.next().unwrap_or(Channel::Trades);
                entry.map(|entry| Numbered::from(entry.event(self.symbol, channel)))
            })
        };
        let run = |forgotten: u64| RingImage { forgotten, events: Vec::new() };
        Image {
            id,
            base: self.base,
            symbol: self.symbol,
            feed: self.feed,
            heads: self.heads.0,
            last: both(&self.last),
            lost: both(&self.lost),
            trades: run(self.forgotten.0),
            trades_changed: false,
            corrections: run(self.forgotten_corrections),
            bars: self.forgotten.1.map(run),
            computed: self.computed.clone(),
            minutes: Vec::new(),
            is_absent: true,
            clock: self
                .clock
                .or_else(|| Some(self.computed.as_ref()?.clock_of_format_1()))
                .unwrap_or_default(),
            present: None,
        }
    }
}
