//! A shard with clients that check the protocol's promises on every message they get.

mod cost;
mod crash;
mod derived;
mod dialects;
mod epoch;
mod expire;
mod mailbox;
mod pause;
mod positioned;
mod promises;
mod repeat;
mod rules;
mod stitch;
mod upstream;
