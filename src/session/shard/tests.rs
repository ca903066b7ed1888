//! A shard with clients that check the protocol's promises on every message they get.

mod client;
mod promises;
mod rules;
mod upstream;
