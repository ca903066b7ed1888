//! The gateway from outside, in one binary.

mod config;
