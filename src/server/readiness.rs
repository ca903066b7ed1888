//! Whether the gateway takes clients.

use std::sync::atomic::{AtomicU8, Ordering};

/// What `/readyz` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet: what its clients are to see is not there.
    Starting,
    /// It does.
    Ready,
    /// Never: other gateways of its cluster do.
    Feeding,
    /// Not any more.
    Draining,
}

/// The readiness of now, for every worker.
#[derive(Debug, Default)]
pub struct ReadinessCell(AtomicU8);

impl ReadinessCell {
    /// Changes it.
    pub fn set(&self, readiness: Readiness) {
        self.0.store(readiness as u8, Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> Readiness {
        match self.0.load(Ordering::Relaxed) {
            0 => Readiness::Starting,
            1 => Readiness::Ready,
            2 => Readiness::Feeding,
            _ => Readiness::Draining,
        }
    }
}

impl Readiness {
    /// The word of `/readyz`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Feeding => "takes no clients: its role is feed",
            Self::Draining => "draining",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_it_was_set_to() {
        let cell = ReadinessCell::default();
        assert_eq!(cell.get(), Readiness::Starting);
        for readiness in [Readiness::Ready, Readiness::Feeding, Readiness::Draining, Readiness::Starting] {
            cell.set(readiness);
            assert_eq!(cell.get(), readiness);
        }
    }
}
