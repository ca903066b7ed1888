//! What enters the numbering, as values: recorded from one hub and applied to another one, which then gives the same number
//! to every event.
//!
//! An input is what is left after freshness and failover: which feed is a symbol's source, what it said, the states that were
//! shown, what was lost, and the time; and, after a restart, what was remembered. So the second hub runs neither on its own,
//! and who listens to either changes nothing.

use std::{fmt, sync::Arc};

use super::{Image, Numbered, Numbering, SourceClock};
use crate::market::{Increments, Source, Symbol, Tick, UnixMicros};

/// One thing that enters the numbering.
#[derive(Debug, Clone)]
pub enum Input {
    /// A symbol became known, from that feed.
    Symbol(Symbol, Source),
    /// Its source said this; of a status, what was shown.
    Tick(Tick),
    /// That feed is its source from now on, and this is known of the feed's clock.
    Source(Symbol, Source, SourceClock),
    /// The gateway's clock has jumped forward, in microseconds.
    Jumped(Symbol, i64),
    /// Time has passed until then.
    Time(Symbol, UnixMicros),
    /// It is removed.
    Removed(Symbol),
    /// The steps in which it is priced and traded.
    Described(Symbol, Increments),
    /// It became known with what is remembered of it from before a restart.
    Restored(Box<Image<Numbered>>),
    /// All of that is there, and the numbering goes on from here.
    Numbering(Numbering),
}

impl Input {
    /// The symbol that it is about; that of all has none.
    #[must_use]
    pub const fn symbol(&self) -> Option<Symbol> {
        Some(match self {
            Self::Symbol(symbol, _)
            | Self::Source(symbol, ..)
            | Self::Jumped(symbol, _)
            | Self::Time(symbol, _)
            | Self::Removed(symbol)
            | Self::Described(symbol, _) => *symbol,
            Self::Tick(tick) => tick.symbol(),
            Self::Restored(image) => image.symbol,
            Self::Numbering(_) => return None,
        })
    }
}

/// Takes the inputs of a hub, under the lock of their topic: those of one symbol come in their order, and symbols in that of
/// their numbers.
#[derive(Clone)]
pub(super) struct Tap(pub(super) Arc<dyn Fn(Input) + Send + Sync>);

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl Tap {
    pub(super) fn take(&self, input: Input) {
        (self.0)(input);
    }
}
