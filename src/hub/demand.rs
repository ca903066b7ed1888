//! Which symbols have listeners, told to the feed that brings them.
//!
//! A topic tells changes where shards join and part, never where it publishes. What is told is only that something
//! has changed: the feed asks the topic how it is now, so that nothing depends on the order of the calls.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::market::Symbol;

/// The symbols of one feed whose demand has changed. Bounded by the topics.
#[derive(Debug, Default)]
pub struct Demand {
    changed: Mutex<HashSet<Symbol>>,
    wake: Notify,
}

impl Demand {
    pub(super) fn changed(&self, symbol: Symbol) {
        self.changed.lock().insert(symbol);
        self.wake.notify_one();
    }

    /// Waits for a change; one that came since the last wait completes at once.
    ///
    /// # Cancel safety
    /// A change is not lost when the future is dropped.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The symbols that have changed since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Symbol> {
        self.changed.lock().drain().collect()
    }
}
