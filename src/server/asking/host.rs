//! The name that a request asks for, and which names are the gateway's.
//!
//! A page of another site can reach a gateway under that site's own name, once the name is made to lead here (DNS
//! rebinding): for the browser both are then one origin. So a name must be one of ours. An address needs no such check,
//! since it leads where it says; nor does a name without a dot, which no other site can have.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Host and port, as `Host`, an absolute request target or an origin has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    /// Without brackets and without the dot at its end.
    name: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `example.com`, `example.com:8080`, `127.0.0.1:80` or `[::1]:80`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (text, ""),
        };
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        let name = match host.strip_prefix('[') {
            Some(literal) => {
                let literal = literal.strip_suffix(']')?;
                // A zone says by which of its networks the client comes.
                literal.split_once('%').map_or(literal, |(ip, _zone)| ip).parse::<Ipv6Addr>().ok()?;
                literal
            }
            None => host.bytes().all(is_of_a_name).then(|| host.strip_suffix('.').unwrap_or(host))?,
        };
        Some(Self { name, port })
    }

    /// Whether both are the same host: names in any case, addresses in any form.
    pub(crate) fn is_same_host(&self, other: &Self) -> bool {
        match (self.ip(), other.ip()) {
            (Some(one), Some(other)) => one == other,
            (None, None) => self.name.eq_ignore_ascii_case(other.name),
            _ => false,
        }
    }

    /// Whether it cannot be another site's name: an address, or a name without a dot.
    fn is_always_right(&self) -> bool {
        let last = self.name.rsplit('.').next().unwrap_or_default();
        // Also `127.1` and `0x7f.1`: what ends in a number is an address to every browser, and never looked up.
        let is_number = last.starts_with(|first: char| first.is_ascii_digit())
            && (last.bytes().all(|byte| byte.is_ascii_digit())
                || last.starts_with("0x")
                || last.starts_with("0X"));
        // A percent sign may hide a dot.
        self.ip().is_some() || is_number || !self.name.contains(['.', '%'])
    }

    fn ip(&self) -> Option<IpAddr> {
        let bare = self.name.split_once('%').map_or(self.name, |(ip, _zone)| ip);
        bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
    }
}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// RFC 3986, section 3.2.2: what a registered name may have.
const fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

/// A name of the gateway: `ticks.example.com`, or `*.example.com` for every name below `example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    name: String,
    below: bool,
}

impl HostPattern {
    /// The pattern that a text is: a name, without scheme and port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let name = name.strip_suffix('.').unwrap_or(name);
        let label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        name.split('.').all(label).then(|| Self { name: name.to_ascii_lowercase(), below })
    }

    pub(crate) fn matches(&self, host: &Authority<'_>) -> bool {
        if !self.below {
            return host.name.eq_ignore_ascii_case(&self.name);
        }
        let Some(start) = host.name.len().checked_sub(self.name.len()) else { return false };
        let Some((label, name)) = host.name.split_at_checked(start) else { return false };
        name.eq_ignore_ascii_case(&self.name) && label.len() > 1 && label.ends_with('.')
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}

/// Whether the gateway may be asked under that name.
pub(crate) fn is_ours(host: &Authority<'_>, names: &[HostPattern]) -> bool {
    host.is_always_right() || names.iter().any(|name| name.matches(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Authority<'_> {
        Authority::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn an_authority_is_a_name_or_an_address_and_a_port() {
        for (text, name, port) in [
            ("example.com", "example.com", None),
            ("example.com:", "example.com", None),
            ("Example.COM.:8080", "Example.COM", Some(8080)),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[::1]", "::1", None),
            ("[::1]:443", "::1", Some(443)),
            ("[fe80::1%25eth0]:1", "fe80::1%25eth0", Some(1)),
            ("my_gateway:8080", "my_gateway", Some(8080)),
            ("", "", None),
        ] {
            assert_eq!(Authority::parse(text), Some(Authority { name, port }), "{text}");
        }
        for bad in [
            "a b",
            "user@example.com",
            "example.com/",
            "example.com:http",
            "example.com:70000",
            "::1",
            "[::1",
            "::1]",
            "[example.com]",
            "[::1]x",
            "http://example.com",
            "exämple.com",
            "a:1:2",
            "a\"b",
            "a\\b",
            "a:+1",
        ] {
            assert_eq!(Authority::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_foreign_name_is_not_ours() {
        let names: Vec<_> =
            ["ticks.example.com", "*.Desk.Example"].map(|text| HostPattern::parse(text).unwrap()).into();
        for ours in [
            "ticks.example.com",
            "TICKS.example.com.:8080",
            "a.desk.example",
            "a.b.desk.example:443",
            "localhost",
            "LOCALHOST:8080",
            "gateway:8080",
            "127.0.0.1",
            "192.0.2.1:8080",
            "[::1]:8080",
            "[2001:db8::1]",
            "127.1",
            "0x7f.1",
            "2130706433",
            "",
        ] {
            assert!(is_ours(&host(ours), &names), "{ours}");
        }
        for foreign in [
            "evil.example.com",
            "example.com",
            "ticks.example.com.evil.example",
            "xticks.example.com",
            "desk.example",
            "evildesk.example",
            ".desk.example",
            "desk.example.evil",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io",
            "a.localhost",
            "evil%2eexample",
            "1.2.3.x4",
            "1.2.3.4x",
        ] {
            assert!(!is_ours(&host(foreign), &names), "{foreign}");
        }
    }

    #[test]
    fn the_same_host_may_be_written_differently() {
        for (one, other, same) in [
            ("Example.com", "example.COM.", true),
            ("[::1]:1", "[0:0:0:0:0:0:0:1]:2", true),
            ("127.0.0.1", "[::ffff:127.0.0.1]", true),
            ("example.com", "www.example.com", false),
            ("127.0.0.1", "localhost", false),
        ] {
            assert_eq!(host(one).is_same_host(&host(other)), same, "{one} {other}");
        }
    }

    #[test]
    fn patterns_are_names_or_everything_below_one() {
        for (text, shown) in
            [("Ticks.Example.com", "ticks.example.com"), ("*.a.b.", "*.a.b"), ("gateway", "gateway")]
        {
            assert_eq!(HostPattern::parse(text).map(|it| it.to_string()).as_deref(), Some(shown));
        }
        for bad in
            ["", "*", "*.", ".a", "a..b", "a.*.b", "*a.b", "a.b:80", "http://a.b", "[::1]", "a b", "ä.de"]
        {
            assert_eq!(HostPattern::parse(bad), None, "{bad}");
        }
    }
}
