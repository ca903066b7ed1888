//! What a gateway remembers over a restart: one file with the last values, the rings and what is computed, written
//! in batches beside the stream.
//!
//! Nothing waits for the file: publishing never does, and a file that cannot be written is counted, told and tried again
//! while the gateway serves on. What is published after the last save before a crash is not in the file, so numbers
//! could be given twice; the epoch therefore outlives a clean stop only. The file is one gateway's at a time.

mod error;
mod file;
mod open;
mod record;
mod saver;

use std::{path::PathBuf, time::Duration};

pub use error::{SaveError, StoreError};
pub use open::{Opened, StoreScope};
pub use saver::Saver;

use crate::limits::DEFAULT_STORE_INTERVAL;

/// Where and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The file. It is made when it is not there; its folder is not.
    pub path: PathBuf,
    /// Time between two saves: what a crash loses at most.
    pub interval: Duration,
}

impl StoreConfig {
    /// That file, at the usual interval.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, interval: DEFAULT_STORE_INTERVAL }
    }
}

#[cfg(test)]
mod tests;
