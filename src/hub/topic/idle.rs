//! A topic that is not heard any more, and its end.

use std::{sync::atomic::Ordering, time::Duration};

use super::Topic;
use crate::{
    hub::{Input, batch::PublishBatch},
    market::{Source, Status},
};

impl Topic {
    /// It is named by its feed's configuration.
    pub(in crate::hub) fn stay(&self) {
        self.is_passing.store(false, Ordering::Relaxed);
    }

    pub(in crate::hub) fn is_passing(&self) -> bool {
        self.is_passing.load(Ordering::Relaxed)
    }

    /// Whether that feed alone carries it and has said nothing for so long. The time begins when it is first looked at.
    pub(in crate::hub) fn is_idle(&self, feed: Source, after: Duration, steady: Duration) -> bool {
        let inner = &mut *self.inner.lock();
        let heard = *inner.heard.get_or_insert(steady);
        let is_its = !inner.candidates.are_several() && inner.candidates.feed() == feed;
        is_its && steady.saturating_sub(heard) >= after && self.is_passing()
    }

    /// Shows a state, whatever its feed says.
    pub(in crate::hub) fn show(&self, status: Status, batch: &mut PublishBatch<'_>) {
        let inner = &mut *self.inner.lock();
        inner.candidates.source_mut().freshness.told(status.state);
        self.emit_status(inner, status, batch);
    }

    /// Ends it: nothing is numbered any more, and the shards that listen are told behind its last events. Returns the highest
    /// number that it gave.
    pub(in crate::hub) fn end(&self, batch: &mut PublishBatch<'_>) -> u64 {
        let inner = &mut *self.inner.lock();
        inner.is_removed = true;
        self.context.tap(|| Input::Removed(self.symbol));
        let mut listening = inner.interest.iter().fold(0, |all, shards| all | shards);
        batch.touched |= listening;
        while listening != 0 {
            let index = listening.trailing_zeros() as usize;
            listening &= listening - 1;
            if let Some(Some(lane)) = batch.lanes.get(index) {
                lane.remove(self.id);
            }
        }
        self.forget_bars(inner);
        inner.heads.into_iter().max().unwrap_or(self.base)
    }

    /// Whether it was removed: a shard that begins to listen then must be told so.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.inner.lock().is_removed
    }
}
