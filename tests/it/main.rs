//! The gateway from outside, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

#[macro_use]
mod util;

mod bench;
mod captures;
mod check;
mod cluster_log;
mod config;
mod connections;
mod corrections;
mod cost;
mod derived;
mod doctor;
mod documents;
mod drain;
mod examples;
mod feeds;
mod history;
mod image;
mod interface;
mod mailbox;
mod member;
mod metrics;
mod nodes;
mod notices;
mod poll;
mod process;
mod program;
mod publish;
mod raw;
mod redis;
mod renumber;
mod rest;
mod schema;
mod seeds;
mod slow;
mod sse;
mod store;
mod stream;
mod texts;
mod tidy;
mod time;
mod upstream;
mod web;
