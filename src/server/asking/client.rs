//! Which machine a request comes from, also behind proxies.
//!
//! `X-Forwarded-For` counts only where the peer is a trusted proxy, and of it only what trusted proxies wrote: the
//! rightmost hop that is not one of them. `Forwarded` (RFC 7239) is not read: a proxy that writes one of the two passes
//! the other through, so a gateway that takes either would let a stranger choose an address.

use std::net::{IpAddr, SocketAddr};

use actix_http::header::HeaderMap;

use super::networks::Networks;
use crate::limits::FORWARDED_HOPS;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Headers of which each says that a proxy passed the request on.
const PROXIED: [&str; 6] =
    [FORWARDED_FOR, "forwarded", "via", "x-real-ip", "x-forwarded-host", "x-forwarded-proto"];

/// The machine that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address; that of the last proxy where the proxies' words cannot be read.
    pub(crate) ip: IpAddr,
    /// Whether it is certainly the gateway's own machine.
    pub(crate) is_local: bool,
}

/// The client behind a peer.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> Client {
    let peer = peer.to_canonical();
    let behind = if trusted.contains(peer) { behind(headers, trusted) } else { None };
    let ip = behind.unwrap_or(peer);
    // What a proxy on another machine calls local is its own machine.
    let is_known = behind.is_some() || !PROXIED.iter().any(|name| headers.contains_key(*name));
    Client { ip, is_local: peer.is_loopback() && ip.is_loopback() && is_known }
}

/// The rightmost hop that is not trusted, or the first of all when all are. `None` without hops, and when one of them up
/// to there cannot be read.
fn behind(headers: &HeaderMap, trusted: &Networks) -> Option<IpAddr> {
    let values: Vec<_> = headers.get_all(FORWARDED_FOR).collect();
    let mut farthest = None;
    let mut hops = 0;
    for value in values.into_iter().rev() {
        for hop in value.to_str().ok()?.rsplit(',') {
            hops += 1;
            if hops > FORWARDED_HOPS {
                return None;
            }
            let ip = address(hop.trim())?;
            if !trusted.contains(ip) {
                return Some(ip);
            }
            farthest = Some(ip);
        }
    }
    farthest
}

/// An address as proxies write it: some with a port, some IPv6 in brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let ip = match bare.parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) => hop.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_http::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::server::Network;

    fn asked(peer: &str, headers: &[(&'static str, &'static str)]) -> (String, bool) {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].iter().filter_map(|text| Network::parse(text));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let client = client(peer.parse().unwrap(), &map, &trusted.collect());
        (client.ip.to_string(), client.is_local)
    }

    #[test]
    fn the_rightmost_hop_that_is_not_trusted_is_the_client() {
        for (peer, hops, ip) in [
            ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
            // What stands on the left was written by the client itself.
            ("10.0.0.1", "198.51.100.9, 203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "198.51.100.9,203.0.113.5 , 10.0.0.2,10.9.9.9", "203.0.113.5"),
            ("10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
            ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
            ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
            ("10.0.0.1", "[2001:db8::1]:443, [fd00::1]:80", "2001:db8::1"),
            ("10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
            ("::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
            // All are trusted: the farthest.
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            // A peer that is not trusted may say what it likes.
            ("192.0.2.1", "203.0.113.5", "192.0.2.1"),
            ("::ffff:192.0.2.1", "203.0.113.5", "192.0.2.1"),
        ] {
            assert_eq!(asked(peer, &[(FORWARDED_FOR, hops)]).0, ip, "{peer} {hops}");
        }
        let lines =
            [(FORWARDED_FOR, "198.51.100.9"), (FORWARDED_FOR, "203.0.113.5"), (FORWARDED_FOR, "10.0.0.2")];
        assert_eq!(asked("10.0.0.1", &lines).0, "203.0.113.5", "lines are one list");
    }

    #[test]
    fn what_cannot_be_read_is_the_proxys_own_address() {
        for hops in [
            "",
            "unknown",
            "_hidden",
            "203.0.113",
            "a, b",
            "203.0.113.5,",
            "203.0.113.5, x, 10.0.0.2",
            "1.2.3.4:x",
        ] {
            assert_eq!(asked("10.0.0.1", &[(FORWARDED_FOR, hops)]).0, "10.0.0.1", "{hops:?}");
        }
        assert_eq!(asked("10.0.0.1", &[]).0, "10.0.0.1");
        assert_eq!(asked("10.0.0.1", &[("forwarded", "for=203.0.113.5")]).0, "10.0.0.1");
        // What was read before the unreadable hop counts: the client's own words do not matter.
        assert_eq!(asked("10.0.0.1", &[(FORWARDED_FOR, "x, 203.0.113.5")]).0, "203.0.113.5");
        let long: &'static str = Box::leak(["10.0.0.2"; FORWARDED_HOPS + 1].join(",").into_boxed_str());
        assert_eq!(asked("10.0.0.1", &[(FORWARDED_FOR, long)]).0, "10.0.0.1");
    }

    #[test]
    fn the_own_machine_is_only_who_certainly_is_there() {
        for (peer, headers, local) in [
            ("127.0.0.1", &[][..], true),
            ("127.8.8.8", &[], true),
            ("::1", &[], true),
            ("::ffff:127.0.0.1", &[], true),
            ("10.0.0.1", &[], false),
            ("127.0.0.1", &[(FORWARDED_FOR, "127.0.0.1")], true),
            ("127.0.0.1", &[(FORWARDED_FOR, "127.0.0.1, 203.0.113.5")], false),
            ("127.0.0.1", &[(FORWARDED_FOR, "unknown")], false),
            ("127.0.0.1", &[("forwarded", "for=127.0.0.1")], false),
            ("127.0.0.1", &[("via", "1.1 proxy")], false),
            ("127.0.0.1", &[("x-real-ip", "127.0.0.1")], false),
            // Not trusted, so it may be the only proxy before a stranger.
            ("::1", &[(FORWARDED_FOR, "127.0.0.1")], false),
            // The loopback of another machine.
            ("10.0.0.1", &[(FORWARDED_FOR, "127.0.0.1")], false),
        ] {
            assert_eq!(asked(peer, headers).1, local, "{peer} {headers:?}");
        }
    }
}
