//! tickcast's own protocol: every server message is a map whose first key is `T`, every server frame an array of
//! messages, every client frame one command. JSON and MessagePack say the same.

mod encoding;
mod event;

pub use encoding::Encoding;
pub use event::encode_event;
