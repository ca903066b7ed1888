//! Several gateways with one numbering: a log in Redis of what sources say, from which every node computes the same.

mod beat;
mod bytes;
mod config;
mod context;
mod demand;
mod follower;
mod image;
mod images;
mod inbox;
mod leader;
pub mod log;
mod node;
mod pending;
mod position;
mod reader;
mod roles;
mod sources;
mod wire;
mod writer;

pub use bytes::WireError;
pub use config::{ClusterConfig, ReadFrom, Role};
pub use context::MadeOf;
pub use follower::{Applied, Follower, Hole};
pub use image::{ImageBuilder, ImageError, Slice, WholeImage};
pub use inbox::PushError;
pub use node::{Node, NodeParts, random_node_name};
pub use pending::Pending;
pub use position::{InboxId, Position};
pub use sources::Sources;
pub use wire::{Batch, Check, Entry, FeedWord, Open, WIRE_VERSION};
