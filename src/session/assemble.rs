//! From what waits to bytes, at the moment when the socket can take them.

use super::{
    Framing,
    local_topics::LocalTopics,
    outbox::{Control, Wire},
    queue::Streamed,
    scratch::{Lone, Scratch},
    shard_metrics::ShardMetrics,
    state::Session,
    subs::Subs,
    subscription::{Delivery, EventRef, Lost, Pending, SubIndex, Subscription},
    wire::{self, DataFrame},
};
use crate::{clock::Instant, limits::FRAME_BUDGET, market::Channel, session::close::NO_CODE};

/// Puts at most one data frame and every waiting control frame into the buffer, in place of what was in it.
pub(super) fn assemble(
    session: &mut Session,
    topics: &LocalTopics,
    now: Instant,
    metrics: &mut ShardMetrics,
    scratch: &mut Scratch,
) {
    scratch.settle(metrics);
    scratch.clear(FRAME_BUDGET);
    let lone = lone(session, topics);
    let out = &mut scratch.bytes;
    let (start, oldest) = data_frame(session, topics, now, metrics, out);
    if let Some(oldest) = oldest {
        metrics.latency(now - oldest, 1);
    }
    while let Some(frame) = session.outbox.cold.as_mut().and_then(|cold| cold.wire.pop_front()) {
        match frame {
            Wire::Ping => wire::ping(out, b"tickcast"),
            Wire::Pong(payload) => wire::pong(out, &payload),
            Wire::Comment => wire::comment(out),
            Wire::Retry(ms) => wire::retry(out, ms),
            #[cfg(feature = "test-endpoints")]
            Wire::Echo { text, payload } => wire::message(out, text, &payload),
        }
    }
    if let Some(closing) = &mut session.closing
        && !closing.close_sent
        && session.outbox.control().next().is_none()
    {
        let frame = closing.reason.frame();
        match session.framing {
            Framing::WebSocket(_) => {
                wire::close(out, (frame.code != NO_CODE).then_some(frame.code), frame.text);
            }
            // The end of the body says it, and there is no answer.
            Framing::Sse | Framing::Poll => closing.answered = true,
        }
        closing.close_sent = true;
    }
    metrics.bytes += (out.len() - start) as u64;
    scratch.start = start;
    // The next session may wait for the same.
    scratch.lone = lone.filter(|_| oldest.is_some() && !session.has_more());
    if let (Some(lone), Some(oldest)) = (&mut scratch.lone, oldest) {
        lone.age = now - oldest;
    }
}

/// The one event that waits, if nothing else does.
#[inline]
fn lone(session: &Session, topics: &LocalTopics) -> Option<Lone> {
    if !session.waits_for_events_alone() {
        return None;
    }
    let outbox = &session.outbox;
    let event = match (outbox.merge.len(), outbox.stream.len()) {
        (0, 1) => outbox.stream.lone(),
        (1, 0) => outbox.merge.front().and_then(|sub| {
            let sub = &session.subs[*sub];
            topics.newest(sub.key())
        }),
        _ => None,
    };
    event.map(|event| Lone::of(event, session.framing.index(), session.framing.encoding()))
}

/// A subscription of a session.
type Of<'a> = (&'a mut Session, SubIndex);

/// The events and gaps that go into a frame, counted.
struct Written<'a> {
    counts: &'a mut [u64; Channel::COUNT],
    gaps: &'a mut [u64; Channel::COUNT],
    events: u64,
    /// When the oldest of them was received.
    oldest: Option<Instant>,
}

impl Written<'_> {
    #[inline]
    fn event(&mut self, frame: &mut DataFrame<'_>, event: &EventRef, bytes: &[u8]) {
        frame.push(1, bytes);
        self.counts[event.channel_index()] += 1;
        self.events += 1;
    }

    fn gap(&mut self, frame: &mut DataFrame<'_>, topics: &LocalTopics, (session, sub): Of<'_>, lost: Lost) {
        let subscription = &mut session.subs[sub];
        debug_assert!(
            lost.from == subscription.sent + 1 || subscription.merges() && lost.from > subscription.sent,
            "a gap starts where the stream broke off"
        );
        subscription.sent = lost.to;
        let (topic, channel, form) = subscription.key();
        if let Some(local) = topics.get(topic) {
            let (gap, mut messages) =
                (subscription.gap(local.name(channel, form), lost), session.protocol().messages());
            session.write_gap(gap, &mut messages);
            messages.each(|count, bytes| frame.push(count, bytes));
            self.gaps[channel.index()] += 1;
        }
    }

    /// Each queue is in order: only its first event is looked at, which is its oldest.
    fn first(&mut self, event: &EventRef) {
        self.oldest = Some(self.oldest.map_or(event.received, |oldest| oldest.min(event.received)));
    }
}

/// Takes what waits in the order control, gaps, then streams and merges in turn, until the frame is full. Returns
/// where it begins, and when the oldest event in it was received.
fn data_frame(
    session: &mut Session,
    topics: &LocalTopics,
    now: Instant,
    metrics: &mut ShardMetrics,
    out: &mut Vec<u8>,
) -> (usize, Option<Instant>) {
    let mut superseded: Vec<Channel> = Vec::new();
    let tracks = session.track.is_some();
    let mut frame = DataFrame::begin(out, session.framing);
    let counts = &mut metrics.delivered[session.framing.encoding().index()];
    let mut written = Written { counts, gaps: &mut metrics.gaps, events: 0, oldest: None };
    if session.outbox.cold.is_some() {
        write_control(session, topics, &mut frame, &mut written);
    }
    // Gaps first: the events behind them in the queue must not overtake them.
    let gaps_told = session.outbox.cold.as_ref().is_none_or(|cold| cold.gapped.is_empty());
    if gaps_told && session.outbox.merge.is_empty() && frame.len() < FRAME_BUDGET && !session.has_untold {
        write_events(session, &mut frame, &mut written);
    }
    let (mut first_streamed, mut first_merged) = (true, true);
    while frame.len() < FRAME_BUDGET && !session.has_untold {
        let streamed = if gaps_told { session.outbox.stream.pop() } else { None };
        let merged = session.outbox.merge.pop_front();
        match &streamed {
            Some(Streamed::Event { sub, event }) => {
                note_streamed(session, *sub, event, tracks);
                if std::mem::take(&mut first_streamed) {
                    written.first(event);
                }
                written.event(&mut frame, event, event.bytes());
            }
            Some(Streamed::Gap { sub, lost }) => {
                left_queue(session, *sub);
                written.gap(&mut frame, topics, (session, *sub), *lost);
            }
            None => {}
        }
        if let Some(sub) = merged {
            let sub = &mut session.subs[sub];
            match newest(topics, sub, now) {
                Newest::Event(newest) => {
                    if std::mem::take(&mut first_merged) {
                        written.first(newest);
                    }
                    written.event(&mut frame, newest, newest.bytes());
                }
                Newest::Later | Newest::Gone => {}
                Newest::Superseded => superseded.push(sub.channel),
            }
        } else if streamed.is_none() {
            break;
        }
    }
    session.counts.delivered += written.events;
    let oldest = written.oldest;
    for channel in superseded {
        metrics.merged[channel.index()] += 1;
        session.counts.merged += 1;
    }
    let frames = frame.frames();
    let start = frame.finish();
    if start.is_some() {
        metrics.frames += u64::from(frames);
        said(session, now, out);
    }
    (start.unwrap_or(0), oldest)
}

/// What goes before all data: control messages and statuses, then gaps.
fn write_control(
    session: &mut Session,
    topics: &LocalTopics,
    frame: &mut DataFrame<'_>,
    written: &mut Written<'_>,
) {
    let tracks = session.track.is_some();
    // A position stands for all answers, so none may come behind it.
    while (tracks || frame.len() < FRAME_BUDGET)
        && let Some(control) = session.outbox.cold.as_mut().and_then(|cold| cold.pop_control())
    {
        match control {
            Control::Messages { count, bytes } => frame.push(count, &bytes),
            Control::Event { sub, event } => {
                if tracks {
                    session.subs[sub].sent = event.n;
                }
                written.first(&event);
                written.event(frame, &event, event.bytes());
            }
        }
    }
    while frame.len() < FRAME_BUDGET
        && let Some(sub) = session.outbox.cold.as_mut().and_then(|cold| cold.gapped.pop_front())
    {
        if let Some(lost) = gap_to_tell(session, topics, sub) {
            written.gap(frame, topics, (session, sub), lost);
        }
    }
}

/// The usual case in one go: nothing waits but events in the stream queue.
fn write_events(session: &mut Session, frame: &mut DataFrame<'_>, written: &mut Written<'_>) {
    let notes = session.track.is_some() || cfg!(debug_assertions);
    let (subs, stream) = (&mut session.subs, &mut session.outbox.stream);
    let Some(first) = stream.front() else { return };
    written.first(first);
    let counts = &mut *written.counts;
    let events = stream.pop_events(|sub, event, bytes| {
        if notes {
            note_sent(subs, sub, event);
        }
        frame.push(1, bytes);
        counts[event.channel_index()] += 1;
        frame.len() < FRAME_BUDGET
    });
    written.events += events as u64;
}

/// A frame is put together, but for what a block of an event stream ends with.
fn said(session: &mut Session, now: Instant, out: &mut Vec<u8>) {
    session.liveness.said(now);
    if session.framing == Framing::Sse {
        // A goodbye keeps the last position: nothing is subscribed any more.
        let position = session.closing.is_none().then(|| session.stands()).flatten();
        wire::end_block(out, position.map(|position| position.text()).as_deref());
    }
}

/// An event has left the stream queue for the client.
fn note_streamed(session: &mut Session, sub: SubIndex, event: &EventRef, tracks: bool) {
    if !event.is_replaceable() && session.subs[sub].queued > 0 {
        left_queue(session, sub);
        debug_assert!(session.subs[sub].sent < event.n, "merged numbers rise");
        session.subs[sub].sent = event.n;
    } else if tracks || cfg!(debug_assertions) {
        note_sent(&mut session.subs, sub, event);
    }
}

/// Keeps the number of a streamed event. Only where it is asked for or checked: this fetches the subscription from
/// memory for each event.
fn note_sent(subs: &mut Subs, sub: SubIndex, event: &EventRef) {
    let sub = &mut subs[sub];
    debug_assert_eq!(event.n, sub.sent + 1, "a stream has neither hole nor repeat");
    sub.sent = event.n;
}

/// The gap of a subscription, which is then no longer to be told. The newest event always arrives, also when the
/// queue had no room for it: the gap ends before it, and it goes as if it were merged.
fn gap_to_tell(session: &mut Session, topics: &LocalTopics, place: SubIndex) -> Option<Lost> {
    let sub = &mut session.subs[place];
    let mut lost = *sub.gap.take()?;
    if sub.merges() && topics.newest(sub.key()).is_some_and(|newest| newest.n == lost.to) {
        lost.to -= 1;
        if let Some(pending) = sub.delivery.pending_mut()
            && *pending != Pending::Socket
        {
            *pending = Pending::Socket;
            session.outbox.merge.push_back(place);
        }
    }
    (lost.from <= lost.to).then_some(lost)
}

/// What a subscription in the merge queue has for the client.
enum Newest<'a> {
    /// This event.
    Event(&'a EventRef),
    /// This event, when those before it that must be delivered are out.
    Later,
    /// Nothing: the newest must be delivered, and went through the stream queue.
    Superseded,
    /// Nothing: the shard no longer listens.
    Gone,
}

/// The newest event of a merging subscription, which is then no longer pending.
fn newest<'a>(topics: &'a LocalTopics, sub: &mut Subscription, now: Instant) -> Newest<'a> {
    let waits = sub.queued > 0;
    let event = topics.newest(sub.key());
    let Delivery::Merge { pending, limit } = &mut sub.delivery else { return Newest::Gone };
    if waits {
        *pending = Pending::Queue;
        return Newest::Later;
    }
    *pending = Pending::No;
    let Some(event) = event else { return Newest::Gone };
    if event.n <= sub.sent {
        debug_assert!(!event.is_replaceable(), "merged numbers rise");
        return Newest::Superseded;
    }
    if let Some(limit) = limit {
        limit.next = now + limit.interval;
    }
    sub.sent = event.n;
    Newest::Event(event)
}

/// An event that must be delivered, or any gap, has left the stream queue.
fn left_queue(session: &mut Session, sub: SubIndex) {
    if session.subs[sub].queued > 0 && session.subs[sub].dequeued() {
        session.outbox.merge.push_back(sub);
    }
}
