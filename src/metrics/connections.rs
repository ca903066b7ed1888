//! The families of connections, whatever they carry.

use prometheus::{IntCounterVec, Opts, Registry};

/// Why the gateway ended a connection that carries no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedConnection {
    /// A request's head took too long.
    HeadTimeout,
    /// A request's body did.
    BodyTimeout,
    /// The client took nothing of an answer.
    Stalled,
}

impl ClosedConnection {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::HeadTimeout, Self::BodyTimeout, Self::Stalled];

    /// The name as a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeadTimeout => "head_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::Stalled => "stalled",
        }
    }
}

/// All of them.
#[derive(Debug, Clone)]
pub struct ConnectionMetrics {
    closed: IntCounterVec,
}

impl ConnectionMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let counters = |name: &str, help: &str, reasons: &[&str]| {
            let family = IntCounterVec::new(Opts::new(name, help), &["reason"]);
            let family = family.expect("the name and label are valid");
            registry.register(Box::new(family.clone())).expect("the name is used once");
            for reason in reasons {
                family.with_label_values(&[reason]);
            }
            family
        };
        Self {
            closed: counters(
                "tickcast_connections_closed_total",
                "Connections without a session that the gateway ended, by reason.",
                &ClosedConnection::ALL.map(ClosedConnection::as_str),
            ),
        }
    }

    /// A connection was ended.
    pub fn closed(&self, reason: ClosedConnection) {
        self.closed.with_label_values(&[reason.as_str()]).inc();
    }
}
