//! Wire formats: bytes to values and back. No I/O and no clock; times are passed in.
//!
//! [`native`] is tickcast's own protocol (JSON and MessagePack). The others are venues' formats: [`Venue::parse`] reads
//! what a venue says, on a live connection or in a recording, [`Venue::subscribe`] writes what it is asked, and
//! [`Venue::products`] reads what it trades, [`Venue::first_values`] the quotes of symbols whose stream tells changes only.
//!
//! Refuses to keep state: gaps, duplicates and reconnecting are the feed's business, which [`Sequence`] is made for.

/// The dialects that sessions speak, each with the module that it is written in: the one table, for the macro `$make`. A row
/// is all that a new one needs outside its folder; it declares the module, too.
macro_rules! dialects {
    ($make:ident) => {
        $make! {
            Native = pub native,
            #[cfg(test)]
            Toy = pub(crate) toy,
        }
    };
}

macro_rules! modules {
    ($($(#[$attribute:meta])* $name:ident = $visibility:vis $module:ident,)*) => {
        $($(#[$attribute])* $visibility mod $module;)*
    };
}

dialects!(modules);

pub mod alpaca;
pub mod binance;
pub mod coinbase;
mod dispatch;
mod encoding;
mod error;
pub(crate) mod field;
mod first_values;
mod form;
pub mod kraken;
mod mark;
mod message;
mod naming;
pub mod packed;
mod product;
mod recognise;
mod refusal;
mod request;
mod rules;
mod serve;
mod streams;
mod symbols;
pub mod talk;
mod text;
pub(crate) mod units;
mod venue_request;

pub use encoding::Encoding;
pub use error::ParseError;
pub use form::{Dialect, Form, Packing};
pub use mark::{Utf16, without_mark};
pub use message::{Ack, Listed, Message, Sequence};
pub use naming::{AsWritten, Naming};
pub use product::{Listing, Product, ProductList, ProductListError};
pub use recognise::looks_like;
pub use refusal::{Refusal, RefusalClass};
pub use request::FrameLimit;
pub use symbols::{Found, SymbolIndex};
pub use talk::{
    Code, CommandId, Fault, Gap, Messages, Mode, Op, Pattern, Refused, Reply, Request, Since, Subscribe,
    Target,
};
pub use text::Text;
pub use venue_request::{Topic, VenueRequest};

use self::naming::Received;
use crate::market::UnixMicros;

/// The venues whose frames can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Venue {
    /// Binance spot and USD-M futures.
    Binance,
    /// Coinbase Exchange and Coinbase Advanced Trade.
    Coinbase,
    /// Kraken spot.
    Kraken,
    /// Alpaca stocks and crypto.
    Alpaca,
}

impl Venue {
    /// Every venue.
    pub const ALL: [Self; 4] = [Self::Binance, Self::Coinbase, Self::Kraken, Self::Alpaca];

    /// The name in configurations, and the source of the venue's ticks.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
            Self::Alpaca => "alpaca",
        }
    }

    /// What there is instead where the venue may not be used, in words.
    #[must_use]
    pub const fn elsewhere(self) -> Option<&'static str> {
        match self {
            Self::Binance => Some(
                "its market data alone are at data-stream.binance.vision (feeds/binance-data.toml), and Binance.US is \
                 another venue (feeds/binance-us.toml)",
            ),
            Self::Coinbase | Self::Kraken | Self::Alpaca => None,
        }
    }

    /// What moves its quotes: `book`, every change of the best prices; `trades`, they are told with trades only.
    #[must_use]
    pub const fn quotes_from(self) -> &'static str {
        match self {
            // Its channel `ticker` says the best prices at each trade.
            Self::Coinbase => "trades",
            Self::Binance | Self::Kraken | Self::Alpaca => "book",
        }
    }

    /// Reads one frame, received at `tr`, and appends what it said to `out`: at least one message, in the order in
    /// which it happened at the venue. Symbols keep the venue's names.
    ///
    /// # Errors
    /// When the frame is not of the venue's format; `out` is then as it was.
    pub fn parse(self, frame: &[u8], tr: UnixMicros, out: &mut Vec<Message>) -> Result<(), ParseError> {
        self.parse_as(frame, tr, &AsWritten, out)
    }

    /// Likewise, with our names of the symbols. What is said of a symbol that has none is [`Message::Unnamed`].
    ///
    /// # Errors
    /// As [`Venue::parse`].
    pub fn parse_as(
        self,
        frame: &[u8],
        tr: UnixMicros,
        names: &dyn Naming,
        out: &mut Vec<Message>,
    ) -> Result<(), ParseError> {
        let before = out.len();
        let at = Received { tr, names };
        let parsed = match self {
            Self::Binance => binance::parse(frame, at, out),
            Self::Coinbase => coinbase::parse(frame, at, out),
            Self::Kraken => kraken::parse(frame, at, out),
            Self::Alpaca => alpaca::parse(frame, at, out),
        };
        if parsed.is_err() {
            out.truncate(before);
        }
        parsed
    }
}

#[cfg(test)]
mod tests;
