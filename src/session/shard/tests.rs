//! A shard with clients that check the protocol's promises on every message they get.

mod ahead;
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
mod source;
mod stitch;
mod upstream;
