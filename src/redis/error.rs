//! Why there is no connection, or no answer on it.

use std::{io::ErrorKind, time::Duration};

/// What is wrong with a [`super::ServerDefinition`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct ServerError {
    /// The key: `url`, `sentinels[1]`, `password_file`.
    pub key: String,
    /// What was found and what was expected.
    pub why: String,
}

impl ServerError {
    pub(super) fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self { key: key.into(), why: why.into() }
    }
}

/// Why a connection could not be made, or broke.
///
/// After any of them but [`LinkError::Refused`] the link is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No connection to the address.
    #[error("cannot connect to {to}: {why}")]
    Connect {
        /// The address.
        to: String,
        /// What the system says.
        why: String,
    },
    /// The connection did not stand in time.
    #[error("cannot connect to {to}: not done within {} ms", .after.as_millis())]
    ConnectTimeout {
        /// The address.
        to: String,
        /// The whole time.
        after: Duration,
    },
    /// No encryption that can be believed.
    #[error("TLS with {to}: {why}")]
    Tls {
        /// The address.
        to: String,
        /// What is wrong.
        why: String,
    },
    /// The password's file cannot be read.
    #[error("{0}")]
    Password(String),
    /// No sentinel knows a master, or what they know of is none.
    #[error("{0}")]
    NoMaster(String),
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// Redis answered with an error. The link is in step and can be used further.
    #[error("refused: {code} {text}")]
    Refused {
        /// The first word: `NOAUTH`, `READONLY`, `ERR`.
        code: String,
        /// The rest.
        text: String,
    },
    /// The connection is closed, by Redis or the way to it.
    #[error("the connection was closed")]
    Closed,
    /// The connection failed.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// An answer is longer than it may be.
    #[error("too long: {0}")]
    Oversize(String),
    /// What came is not what Redis says.
    #[error("not understood: {0}")]
    Protocol(String),
}

impl LinkError {
    /// Everything that [`LinkError::kind`] can say, for metrics that are zero from the start.
    pub const KINDS: [&'static str; 19] = [
        "auth",
        "broken",
        "closed",
        "connect",
        "connect_timeout",
        "loading",
        "masterdown",
        "misconf",
        "no_master",
        "noperm",
        "oom",
        "oversize",
        "password",
        "protocol",
        "readonly",
        "refused",
        "timeout",
        "tls",
        "wrongtype",
    ];

    /// The kind as a metric label.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::ConnectTimeout { .. } => "connect_timeout",
            Self::Tls { .. } => "tls",
            Self::Password(_) => "password",
            Self::NoMaster(_) => "no_master",
            Self::Timeout(_) => "timeout",
            Self::Closed => "closed",
            Self::Broken(_) => "broken",
            Self::Oversize(_) => "oversize",
            Self::Protocol(_) => "protocol",
            Self::Refused { code, .. } => match code.as_str() {
                "NOAUTH" | "WRONGPASS" => "auth",
                "NOPERM" => "noperm",
                "READONLY" => "readonly",
                "OOM" => "oom",
                "LOADING" => "loading",
                "MASTERDOWN" => "masterdown",
                "MISCONF" => "misconf",
                "WRONGTYPE" => "wrongtype",
                _ => "refused",
            },
        }
    }

    /// Whether Redis itself said no to what was asked, with this word first.
    #[must_use]
    pub fn is_refused(&self, with: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == with)
    }

    /// Whether another attempt soon cannot help: an operator has to change something first.
    #[must_use]
    pub fn wants_peace(&self) -> bool {
        matches!(self.kind(), "auth" | "noperm" | "password" | "wrongtype")
    }
}

impl From<std::io::Error> for LinkError {
    fn from(why: std::io::Error) -> Self {
        let closes = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        if closes.contains(&why.kind()) { Self::Closed } else { Self::Broken(why.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_list_that_metrics_start_with() {
        let refused = |code: &str| LinkError::Refused { code: code.into(), text: String::new() };
        let text = String::new;
        let all = [
            LinkError::Connect { to: text(), why: text() },
            LinkError::ConnectTimeout { to: text(), after: Duration::ZERO },
            LinkError::Tls { to: text(), why: text() },
            LinkError::Password(text()),
            LinkError::NoMaster(text()),
            LinkError::Timeout(Duration::ZERO),
            LinkError::Closed,
            LinkError::Broken(text()),
            LinkError::Oversize(text()),
            LinkError::Protocol(text()),
            refused("NOAUTH"),
            refused("NOPERM"),
            refused("READONLY"),
            refused("OOM"),
            refused("LOADING"),
            refused("MASTERDOWN"),
            refused("MISCONF"),
            refused("WRONGTYPE"),
            refused("ERR"),
        ];
        let mut kinds: Vec<_> = all.iter().map(LinkError::kind).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, LinkError::KINDS);
    }
}
