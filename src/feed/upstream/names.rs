//! Our symbols and the venue's names of them, for the symbols of one feed.

use std::collections::HashMap;

use crate::{
    dialect::{Naming, Venue},
    market::Symbol,
};

/// The symbols of one feed, each with the venue's name.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    theirs: HashMap<Symbol, String>,
    ours: HashMap<String, Symbol>,
}

impl Names {
    /// Adds a symbol. Without `theirs` its name follows the venue's rule.
    ///
    /// # Errors
    /// Returns the symbol that already has the name.
    pub(super) fn add(&mut self, venue: Venue, ours: Symbol, theirs: Option<String>) -> Result<(), Symbol> {
        let theirs = theirs.unwrap_or_else(|| venue.symbol(ours.as_str()));
        if let Some(other) = self.ours.get(&theirs) {
            return Err(*other);
        }
        if self.theirs.contains_key(&ours) {
            return Err(ours);
        }
        self.ours.insert(theirs.clone(), ours);
        self.theirs.insert(ours, theirs);
        Ok(())
    }

    /// The venue's name.
    pub(super) fn theirs(&self, ours: Symbol) -> Option<&str> {
        self.theirs.get(&ours).map(String::as_str)
    }

    /// Our name.
    pub(super) fn ours(&self, theirs: &str) -> Option<Symbol> {
        self.ours.get(theirs).copied()
    }

    /// All of ours.
    pub(super) fn all(&self) -> impl Iterator<Item = Symbol> {
        self.theirs.keys().copied()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.theirs.len()
    }
}

impl Naming for Names {
    fn ours(&self, theirs: &str) -> Option<Symbol> {
        Self::ours(self, theirs)
    }
}
