//! From what waits to bytes, at the moment when the socket can take them.

use bytes::BytesMut;

use super::{
    outbox::{Control, Streamed, Wire},
    shard::{Tally, Views},
    state::Session,
    subscription::{Delivery, Lost, Pending, Shared, Subscription, gap_message},
    wire::{self, DataFrame},
};
use crate::{clock::Instant, limits::FRAME_BUDGET, session::close::NO_CODE};

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
    while let Some(frame) = session.outbox.rare.as_mut().and_then(|rare| rare.wire.pop_front()) {
        match frame {
            Wire::Ping => wire::ping(out, b"tickcast"),
            Wire::Pong(payload) => wire::pong(out, &payload),
            #[cfg(feature = "test-endpoints")]
            Wire::Echo { text, payload } => wire::message(out, text, &payload),
        }
    }
    if let Some(closing) = &mut session.closing
        && !closing.close_sent
        && session.outbox.control().next().is_none()
    {
        let frame = closing.reason.frame();
        wire::close(out, (frame.code != NO_CODE).then_some(frame.code), frame.text);
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
    let mut frame = DataFrame::begin(out, encoding);
    let mut delivered = 0;
    let mut event = |frame: &mut DataFrame<'_>, event: &Shared, first: bool| {
        frame.push(1, event.bytes(encoding));
        tally.delivered[encoding.index()][event.channel().index()] += 1;
        delivered += 1;
        // Each queue is in order: only its first event is looked at, which is its oldest.
        if first {
            oldest = Some(oldest.map_or(event.received, |oldest| oldest.min(event.received)));
        }
    };
    let mut gaps_told = true;
    if let Some(rare) = &mut session.outbox.rare {
        while frame.len() < FRAME_BUDGET
            && let Some(control) = rare.pop_control()
        {
            match control {
                Control::Messages { count, bytes } => frame.push(count, &bytes),
                Control::Event { event: shared, .. } => event(&mut frame, &shared, true),
            }
        }
        while frame.len() < FRAME_BUDGET
            && let Some(sub) = rare.gapped.pop_front()
        {
            let sub = &mut session.subs[sub];
            if let Some(lost) = sub.gap.take() {
                tell_gap(&mut frame, views, sub, *lost);
            }
        }
        // Gaps first: the events behind them in the queue must not overtake them.
        gaps_told = rare.gapped.is_empty();
    }
    let (mut first_streamed, mut first_merged) = (true, true);
    while frame.len() < FRAME_BUDGET {
        let streamed = if gaps_told { session.outbox.pop_stream(encoding) } else { None };
        let merged = session.outbox.merge.pop_front();
        match &streamed {
            Some(Streamed::Event { sub, event: shared }) => {
                // Only where it is checked: this would fetch the subscription from memory for each event.
                if cfg!(debug_assertions) {
                    let sub = &mut session.subs[*sub];
                    assert_eq!(shared.n, sub.sent + 1, "a stream has neither hole nor repeat");
                    sub.sent = shared.n;
                }
                event(&mut frame, shared, std::mem::take(&mut first_streamed));
            }
            Some(Streamed::Gap { sub, lost }) => {
                tell_gap(&mut frame, views, &mut session.subs[*sub], **lost);
            }
            None => {}
        }
        if let Some(sub) = merged {
            let sub = &mut session.subs[sub];
            if let Some(newest) = newest(views, sub, now) {
                event(&mut frame, newest, std::mem::take(&mut first_merged));
            }
        } else if streamed.is_none() {
            break;
        }
    }
    session.counts.delivered += delivered;
    if frame.finish() {
        tally.frames += 1;
        session.liveness.said(now);
    }
    oldest
}

/// The newest event of a merging subscription, which is then no longer pending.
fn newest<'a>(views: &'a Views, sub: &mut Subscription, now: Instant) -> Option<&'a Shared> {
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

fn tell_gap(frame: &mut DataFrame<'_>, views: &Views, sub: &mut Subscription, lost: Lost) {
    debug_assert_eq!(lost.from, sub.sent + 1, "a gap starts where the stream broke off");
    sub.sent = lost.to;
    if let Some(view) = views.get(sub.topic) {
        let gap = gap_message(view.topic.symbol(), sub.channel, lost);
        frame.push(1, &frame.encoding().encode(&gap));
    }
}
