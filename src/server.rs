//! actix: listeners, routes, drivers of sessions and plain HTTP. The only room that knows an HTTP library.
//!
//! [`listen`] accepts connections within [`slots`], asks at the [`door`] who each request comes from, and hands it to a
//! session's [`driver`] or to one of the [`routes`] of plain [`http`].

mod admit;
mod asking;
mod config;
mod door;
mod driver;
mod gateway;
mod http;
mod listen;
mod member;
mod parameters;
mod path;
mod readiness;
mod refusal;
mod routes;
mod slots;

pub use actix_server::ServerHandle;
pub use asking::{HostPattern, Network, Networks, OriginPattern};
pub use config::{Driver, ServerConfig};
pub use gateway::{FeedView, Gateway, PushView};
pub use listen::{Listening, listen};
pub use member::{FeedNow, FollowedFeeds, Inbox, Member, NotTaken, Pushed};
pub use readiness::{Readiness, ReadinessCell};
pub use routes::routes;
