//! A shard's own counts, carried to the shared metrics once a burst: fan-out itself touches no atomic.

use std::{sync::Arc, time::Duration};

use prometheus::{IntCounter, IntGauge};

use crate::{
    clock::Instant,
    dialect::{Code, Encoding, Op},
    market::Channel,
    metrics::{LocalLatency, Metrics, Notice, Subject},
    session::{CloseReason, Framing, subscription::Why},
};

/// Outcomes of commands.
const OUTCOMES: [&str; 2] = [OK, REFUSED];
pub(super) const OK: &str = "ok";
pub(super) const REFUSED: &str = "refused";

/// The `op` of a command that was not looked at, and of one that cannot be read.
pub(super) const ANY_OP: &str = "any";
pub(super) const NO_OP: &str = "none";

/// Counts since the last [`flush`](ShardMetrics::flush), and the handles they go to.
pub(super) struct ShardMetrics {
    metrics: Arc<Metrics>,
    pub(super) delivered: [[u64; Channel::COUNT]; Encoding::COUNT],
    pub(super) merged: [u64; Channel::COUNT],
    pub(super) gapped: [u64; Channel::COUNT],
    pub(super) overloaded: [u64; Channel::COUNT],
    /// Gap messages: those of a stream's own when they are written, the others when they are said or queued.
    pub(super) gaps: [u64; Channel::COUNT],
    pub(super) frames: u64,
    pub(super) bytes: u64,
    latency: LocalLatency,
    to_delivered: [[IntCounter; Channel::COUNT]; Encoding::COUNT],
    to_merged: [IntCounter; Channel::COUNT],
    to_gapped: [IntCounter; Channel::COUNT],
    to_overloaded: [IntCounter; Channel::COUNT],
    to_not_recoverable: [IntCounter; Channel::COUNT],
    to_gaps: [IntCounter; Channel::COUNT],
    subscriptions: [IntGauge; Channel::COUNT],
    sessions: [IntGauge; Framing::COUNT],
    opened: [IntCounter; Framing::COUNT],
    /// What this shard has added to the gauge of waiting bytes.
    outbox_bytes: i64,
}

impl ShardMetrics {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Self {
        // What never happened reads 0 and is not absent, so that `rate` sees the first time.
        for reason in CloseReason::ALL {
            let _at_zero = metrics.sessions_closed(reason.frame().label);
        }
        for op in Op::NAMES {
            let _at_zero = OUTCOMES.map(|outcome| metrics.command(op, outcome));
        }
        for op in [ANY_OP, NO_OP] {
            let _at_zero = metrics.command(op, REFUSED);
        }
        Self {
            delivered: Default::default(),
            merged: Default::default(),
            gapped: Default::default(),
            overloaded: Default::default(),
            gaps: Default::default(),
            frames: 0,
            bytes: 0,
            latency: metrics.write_latency.local(),
            to_delivered: Encoding::ALL.map(|encoding| metrics.delivered(encoding.as_str())),
            to_merged: metrics.merged(),
            to_gapped: Channel::ALL.map(|channel| metrics.gapped(channel, Why::SlowClient.as_str())),
            to_overloaded: Channel::ALL.map(|channel| metrics.gapped(channel, Why::Overload.as_str())),
            to_not_recoverable: Channel::ALL
                .map(|channel| metrics.gapped(channel, Why::NotRecoverable.as_str())),
            to_gaps: metrics.gaps(),
            subscriptions: metrics.subscriptions(),
            sessions: Framing::ROWS
                .map(|(encoding, transport)| metrics.sessions(encoding.as_str(), transport)),
            opened: Framing::ROWS
                .map(|(encoding, transport)| metrics.sessions_opened(encoding.as_str(), transport)),
            outbox_bytes: 0,
            metrics: Arc::clone(metrics),
        }
    }

    /// The oldest event of a frame had that age when it was written, of `times` frames.
    #[inline]
    pub(super) fn latency(&mut self, age: Duration, times: u64) {
        self.latency.observe(age, times);
    }

    pub(super) fn opened(&self, framing: Framing) {
        self.opened[framing.index()].inc();
        self.sessions[framing.index()].inc();
    }

    pub(super) fn left(&self, framing: Framing) {
        self.sessions[framing.index()].dec();
    }

    pub(super) fn closed(&self, reason: CloseReason, subject: impl FnOnce() -> Subject) {
        let label = reason.frame().label;
        self.metrics.sessions_closed(label).inc();
        if reason.is_notable() {
            self.metrics.notices.note(Notice::SessionClosed, label, subject);
        }
    }

    /// A command was refused for a limit.
    pub(super) fn limited(&self, code: Code, subject: impl FnOnce() -> Subject) {
        let reason = match code {
            Code::TooManyCommands => "too_many_commands",
            Code::SymbolLimit => "symbol_limit",
            Code::Syntax
            | Code::AlreadyAuthenticated
            | Code::ConnectionLimit
            | Code::UnknownSymbol
            | Code::UnknownChannel
            | Code::BadParameter => return,
        };
        self.metrics.notices.note(Notice::CommandRefused, reason, subject);
    }

    /// Tells in the log what was counted and is due.
    pub(super) fn notices(&self, now: Instant) {
        self.metrics.notices.flush(now);
    }

    pub(super) fn subscribed(&self, channel: Channel, more: i64) {
        self.subscriptions[channel.index()].add(more);
    }

    pub(super) fn command(&self, op: &str, outcome: &str) {
        self.metrics.command(op, outcome).inc();
    }

    pub(super) fn not_recoverable(&mut self, channel: Channel, events: u64) {
        self.to_not_recoverable[channel.index()].inc_by(events);
        self.gaps[channel.index()] += 1;
    }

    pub(super) fn lapped(&self, skipped: u64) {
        self.metrics.lane_laps.inc();
        self.metrics.lane_skipped.inc_by(skipped);
    }

    /// Bytes that wait in this shard's stream queues now.
    pub(super) fn waiting(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.metrics.outbox_bytes.add(bytes - self.outbox_bytes);
        self.outbox_bytes = bytes;
    }

    /// Carries the counts over.
    pub(super) fn flush(&mut self) {
        for (counts, to) in self.delivered.iter_mut().zip(&self.to_delivered) {
            carry(counts, to);
        }
        carry(&mut self.merged, &self.to_merged);
        carry(&mut self.gapped, &self.to_gapped);
        carry(&mut self.overloaded, &self.to_overloaded);
        carry(&mut self.gaps, &self.to_gaps);
        self.metrics.frames.inc_by(std::mem::take(&mut self.frames));
        self.metrics.sent_bytes.inc_by(std::mem::take(&mut self.bytes));
        self.latency.flush();
    }
}

fn carry(counts: &mut [u64; Channel::COUNT], to: &[IntCounter; Channel::COUNT]) {
    for (count, to) in counts.iter_mut().zip(to) {
        if *count > 0 {
            to.inc_by(std::mem::take(count));
        }
    }
}
