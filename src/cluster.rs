//! Several gateways with one numbering: a log in Redis of what sources say, from which every node computes the same.

mod config;
pub mod log;
mod position;

pub use config::{ClusterConfig, ClusterServer, ReadFrom, Role};
pub use position::{InboxId, Position};
