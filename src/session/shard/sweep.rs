//! What a shard does by the clock: heartbeats, evictions, goodbyes.

use std::time::Duration;

use super::{Shard, late::Sweeps};
use crate::{
    clock::Instant,
    dialect::{Reply, talk::Heartbeat},
    limits::SSE_COMMENT,
    market::UnixMicros,
    session::{CloseReason, Framing, SessionConfig, liveness::Due, outbox::Wire, state::Session},
};

/// How often a draining shard looks whose turn it is.
const DRAIN_SWEEP: Duration = Duration::from_millis(10);

/// Bounds of the interval between two sweeps over all sessions.
const SWEEP: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// A quarter of the shortest time that a sweep watches over.
pub(super) fn sweep_interval(config: &SessionConfig) -> Duration {
    let shortest = [config.ping, config.pong_timeout, config.heartbeat, config.stall_timeout]
        .into_iter()
        .min()
        .unwrap_or_default();
    (shortest / 4).clamp(SWEEP.0, SWEEP.1)
}

impl Shard {
    /// Looks after every session once. A sweep that was late itself judges no session: what has arrived is read first.
    pub(super) fn sweep(&mut self) {
        let now = self.hub.instant();
        let judges = self.begin_sweep(now);
        let time = self.hub.clock().now();
        let mut waiting = 0;
        let (mut evicted, mut said) = (Vec::new(), Vec::new());
        for (index, session) in self.sessions.iter_mut() {
            waiting += session.outbox.stream.bytes();
            match look_after(session, &self.config, (now, judges), time) {
                Some(SweepAction::Evict(reason)) => evicted.push((index, reason)),
                Some(SweepAction::Overdue) => session.transport.cut(),
                Some(SweepAction::Said) => said.push(index),
                None => {}
            }
        }
        said.into_iter().for_each(|index| self.sessions.mark(index));
        for (index, reason) in evicted {
            self.close(self.sessions.key(index), reason, now);
        }
        self.metrics.waiting(waiting);
        self.follow_new_topics();
        self.metrics.flush();
        self.metrics.notices(now);
        self.wake_dirty();
    }

    /// Gives every session its time to leave within the window. Returns how often to sweep from now on.
    pub(super) fn start_drain(&mut self, window: Duration) -> Duration {
        let now = self.hub.instant();
        self.sweeps = Sweeps::new(now, DRAIN_SWEEP);
        let count = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX).max(1);
        for (place, (_, session)) in self.sessions.iter_mut().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            session.leaves_at = Some(now + window / count * place);
        }
        DRAIN_SWEEP
    }
}

/// What a look at one session came to.
enum SweepAction {
    /// Something was put into its outbox.
    Said,
    /// It must go.
    Evict(CloseReason),
    /// It was told to go and did not.
    Overdue,
}

/// Silent and slow clients are told to go, if that may be judged now.
fn look_after(
    session: &mut Session,
    config: &SessionConfig,
    (now, judges): (Instant, bool),
    time: UnixMicros,
) -> Option<SweepAction> {
    if let Some(closing) = &session.closing {
        return (judges && now >= closing.deadline).then_some(SweepAction::Overdue);
    }
    if session.leaves_at.is_some_and(|at| now >= at) {
        return Some(SweepAction::Evict(CloseReason::Draining));
    }
    if session.outbox.is_overflowing(config, session.statuses) {
        return Some(SweepAction::Evict(CloseReason::Overloaded));
    }
    let blocked = session.transport.blocked_since();
    let due = match session.framing {
        Framing::WebSocket(_) => session.liveness.due(now, config, blocked)?,
        Framing::Sse => session.liveness.due_one_way(now, SSE_COMMENT, config, blocked)?,
        // Its end is at hand.
        Framing::Poll => return None,
    };
    match due {
        Due::Evict(reason) => return judges.then_some(SweepAction::Evict(reason)),
        Due::Ping if session.framing == Framing::Sse => session.outbox.cold().wire.push_back(Wire::Comment),
        Due::Ping => session.outbox.cold().wire.push_back(Wire::Ping),
        Due::Heartbeat => session.say(&Reply::Heartbeat(Heartbeat { time })),
    }
    Some(SweepAction::Said)
}
