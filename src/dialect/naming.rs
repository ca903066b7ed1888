//! Translates a venue's symbol names to ours while a frame is read. A venue's names may have any characters and any length
//! (Binance lists `币安人生USDT`); only our names have rules.

use super::{Message, ParseError, field};
use crate::market::{Symbol, UnixMicros};

/// Our symbols for a venue's names.
pub trait Naming {
    /// Our symbol; `None` if there is none, and then its ticks are ignored.
    fn ours(&self, theirs: &str) -> Option<Symbol>;
}

/// Keeps the venue's names where they are valid names of ours.
#[derive(Debug, Clone, Copy)]
pub struct AsWritten;

impl Naming for AsWritten {
    fn ours(&self, theirs: &str) -> Option<Symbol> {
        Symbol::new(theirs).ok()
    }
}

/// The context of a frame.
#[derive(Clone, Copy)]
pub(super) struct Received<'n> {
    /// When it was received.
    pub(super) tr: UnixMicros,
    pub(super) names: &'n dyn Naming,
}

impl Received<'_> {
    /// Our symbol.
    ///
    /// # Errors
    /// [`ParseError::Unnamed`], which [`named`] turns into a message, so that the frame's other symbols are not lost.
    pub(super) fn symbol(self, theirs: &str) -> Result<Symbol, ParseError> {
        self.names.ours(theirs).ok_or_else(|| ParseError::Unnamed(field::shown(theirs)))
    }
}

/// Turns the error of an unnamed symbol into a message.
pub(super) fn named(read: Result<Message, ParseError>) -> Result<Message, ParseError> {
    match read {
        Err(ParseError::Unnamed(theirs)) => Ok(Message::Unnamed(theirs)),
        other => other,
    }
}
