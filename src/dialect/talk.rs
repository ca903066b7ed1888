//! The words between sessions and dialects: clients' requests and the replies, independent of any dialect.
//!
//! Symbols have the dialect's names here; a session translates them by its index.

mod code;
mod messages;
mod reply;
mod request;

pub use code::Code;
pub use messages::Messages;
pub use reply::{
    Accepted, ErrorReply, Gap, Goodbye, Heartbeat, Info, InfoQueue, List, Listed, Pong, Refused, Reply,
    Resync, SourceReply, Subscribed, Unsubscribed, Welcome, WelcomeLimits,
};
pub use request::{CommandId, Fault, Mode, Op, Pattern, Request, Since, Subscribe, Target};
