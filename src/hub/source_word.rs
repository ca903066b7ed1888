//! What holds for all symbols at once: whether the gateway hears those that number for it, which is told once to each
//! session and not once for each symbol. And whether others number for it at all.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::RwLock;
use serde::Serialize;

use super::Hub;
use crate::market::{State, UnixMicros};

/// Why nothing new comes, of any symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceWord {
    /// What that makes of the values that clients have.
    pub state: State,
    /// Since when.
    pub since: UnixMicros,
    /// What is missing.
    pub why: String,
}

/// The word of now, and which one it is.
#[derive(Debug, Default)]
pub(super) struct SourceWords {
    word: RwLock<Option<Arc<SourceWord>>>,
    serial: AtomicU64,
    follows: AtomicBool,
}

impl Hub {
    /// Says why nothing new comes, or with `None` that it comes again. Every shard then tells its sessions.
    pub fn set_source_word(&self, word: Option<SourceWord>) {
        {
            let mut now = self.source_words.word.write();
            if now.as_deref() == word.as_ref() {
                return;
            }
            *now = word.map(Arc::new);
        }
        self.source_words.serial.fetch_add(1, Ordering::Release);
        self.lanes.read().iter().flatten().for_each(|lane| lane.wake());
    }

    /// Why nothing new comes; `None` while it does.
    #[must_use]
    pub fn source_word(&self) -> Option<Arc<SourceWord>> {
        self.source_words.word.read().clone()
    }

    /// Rises with each change of the [word](Self::source_word).
    #[must_use]
    pub fn source_serial(&self) -> u64 {
        self.source_words.serial.load(Ordering::Acquire)
    }

    /// From now on others number for this hub: a client may have seen more elsewhere than it knows yet.
    pub fn follow(&self) {
        self.source_words.follows.store(true, Ordering::Relaxed);
    }

    /// Whether others number for this hub.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.source_words.follows.load(Ordering::Relaxed)
    }
}
