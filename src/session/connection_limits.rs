//! How many sessions there are, over all shards: the connection limits, and the end of a drain.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::ClientAddress;

/// Counts of all sessions of one gateway.
#[derive(Debug)]
pub struct ConnectionLimits {
    most: usize,
    most_per_ip: usize,
    total: Mutex<usize>,
    per_ip: DashMap<ClientAddress, usize>,
    empty: Notify,
    serial: AtomicU64,
}

/// Which limit refused a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The gateway has as many sessions as it may.
    Gateway,
    /// The client's address has.
    Address,
}

impl Refusal {
    /// The name as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "connections",
            Self::Address => "connections_per_ip",
        }
    }
}

/// A session's place; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    connections: Arc<ConnectionLimits>,
    ip: IpAddr,
    serial: u64,
}

impl ConnectionLimits {
    /// Counts with these limits.
    #[must_use]
    pub fn new(most: usize, most_per_ip: usize) -> Self {
        Self {
            most,
            most_per_ip,
            total: Mutex::default(),
            per_ip: DashMap::new(),
            empty: Notify::new(),
            serial: AtomicU64::new(0),
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// Which limit is reached; nothing is counted then.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Admission, Refusal> {
        let mut total = self.total.lock();
        if *total >= self.most {
            return Err(Refusal::Gateway);
        }
        let mut here = self.per_ip.entry(ClientAddress::of(ip)).or_insert(0);
        if *here >= self.most_per_ip {
            return Err(Refusal::Address);
        }
        *here += 1;
        *total += 1;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        Ok(Admission { connections: Arc::clone(self), ip, serial })
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> usize {
        *self.total.lock()
    }

    /// Completes when there is none.
    ///
    /// # Cancel safety
    /// May be dropped and asked again.
    pub async fn emptied(&self) {
        loop {
            let empty = self.empty.notified();
            if self.total() == 0 {
                return;
            }
            empty.await;
        }
    }
}

impl Admission {
    /// A number no other session of the gateway has had.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// The client's address.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        self.ip
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut total = self.connections.total.lock();
        if let dashmap::Entry::Occupied(mut here) = self.connections.per_ip.entry(ClientAddress::of(self.ip))
        {
            *here.get_mut() -= 1;
            if *here.get() == 0 {
                here.remove();
            }
        }
        *total -= 1;
        if *total == 0 {
            self.connections.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let connections = Arc::new(ConnectionLimits::new(3, 2));
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = connections.admit(a).unwrap();
        let _second = connections.admit(a).unwrap();
        assert_eq!(connections.admit(a).unwrap_err(), Refusal::Address);
        let _third = connections.admit(b).unwrap();
        assert_eq!(connections.admit(b).unwrap_err(), Refusal::Gateway);
        drop(first);
        assert_eq!(connections.total(), 2);
        assert!(connections.admit(a).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let connections = Arc::new(ConnectionLimits::new(10, 2));
        let admit = |text: &str| connections.admit(text.parse().unwrap());
        let _all = [admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap()];
        assert_eq!(admit("2001:db8::3").unwrap_err(), Refusal::Address);
        assert!(admit("2001:db8:0:1::3").is_ok());
        let _mapped = [admit("192.0.2.1").unwrap(), admit("::ffff:192.0.2.1").unwrap()];
        assert_eq!(admit("192.0.2.1").unwrap_err(), Refusal::Address);
    }
}
