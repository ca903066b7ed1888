//! Networks as an operator names them: `10.0.0.0/8`, `fd00::/8`, or a single address.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net};

/// One network, or one address. Inside IPv6 (`::ffff:10.0.0.0/104`) IPv4 is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// The network that a text names. One whose address has bits behind the prefix (`10.0.0.1/8`) is none: what was
    /// meant, the network or the address, is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let net = match IpAddr::from_str(text) {
            Ok(ip) => IpNet::from(ip.to_canonical()),
            Err(_) => IpNet::from_str(text).ok()?,
        };
        (net.addr() == net.network()).then(|| Self(canonical(net)))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network of IPv4 addresses that is written as one of IPv6.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(wide) = net else { return net };
    let prefix = wide.prefix_len().checked_sub(96);
    match (wide.network().to_ipv4_mapped(), prefix) {
        (Some(ip), Some(prefix)) => Ipv4Net::new(ip, prefix).map_or(net, IpNet::V4),
        _ => net,
    }
}

/// A set of networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Whether an address is in one of them.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.0.contains(&ip))
    }

    /// How many networks there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each network.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_network_or_an_address() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("127.0.0.1", "127.0.0.1/32"),
            ("::1", "::1/128"),
            ("fd00::/8", "fd00::/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ] {
            assert_eq!(Network::parse(text).map(|it| it.to_string()).as_deref(), Some(shown), "{text}");
        }
        for bad in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0",
            "fd00::1/8",
            "example.com",
            "10.0.0.0/8 ",
            "10.0.0.0/",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_of_ipv4_are_found_in_either_form() {
        let networks: Networks =
            ["10.0.0.0/8", "fd00::/8"].iter().filter_map(|text| Network::parse(text)).collect();
        for (ip, inside) in [
            ("10.255.0.1", true),
            ("::ffff:10.0.0.1", true),
            ("11.0.0.1", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(networks.contains(ip.parse().unwrap()), inside, "{ip}");
        }
        assert!(!Networks::default().contains("10.0.0.1".parse().unwrap()));
    }
}
