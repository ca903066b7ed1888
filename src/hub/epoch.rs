//! The name of the numbering, which may change while the gateway runs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::RwLock;

use super::Hub;

/// The name of this incarnation of the numbering, and which one it is.
#[derive(Debug)]
pub(super) struct Epoch {
    name: RwLock<Arc<str>>,
    serial: AtomicU64,
}

impl Epoch {
    pub(super) fn new(name: String) -> Self {
        Self { name: RwLock::new(name.into()), serial: AtomicU64::new(0) }
    }
}

impl Hub {
    /// The name of this incarnation of the numbering.
    #[must_use]
    pub fn epoch(&self) -> Arc<str> {
        Arc::clone(&self.epoch.name.read())
    }

    /// The same, and its [serial](Self::epoch_serial).
    #[must_use]
    pub fn epoch_and_serial(&self) -> (Arc<str>, u64) {
        let name = self.epoch.name.read();
        (Arc::clone(&name), self.epoch_serial())
    }

    /// Rises with each [`renumber`](Self::renumber).
    #[must_use]
    pub fn epoch_serial(&self) -> u64 {
        self.epoch.serial.load(Ordering::Acquire)
    }

    /// Begins another incarnation of the numbering: numbers that were given so far mean nothing any more. Every shard then
    /// drops what it has of the old one and tells its sessions. To be called when numbers may have been given that this
    /// gateway does not know, or that it knows another meaning of.
    pub fn renumber(&self, name: String) {
        tracing::warn!(epoch = name, "the numbering is another one from now on");
        {
            let mut current = self.epoch.name.write();
            *current = name.into();
            self.epoch.serial.fetch_add(1, Ordering::Release);
        }
        self.lanes.read().iter().flatten().for_each(|lane| lane.wake());
    }
}
