//! What can be wrong with a configuration, and where it was written.

use std::{fmt, io, path::PathBuf};

use crate::limits::MAX_REPORTED_ERRORS;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File {
        /// As the operator named it.
        file: String,
        /// From 1.
        line: usize,
    },
    /// In an environment variable of that name.
    Variable(String),
    /// In a command line flag of that name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One mistake in a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("{}: cannot be read: {why}{}", .path.display(), named(.origin.as_ref()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Who asked for it, when that was not the file's own flag.
        origin: Option<Origin>,
        /// What the system says.
        why: io::Error,
    },
    /// A file that is not TOML.
    #[error("{origin}: not TOML: {why}")]
    Syntax {
        /// Where reading stopped.
        origin: Origin,
        /// What the parser says.
        why: String,
    },
    /// A key that means nothing.
    #[error("{origin}: unknown {}: {hint}", .key.as_deref().map_or_else(|| "variable".to_owned(), |key| format!("key {key:?}")))]
    Unknown {
        /// Where it was written.
        origin: Origin,
        /// The dotted key; none for an environment variable, whose name is its origin.
        key: Option<String>,
        /// What is known instead.
        hint: String,
    },
    /// A value of the wrong type or out of range.
    #[error("{origin}: {key}: found {found}, expected {expected}")]
    Invalid {
        /// Where it was written.
        origin: Origin,
        /// The dotted key.
        key: String,
        /// What was written.
        found: String,
        /// What may be written.
        expected: String,
    },
    /// Values that do not go together, or a feed that cannot be built.
    #[error("{origin}: {key}: {why}")]
    Refused {
        /// Where it was written.
        origin: Origin,
        /// The dotted key.
        key: String,
        /// What is wrong.
        why: String,
    },
}

fn named(origin: Option<&Origin>) -> String {
    origin.map_or_else(String::new, |origin| format!(" (named by {origin})"))
}

/// Every mistake found in a configuration; at least one.
#[derive(Debug, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().take(MAX_REPORTED_ERRORS).enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{error}")?;
        }
        let more = self.0.len().saturating_sub(MAX_REPORTED_ERRORS);
        if more > 0 { write!(f, "\nand {more} more") } else { Ok(()) }
    }
}
