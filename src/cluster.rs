//! Several gateways with one numbering: a log in Redis of what sources say, from which every node computes the same.

mod bytes;
mod config;
mod follower;
mod image;
pub mod log;
mod pending;
mod position;
mod wire;

pub use bytes::WireError;
pub use config::{ClusterConfig, ClusterServer, ReadFrom, Role};
pub use follower::{Applied, Follower, Hole};
pub use image::{ImageBuilder, ImageError, Slice, WholeImage};
pub use pending::Pending;
pub use position::{InboxId, Position};
pub use wire::{Batch, Check, Entry, FeedWord, Open, WIRE_VERSION};
