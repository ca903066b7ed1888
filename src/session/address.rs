//! What counts as one client address.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or a /64 of IPv6: what one household or host is given, and can take any address of. IPv4 within IPv6
/// (`::ffff:192.0.2.1`) is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The one that an address counts as.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
            ip @ IpAddr::V4(_) => ip,
        })
    }

    /// The address, or the first of the network.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// Whether it is this machine's own.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        // ::1 is the only one of its /64.
        self.0.is_loopback() || self == Self::of(Ipv6Addr::LOCALHOST.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_is_one_address_or_one_network_of_ipv6() {
        let of = |text: &str| ClientAddress::of(text.parse().unwrap());
        for (a, b, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8:0:1::", false),
            ("::1", "127.0.0.1", false),
        ] {
            assert_eq!(of(a) == of(b), same, "{a} {b}");
        }
        assert!(of("127.0.0.2").is_loopback() && of("::1").is_loopback() && !of("2001:db8::1").is_loopback());
    }
}
