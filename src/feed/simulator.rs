//! Simulated ticks: written by its own change.

use std::path::Path;

use serde::Deserialize;

use super::{DefinitionError, End, Feed, FeedError, Publisher};

/// The keys of a `kind = "simulator"` feed besides `name` and `kind`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {}

impl Definition {
    /// Checks the definition; relative paths are relative to `base`.
    ///
    /// # Errors
    /// Names the key and what was expected.
    pub fn build(self, _base: &Path) -> Result<Simulator, DefinitionError> {
        Ok(Simulator {})
    }
}

/// The feed.
#[derive(Debug)]
pub struct Simulator {}

impl Feed for Simulator {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        out.cancelled().await;
        Ok(End::Cancelled)
    }
}
