//! What a topic remembers, as plain values: on its way into a file, and back into a hub that was started again.
//!
//! Forming bars and tickers have no events of their own here: what they are made from is there, and says the same.

use serde::{Deserialize, Serialize};

use super::{
    CorrectionPoints, Event, SourceClock, TickerMinute,
    derive::{Channels, Derived},
};
use crate::market::{Body, Channel, Increments, Interval, Intervals, Source, Symbol};

/// A topic's memory, or what of it is newer than a [`SavedMark`]; `E` is how an event is held.
#[derive(Debug, Clone)]
pub struct Image<E> {
    /// Its number among the topics.
    pub id: u32,
    /// Its own events have higher numbers than this.
    pub base: u64,
    /// Whose it is.
    pub symbol: Symbol,
    /// The feed that made it known.
    pub feed: Source,
    /// Number of the newest event of each channel.
    pub heads: [u64; Channel::COUNT],
    /// The newest trade and the newest quote.
    pub last: [Option<E>; 2],
    /// The newest loss of trades and of quotes.
    pub lost: [Option<E>; 2],
    /// The ring of trades.
    pub trades: RingImage<E>,
    /// Whether that is the whole ring, because trades in it have changed.
    pub trades_changed: bool,
    /// The ring of corrections.
    pub corrections: RingImage<E>,
    /// The rings of final bars, by interval.
    pub bars: [RingImage<E>; Interval::COUNT],
    /// What is computed, from the first trade or quote on.
    pub computed: Option<Computed>,
    /// The ticker's minutes.
    pub minutes: Vec<TickerMinute>,
    /// Whether it was restored and its feed has neither named nor sent it since.
    pub is_absent: bool,
    /// What is known of the clock of the feed that made it known.
    pub clock: SourceClock,
    /// How it stands now; a file does not keep that.
    pub present: Option<Box<Present<E>>>,
}

/// What a gateway that goes on beside another one has to know of a topic, and one that starts again has not.
#[derive(Debug, Clone)]
pub struct Present<E> {
    /// The newest status.
    pub status: Option<E>,
    /// Bars of which a correction has left nothing, by interval, where that is the newest word.
    pub voids: [Option<E>; Interval::COUNT],
    /// The other feeds that carry it, and their clocks.
    pub others: Vec<(Source, SourceClock)>,
    /// The feed that is its source.
    pub source: Source,
    /// Its steps.
    pub increments: Increments,
    /// What trades are taken out of again, if anything is computed.
    pub points: Option<CorrectionPoints>,
}

/// A ring, or the newer part of it.
#[derive(Debug, Clone)]
pub struct RingImage<E> {
    /// Number of the newest event that is forgotten.
    pub forgotten: u64,
    /// The events, in order.
    pub events: Vec<E>,
}

impl<E> Default for RingImage<E> {
    fn default() -> Self {
        Self { forgotten: 0, events: Vec::new() }
    }
}

/// An event apart from any hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub n: u64,
    /// What happened.
    pub body: Body,
}

/// What is computed from trades and quotes, without the ticker's minutes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Computed {
    pub(super) derived: Derived,
    pub(super) deferred: Channels,
}

impl Computed {
    /// The intervals whose bars are computed.
    #[must_use]
    pub fn intervals(&self) -> Intervals {
        self.derived.intervals()
    }

    /// What format 1 of the store knew of the source's clock.
    #[must_use]
    pub fn clock_of_format_1(&self) -> SourceClock {
        self.derived.clock_of_format_1()
    }

    /// Whether the newest change of a channel has a number and no event.
    #[must_use]
    pub const fn is_deferred(&self, channel: Channel) -> bool {
        self.deferred.contains(channel)
    }

    /// The ticker's newest minute.
    #[must_use]
    pub const fn newest_minute(&self) -> i64 {
        self.derived.newest_minute()
    }
}

impl Clone for Computed {
    fn clone(&self) -> Self {
        Self { derived: self.derived.outline(), deferred: self.deferred }
    }
}

/// How much of a topic is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedMark {
    /// Number of the newest event of each channel.
    pub heads: [u64; Channel::COUNT],
    /// The ticker's newest minute; it may have changed since.
    pub minute: i64,
}

impl SavedMark {
    /// Nothing is.
    pub const NOTHING: Self = Self { heads: [0; Channel::COUNT], minute: i64::MIN };
}

impl<E> RingImage<E> {
    /// The same with events in another form.
    #[must_use]
    pub fn map<F>(self, event: impl FnMut(E) -> F) -> RingImage<F> {
        RingImage { forgotten: self.forgotten, events: self.events.into_iter().map(event).collect() }
    }
}

impl<E> Image<E> {
    /// The same with events in another form.
    #[must_use]
    pub fn map<F>(self, mut event: impl FnMut(E) -> F) -> Image<F> {
        Image {
            id: self.id,
            base: self.base,
            symbol: self.symbol,
            feed: self.feed,
            heads: self.heads,
            last: self.last.map(|last| last.map(&mut event)),
            lost: self.lost.map(|lost| lost.map(&mut event)),
            trades: self.trades.map(&mut event),
            trades_changed: self.trades_changed,
            corrections: self.corrections.map(&mut event),
            bars: self.bars.map(|bars| bars.map(&mut event)),
            computed: self.computed,
            minutes: self.minutes,
            is_absent: self.is_absent,
            clock: self.clock,
            present: self.present.map(|present| {
                let Present { status, voids, others, source, increments, points } = *present;
                let (status, voids) = (status.map(&mut event), voids.map(|void| void.map(&mut event)));
                Box::new(Present { status, voids, others, source, increments, points })
            }),
        }
    }

    /// How much is saved once this is, too.
    #[must_use]
    pub fn mark(&self) -> SavedMark {
        let minute = self.computed.as_ref().map_or(i64::MIN, Computed::newest_minute);
        SavedMark { heads: self.heads, minute }
    }
}

impl From<(u64, Body)> for Numbered {
    fn from((n, body): (u64, Body)) -> Self {
        Self { n, body }
    }
}

impl From<&Event> for Numbered {
    fn from(event: &Event) -> Self {
        Self { n: event.n, body: event.body.clone() }
    }
}
