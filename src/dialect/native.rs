//! tickcast's own protocol: every server message is a map whose first key is `T`, every server frame an array of
//! messages, every client frame one command. JSON and MessagePack say the same.

mod bounded;
mod command;
mod encoding;
mod event;
mod json;
mod reply;
mod tick;

pub use command::{Command, CommandId, Fault, Mode, Op, Pattern, Since, Subscribe, Target, parse_command};
pub use encoding::Encoding;
pub use event::{encode_event, encode_tick};
pub use reply::{
    Accepted, Bye, Code, ErrorReply, Gap, Heartbeat, Info, InfoQueue, Listed, Listing, Pong, Refused, Resync,
    Subscribed, Unsubscribed, Welcome, WelcomeLimits,
};
pub(crate) use tick::print;
pub use tick::{TickError, TickMessage};
