//! What sessions and dialects say to each other: requests of clients and replies to them, in no dialect's words.
//!
//! Symbols in them have the dialect's names: a session translates them by its index.

mod code;
mod messages;
mod reply;
mod request;

pub use code::Code;
pub use messages::Messages;
pub use reply::{
    Accepted, ErrorReply, Gap, Goodbye, Heartbeat, Info, InfoQueue, List, Listed, Pong, Refused, Reply,
    Resync, Subscribed, Unsubscribed, Welcome, WelcomeLimits,
};
pub use request::{CommandId, Fault, Mode, Op, Pattern, Request, Since, Subscribe, Target};
