//! What is traded and what happens to it: pure values, no I/O, no clock.
//!
//! Prices and sizes are exact decimals read from text with their scale kept; times are integer
//! microseconds since the Unix epoch. Nothing here knows how a value reached the gateway or where it goes.

mod bar;
mod body;
mod channel;
mod correction;
mod decimal;
mod increments;
mod loss;
mod print;
mod symbol;
mod tick;
mod ticker;
mod time;
mod trade_id;

pub use bar::{Bar, Interval, Intervals};
pub use body::Body;
pub use channel::{Channel, MustDeliver};
pub use correction::{Change, Correction};
pub(crate) use decimal::decimal_text;
pub use decimal::{DecimalError, Percent, Price, Size};
pub use increments::Increments;
pub use loss::{Loss, LossWhy};
pub use print::{Marks, Print, PrintRule};
pub use symbol::{Source, Symbol, SymbolError};
pub use tick::{Level, Quote, Side, State, Status, Tick, Trade};
pub use ticker::Ticker;
pub use time::UnixMicros;
pub use trade_id::TradeId;
