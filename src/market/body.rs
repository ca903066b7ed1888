//! What an event says: something that a feed told, or something that follows from it.

use super::{Bar, Channel, MustDeliver, Symbol, Tick, Ticker};

/// What happened, or what it came to. The derived values are boxed: ticks are many, and every event is as large as
/// its largest variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// As a feed said it.
    Tick(Tick),
    /// The rolling 24 hours.
    Ticker(Box<Ticker>),
    /// A bar, forming or final.
    Bar(Box<Bar>),
}

impl Body {
    /// The symbol it is about.
    #[must_use]
    pub const fn symbol(&self) -> Symbol {
        match self {
            Self::Tick(tick) => tick.symbol(),
            Self::Ticker(ticker) => ticker.symbol,
            Self::Bar(bar) => bar.symbol,
        }
    }

    /// The channel it goes to.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Tick(tick) => tick.channel(),
            Self::Ticker(_) => Channel::Ticker,
            Self::Bar(bar) => Channel::Bars(bar.interval),
        }
    }

    /// Whether a newer event of its channel may take its place before a client has had it. What is not replaceable must
    /// be delivered.
    #[must_use]
    pub const fn is_replaceable(&self) -> bool {
        match self {
            Self::Bar(bar) => !bar.is_final,
            Self::Tick(_) | Self::Ticker(_) => !matches!(self.channel().must_deliver(), MustDeliver::Every),
        }
    }

    /// Whether it is a bar that will not change any more.
    #[must_use]
    pub const fn is_final_bar(&self) -> bool {
        match self {
            Self::Bar(bar) => bar.is_final,
            Self::Tick(_) | Self::Ticker(_) => false,
        }
    }
}

impl From<Tick> for Body {
    fn from(tick: Tick) -> Self {
        Self::Tick(tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Loss, LossWhy};

    #[test]
    fn an_event_says_the_same_as_its_channel() {
        let symbol = Symbol::new("BTC-USD").unwrap();
        for channel in Channel::FED {
            let loss = Body::Tick(Tick::Loss(Loss { symbol, channel, why: LossWhy::Venue, events: None }));
            assert_eq!(loss.is_replaceable(), channel.must_deliver() == MustDeliver::None, "{channel:?}");
        }
    }

    #[test]
    fn ticks_pay_nothing_for_derived_values() {
        assert_eq!(size_of::<Body>(), size_of::<Tick>());
    }
}
