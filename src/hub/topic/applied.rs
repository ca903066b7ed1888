//! Inputs that another hub has recorded.

use super::{FeedRef, Topic};
use crate::{
    hub::{SourceClock, batch::PublishBatch},
    market::Tick,
};

impl Topic {
    /// Takes what another hub's topic has recorded: freshness and the choice of a source were its.
    pub(in crate::hub) fn apply_tick(&self, mut tick: Tick, batch: &mut PublishBatch<'_>) {
        let inner = &mut *self.inner.lock();
        match tick {
            Tick::Correction(correction) => return self.correct(inner, *correction, batch),
            Tick::Status(ref status) => {
                inner.candidates.source_mut().freshness.shown_by_another(status.state)
            }
            Tick::Trade(_) | Tick::Quote(_) => inner.candidates.source_mut().note_time(&tick),
            Tick::Loss(_) => {}
        }
        let step = self.derive(inner, &mut tick, batch.received);
        self.emit(inner, tick.into(), batch);
        if let Some(step) = step {
            self.emit_derived(inner, step, batch);
        }
    }

    /// That feed is its source from now on, with such a clock.
    pub(in crate::hub) fn set_source(&self, feed_ref: FeedRef, clock: SourceClock) {
        let inner = &mut *self.inner.lock();
        // What is shown stays until another status is told.
        let shown = inner.candidates.source().freshness.shown();
        inner.candidates.follow(feed_ref);
        let source = inner.candidates.source_mut();
        source.freshness.shown_by_another(shown);
        source.clock = clock;
        self.reckon_due(inner);
    }
}
