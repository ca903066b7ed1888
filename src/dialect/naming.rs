//! From a venue's names of symbols to ours, while a frame is read: a venue may call its symbols what it likes, in any
//! characters and at any length (`币安人生USDT` is listed at Binance). Only our names have rules.

use super::{Message, ParseError, field};
use crate::market::{Symbol, UnixMicros};

/// Our symbols for a venue's names.
pub trait Naming {
    /// Our symbol; `None` when the name has none, and its ticks are passed over.
    fn ours(&self, theirs: &str) -> Option<Symbol>;
}

/// Symbols keep the venue's names, where these can be names of ours.
#[derive(Debug, Clone, Copy)]
pub struct AsWritten;

impl Naming for AsWritten {
    fn ours(&self, theirs: &str) -> Option<Symbol> {
        Symbol::new(theirs).ok()
    }
}

/// What is known of a frame beside its bytes.
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
    /// [`ParseError::Unnamed`], which [`named`] makes a message of: it must not cost the frame its other symbols.
    pub(super) fn symbol(self, theirs: &str) -> Result<Symbol, ParseError> {
        self.names.ours(theirs).ok_or_else(|| ParseError::Unnamed(field::shown(theirs)))
    }
}

/// What was read, or that it concerns a symbol without a name here.
pub(super) fn named(read: Result<Message, ParseError>) -> Result<Message, ParseError> {
    match read {
        Err(ParseError::Unnamed(theirs)) => Ok(Message::Unnamed(theirs)),
        other => other,
    }
}
