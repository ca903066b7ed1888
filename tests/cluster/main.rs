//! Clusters of real gateways over a real redis-server, while everything goes wrong: the short tests of each fault, and the
//! long campaign, which `make cluster-campaign` runs.
//!
//! Gateways are processes of the built program. Clients check everything that they see by the rules of docs/protocol.md:
//! nothing missing without a gap, nothing twice, the same bytes at the same number on every node and for ever. What
//! producers had confirmed must be among it, and at the end all nodes hold the same.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "tests: they measure, print, and read what they are told by variables"
)]

mod alone;
mod campaign;
mod checker;
mod client;
mod expect;
mod journal;
mod leaders;
mod lines;
mod log_faults;
mod measures;
mod node;
mod producer;
mod proxy;
mod redis_faults;
mod redis_server;
mod same;
mod stage;
mod venue;
mod wrong;
