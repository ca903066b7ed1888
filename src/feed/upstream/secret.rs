//! Credentials that cannot be logged by accident.

use std::{fmt, path::Path};

use serde::Deserialize;

use crate::{dialect::without_mark, limits::MAX_CONFIG_BYTES};

/// A text that is shown only on request by name.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a venue asks who we are by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The key's name.
    pub key: Secret,
    /// What proves it.
    pub secret: Secret,
}

impl Credentials {
    /// Reads a TOML file with `key` and `secret`.
    ///
    /// # Errors
    /// Says what is wrong with the file, and nothing of what is in it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let about = path.metadata().map_err(|why| format!("{shown}: {why}"))?;
        if about.len() > MAX_CONFIG_BYTES {
            return Err(format!("{shown}: is longer than {MAX_CONFIG_BYTES} bytes"));
        }
        let bytes = std::fs::read(path).map_err(|why| format!("{shown}: {why}"))?;
        let text = without_mark(&bytes).map_err(|why| format!("{shown}: {why}"))?;
        // The parser's own words would quote the file.
        toml::from_slice(text)
            .map_err(|_secret| format!("{shown}: expected the two lines key = \"…\" and secret = \"…\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_has_the_secret_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alpaca");
        std::fs::write(&path, "key = \"PK1\"\nsecret = \"hush\"\n").unwrap();
        let credentials = Credentials::read(&path).unwrap();
        assert_eq!((credentials.key.reveal(), credentials.secret.reveal()), ("PK1", "hush"));
        assert_eq!(format!("{credentials:?}"), "Credentials { key: ***, secret: *** }");
        let with_mark = "\u{feff}key = \"PK1\"\nsecret = \"hush\"\n";
        std::fs::write(&path, with_mark).unwrap();
        assert_eq!(Credentials::read(&path).unwrap(), credentials, "with a byte order mark");
        std::fs::write(&path, "key = \"PK1\"\nsecrte = \"hush\"\n").unwrap();
        let why = Credentials::read(&path).unwrap_err();
        assert!(!why.contains("hush") && !why.contains("PK1") && why.contains("secret"), "{why}");
    }
}
