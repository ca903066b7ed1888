//! The protocol as a dialect of sessions: one command a message, arrays of messages, and the hub's own symbols.

use super::{event::encode_event, parse_command, reply::encode_reply};
use crate::{
    dialect::{Encoding, Fault, Form, Messages, Packing, Reply, Request},
    market::{Body, Symbol},
};

/// Frames are arrays.
pub(in crate::dialect) const PACKING: Packing = Packing::Array;

/// Symbols have the hub's names.
pub(in crate::dialect) const NAMING: Option<fn(&Symbol) -> Option<Symbol>> = None;

/// Reads one command.
///
/// # Errors
/// See [`parse_command`].
pub(in crate::dialect) fn read(message: &[u8], encoding: Encoding) -> Result<Vec<Request>, Fault> {
    parse_command(message, encoding).map(|request| vec![request])
}

/// Writes a reply as one message.
pub(in crate::dialect) fn write(reply: &Reply<'_>, out: &mut Messages) {
    let encoding = out.encoding();
    out.push_with(|bytes| encode_reply(reply, encoding, bytes));
}

/// Writes an event.
#[must_use]
pub(in crate::dialect) fn event(form: Form, n: u64, body: &Body, _name: Symbol) -> Option<Box<[u8]>> {
    Some(encode_event(n, body, form.as_native()?))
}
