//! The connections of one client address.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use super::seen::Seen;
use crate::{clock::Instant, session::Bucket};

/// One address.
#[derive(Debug)]
pub(super) struct Address {
    /// Connections that have not ended, those among them that are about to.
    pub(super) open: usize,
    /// Those that have completed neither a handshake nor a request.
    pub(super) unproven: usize,
    /// Those with a session.
    pub(super) sessions: usize,
    /// Those without one that were not told to give way, in the order in which they came.
    pub(super) plain: BTreeMap<u64, Arc<Seen>>,
    rate: Bucket,
}

impl Address {
    pub(super) const fn new(now: Instant) -> Self {
        Self { open: 0, unproven: 0, sessions: 0, plain: BTreeMap::new(), rate: Bucket::new(now) }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Connections of every kind.
    pub(super) fn total(&self) -> usize {
        self.plain.len() + self.sessions
    }

    /// Counts one more connection if the rate allows it: `per_second`, and as many at once.
    pub(super) fn take_token(&mut self, per_second: u32, now: Instant) -> bool {
        self.rate.take(now, per_second, per_second)
    }

    /// Whether its rate is as if it had never been here.
    pub(super) fn is_rested(&self, now: Instant) -> bool {
        self.rate.is_full(now)
    }

    /// The connection that is idle for longest; if none is, and `any` may go, the oldest one without a session.
    pub(super) fn victim(&self, any: bool) -> Option<u64> {
        let idle = self.plain.iter().filter_map(|(serial, seen)| {
            let pause = seen.idle.load(Ordering::Relaxed);
            (pause > 0).then_some((pause, *serial))
        });
        let longest = idle.min().map(|(_pause, serial)| serial);
        longest.or_else(|| self.plain.keys().next().copied().filter(|_| any))
    }
}
