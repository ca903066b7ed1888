//! A script that Redis knows by its hash.

/// A Lua script with its hash, for [`super::Link::script`].
#[derive(Debug, Clone)]
pub struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    /// A script of that text.
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self { text, hash: ::redis::Script::new(text).get_hash().to_owned() }
    }

    pub(super) const fn text(&self) -> &str {
        self.text
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }
}
