//! From what waits to bytes, at the moment when the socket can take them.

use bytes::BytesMut;

use super::{
    Framing,
    outbox::{Control, Streamed, Wire},
    position::Position,
    shard::{Tally, Views},
    state::Session,
    subscription::{Delivery, Lost, Pending, Subscription},
    wire::{self, DataFrame},
};
use crate::{
    clock::Instant, dialect::native::Encoding, hub::Event, limits::FRAME_BUDGET, session::close::NO_CODE,
};

/// Appends at most one data frame and every waiting control frame to the empty buffer `out`.
pub(super) fn assemble(
    session: &mut Session,
    views: &Views,
    now: Instant,
    tally: &mut Tally,
    out: &mut BytesMut,
) {
    let oldest = data_frame(session, views, now, tally, out);
    if let Some(oldest) = oldest {
        tally.latency(now - oldest);
    }
    while let Some(frame) = session.outbox.wire.pop_front() {
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
        && session.outbox.control.is_empty()
    {
        let frame = closing.reason.frame();
        match session.framing {
            Framing::WebSocket(_) => {
                wire::close(out, (frame.code != NO_CODE).then_some(frame.code), frame.text);
            }
            // The end of the body says it, and nobody answers.
            Framing::Sse | Framing::Bare => closing.answered = true,
        }
        closing.close_sent = true;
    }
    tally.bytes += out.len() as u64;
}

/// Takes what waits in the order control, gaps, then streams and merges in turn, until the frame is full. Returns
/// when the oldest event in it was received.
fn data_frame(
    session: &mut Session,
    views: &Views,
    now: Instant,
    tally: &mut Tally,
    out: &mut BytesMut,
) -> Option<Instant> {
    let mut oldest: Option<Instant> = None;
    let encoding = session.encoding;
    let tracks = session.track.is_some();
    let mut frame = DataFrame::begin(out, session.framing);
    let mut event = |frame: &mut DataFrame<'_>, event: &Event, delivered: &mut u64| {
        frame.push(1, event.encoded(encoding));
        tally.delivered[encoding.index()][event.channel().index()] += 1;
        *delivered += 1;
        oldest = Some(oldest.map_or(event.received, |oldest| oldest.min(event.received)));
    };
    // A position stands for all answers, so none may come behind it.
    while (tracks || frame.len() < FRAME_BUDGET)
        && let Some(control) = session.outbox.pop_control()
    {
        match control {
            Control::Messages { count, bytes } => frame.push(count, &bytes),
            Control::Event { sub, event: shared } => {
                if tracks {
                    session.subs[sub].sent = shared.n;
                }
                event(&mut frame, &shared, &mut session.counts.delivered);
            }
        }
    }
    while frame.len() < FRAME_BUDGET
        && let Some(sub) = session.outbox.gapped.pop_front()
    {
        let sub = &mut session.subs[sub];
        if let Some(lost) = sub.gap.take() {
            tell_gap(&mut frame, sub, lost, encoding);
        }
    }
    // Gaps first: the events behind them in the queue must not overtake them.
    let gaps_told = session.outbox.gapped.is_empty();
    while frame.len() < FRAME_BUDGET {
        let streamed = if gaps_told { session.outbox.pop_stream(encoding) } else { None };
        let merged = session.outbox.merge.pop_front();
        match &streamed {
            Some(Streamed::Event { sub, event: shared }) => {
                // Only where it is asked for or checked: this would fetch the subscription from memory for each event.
                if tracks || cfg!(debug_assertions) {
                    let sub = &mut session.subs[*sub];
                    debug_assert_eq!(shared.n, sub.sent + 1, "a stream has neither hole nor repeat");
                    sub.sent = shared.n;
                }
                event(&mut frame, shared, &mut session.counts.delivered);
            }
            Some(Streamed::Gap { sub, lost }) => {
                tell_gap(&mut frame, &mut session.subs[*sub], *lost, encoding);
            }
            None => {}
        }
        if let Some(sub) = merged {
            let sub = &mut session.subs[sub];
            if let Some(newest) = newest(views, sub, now) {
                event(&mut frame, newest, &mut session.counts.delivered);
            }
        } else if streamed.is_none() {
            break;
        }
    }
    if frame.finish() {
        tally.frames += 1;
        session.liveness.said(now);
        if session.framing == Framing::Sse {
            // A goodbye keeps the last position: nothing is subscribed any more.
            let position = session.closing.is_none().then(|| Position::of(session)).flatten();
            wire::end_block(out, position.map(|position| position.text()).as_deref());
        }
    }
    oldest
}

/// The newest event of a merging subscription, which is then no longer pending.
fn newest<'a>(views: &'a Views, sub: &mut Subscription, now: Instant) -> Option<&'a Event> {
    if let Delivery::Merge { pending, pace } = &mut sub.delivery {
        *pending = Pending::No;
        if let Some(pace) = pace {
            pace.next = now + pace.interval;
        }
    }
    let event = views.newest(sub.topic, sub.channel)?;
    debug_assert!(event.n > sub.sent, "merged numbers rise");
    sub.sent = event.n;
    Some(event)
}

fn tell_gap(frame: &mut DataFrame<'_>, sub: &mut Subscription, lost: Lost, encoding: Encoding) {
    debug_assert_eq!(lost.from, sub.sent + 1, "a gap starts where the stream broke off");
    sub.sent = lost.to;
    frame.push(1, &encoding.encode(&sub.gap_message(lost)));
}
