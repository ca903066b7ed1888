//! What is told on the status channel: the one way of every status, whatever its cause.
//!
//! A status is an event when it says something new. The same state of the same source for the same cause is none, however
//! often it is said; another cause of the same state is told with the `since` at which the state began.

use std::borrow::Cow;

use super::{Inner, Topic};
use crate::{
    hub::{Event, Input, batch::PublishBatch, freshness::Change},
    limits::MAX_STATUS_WHY,
    market::{Channel, Source, Status, Tick, UnixMicros},
};

impl Topic {
    /// A feed, or its venue, says how it stands.
    pub(super) fn told(&self, inner: &mut Inner, mut status: Status, batch: &mut PublishBatch<'_>) {
        let freshness = &mut inner.candidates.source_mut().freshness;
        freshness.told(status.state);
        status.state = freshness.shown();
        self.emit_status(inner, status, batch);
    }

    /// What was received, or time, has changed the state.
    pub(super) fn changed(
        &self,
        inner: &mut Inner,
        (state, why): Change,
        (source, since): (Source, UnixMicros),
        batch: &mut PublishBatch<'_>,
    ) {
        self.emit_status(inner, Status { symbol: self.symbol, state, source, since, why }, batch);
    }

    /// Makes it an event, if it says something new.
    pub(super) fn emit_status(&self, inner: &mut Inner, mut status: Status, batch: &mut PublishBatch<'_>) {
        cut(&mut status.why);
        if let Some(last) = inner.last[Channel::Status.index()].as_deref().and_then(Event::status)
            && (last.state, last.source) == (status.state, status.source)
        {
            if last.why == status.why {
                return;
            }
            status.since = last.since;
        }
        self.context.tap(|| Input::Tick(Tick::Status(status.clone())));
        self.emit(inner, Tick::Status(status).into(), batch);
    }
}

/// Shortens what a venue, a producer or an error says to [`MAX_STATUS_WHY`].
fn cut(why: &mut Cow<'static, str>) {
    if why.len() > MAX_STATUS_WHY {
        let end = why.floor_char_boundary(MAX_STATUS_WHY - '…'.len_utf8());
        *why = format!("{}…", &why[..end]).into();
    }
}
