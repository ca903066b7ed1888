//! Names to addresses: what the definition pins, else what the system says.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use tokio::net::lookup_host;

use super::{
    error::ConnectError,
    eyeballs::in_turn,
    journey::{Journey, Stage},
};

/// How names are resolved.
#[derive(Debug, Default)]
pub(in crate::feed::upstream) struct Resolver {
    /// The addresses of hosts that are not asked for.
    pinned: BTreeMap<String, Vec<IpAddr>>,
}

impl Resolver {
    /// With pinned addresses of some hosts, at least one of each.
    pub(in crate::feed::upstream) const fn new(pinned: BTreeMap<String, Vec<IpAddr>>) -> Self {
        Self { pinned }
    }

    fn pinned(&self, host: &str) -> Option<&Vec<IpAddr>> {
        self.pinned.iter().find(|(name, _)| name.eq_ignore_ascii_case(host)).map(|(_, addresses)| addresses)
    }

    /// A pinned host that is none of these.
    pub(in crate::feed::upstream) fn foreign<'a>(&'a self, hosts: &[&str]) -> Option<&'a str> {
        let is_known = |name: &str| hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
        self.pinned.keys().map(String::as_str).find(|name| !is_known(name))
    }

    /// The addresses of a host, in the order in which they are tried; at least one.
    ///
    /// # Cancel safety
    /// The system's own look-up goes on in the background until it has an answer.
    pub(super) async fn resolve(
        &self,
        host: &str,
        port: u16,
        journey: &Journey,
        is_proxy: bool,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let step = journey.begin(Stage::Resolve, format!("resolve {host}"), is_proxy);
        let found = match self.pinned(host) {
            Some(pinned) => Ok(pinned.iter().map(|address| SocketAddr::new(*address, port)).collect()),
            None => lookup_host((host, port)).await.map(Iterator::collect::<Vec<_>>),
        };
        let addresses = match found {
            Ok(found) => in_turn(found),
            Err(why) => {
                return Err(ConnectError::Resolve { host: host.into(), why: step.failed(&why) });
            }
        };
        if addresses.is_empty() {
            let why = step.failed(&"the answer is empty");
            return Err(ConnectError::Resolve { host: host.into(), why });
        }
        let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        step.done(shown.join(", "));
        Ok(addresses)
    }
}
