//! The file: its tables, who has it, and the name of the run that writes it.
//!
//! A symbol has one record, rows of events (a row is what one save found new in a ring, named by the first number) and
//! a row for each minute of its ticker.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use redb::{Builder, Database, ReadableDatabase as _, TableDefinition, TableHandle as _};
use serde::{Deserialize, Serialize};

use super::{
    error::{Fault, StoreError},
    record::{FORMAT, OLDEST, decode, encode},
};
use crate::{
    hub::{Numbering, SourcePosition},
    limits::STORE_CACHE_BYTES,
    market::{Source, UnixMicros},
};

/// What the file is: read first, in this form by every version.
const HEAD: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tickcast");
/// Symbols by key: the number of the topic.
pub(super) const TOPICS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("topics");
/// Rings by symbol, channel and first number.
pub(super) const EVENTS: TableDefinition<'_, (u32, u8, u64), &[u8]> = TableDefinition::new("events");
/// Tickers' minutes by symbol and minute.
pub(super) const MINUTES: TableDefinition<'_, (u32, i64), &[u8]> = TableDefinition::new("minutes");

/// The run that writes the file, or the last one that did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunRecord {
    /// The name of its numbering.
    pub(super) epoch: String,
    /// How it ended, when it ended well.
    pub(super) stopped: Option<Stopped>,
}

/// The end of a run: everything that was ever published is in this file, and in no other.
///
/// A copy of the file has another number; a file that was written over has another time of change. So numbers do not
/// start again from an old copy that was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stopped {
    inode: u64,
    /// Time of change, which is set to this by hand: whole seconds, since not every file system has finer ones.
    seconds: i64,
}

impl Stopped {
    /// The end of the run that has the file, now.
    pub(super) const fn now(file: &File, now: UnixMicros) -> Self {
        Self { inode: file.inode, seconds: now.0.div_euclid(1_000_000) }
    }

    #[cfg(test)]
    pub(super) const fn at(inode: u64, seconds: i64) -> Self {
        Self { inode, seconds }
    }

    fn is(self, found: &Metadata) -> bool {
        (self.inode, self.seconds, 0) == (found.ino(), found.mtime(), found.mtime_nsec())
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) db: Database,
    pub(super) path: PathBuf,
    pub(super) inode: u64,
    /// The version of what is in it.
    pub(super) format: u32,
    /// As it lay there.
    found: Option<Metadata>,
}

impl File {
    /// Opens the file, or makes it. Reads all of it once: what is damaged is found now.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let found = fs::metadata(path).ok();
        let whole = guarded(path, || {
            let mut builder = Builder::new();
            builder.set_cache_size(STORE_CACHE_BYTES).set_check_integrity_on_open(true);
            Ok(builder.create(path)?)
        });
        let db = whole?;
        let unusable = |why: io::Error| StoreError::Unusable { path: path.to_owned(), why: why.to_string() };
        let inode = fs::metadata(path).map_err(unusable)?.ino();
        let mut file = Self { db, path: path.to_owned(), inode, format: FORMAT, found };
        file.format = file.check_format()?;
        Ok(file)
    }

    fn check_format(&self) -> Result<u32, StoreError> {
        let path = || self.path.clone();
        let (is_ours, is_empty) = guarded(&self.path, || {
            let read = self.db.begin_read()?;
            let mut tables = read.list_tables()?.peekable();
            let is_empty = tables.peek().is_none();
            Ok((tables.any(|table| table.name() == "tickcast"), is_empty))
        })?;
        if is_empty {
            return guarded(&self.path, || {
                let write = self.db.begin_write()?;
                Self::set_format(&write)?;
                write.open_table(TOPICS)?;
                write.open_table(EVENTS)?;
                write.open_table(MINUTES)?;
                write.commit()?;
                Ok(FORMAT)
            });
        }
        if !is_ours {
            return Err(StoreError::Foreign { path: path() });
        }
        let found = self.head("format")?.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        match found {
            Some(found @ OLDEST..=FORMAT) => Ok(found),
            Some(found) if found > FORMAT => Err(StoreError::Newer { path: path(), found, known: FORMAT }),
            Some(_) | None => Err(StoreError::Damaged { path: path(), why: "it has no format".into() }),
        }
    }

    fn head(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        guarded(&self.path, || {
            let value = self.db.begin_read()?.open_table(HEAD)?.get(key)?;
            Ok(value.map(|value| value.value().to_vec()))
        })
    }

    /// The last run; none in a new file.
    pub(super) fn run(&self) -> Result<Option<RunRecord>, StoreError> {
        let Some(bytes) = self.head("run")? else { return Ok(None) };
        decode(&bytes).map(Some).map_err(|why| self.damaged(&why))
    }

    /// The gateway's time at the last save; none in a file that was never saved, or by an older version.
    pub(super) fn time(&self) -> Result<Option<UnixMicros>, StoreError> {
        let bytes = self.head("time")?.and_then(|bytes| bytes.try_into().ok());
        Ok(bytes.map(|bytes| UnixMicros(i64::from_le_bytes(bytes))))
    }

    /// What numbers new topics get; nothing is said in a file of an older format.
    pub(super) fn numbering(&self) -> Result<Numbering, StoreError> {
        let Some(bytes) = self.head("numbering")? else { return Ok(Numbering::default()) };
        let (next, floor) = decode(&bytes).map_err(|why| self.damaged(&why))?;
        Ok(Numbering { next, floor, ..Numbering::default() })
    }

    /// How far feeds have read their sources; nothing is said in a file of an older version.
    pub(super) fn positions(&self) -> Result<Vec<SourcePosition>, StoreError> {
        let Some(bytes) = self.head("positions")? else { return Ok(Vec::new()) };
        let rows: Vec<(Source, String, String, String)> = decode(&bytes).map_err(|why| self.damaged(&why))?;
        let position = |(feed, key, done, upto)| SourcePosition { feed, key, done, upto };
        Ok(rows.into_iter().map(position).collect())
    }

    /// Sets how far feeds have read their sources within a transaction: `before` is from before the first symbol was copied,
    /// `after` from behind the last one.
    pub(super) fn set_positions(
        write: &redb::WriteTransaction,
        before: Vec<SourcePosition>,
        after: &[SourcePosition],
    ) -> Result<(), Fault> {
        let row = |known: SourcePosition| {
            let later = after.iter().find(|it| it.feed == known.feed && it.key == known.key);
            let upto = later.map_or(known.upto, |later| later.upto.clone());
            (known.feed, known.key, known.done, upto)
        };
        let rows: Vec<_> = before.into_iter().map(row).collect();
        write.open_table(HEAD)?.insert("positions", encode(&rows).as_slice())?;
        Ok(())
    }

    /// Sets what numbers new topics get within a transaction.
    pub(super) fn set_numbering(write: &redb::WriteTransaction, next: u32, floor: u64) -> Result<(), Fault> {
        write.open_table(HEAD)?.insert("numbering", encode(&(next, floor)).as_slice())?;
        Ok(())
    }

    /// Sets the gateway's time within a transaction.
    pub(super) fn set_time(write: &redb::WriteTransaction, now: UnixMicros) -> Result<(), Fault> {
        write.open_table(HEAD)?.insert("time", now.0.to_le_bytes().as_slice())?;
        Ok(())
    }

    /// Whether that run ended with this file as it lay there.
    pub(super) fn ended(&self, run: &RunRecord) -> bool {
        run.stopped.is_some_and(|stopped| self.found.as_ref().is_some_and(|found| stopped.is(found)))
    }

    /// Leaves the file as the run has ended that is set in it.
    pub(super) fn close(self, stopped: Stopped) -> Result<(), Fault> {
        let Self { db, path, .. } = self;
        db.close()?;
        let time = u64::try_from(stopped.seconds).unwrap_or(0);
        let time = UNIX_EPOCH + Duration::from_secs(time);
        let set = fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_modified(time));
        set.map_err(|why| redb::Error::Io(why).into())
    }

    /// Says within a transaction that everything is of the newest format.
    pub(super) fn set_format(write: &redb::WriteTransaction) -> Result<(), Fault> {
        write.open_table(HEAD)?.insert("format", FORMAT.to_le_bytes().as_slice())?;
        Ok(())
    }

    /// Sets the run within a transaction.
    pub(super) fn set_run(write: &redb::WriteTransaction, run: &RunRecord) -> Result<(), Fault> {
        write.open_table(HEAD)?.insert("run", encode(run).as_slice())?;
        Ok(())
    }

    /// Whether the name still means this file.
    pub(super) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode)
    }

    /// Its size; 0 when it is unknown.
    pub(super) fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    pub(super) fn damaged(&self, why: &dyn std::fmt::Display) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), why: why.to_string() }
    }
}

/// What of a file that is not what it should be makes the database panic is damage too.
pub(super) fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, Fault>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(fault)) => Err(fault.at_start(path.to_owned())),
        Err(_panic) => {
            Err(StoreError::Damaged { path: path.to_owned(), why: "it contradicts itself".into() })
        }
    }
}

/// Which file has the name; none when there is none, or an empty one.
pub(super) fn inode(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(file) => Ok((file.len() > 0).then(|| file.ino())),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}
