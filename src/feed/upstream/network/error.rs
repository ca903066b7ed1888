//! Why no connection was made.

use std::{fmt::Display, net::SocketAddr};

use super::{listed, proxy::Proxy};

/// Why no connection was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The host's name means nothing.
    #[error("{host} cannot be resolved: {why}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        why: String,
    },
    /// None of the host's addresses answers.
    #[error("{host} cannot be reached: {tried}")]
    Unreachable {
        /// The host.
        host: String,
        /// Every address, with the reason.
        tried: String,
    },
    /// The proxy does not let us through.
    #[error("{0}")]
    Proxy(#[from] ProxyError),
    /// No encryption that can be believed.
    #[error("TLS with {host}: {why}")]
    Tls {
        /// The host.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// It took too long.
    #[error("{doing}: not done within {after_ms} ms{failed}")]
    Late {
        /// What was under way.
        doing: String,
        /// What had failed by then, or nothing.
        failed: String,
        /// The whole time, in milliseconds.
        after_ms: u128,
        /// Whether it was the proxy's turn.
        is_proxy: bool,
    },
}

impl ConnectError {
    /// Whether the fault is the proxy's and not the venue's.
    #[must_use]
    pub const fn is_proxy(&self) -> bool {
        matches!(self, Self::Proxy(_) | Self::Late { is_proxy: true, .. })
    }
}

/// Why a proxy does not let us through. Names the proxy, and never what we are known by there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the proxy {proxy} {what}")]
pub struct ProxyError {
    proxy: String,
    what: String,
    /// Whether it is about who we are.
    pub is_about_credentials: bool,
}

impl ProxyError {
    pub(super) fn new(proxy: impl Display, what: impl Display) -> Self {
        Self { proxy: proxy.to_string(), what: what.to_string(), is_about_credentials: false }
    }

    pub(super) fn unreachable(proxy: &Proxy, why: impl Display) -> Self {
        Self::new(proxy, format!("cannot be used: {why}"))
    }

    /// It asks who we are, or does not believe it.
    pub(super) fn credentials(proxy: &Proxy, said: &str) -> Self {
        let what = if proxy.credentials.is_some() {
            format!(
                "does not accept the credentials ({said}): look at proxy_credentials_file, or at the variable"
            )
        } else {
            format!("asks for credentials ({said}): name a file with user:password in proxy_credentials_file")
        };
        Self { is_about_credentials: true, ..Self::new(proxy, what) }
    }

    /// It ends the connection, or says something that cannot be understood.
    pub(super) fn garbled(proxy: &Proxy, what: impl Display) -> Self {
        Self::new(proxy, format!("{what}; is it a proxy of that kind, at that port?"))
    }

    /// An attempt over the proxy that came no further than to it.
    pub(super) fn from_connect(error: ConnectError) -> Self {
        match error {
            ConnectError::Proxy(why) => why,
            other @ (ConnectError::Resolve { .. }
            | ConnectError::Unreachable { .. }
            | ConnectError::Tls { .. }
            | ConnectError::Late { .. }) => Self::new("itself", other),
        }
    }

    /// It let none of several addresses through.
    pub(super) fn of_all(proxy: &Proxy, tried: Vec<(SocketAddr, Self)>) -> Self {
        let is_about_credentials = tried.iter().any(|(_, why)| why.is_about_credentials);
        let whys: Vec<_> = tried.into_iter().map(|(address, why)| (address, why.what)).collect();
        Self { is_about_credentials, ..Self::new(proxy, format!("gives no connection to {}", listed(&whys))) }
    }
}
