//! One connection to Redis or Valkey: where the server is, how it is reached, and one question after the other.
//!
//! A [`Server`] says where; [`Server::connect`] makes one bare [`Link`], which answers [`Link::ask`] within a deadline or
//! is given up. Nothing in here tries again: a library that sends a blocking read again on its own never settles, and
//! a caller that does not learn of a lost connection cannot tell what it missed. Nothing in here queues, either: what is
//! not read yet waits in the socket, and at last in Redis.

mod address;
mod error;
mod frame;
mod info;
mod link;
mod password;
mod script;
mod server;
mod tls;

pub use ::redis::{Cmd, FromRedisValue, Pipeline, ToRedisArgs, Value, cmd, pipe};

pub use error::{LinkError, ServerError};
pub use info::ServerInfo;
pub use link::Link;
pub use script::Script;
pub use server::{Server, ServerDefinition};
