//! One client's life, independent of how its bytes travel: commands in, outbox out.

mod config;

pub use config::SessionConfig;
