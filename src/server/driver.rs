//! Drivers of WebSocket sessions, and what is below every connection.
//!
//! With [`socket`] a session has the TCP socket to itself; with [`actix`] it is the [`body`] of an answer, for listeners
//! whose sockets are not plain. Handshake, frames and commands are the same for both.

pub(crate) mod actix;
pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod connect;
#[cfg(feature = "test-endpoints")]
pub(crate) mod echo;
pub(crate) mod endpoint;
pub(crate) mod guard;
pub(crate) mod handshake;
pub(crate) mod inbound;
pub(crate) mod offers;
pub(crate) mod reader;
pub(crate) mod socket;
pub(crate) mod stream;
