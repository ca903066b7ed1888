//! Limits how fast frames leave a connection, over a strict rolling window; pings and pongs count.
//!
//! A venue counts frames as they arrive, and on their way they may come closer together. So the window begins at the end of
//! a send, and is longer than the venue's. No I/O and no clock.

use std::{collections::VecDeque, time::Duration};

use crate::{
    clock::Instant,
    dialect::FrameLimit,
    limits::{PACE_KEEPALIVE_FRAMES, PACE_MARGIN, PACE_RECOVERS_AFTER, PACE_SLOWEST},
};

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// A request to the venue.
    Request,
    /// A ping or pong. Some frames of each window are reserved for these.
    Keepalive,
}

/// The frames of one connection.
#[derive(Debug)]
pub(super) struct RequestPacer {
    limit: FrameLimit,
    /// When the newest sends ended: one more than the limit has frames.
    sent: VecDeque<Instant>,
    /// How many there were, and most of them within one window.
    counts: (u64, usize),
    /// When the newest requests were sent. They leave room for pings.
    requests: VecDeque<Instant>,
    last_request: Option<Instant>,
    /// How often the spacing is doubled.
    doubled: u32,
    /// When that last changed.
    changed: Option<Instant>,
}

impl RequestPacer {
    pub(super) fn new(limit: FrameLimit) -> Self {
        Self {
            limit,
            sent: VecDeque::new(),
            counts: (0, 0),
            requests: VecDeque::new(),
            last_request: None,
            doubled: 0,
            changed: None,
        }
    }

    /// When the next frame of that kind may be sent; `None` is at once.
    pub(super) fn ready(&self, kind: FrameKind) -> Option<Instant> {
        let full = |sent: &VecDeque<Instant>, most: usize| {
            sent.len().checked_sub(most).map(|at| sent[at] + self.limit.window + PACE_MARGIN)
        };
        let all = full(&self.sent, self.limit.frames.max(1));
        if kind == FrameKind::Keepalive {
            return all;
        }
        let spaced = self.last_request.map(|last| last + self.spacing());
        all.max(full(&self.requests, self.most_requests())).max(spaced)
    }

    /// Most requests in a window.
    fn most_requests(&self) -> usize {
        self.limit.frames.saturating_sub(PACE_KEEPALIVE_FRAMES).max(1)
    }

    /// Whether a frame of that kind may be sent now.
    pub(super) fn is_ready(&self, kind: FrameKind, now: Instant) -> bool {
        self.ready(kind).is_none_or(|at| at <= now)
    }

    /// A frame was sent, and the send has ended.
    pub(super) fn sent(&mut self, kind: FrameKind, now: Instant) {
        push(&mut self.sent, self.limit.frames + 1, now);
        let in_window = self.sent.iter().rev().take_while(|at| now < **at + self.limit.window).count();
        self.counts = (self.counts.0 + 1, self.counts.1.max(in_window));
        if kind == FrameKind::Request {
            let most = self.most_requests();
            push(&mut self.requests, most, now);
            self.last_request = Some(now);
            if self.changed.is_some_and(|changed| now >= changed + PACE_RECOVERS_AFTER) {
                self.doubled = self.doubled.saturating_sub(1);
                self.changed = (self.doubled > 0).then_some(now);
            }
        }
    }

    /// How many frames were sent, and most of them within one window of the venue's limit.
    pub(super) const fn counts(&self) -> (u64, usize) {
        self.counts
    }

    /// The venue has refused the rate: halves it.
    pub(super) fn slow_down(&mut self, now: Instant) {
        self.doubled = (self.doubled + 1).min(PACE_SLOWEST);
        self.changed = Some(now);
        self.last_request = Some(now);
    }

    fn spacing(&self) -> Duration {
        if self.doubled == 0 {
            return self.limit.spacing;
        }
        let frames = u32::try_from(self.limit.frames).unwrap_or(u32::MAX).max(1);
        self.limit.spacing.max(self.limit.window / frames) * (1 << self.doubled)
    }
}

fn push(sent: &mut VecDeque<Instant>, most: usize, now: Instant) {
    if sent.len() >= most {
        sent.pop_front();
    }
    sent.push_back(now);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{dialect::Venue, limits::KRAKEN_FRAMES_PER_SECOND};

    proptest! {
        #[test]
        fn no_window_ever_has_more_frames_than_the_venue_takes(
            frames in proptest::collection::vec((any::<bool>(), 0_u64..700, 0_u64..200), 1..80),
        ) {
            for venue in Venue::ALL {
                let limit = venue.frame_limit();
                let mut pacer = RequestPacer::new(limit);
                let (mut now, mut arrived, mut requests) = (Instant::now(), Vec::new(), Vec::new());
                for (is_request, wait, took) in &frames {
                    let kind = if *is_request { FrameKind::Request } else { FrameKind::Keepalive };
                    now += Duration::from_millis(*wait);
                    now = pacer.ready(kind).map_or(now, |at| now.max(at));
                    prop_assert!(pacer.is_ready(kind, now));
                    // It takes its time, and arrives at any moment of it or a little later.
                    now += Duration::from_millis(*took);
                    pacer.sent(kind, now);
                    arrived.push(now - Duration::from_millis(took % 100));
                    if *is_request {
                        requests.push(now);
                    }
                }
                arrived.sort_unstable();
                for some in arrived.windows(limit.frames + 1) {
                    prop_assert!(some[limit.frames] - some[0] > limit.window, "{venue:?}");
                }
                for pair in requests.windows(2) {
                    prop_assert!(pair[1] - pair[0] >= limit.spacing);
                }
                let (sent, most) = pacer.counts();
                prop_assert_eq!(sent, frames.len() as u64);
                prop_assert!((1..=limit.frames).contains(&most), "{:?}: {}", venue, most);
            }
        }
    }

    #[test]
    fn a_ping_is_answered_while_requests_wait() {
        let mut pacer = RequestPacer::new(FrameLimit {
            frames: 5,
            window: Duration::from_secs(1),
            spacing: Duration::ZERO,
        });
        let now = Instant::now();
        for _ in 0..3 {
            assert!(pacer.is_ready(FrameKind::Request, now));
            pacer.sent(FrameKind::Request, now);
        }
        assert!(!pacer.is_ready(FrameKind::Request, now) && pacer.is_ready(FrameKind::Keepalive, now));
        pacer.sent(FrameKind::Keepalive, now);
        pacer.sent(FrameKind::Keepalive, now);
        let next = pacer.ready(FrameKind::Keepalive).unwrap();
        assert_eq!(
            next,
            now + Duration::from_secs(1) + PACE_MARGIN,
            "even a ping waits when the window is full"
        );
    }

    #[test]
    fn pings_that_come_often_do_not_starve_requests() {
        let mut pacer = RequestPacer::new(Venue::Binance.frame_limit());
        let (start, mut sent) = (Instant::now(), 0);
        for ms in (0..10_000).step_by(10) {
            let now = start + Duration::from_millis(ms);
            if ms % 330 == 0 && pacer.is_ready(FrameKind::Keepalive, now) {
                pacer.sent(FrameKind::Keepalive, now);
            }
            if pacer.is_ready(FrameKind::Request, now) {
                pacer.sent(FrameKind::Request, now);
                sent += 1;
            }
        }
        assert!(sent >= 8, "{sent}");
    }

    #[test]
    fn a_refused_pace_is_halved_and_recovers() {
        let mut pacer = RequestPacer::new(Venue::Kraken.frame_limit());
        let mut now = Instant::now();
        let step = Duration::from_secs(1) / KRAKEN_FRAMES_PER_SECOND;
        pacer.slow_down(now);
        assert_eq!(pacer.ready(FrameKind::Request), Some(now + 2 * step));
        pacer.slow_down(now);
        assert_eq!(pacer.ready(FrameKind::Request), Some(now + 4 * step));
        (0..40).for_each(|_| pacer.slow_down(now));
        assert_eq!(pacer.ready(FrameKind::Request), Some(now + step * (1 << PACE_SLOWEST)));
        for _ in 0..=PACE_SLOWEST {
            now += PACE_RECOVERS_AFTER;
            pacer.sent(FrameKind::Request, now);
        }
        assert_eq!(pacer.ready(FrameKind::Request), Some(now), "as fast as in the beginning");
    }
}
