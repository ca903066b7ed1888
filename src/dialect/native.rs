//! tickcast's own protocol: every server message is a map whose first key is `T`, every server frame is an array of
//! messages, and every client frame is one command. JSON and MessagePack have the same content.

mod bounded;
mod command;
mod event;
mod json;
mod reply;
pub(in crate::dialect) mod serve;
mod tick;

pub use super::Encoding;
pub use command::parse_command;
pub use event::{encode_event, encode_tick};
pub(crate) use tick::print;
pub use tick::{TickError, TickMessage};
