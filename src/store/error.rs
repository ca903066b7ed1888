//! What can be wrong with a file: told with its name and with what to do.

use std::{io, path::PathBuf};

use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

/// Why a gateway cannot start with a file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("{} is in use by another gateway: give each gateway a store.path of its own", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// It is something else.
    #[error(
        "{} is not a store of tickcast, or its beginning is damaged; it was not touched: set store.path to another file, or move this one away",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error(
        "{} has format {found}, and this version of tickcast knows up to {known}: run the version that wrote it, or move the file away to start without what it keeps",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// It was a store of tickcast once.
    #[error(
        "{path} is damaged ({why}): to start without what it keeps, move it away (mv {path} {path}.damaged) and start again",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// The file system says no.
    #[error(
        "{} cannot be opened ({why}): store.path must name a file in a folder that exists, both must be writable, and the disk needs room",
        path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// In the system's words.
        why: String,
    },
}

/// Why one save failed; the next may not.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// It could not be opened again after an earlier failure.
    #[error("{0}")]
    Reopen(#[from] StoreError),
    /// It was moved away or removed.
    #[error("{} is not there any more: it was moved or removed", .0.display())]
    Gone(PathBuf),
    /// Another one is in its place.
    #[error("{} is another gateway's or another run's: move it away", .0.display())]
    Replaced(PathBuf),
    /// It could not be written.
    #[error("{} cannot be written: {why}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// In the words of the system or the database.
        why: String,
    },
}

/// What the database says; boxed, because it is long.
#[derive(Debug)]
pub(super) struct Fault(Box<redb::Error>);

macro_rules! fault {
    ($($kind:ty,)*) => {
        $(impl From<$kind> for Fault {
            fn from(why: $kind) -> Self {
                Self(Box::new(why.into()))
            }
        })*
    };
}

fault! { redb::Error, CommitError, DatabaseError, StorageError, TableError, TransactionError, }

impl Fault {
    /// Why a file could not be opened or read.
    pub(super) fn at_start(self, path: PathBuf) -> StoreError {
        use redb::Error;
        let why = self.to_string();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library may tell more one day; all else is damage"
        )]
        match *self.0 {
            Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => StoreError::Busy { path },
            Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => StoreError::Foreign { path },
            Error::Io(error) => StoreError::Unusable { path, why: error.to_string() },
            Error::UpgradeRequired(_) | Error::Unsupported => StoreError::Foreign { path },
            _ => StoreError::Damaged { path, why },
        }
    }

    /// Why a file could not be written.
    pub(super) fn while_running(self, path: PathBuf) -> SaveError {
        SaveError::Unwritable { path, why: self.to_string() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Some of the library's texts have several lines.
        let text = self.0.to_string();
        f.write_str(text.lines().next().unwrap_or(&text))
    }
}
