//! The gateway from outside, in one binary.

mod config;
mod stream;
mod util;
