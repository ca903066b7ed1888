//! The words of the format: what stands in front of an input, and what of it is there.

// Kinds of inputs, below 16.
pub(super) const SYMBOL: u8 = 1;
pub(super) const TRADE: u8 = 2;
pub(super) const QUOTE: u8 = 3;
pub(super) const STATUS: u8 = 4;
pub(super) const CORRECTION: u8 = 5;
pub(super) const LOSS: u8 = 6;
pub(super) const SOURCE: u8 = 7;
pub(super) const JUMPED: u8 = 8;
pub(super) const TIME: u8 = 9;
pub(super) const REMOVED: u8 = 10;
pub(super) const DESCRIBED: u8 = 11;

// What of a trade, a quote or a correction is there.
pub(super) const BUY: u8 = 1;
pub(super) const SELL: u8 = 2;
pub(super) const TE: u8 = 4;
pub(super) const NUMBER: u8 = 8;
pub(super) const TEXT: u8 = 16;
pub(super) const MARKS: u8 = 32;
pub(super) const BID: u8 = 1;
pub(super) const BID_SIZE: u8 = 2;
pub(super) const ASK: u8 = 8;
pub(super) const ASK_SIZE: u8 = 16;
pub(super) const SNAPSHOT: u8 = 32;
pub(super) const OF: u8 = 1;
pub(super) const BUSTED: u8 = 2;
pub(super) const PRICE: u8 = 8;
pub(super) const SIZE: u8 = 16;
