//! Several gateways with one numbering: a log in Redis of what sources say, from which every node computes the same.

pub mod log;
mod position;

pub use position::{InboxId, Position};
