//! Why a connection to a venue ended.

use std::fmt;

use tokio_tungstenite::tungstenite::http::StatusCode;

/// A connection that was lost or given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {what}")]
pub struct Break {
    /// The kind, a metric label.
    pub reason: Reason,
    /// What exactly.
    pub what: String,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It could not be made: no route, refused, no such host, TLS, or an answer that is no WebSocket handshake.
    Connect,
    /// It was not made in time.
    ConnectTimeout,
    /// The proxy does not let us through, or does not answer.
    Proxy,
    /// The proxy asks who we are, or does not believe it.
    ProxyAuth,
    /// The venue does not accept the credentials.
    Auth,
    /// The venue does not let this address in: it may not be used from here, or something before it refuses us.
    Blocked,
    /// The venue says that there are too many requests or connections.
    RateLimited,
    /// The venue said goodbye.
    Closed,
    /// It ended without a goodbye.
    Dropped,
    /// Nothing came for too long.
    Silent,
    /// The venue did not answer a request in time.
    Unanswered,
    /// The venue did not take a request in time.
    Stuck,
    /// A message was larger than the limit.
    Oversize,
    /// What came was no WebSocket.
    Protocol,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Connect,
        Self::ConnectTimeout,
        Self::Proxy,
        Self::ProxyAuth,
        Self::Auth,
        Self::Blocked,
        Self::RateLimited,
        Self::Closed,
        Self::Dropped,
        Self::Silent,
        Self::Unanswered,
        Self::Stuck,
        Self::Oversize,
        Self::Protocol,
    ];

    /// As a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Proxy => "proxy",
            Self::ProxyAuth => "proxy_auth",
            Self::Auth => "auth",
            Self::Blocked => "blocked",
            Self::RateLimited => "rate_limited",
            Self::Closed => "closed",
            Self::Dropped => "dropped",
            Self::Silent => "silent",
            Self::Unanswered => "unanswered",
            Self::Stuck => "stuck",
            Self::Oversize => "oversize",
            Self::Protocol => "protocol",
        }
    }

    /// Whether the venue has said that it wants to be left alone for a while; or a proxy, where accounts are locked that are tried
    /// too often with a wrong password.
    #[must_use]
    pub const fn wants_peace(self) -> bool {
        matches!(self, Self::ProxyAuth | Self::Auth | Self::Blocked | Self::RateLimited)
    }

    /// Whether another address of the venue may be better.
    #[must_use]
    pub const fn is_about_the_way(self) -> bool {
        matches!(self, Self::Connect | Self::ConnectTimeout | Self::Proxy | Self::Blocked)
    }

    /// A break for this reason.
    #[must_use]
    pub fn because(self, what: impl fmt::Display) -> Break {
        Break { reason: self, what: what.to_string() }
    }
}

/// A status as people know it: `HTTP 429 Too Many Requests`.
pub(super) fn status_name(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match known {
        // Its own name is a joke.
        _ if status == 418 => "HTTP 418, by which Binance bans an address".into(),
        Some(name) => format!("HTTP {status} {name}"),
        None => format!("HTTP {status}"),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
