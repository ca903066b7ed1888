//! The frame of one session written to the next one, too.
//!
//! Sessions that listen to the same symbol get the same event at the same time. A frame that holds nothing else is put
//! together once, and written to every session in a row that waits for just this event.

use super::{
    local_topics::LocalTopics,
    scratch::{Lone, Scratch},
    state::Session,
    subscription::{Delivery, Pending},
};
use crate::clock::Instant;

/// Whether the frame in the buffer is all that waits for that session, which counts as written then.
#[inline]
pub(super) fn repeats(
    session: &mut Session,
    topics: &LocalTopics,
    now: Instant,
    scratch: &mut Scratch,
) -> bool {
    let Some(lone) = &mut scratch.lone else { return false };
    if session.framing.index() != lone.framing || !session.waits_for_events_alone() {
        return false;
    }
    let is_same = if session.outbox.merge.is_empty() {
        takes_streamed(session, lone)
    } else {
        takes_merged(session, topics, now, lone)
    };
    if !is_same {
        return false;
    }
    lone.repeats += 1;
    session.counts.delivered += 1;
    session.liveness.said(now);
    true
}

/// Whether that event is all that waits in the stream queue, which is empty then.
#[inline]
fn takes_streamed(session: &mut Session, lone: &Lone) -> bool {
    let Some(sub) = session.outbox.stream.take_lone(|event| lone.is(event)) else { return false };
    if cfg!(debug_assertions) {
        let n = session.subs[sub].sent + 1;
        session.subs[sub].sent = n;
    }
    true
}

/// Whether that event, merged, is all that waits; it is no longer pending then.
#[inline]
fn takes_merged(session: &mut Session, topics: &LocalTopics, now: Instant, lone: &Lone) -> bool {
    if session.outbox.merge.len() != 1 || !session.outbox.stream.is_empty() {
        return false;
    }
    let Some(index) = session.outbox.merge.front() else { return false };
    let sub = &mut session.subs[*index];
    let Some(event) = topics.newest(sub.key()).filter(|event| lone.is(event)) else {
        return false;
    };
    if sub.queued > 0 || event.n <= sub.sent {
        return false;
    }
    let Delivery::Merge { pending, limit } = &mut sub.delivery else { return false };
    *pending = Pending::No;
    if let Some(limit) = limit {
        limit.next = now + limit.interval;
    }
    sub.sent = event.n;
    session.outbox.merge.pop_front();
    true
}
