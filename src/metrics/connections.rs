//! The families of connections, whatever they carry.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// Why the gateway ended a connection that carries no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedConnection {
    /// A request's head took too long.
    HeadTimeout,
    /// A request's body did.
    BodyTimeout,
    /// The client took nothing of an answer.
    Stalled,
    /// It was to make room for another one.
    GaveWay,
}

/// Why a connection was closed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedConnection {
    /// Too many of one address in a second.
    Rate,
    /// Too many of one address that have completed neither a handshake nor a request.
    Unproven,
    /// Too many of one address.
    Address,
    /// Too many in all, and none of another address has more.
    Full,
}

impl RefusedConnection {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Rate, Self::Unproven, Self::Address, Self::Full];

    /// The name as a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Unproven => "unproven",
            Self::Address => "connections_per_ip",
            Self::Full => "full",
        }
    }
}

impl ClosedConnection {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::HeadTimeout, Self::BodyTimeout, Self::Stalled, Self::GaveWay];

    /// The name as a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeadTimeout => "head_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::Stalled => "stalled",
            Self::GaveWay => "gave_way",
        }
    }
}

/// All of them.
#[derive(Debug, Clone)]
pub struct ConnectionMetrics {
    plain: IntGauge,
    bodies: IntGauge,
    refused: IntCounterVec,
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
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect("the name is valid");
            registry.register(Box::new(gauge.clone())).expect("the name is used once");
            gauge
        };
        Self {
            plain: gauge("tickcast_plain_connections", "Connections that carry no session."),
            bodies: gauge("tickcast_bodies_bytes", "Memory for request bodies that are being read."),
            refused: counters(
                "tickcast_connections_refused_total",
                "Connections that were closed as soon as they came, by reason.",
                &RefusedConnection::ALL.map(RefusedConnection::as_str),
            ),
            closed: counters(
                "tickcast_connections_closed_total",
                "Connections without a session that the gateway ended, by reason.",
                &ClosedConnection::ALL.map(ClosedConnection::as_str),
            ),
        }
    }

    /// How many connections carry no session.
    pub fn plain(&self, count: usize) {
        self.plain.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How much memory is held for bodies of requests, in bytes.
    pub fn bodies(&self, bytes: usize) {
        self.bodies.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A connection was closed as soon as it came.
    pub fn refused(&self, reason: RefusedConnection) {
        self.refused.with_label_values(&[reason.as_str()]).inc();
    }

    /// A connection was ended.
    pub fn closed(&self, reason: ClosedConnection) {
        self.closed.with_label_values(&[reason.as_str()]).inc();
    }
}
