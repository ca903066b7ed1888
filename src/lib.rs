//! tickcast: a live market-data streaming gateway.
//!
//! ```text
//!  feed ──ticks──▶ hub ──events──▶ lane ──▶ shard ──▶ session ──▶ driver ──▶ socket
//!  simulator       topics: number,          one per    subscriptions,  actix
//!  replay          last value, ring         worker     outbox
//! ```
//!
//! Modules in the order in which a tick meets them; imports point the other way, down to the values.

pub mod cli;

pub mod app;
pub mod config;

pub mod cluster;

pub mod server;

pub mod store;

pub mod session;

pub mod feed;

pub mod redis;

pub mod hub;

pub mod dialect;

pub mod metrics;

pub mod clock;
pub mod drill;
pub mod limits;
pub mod market;
