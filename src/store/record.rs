//! The bytes of one symbol in the file: MessagePack arrays of records that are the file's own, so that a change of a value
//! in the program does not change the file unnoticed. A test pins the bytes; other bytes need another [`FORMAT`].
//!
//! Records of every format from [`OLDEST`] on are read by the same types: what a format added comes last in its array and
//! has a default. Where a format says something in another way, the type reads both.

mod heads;

use self::heads::Heads;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    hub::{Computed, Event, Image, Numbered, Run, SourceClock},
    market::{
        Bar, Body, Change, Channel, Correction, Interval, Level, Loss, LossWhy, Marks, Price, Print, Quote,
        Side, Size, Source, Symbol, Tick, Trade, TradeId, UnixMicros,
    },
};

/// The version of everything in the file.
///
/// 1: heads in a list, by the place of their channel. 2: heads by the channel's id, which never moves.
pub(super) const FORMAT: u32 = 2;

/// The oldest version that is read. A file of it is of the newest format from the start on.
pub(super) const OLDEST: u32 = 1;

/// What a symbol comes to without its rings and its ticker's minutes, which have tables of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TopicRecord {
    pub(super) symbol: Symbol,
    pub(super) feed: Source,
    heads: Heads,
    last: [Option<Entry>; 2],
    lost: [Option<Entry>; 2],
    /// Newest forgotten number of the trades, and of the bars by interval.
    pub(super) forgotten: (u64, [u64; Interval::COUNT]),
    pub(super) computed: Option<Computed>,
    /// Since when its feed has neither named nor sent it.
    pub(super) absent_since: Option<UnixMicros>,
    /// Not restored by the last run.
    pub(super) is_parked: bool,
    /// Newest forgotten number of the corrections.
    #[serde(default)]
    forgotten_corrections: u64,
    /// What is known of the source's clock; format 1 has it with what is computed.
    #[serde(default)]
    clock: Option<SourceClock>,
}

/// A number and what has it; symbol and channel are known from where it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry(u64, Value);

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Value {
    #[serde(rename = "t")]
    Trade(
        Price,
        Size,
        Option<Side>,
        Option<Id>,
        Source,
        Option<UnixMicros>,
        UnixMicros,
        #[serde(default)] Marks,
    ),
    #[serde(rename = "q")]
    Quote(Option<Side2>, Option<Side2>, Source, Option<UnixMicros>, UnixMicros),
    /// Name and place of the trade, and its number when it was known; what became of it, and when.
    #[serde(rename = "c")]
    Correction(Id, Source, Option<u64>, Became, Option<UnixMicros>, UnixMicros),
    /// Whether the venue left something out, and how many.
    #[serde(rename = "x")]
    Loss(bool, Option<u64>),
    /// Start; open, high, low, close; volume, average, trades.
    #[serde(rename = "b")]
    Bar(UnixMicros, [Price; 4], Size, Option<Price>, u64),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Id {
    #[serde(rename = "n")]
    Number(u64),
    #[serde(rename = "t")]
    Text(Box<str>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Became {
    #[serde(rename = "b")]
    Busted(Option<Price>, Option<Size>),
    #[serde(rename = "c")]
    Corrected(Price, Size, Marks, Option<Id>),
}

/// One side of the book.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Side2(Price, Option<Size>);

/// Bytes that are no record.
pub(super) type Unreadable = rmp_serde::decode::Error;

/// The bytes of a record.
pub(super) fn encode(record: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(record).expect("records have nothing that MessagePack has not")
}

/// The record of the bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    rmp_serde::from_slice(bytes)
}

/// The bytes of events of one channel.
pub(super) fn encode_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<u8> {
    let entries: Vec<_> = events.into_iter().filter_map(|event| Entry::of(event.n, &event.body)).collect();
    encode(&entries)
}

/// The events of the bytes.
pub(super) fn decode_events(
    bytes: &[u8],
    symbol: Symbol,
    channel: Channel,
) -> Result<Vec<Numbered>, Unreadable> {
    let entries: Vec<Entry> = decode(bytes)?;
    Ok(entries.into_iter().map(|entry| entry.event(symbol, channel)).collect())
}

impl TopicRecord {
    /// The record of a topic.
    pub(super) fn of<E: AsRef<Event>>(image: &Image<E>, absent_since: Option<UnixMicros>) -> Self {
        let entry = |event: &Option<E>| {
            event.as_ref().and_then(|event| Entry::of(event.as_ref().n, &event.as_ref().body))
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
            is_parked: false,
            forgotten_corrections: image.corrections.forgotten,
            clock: Some(image.clock),
        }
    }

    /// The topic of a record, with empty rings.
    pub(super) fn image(&self) -> Image<Numbered> {
        let channels = [Channel::Trades, Channel::Quotes];
        let both = |entries: &[Option<Entry>; 2]| {
            let mut channels = channels.into_iter();
            entries.clone().map(|entry| {
                let channel = channels.next().unwrap_or(Channel::Trades);
                entry.map(|entry| entry.event(self.symbol, channel))
            })
        };
        let run = |forgotten: u64| Run { forgotten, events: Vec::new() };
        Image {
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
        }
    }
}

impl Id {
    fn of(id: &TradeId) -> Self {
        match id {
            TradeId::Number(number) => Self::Number(*number),
            TradeId::Text(text) => Self::Text(text.clone()),
        }
    }

    fn name(self) -> TradeId {
        match self {
            Self::Number(number) => TradeId::Number(number),
            Self::Text(text) => TradeId::Text(text),
        }
    }
}

impl Became {
    fn of(change: &Change) -> Self {
        match change {
            Change::Busted { price, size } => Self::Busted(*price, *size),
            Change::Corrected { price, size, marks, id } => {
                Self::Corrected(*price, *size, *marks, id.as_ref().map(Id::of))
            }
        }
    }

    fn change(self) -> Change {
        match self {
            Self::Busted(price, size) => Change::Busted { price, size },
            Self::Corrected(price, size, marks, id) => {
                Change::Corrected { price, size, marks, id: id.map(Id::name) }
            }
        }
    }
}

impl Entry {
    /// `None` for what is not kept: a status, a ticker, a forming bar.
    fn of(n: u64, body: &Body) -> Option<Self> {
        let side = |level: &Option<Level>| level.map(|Level { price, size }| Side2(price, size));
        let value = match body {
            Body::Tick(Tick::Trade(Trade { price, size, side, id, source, te, tr, print, .. })) => {
                let id = id.as_ref().map(Id::of);
                Value::Trade(*price, *size, *side, id, *source, *te, *tr, print.marks)
            }
            Body::Tick(Tick::Correction(correction)) => {
                let Correction { id, source, of, change, te, tr, .. } = &**correction;
                Value::Correction(Id::of(id), *source, *of, Became::of(change), *te, *tr)
            }
            Body::Tick(Tick::Quote(Quote { bid, ask, source, te, tr, .. })) => {
                Value::Quote(side(bid), side(ask), *source, *te, *tr)
            }
            Body::Tick(Tick::Loss(Loss { why, events, .. })) => {
                Value::Loss(matches!(why, LossWhy::Venue), *events)
            }
            Body::Bar(bar) if bar.is_final => {
                let Bar { start, open, high, low, close, volume, vwap, trades, .. } = &**bar;
                Value::Bar(*start, [*open, *high, *low, *close], *volume, *vwap, *trades)
            }
            Body::Bar(_) | Body::Ticker(_) | Body::Tick(Tick::Status(_)) => return None,
        };
        Some(Self(n, value))
    }

    fn event(self, symbol: Symbol, channel: Channel) -> Numbered {
        let Self(n, value) = self;
        let level = |side: Option<Side2>| side.map(|Side2(price, size)| Level { price, size });
        let body = match value {
            Value::Trade(price, size, side, id, source, te, tr, marks) => {
                let (id, print) = (id.map(Id::name), Print { marks, rule: None });
                Body::Tick(Tick::Trade(Trade { symbol, price, size, side, id, source, te, tr, print }))
            }
            Value::Correction(id, source, of, became, te, tr) => {
                let (id, change) = (id.name(), became.change());
                let correction = Correction { symbol, id, source, change, te, tr, of };
                Body::Tick(Tick::Correction(Box::new(correction)))
            }
            Value::Quote(bid, ask, source, te, tr) => {
                let (bid, ask) = (level(bid), level(ask));
                Body::Tick(Tick::Quote(Quote { symbol, bid, ask, source, te, tr }))
            }
            Value::Loss(by_venue, events) => {
                let why = if by_venue { LossWhy::Venue } else { LossWhy::Reconnect };
                Body::Tick(Tick::Loss(Loss { symbol, channel, why, events }))
            }
            Value::Bar(start, [open, high, low, close], volume, vwap, trades) => {
                let interval = match channel {
                    Channel::Bars(interval) => interval,
                    // Refused where it is restored: a bar is no trade.
                    Channel::Trades
                    | Channel::Quotes
                    | Channel::Status
                    | Channel::Corrections
                    | Channel::Ticker => Interval::Second,
                };
                let is_final = true;
                Body::Bar(Box::new(Bar {
                    symbol,
                    interval,
                    start,
                    open,
                    high,
                    low,
                    close,
                    volume,
                    vwap,
                    trades,
                    is_final,
                    is_void: false,
                }))
            }
        };
        Numbered { n, body }
    }
}
