//! The log that the nodes of a cluster share, and what they say to each other beside it.
//!
//! An enum and not a trait: there are two, one in Redis, and one in memory for tests. Above this room no file knows Redis.
//!
//! A handle makes one call at a time on a connection of its own, which it makes when it needs it and gives up after any error:
//! clone it for each task, above all for each that waits. It never tries again by itself, and each call ends by its deadline: when
//! and how often to try is what the caller decides, who knows what has happened meanwhile.

mod error;
mod keys;
mod memory;
mod redis;
mod term;
mod window;
mod words;

use std::time::Duration;

pub use error::LogError;
pub use memory::{Line, MemoryLog, MemoryServer};
pub use redis::RedisLog;
pub use window::Window;
pub use words::{Appended, Complaint, LogState, Meta, NodeWord, Note, Pushed, Read, ServerIdentity};

use super::{InboxId, Position};
use crate::{
    limits::{IMAGE_PIECE_BYTES, INBOX_ENTRY_BYTES, INBOX_KEY_BYTES, MAX_BATCH_BYTES},
    market::UnixMicros,
};

/// A handle of the log of a cluster. A clone is another handle, with a connection of its own.
///
/// # Cancel safety
/// A call that is dropped half way may have happened, as one that failed; the handle can go on.
#[derive(Debug, Clone)]
pub enum Log {
    /// In Redis or Valkey.
    Redis(RedisLog),
    /// In the memory of this process.
    Memory(MemoryLog),
}

/// The same call of either log.
macro_rules! each {
    ($self:ident, $call:ident($($argument:expr),*)) => {
        match $self {
            Self::Redis(log) => log.$call($($argument),*).await,
            Self::Memory(log) => log.$call($($argument),*).await,
        }
    };
}

impl Log {
    /// Writes a batch at that place, and removes what stands before `keep`. A batch with `seq` 0 is the fence of a term: it may
    /// follow anything earlier. Any other one must follow its predecessor, or is not written. After an error it is asked
    /// again with the same place and bytes: it is written once.
    ///
    /// # Errors
    /// See [`LogError`]; also a batch over [`MAX_BATCH_BYTES`].
    pub async fn append(&mut self, at: Position, bytes: &[u8], keep: Position) -> Result<Appended, LogError> {
        fits("append", bytes.len(), MAX_BATCH_BYTES)?;
        each!(self, append(at, bytes, keep))
    }

    /// Writes the first batch of a log that is not there. [`Appended::Fenced`] if there is one.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn found(&mut self, at: Position, bytes: &[u8]) -> Result<Appended, LogError> {
        fits("found", bytes.len(), MAX_BATCH_BYTES)?;
        each!(self, found(at, bytes))
    }

    /// The log as it is now.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn state(&mut self) -> Result<LogState, LogError> {
        each!(self, state())
    }

    /// Batches behind `after` and notes behind `notes_after`; waits for the first of either for `block` at most. After all
    /// of `block` without any, [`Read::silent`] says how the log is.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn read(
        &mut self,
        after: Position,
        notes_after: Position,
        block: Duration,
    ) -> Result<Read, LogError> {
        each!(self, read(after, notes_after, block))
    }

    /// Takes the lead if no other node has it, for `lease`. The term that it returns is later than every one that was ever handed
    /// out, and than `known`, the latest that the caller has seen: a server that has lost its memory hands out no old one.
    ///
    /// # Errors
    /// See [`LogError`]. The lead may be taken then; asked again it gives a later term.
    pub async fn take(&mut self, node: &str, known: u64, lease: Duration) -> Result<Option<u64>, LogError> {
        each!(self, take(node, known, lease))
    }

    /// Keeps the lead for another `lease`; false if it has passed on, or has run out.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn renew(&mut self, node: &str, term: u64, lease: Duration) -> Result<bool, LogError> {
        each!(self, renew(node, term, lease))
    }

    /// Gives the lead up, if the node still has it. Others learn it by [`Note::Resigned`].
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn resign(&mut self, node: &str, term: u64) -> Result<(), LogError> {
        each!(self, resign(node, term))
    }

    /// Which node has the lead, in which term.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn holder(&mut self) -> Result<Option<(String, u64)>, LogError> {
        each!(self, holder())
    }

    /// Writes down what the numbering is made of.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn put_meta(&mut self, meta: &Meta) -> Result<(), LogError> {
        each!(self, put_meta(meta))
    }

    /// What the numbering is made of.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn meta(&mut self) -> Result<Option<Meta>, LogError> {
        each!(self, meta())
    }

    /// Shows that the node lives, for `ttl`. False: there are [`MAX_NODES`](crate::limits::MAX_NODES) others.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn beat(&mut self, word: &NodeWord, ttl: Duration) -> Result<bool, LogError> {
        each!(self, beat(word, ttl))
    }

    /// The nodes that live, by name.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn nodes(&mut self) -> Result<Vec<NodeWord>, LogError> {
        each!(self, nodes())
    }

    /// Takes the node's sign of life and its demand back.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn leave(&mut self, node: &str) -> Result<(), LogError> {
        each!(self, leave(node))
    }

    /// Says what the node's clients want, for `ttl`. False: there are [`MAX_NODES`](crate::limits::MAX_NODES) others.
    /// Others learn it by [`Note::Demand`].
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn want(&mut self, node: &str, bitmap: &[u8], ttl: Duration) -> Result<bool, LogError> {
        each!(self, want(node, bitmap, ttl))
    }

    /// What the clients of each node want, by node.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn wants(&mut self) -> Result<Vec<(String, Vec<u8>)>, LogError> {
        each!(self, wants())
    }

    /// Tells all nodes something.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn note(&mut self, note: &Note) -> Result<(), LogError> {
        each!(self, note(note))
    }

    /// The place behind which notes are from now on.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn notes_now(&mut self) -> Result<Position, LogError> {
        each!(self, notes_now())
    }

    /// Makes the inbox if it is not there. Ids that it gives from now on are greater than `after`, whatever was forgotten.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn open_inbox(&mut self, after: InboxId) -> Result<(), LogError> {
        each!(self, open_inbox(after))
    }

    /// Puts pushed ticks into the inbox. Those with a `key` that was seen in the last
    /// [`INBOX_KEY_TTL`](crate::limits::INBOX_KEY_TTL) are not put in again, and get the first one's id.
    ///
    /// # Errors
    /// See [`LogError`]; also an entry over [`INBOX_ENTRY_BYTES`], a key over [`INBOX_KEY_BYTES`]. After one that is
    /// no refusal they may wait in the inbox.
    pub async fn push_inbox(&mut self, bytes: &[u8], key: Option<&str>) -> Result<Pushed, LogError> {
        fits("push_inbox", bytes.len(), INBOX_ENTRY_BYTES)?;
        fits("push_inbox", key.map_or(0, str::len), INBOX_KEY_BYTES)?;
        each!(self, push_inbox(bytes, key))
    }

    /// What waits in the inbox behind `after`; waits for the first for `block` at most.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn read_inbox(
        &mut self,
        after: InboxId,
        block: Duration,
    ) -> Result<Vec<(InboxId, Vec<u8>)>, LogError> {
        each!(self, read_inbox(after, block))
    }

    /// Removes what is in the log by now: everything up to that.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn trim_inbox(&mut self, through: InboxId) -> Result<(), LogError> {
        each!(self, trim_inbox(through))
    }

    /// Claims to make the image; false if another node does.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn claim(&mut self, id: &str, node: &str) -> Result<bool, LogError> {
        each!(self, claim(id, node))
    }

    /// Adds a piece to an image; false while [`IMAGE_PIECES`](crate::limits::IMAGE_PIECES) wait.
    ///
    /// # Errors
    /// See [`LogError`]; also a piece over [`IMAGE_PIECE_BYTES`]. The piece may be there then: make another image.
    pub async fn put_piece(&mut self, id: &str, bytes: &[u8]) -> Result<bool, LogError> {
        fits("put_piece", bytes.len(), IMAGE_PIECE_BYTES)?;
        each!(self, put_piece(id, bytes))
    }

    /// The next piece of an image; waits for it for `wait` at most.
    ///
    /// # Errors
    /// See [`LogError`]. The piece may be lost then: ask for another image.
    pub async fn take_piece(&mut self, id: &str, wait: Duration) -> Result<Option<Vec<u8>>, LogError> {
        each!(self, take_piece(id, wait))
    }

    /// How many pieces of an image wait.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn pieces(&mut self, id: &str) -> Result<usize, LogError> {
        each!(self, pieces(id))
    }

    /// What is wrong with the server. `now` is what the caller's clock says.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn check_server(&mut self, now: UnixMicros) -> Result<Vec<Complaint>, LogError> {
        each!(self, check_server(now))
    }
}

fn fits(call: &'static str, bytes: usize, most: usize) -> Result<(), LogError> {
    if bytes <= most { Ok(()) } else { Err(LogError::TooLarge { call, bytes, most }) }
}

#[cfg(test)]
mod tests;
