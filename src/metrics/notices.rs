//! Refusals and closes as log lines: one line for each reason, at a limited rate, with a count and one example.
//!
//! The first of a reason is logged at once. Those of the next [`NOTICE_INTERVAL`] are counted, and one more line tells how
//! many there were. A flood costs a lock and an addition each, and a line every interval. Memory is one entry for each
//! kind and reason, and reasons are texts of the program: what clients send is never a key.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

use super::{ClosedConnection, Metrics, RefusedConnection};
use crate::{clock::Instant, limits::NOTICE_INTERVAL};

/// Why a connection does not become a session: every value of the label, present with 0 from the start.
pub const SESSION_REFUSALS: &[&str] = &[
    "draining",
    "starting",
    "host",
    "origin",
    "parameter",
    "handshake",
    "connections",
    "connections_per_ip",
];

/// Why a plain HTTP request is not carried out although it could be: for a limit, or for who asks. Every value of the label,
/// present with 0 from the start.
pub const REQUEST_REFUSALS: &[&str] = &[
    "draining",
    "starting",
    "host",
    "origin",
    "remote",
    "congested",
    "inbox_full",
    "unreachable",
    "unconfirmed",
    "body_type",
    "body_encoding",
    "body_size",
    "budget",
    "body_timeout",
    "bodies",
    "bodies_per_ip",
];

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// A connection was closed as soon as it came.
    ConnectionRefused,
    /// The gateway closed a connection without a session.
    ConnectionClosed,
    /// A connection did not become a session.
    SessionRefused,
    /// A plain HTTP request was not carried out, for a limit or for who asked.
    RequestRefused,
    /// A command of a session was not carried out, for a limit.
    CommandRefused,
    /// The gateway closed a session.
    SessionClosed,
}

/// Whom it happened to, as far as that is known.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The session's name, as the client was told it.
    pub session: Option<String>,
    /// How many subscriptions the session had.
    pub subscriptions: Option<usize>,
}

impl From<Option<IpAddr>> for Subject {
    fn from(address: Option<IpAddr>) -> Self {
        Self { address, ..Self::default() }
    }
}

/// One line for the log.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    notice: Notice,
    reason: &'static str,
    /// How many since the line before.
    count: u64,
    example: Subject,
}

#[derive(Debug)]
struct Entry {
    /// Since the last line.
    count: u64,
    example: Subject,
    /// No line before this.
    next: Instant,
}

/// All that happened lately.
#[derive(Debug, Default)]
pub struct Notices {
    entries: Mutex<BTreeMap<(Notice, &'static str), Entry>>,
    /// Whether something was counted that no line has told yet.
    waiting: AtomicBool,
}

impl Notices {
    /// Notes one. `subject` is called only when it becomes the example.
    pub fn note(&self, notice: Notice, reason: &'static str, subject: impl FnOnce() -> Subject) {
        if let Some(line) = self.counted(notice, reason, subject, Instant::now()) {
            line.log();
        }
    }

    fn counted(
        &self,
        notice: Notice,
        reason: &'static str,
        subject: impl FnOnce() -> Subject,
        now: Instant,
    ) -> Option<Line> {
        let mut entries = self.entries.lock();
        match entries.get_mut(&(notice, reason)) {
            None => {
                let next = now + NOTICE_INTERVAL;
                entries.insert((notice, reason), Entry { count: 0, example: Subject::default(), next });
                Some(Line { notice, reason, count: 1, example: subject() })
            }
            Some(entry) if now >= entry.next => {
                if entry.count == 0 {
                    entry.example = subject();
                }
                entry.count += 1;
                Some(entry.line(notice, reason, now))
            }
            Some(entry) => {
                if entry.count == 0 {
                    entry.example = subject();
                }
                entry.count += 1;
                self.waiting.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// Logs what was counted and is due. To be called about once a second: a burst that is over gets its last line too.
    pub fn flush(&self, now: Instant) {
        if self.waiting.load(Ordering::Relaxed) {
            self.due(|entry| now >= entry.next, now).iter().for_each(Line::log);
        }
    }

    /// Logs everything that was counted, at the end.
    pub fn finish(&self) {
        self.due(|_| true, Instant::now()).iter().for_each(Line::log);
    }

    fn due(&self, is_due: impl Fn(&Entry) -> bool, now: Instant) -> Vec<Line> {
        let mut entries = self.entries.lock();
        let mut lines = Vec::new();
        let mut waiting = false;
        for ((notice, reason), entry) in &mut *entries {
            if entry.count > 0 && is_due(entry) {
                lines.push(entry.line(*notice, reason, now));
            }
            waiting |= entry.count > 0;
        }
        self.waiting.store(waiting, Ordering::Relaxed);
        lines
    }
}

impl Entry {
    fn line(&mut self, notice: Notice, reason: &'static str, now: Instant) -> Line {
        self.next = now + NOTICE_INTERVAL;
        let (count, example) = (std::mem::take(&mut self.count), std::mem::take(&mut self.example));
        Line { notice, reason, count, example }
    }
}

impl Line {
    fn log(&self) {
        let Self { notice, reason, count, example } = self;
        let Subject { address, session, subscriptions } = example;
        let address = address.map(tracing::field::display);
        let what = match notice {
            Notice::ConnectionRefused => "connections refused",
            Notice::ConnectionClosed => "connections closed by the gateway",
            Notice::SessionRefused => "sessions refused",
            Notice::RequestRefused => "requests refused",
            Notice::CommandRefused => "commands refused",
            Notice::SessionClosed => "sessions closed by the gateway",
        };
        tracing::info!(reason, count, address, session, subscriptions, "{what}");
    }
}

impl Metrics {
    /// Counts and tells that a connection did not become a session. `reason` is one of [`SESSION_REFUSALS`].
    pub fn refuse_session(&self, reason: &'static str, address: Option<IpAddr>) {
        debug_assert!(SESSION_REFUSALS.contains(&reason), "{reason:?} is not in SESSION_REFUSALS");
        self.sessions_refused.with_label_values(&[reason]).inc();
        self.notices.note(Notice::SessionRefused, reason, || address.into());
    }

    /// Counts and tells that a plain HTTP request was not carried out. `reason` is one of [`REQUEST_REFUSALS`].
    pub fn refuse_request(&self, reason: &'static str, address: Option<IpAddr>) {
        debug_assert!(REQUEST_REFUSALS.contains(&reason), "{reason:?} is not in REQUEST_REFUSALS");
        self.requests_refused.with_label_values(&[reason]).inc();
        self.notices.note(Notice::RequestRefused, reason, || address.into());
    }

    /// Counts and tells that a connection was closed as soon as it came.
    pub fn refuse_connection(&self, reason: RefusedConnection, address: IpAddr) {
        self.connections.refused(reason);
        self.notices.note(Notice::ConnectionRefused, reason.as_str(), || Some(address).into());
    }

    /// Counts and tells that a connection was ended for another one.
    pub fn yield_connection(&self, address: IpAddr) {
        let reason = ClosedConnection::GaveWay;
        self.connections.closed(reason);
        self.notices.note(Notice::ConnectionClosed, reason.as_str(), || Some(address).into());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn from(last: u8) -> Subject {
        Some(IpAddr::from([192, 0, 2, last])).into()
    }

    #[test]
    fn a_flood_of_refusals_is_two_lines_and_the_last_one_comes_without_another_refusal() {
        let (notices, start) = (Notices::default(), Instant::now());
        let note =
            |last: u8, at: Instant| notices.counted(Notice::SessionRefused, "origin", || from(last), at);
        let line = |count, last| Line {
            notice: Notice::SessionRefused,
            reason: "origin",
            count,
            example: from(last),
        };
        assert_eq!(note(1, start), Some(line(1, 1)), "the first is told at once");
        for last in 2..100 {
            assert_eq!(note(last, start + Duration::from_secs(1)), None);
        }
        let due = |at: Instant| notices.due(|entry| at >= entry.next, at);
        assert_eq!(due(start + Duration::from_secs(2)), []);
        assert!(notices.waiting.load(Ordering::Relaxed));
        assert_eq!(due(start + NOTICE_INTERVAL), [line(98, 2)]);
        assert!(!notices.waiting.load(Ordering::Relaxed), "nothing waits any more");
        assert_eq!(due(start + 3 * NOTICE_INTERVAL), []);
        assert_eq!(note(7, start + 3 * NOTICE_INTERVAL), Some(line(1, 7)));
    }

    #[test]
    fn reasons_do_not_hide_each_other() {
        let (notices, now) = (Notices::default(), Instant::now());
        for (notice, reason) in [
            (Notice::SessionRefused, "origin"),
            (Notice::SessionRefused, "draining"),
            (Notice::RequestRefused, "origin"),
            (Notice::SessionClosed, "slow"),
        ] {
            assert!(notices.counted(notice, reason, Subject::default, now).is_some(), "{notice:?} {reason}");
        }
        assert_eq!(notices.entries.lock().len(), 4);
    }

    #[test]
    fn what_was_counted_is_told_at_the_end() {
        let (notices, now) = (Notices::default(), Instant::now());
        for _ in 0..3 {
            notices.counted(Notice::SessionClosed, "slow", || from(1), now);
        }
        let last = notices.due(|_| true, now);
        assert_eq!(last.iter().map(|line| line.count).sum::<u64>(), 2);
    }
}
