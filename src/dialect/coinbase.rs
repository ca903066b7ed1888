//! coinbase: written by its own change.

use super::{ParseError, Parsed};
use crate::market::{Tick, UnixMicros};

/// Reads one frame.
pub(super) fn parse(_frame: &[u8], _tr: UnixMicros, _out: &mut Vec<Tick>) -> Result<Parsed, ParseError> {
    Ok(Parsed::Ignored("unknown"))
}
