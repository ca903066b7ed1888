//! Heartbeat: when to ping, when to say `hb`, when a client counts as slow or dead.

use std::time::Duration;

use super::{CloseReason, SessionConfig};
use crate::clock::Instant;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Send a ping frame.
    Ping,
    /// Send an `hb` message.
    Heartbeat,
    /// Evict.
    Evict(CloseReason),
}

/// Times of the last signs of life, both ways.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Liveness {
    said: Instant,
    heard: Instant,
    pinged: Instant,
    /// When the unanswered ping was sent.
    waiting: Option<Instant>,
    rtt: Option<Duration>,
}

impl Liveness {
    pub(super) const fn new(now: Instant) -> Self {
        Self { heard: now, said: now, pinged: now, waiting: None, rtt: None }
    }

    /// Bytes came from the client.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// A data frame went to the client.
    pub(super) const fn said(&mut self, now: Instant) {
        self.said = now;
    }

    /// The gateway was held up for `late`: the client is as silent as it was before.
    pub(super) fn excuse(&mut self, late: Duration, now: Instant) {
        self.heard = (self.heard + late).min(now);
        self.waiting = self.waiting.map(|sent| (sent + late).min(now));
    }

    /// A pong came.
    pub(super) fn ponged(&mut self, now: Instant) {
        if let Some(sent) = self.waiting.take() {
            self.rtt = Some(now - sent);
        }
    }

    /// Last measured round trip.
    pub(super) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// What is due now where nothing is heard from the client: its connection is watched over from below, and a ping is
    /// due after that much silence of the gateway.
    pub(super) fn due_one_way(
        &mut self,
        now: Instant,
        quiet: Duration,
        config: &SessionConfig,
        blocked_since: Option<Instant>,
    ) -> Option<Due> {
        if blocked_since.is_some_and(|since| now - since >= config.stall_timeout) {
            return Some(Due::Evict(CloseReason::Slow));
        }
        if now - self.said >= quiet {
            self.said = now;
            return Some(Due::Ping);
        }
        None
    }

    /// What is due now; the caller does it, and it is not due again before its interval has passed.
    pub(super) fn due(
        &mut self,
        now: Instant,
        config: &SessionConfig,
        blocked_since: Option<Instant>,
    ) -> Option<Due> {
        if blocked_since.is_some_and(|since| now - since >= config.stall_timeout) {
            return Some(Due::Evict(CloseReason::Slow));
        }
        if now - self.heard >= config.ping + config.pong_timeout {
            return Some(Due::Evict(CloseReason::NoPong));
        }
        if now - self.pinged >= config.ping {
            self.pinged = now;
            self.waiting = Some(now);
            return Some(Due::Ping);
        }
        if now - self.said >= config.heartbeat {
            self.said = now;
            return Some(Due::Heartbeat);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_quiet_healthy_session_gets_heartbeats_and_pings_only() {
        let config = SessionConfig::default();
        let start = Instant::now();
        let mut live = Liveness::new(start);
        let mut seen = Vec::new();
        for second in 1..=60_u32 {
            let now = start + SECOND * second;
            match live.due(now, &config, None) {
                Some(Due::Ping) => {
                    seen.push((second, 'p'));
                    live.heard(now + SECOND / 10);
                    live.ponged(now + SECOND / 10);
                }
                Some(Due::Heartbeat) => seen.push((second, 'h')),
                Some(Due::Evict(why)) => panic!("{why:?} at {second}"),
                None => {}
            }
        }
        assert_eq!(live.rtt(), Some(SECOND / 10));
        assert_eq!(
            seen.iter().filter(|(_, what)| *what == 'p').map(|(s, _)| *s).collect::<Vec<_>>(),
            [20, 40, 60]
        );
        assert!(seen.iter().filter(|(_, what)| *what == 'h').count() >= 9, "{seen:?}");
    }

    #[test]
    fn mute_is_dead_and_blocked_is_slow() {
        let config = SessionConfig::default();
        let start = Instant::now();
        let mut live = Liveness::new(start);
        let nearly = start + config.ping + config.pong_timeout - SECOND / 100;
        assert!(!matches!(live.due(nearly, &config, None), Some(Due::Evict(_))));
        let dead = start + config.ping + config.pong_timeout;
        assert_eq!(live.due(dead, &config, None), Some(Due::Evict(CloseReason::NoPong)));
        let mut live = Liveness::new(start);
        let now = start + config.stall_timeout;
        assert_eq!(live.due(now, &config, Some(start)), Some(Due::Evict(CloseReason::Slow)));
        assert_eq!(live.due(now - SECOND / 100, &config, Some(start)), Some(Due::Heartbeat));
    }
}
