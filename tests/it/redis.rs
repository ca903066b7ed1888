//! With a real redis-server: the connection to it, and the feeds that read it.

mod definitions;
pub(crate) mod feeds;
mod link;
mod pubsub;
mod reach;
mod restart;
mod streams;

use std::time::Duration;

use tickcast::redis::{Server, ServerDefinition};

/// More than any answer takes that comes at all.
const ANSWER: Duration = Duration::from_secs(5);

/// The server of a definition in which paths are absolute.
fn server(definition: &ServerDefinition) -> Server {
    Server::new(definition, std::path::Path::new("/")).unwrap()
}

fn at(url: String) -> ServerDefinition {
    ServerDefinition { url: Some(url), ..ServerDefinition::default() }
}
