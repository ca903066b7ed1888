//! Events as MessagePack arrays, with types of their own, so that a change to the program's types cannot change the bytes
//! unnoticed. The store writes its rings in this form. Every user pins the bytes by a test.
//!
//! The bytes do not repeat the symbol and channel, which are known from where they are stored. A format only appends to
//! arrays, with defaults, so that the same types read older bytes.

use serde::{Deserialize, Serialize};

use crate::market::{
    Bar, Body, Change, Channel, Correction, Interval, Level, Loss, LossWhy, Marks, Price, Print, Quote, Side,
    Size, Source, Symbol, Tick, Trade, TradeId, UnixMicros,
};

/// The bytes are not packed events.
pub type Unreadable = rmp_serde::decode::Error;

/// The bytes of events of one channel, each with its number. A status, a ticker and a forming bar are not packed.
#[must_use]
pub fn pack<'a>(events: impl IntoIterator<Item = (u64, &'a Body)>) -> Vec<u8> {
    let packed: Vec<_> = events.into_iter().filter_map(|(n, body)| PackedEvent::of(n, body)).collect();
    rmp_serde::to_vec(&packed).expect("packed events have nothing that MessagePack has not")
}

/// The events of the bytes, with their numbers.
///
/// # Errors
/// When the bytes are something else.
pub fn unpack(bytes: &[u8], symbol: Symbol, channel: Channel) -> Result<Vec<(u64, Body)>, Unreadable> {
    let packed: Vec<PackedEvent> = rmp_serde::from_slice(bytes)?;
    Ok(packed.into_iter().map(|event| event.event(symbol, channel)).collect())
}

/// An event and its number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PackedEvent(u64, Value);

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
    Quote(
        Option<Side2>,
        Option<Side2>,
        Source,
        Option<UnixMicros>,
        UnixMicros,
        /// Whether it is a snapshot; absent if not.
        #[serde(default, skip_serializing_if = "is_false")]
        bool,
    ),
    /// The trade's id and source, and its number if known; the change, and its times.
    #[serde(rename = "c")]
    Correction(Id, Source, Option<u64>, Became, Option<UnixMicros>, UnixMicros),
    /// Whether the venue left events out, and how many.
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// One side of the book.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Side2(Price, Option<Size>);

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

impl PackedEvent {
    /// `None` for what is not packed: a status, a ticker, a forming bar.
    #[must_use]
    pub fn of(n: u64, body: &Body) -> Option<Self> {
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
            Body::Tick(Tick::Quote(Quote { bid, ask, source, te, tr, is_snapshot, .. })) => {
                Value::Quote(side(bid), side(ask), *source, *te, *tr, *is_snapshot)
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

    /// The event, in that channel of that symbol.
    #[must_use]
    pub fn event(self, symbol: Symbol, channel: Channel) -> (u64, Body) {
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
            Value::Quote(bid, ask, source, te, tr, is_snapshot) => {
                let (bid, ask) = (level(bid), level(ask));
                Body::Tick(Tick::Quote(Quote { symbol, bid, ask, source, te, tr, is_snapshot }))
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
        (n, body)
    }
}
