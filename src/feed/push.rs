//! Ticks that producers send over HTTP. The feed itself only makes its symbols known and waits for the end: producers
//! publish through a clone of its publisher, each request on the thread that took it.

use serde::Deserialize;

use super::{DefinitionError, End, Feed, FeedError, Publisher};
use crate::market::Symbol;

/// The keys of a `kind = "push"` feed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Symbols that exist before their first tick; others come with the ticks.
    #[serde(default)]
    symbols: Vec<String>,
    /// Whether producers may be on other machines: nobody is asked who they are.
    #[serde(default)]
    allow_remote: bool,
}

impl Definition {
    /// Checks the definition.
    ///
    /// # Errors
    /// When a symbol is none.
    pub fn build(self) -> Result<Push, DefinitionError> {
        let mut symbols = Vec::with_capacity(self.symbols.len());
        for (i, text) in self.symbols.iter().enumerate() {
            let bad = |why| DefinitionError::new(format!("symbols[{i}]"), format!("{text:?} {why}"));
            symbols.push(Symbol::new(text).map_err(bad)?);
        }
        Ok(Push { symbols, allow_remote: self.allow_remote })
    }
}

/// A feed that is fed from outside.
#[derive(Debug)]
pub struct Push {
    symbols: Vec<Symbol>,
    allow_remote: bool,
}

impl Push {
    /// Whether producers may be on other machines.
    #[must_use]
    pub const fn allows_remote(&self) -> bool {
        self.allow_remote
    }
}

impl Feed for Push {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        out.declare(self.symbols.iter().copied())?;
        out.cancelled().await;
        Ok(End::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_checked() {
        let read = |text: &str| toml::from_str::<Definition>(text);
        assert!(!read("").unwrap().build().unwrap().allows_remote());
        assert!(read("allow_remote = true").unwrap().build().unwrap().allows_remote());
        let error = read("symbols = [\"A\", \"b\"]").unwrap().build().unwrap_err();
        assert_eq!(error.key, "symbols[1]");
        assert!(read("port = 3").is_err());
    }
}
