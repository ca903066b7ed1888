//! What happens to a symbol: trades, quotes and changes of state.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Channel, Correction, Loss, Price, Print, Size, Source, Symbol, TradeId, UnixMicros};

/// Which side took liquidity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The buyer was the aggressor.
    Buy,
    /// The seller was the aggressor.
    Sell,
}

/// One executed trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// What was traded.
    pub symbol: Symbol,
    /// At what price.
    pub price: Price,
    /// How much.
    pub size: Size,
    /// Who took liquidity, when the source tells.
    pub side: Option<Side>,
    /// The venue's name of the trade, when it has one.
    pub id: Option<TradeId>,
    /// Where it happened.
    pub source: Source,
    /// Time at the source, when the source tells.
    pub te: Option<UnixMicros>,
    /// Time the gateway received it.
    pub tr: UnixMicros,
    /// What it counts for.
    pub print: Print,
}

/// The best price of one side of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// How much is offered there, when the source tells (many FX sources do not).
    pub size: Option<Size>,
}

/// The best bid and ask. A missing side means that the source shows none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// What is quoted.
    pub symbol: Symbol,
    /// Best bid.
    pub bid: Option<Level>,
    /// Best ask.
    pub ask: Option<Level>,
    /// Where it is quoted.
    pub source: Source,
    /// Time at the source, when the source tells.
    pub te: Option<UnixMicros>,
    /// Time the gateway received it.
    pub tr: UnixMicros,
    /// Whether it says how things stood when they were asked for, and not that something has just changed.
    pub is_snapshot: bool,
}

/// Whether a symbol's data can be trusted to be current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Known, and nothing was received yet.
    Pending,
    /// Current.
    Live,
    /// The feed is gone or late.
    Stale,
    /// The venue halted trading.
    Halted,
    /// The source has ended.
    Closed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Live, Self::Stale, Self::Halted, Self::Closed];

    /// The name used on the wire and in metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Halted => "halted",
            Self::Closed => "closed",
        }
    }
}

/// A change of state of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whose state it is.
    pub symbol: Symbol,
    /// The new state.
    pub state: State,
    /// Who says so.
    pub source: Source,
    /// Since when.
    pub since: UnixMicros,
    /// Why, in words.
    pub why: Cow<'static, str>,
}

/// Anything that a feed can say about a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tick {
    /// A trade.
    Trade(Trade),
    /// A new best bid or ask.
    Quote(Quote),
    /// A change of state.
    Status(Status),
    /// A trade that is taken back or changed; boxed, because it is rare.
    Correction(Box<Correction>),
    /// Events that never came.
    Loss(Loss),
}

impl Tick {
    /// The symbol it is about.
    #[must_use]
    pub const fn symbol(&self) -> Symbol {
        match self {
            Self::Trade(trade) => trade.symbol,
            Self::Quote(quote) => quote.symbol,
            Self::Status(status) => status.symbol,
            Self::Correction(correction) => correction.symbol,
            Self::Loss(loss) => loss.symbol,
        }
    }

    /// The channel it goes to.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Trade(_) => Channel::Trades,
            Self::Quote(_) => Channel::Quotes,
            Self::Status(_) => Channel::Status,
            Self::Correction(_) => Channel::Corrections,
            Self::Loss(loss) => loss.channel,
        }
    }
}

impl Tick {
    /// Whether the other one says the same, whenever the two were received. A trade with a name is the same also when it was
    /// corrected since.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Trade(one), Self::Trade(two)) if one.id.is_some() => {
                (one.symbol, &one.id, one.source, one.te) == (two.symbol, &two.id, two.source, two.te)
            }
            (Self::Trade(one), Self::Trade(two)) => *one == Trade { tr: one.tr, ..two.clone() },
            (Self::Quote(one), Self::Quote(two)) => *one == Quote { tr: one.tr, ..two.clone() },
            (Self::Correction(one), Self::Correction(two)) => {
                // Which trade it was is found out when it is published.
                let known = Correction { tr: one.tr, of: one.of, ..(**two).clone() };
                **one == known
            }
            (one, two) => one == two,
        }
    }
}

impl From<Trade> for Tick {
    fn from(trade: Trade) -> Self {
        Self::Trade(trade)
    }
}

impl From<Quote> for Tick {
    fn from(quote: Quote) -> Self {
        Self::Quote(quote)
    }
}
