//! The way to a venue one question at a time, for `tickcast doctor`: what [`connect`](super::connect) does in one go.

use std::{io, net::SocketAddr, time::Duration};

use super::{Address, ConnectError, Journey, Network, open};
use crate::clock::Instant;

/// Which way a connection to an address takes.
#[derive(Debug, Clone)]
pub(in crate::feed::upstream) struct NextHop {
    /// The proxy as it may be shown, if there is one.
    pub(in crate::feed::upstream) proxy: Option<String>,
    /// Who decided that.
    pub(in crate::feed::upstream) why: String,
    /// To whom the TCP connection goes: the proxy, or the venue itself.
    pub(in crate::feed::upstream) host: String,
    pub(in crate::feed::upstream) port: u16,
}

impl Network {
    /// The way to an address.
    ///
    /// # Errors
    /// A variable that says something which cannot be a proxy.
    pub(in crate::feed::upstream) fn way(&self, address: &Address) -> Result<NextHop, String> {
        let route = self.routing.of(address)?;
        let (host, port) = match route.proxy {
            Some(proxy) => (proxy.host.clone(), proxy.port),
            None => (address.host().to_owned(), address.port),
        };
        Ok(NextHop { proxy: route.proxy.map(ToString::to_string), why: route.why, host, port })
    }

    /// The addresses to which the TCP connection may go, in the order in which they are tried.
    ///
    /// # Errors
    /// The name means nothing.
    pub(in crate::feed::upstream) async fn look_up(
        &self,
        way: &NextHop,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        self.resolver.resolve(&way.host, way.port, &Journey::default(), way.proxy.is_some()).await
    }
}

/// How long a TCP connection to that address takes.
///
/// # Errors
/// Why there is none.
pub(in crate::feed::upstream) async fn knock(address: SocketAddr) -> io::Result<Duration> {
    let began = Instant::now();
    open(address).await?;
    Ok(began.elapsed())
}
