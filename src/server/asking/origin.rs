//! The origin of a browser's request: which page asks, as the browser says it (RFC 6454). Programs send none.

use std::fmt;

use super::host::{Authority, HostPattern};

/// An origin as a request has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    scheme: &'a str,
    /// `None` where there is no host, as in `file://`.
    host: Option<Authority<'a>>,
}

impl<'a> Origin<'a> {
    /// `None`: no origin, or the opaque `null`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let host = if rest.is_empty() { None } else { Some(Authority::parse(rest)?) };
        is_scheme(scheme).then_some(Self { scheme, host })
    }

    /// The port of the address that the page came from.
    fn port(&self) -> Option<u16> {
        self.host.and_then(|host| host.port).or_else(|| default_port(self.scheme))
    }

    /// Whether the page is the gateway's own: it came from where the request goes. A `Host` without a port is that of
    /// the scheme's default one; a proxy that leaves the port away is taken to mean this listener's.
    pub(crate) fn is_own(&self, asked: &Authority<'_>, listens: u16) -> bool {
        let Some(default) = default_port(self.scheme) else { return false };
        let Some(host) = self.host else { return false };
        let port = host.port.unwrap_or(default);
        let port_is_own = match asked.port {
            Some(asked) => port == asked,
            None => port == default || port == listens,
        };
        host.is_same_host(asked) && port_is_own
    }
}

/// Where a page may come from besides the gateway: `https://example.com`, `https://*.example.com`, `tauri://localhost`
/// or `null`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginPattern {
    /// Pages that browsers give no origin: sandboxed frames, some apps, files.
    Null,
    /// Those of a scheme and a host, or of all hosts below one.
    Pages {
        /// In lower case.
        scheme: String,
        /// None for schemes without one, such as `file://`.
        host: Option<HostPattern>,
        /// None is the scheme's default.
        port: Option<u16>,
        /// Whether the host is an address of IPv6, which is written in brackets.
        literal: Option<String>,
    },
}

impl OriginPattern {
    /// The pattern that a text is. There is none for all origins.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) {
            return None;
        }
        if rest.is_empty() {
            // A web page has a host.
            return default_port(&scheme).is_none().then_some(Self::Pages {
                scheme,
                host: None,
                port: None,
                literal: None,
            });
        }
        let (name, port) = match rest.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse::<u16>().ok().filter(|port| is_number && *port > 0)?;
                (name, Some(port).filter(|port| default_port(&scheme) != Some(*port)))
            }
            _ => (rest, None),
        };
        if name.starts_with('[') {
            Authority::parse(name)?;
            return Some(Self::Pages { scheme, host: None, port, literal: Some(name.to_ascii_lowercase()) });
        }
        let host = HostPattern::parse(name)?;
        Some(Self::Pages { scheme, host: Some(host), port, literal: None })
    }

    /// Whether it is that one's page. `text` is the whole header.
    pub(crate) fn matches(&self, text: &str, origin: Option<&Origin<'_>>) -> bool {
        let Self::Pages { scheme, host, port, literal } = self else { return text == "null" };
        let Some(origin) = origin else { return false };
        if web(scheme) != web(&origin.scheme.to_ascii_lowercase())
            || port.or_else(|| default_port(scheme)) != origin.port()
        {
            return false;
        }
        match (host, literal, origin.host) {
            (Some(pattern), _, Some(host)) => pattern.matches(&host),
            (None, Some(literal), Some(host)) => {
                Authority::parse(literal).is_some_and(|it| it.is_same_host(&host))
            }
            (None, None, None) => true,
            _ => false,
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Pages { scheme, host, port, literal } = self else { return f.write_str("null") };
        write!(f, "{scheme}://")?;
        if let Some(host) = host {
            write!(f, "{host}")?;
        }
        if let Some(literal) = literal {
            write!(f, "{literal}")?;
        }
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws") {
        Some(80)
    } else if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") {
        Some(443)
    } else {
        None
    }
}

/// Some clients name the scheme of the socket that they open instead of their page's.
fn web(scheme: &str) -> &str {
    match scheme {
        "ws" => "http",
        "wss" => "https",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_own_when_it_came_from_where_it_asks() {
        for (host, origin, own) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080", true),
            ("Example.com", "https://EXAMPLE.com", true),
            ("example.com", "http://example.com", true),
            ("example.com:443", "https://example.com", true),
            ("example.com:80", "http://example.com", true),
            ("example.com", "https://example.com:443", true),
            ("example.com:443", "wss://example.com", true),
            ("example.com:8080", "ws://example.com:8080", true),
            ("example.com.", "https://example.com", true),
            ("[::1]:8080", "http://[::1]:8080", true),
            // A proxy that passes the host without its port.
            ("example.com", "http://example.com:8080", true),
            ("example.com", "http://example.com:8081", false),
            ("example.com:8080", "http://example.com:8081", false),
            ("example.com:8080", "http://example.com", false),
            ("example.com:443", "http://example.com", false),
            ("example.com", "https://example.com.evil.example", false),
            ("example.com", "https://evil.example", false),
            ("example.com", "ftp://example.com", false),
            ("localhost", "tauri://localhost", false),
            ("localhost:8080", "http://127.0.0.1:8080", false),
        ] {
            let asked = Authority::parse(host).unwrap();
            assert_eq!(Origin::parse(origin).unwrap().is_own(&asked, 8080), own, "{host} {origin}");
        }
        for none in ["null", "", "example.com", "://x", "1a://x", "http://a b", "http://a/b"] {
            assert_eq!(Origin::parse(none), None, "{none}");
        }
    }

    #[test]
    fn patterns_are_scheme_host_and_port_only() {
        for (text, kept) in [
            ("https://example.com", "https://example.com"),
            ("HTTPS://Example.com:443", "https://example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[::1]", "http://[::1]"),
            ("https://*.example.com:8443", "https://*.example.com:8443"),
            ("tauri://localhost", "tauri://localhost"),
            ("capacitor://localhost", "capacitor://localhost"),
            (
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            ),
            ("file://", "file://"),
            ("null", "null"),
        ] {
            assert_eq!(OriginPattern::parse(text).map(|it| it.to_string()).as_deref(), Some(kept), "{text}");
        }
        for bad in [
            "",
            "*",
            "NULL",
            "example.com",
            "https://",
            "https://*",
            "https://example.com/",
            "https://example.com:0",
            "https://example.com:99999",
            "https://example.com:+1",
            "https://a b",
            "http://[::1",
            "http://[x]",
            "https://ex*mple.com",
            "*://example.com",
            "https://example.com:",
        ] {
            assert_eq!(OriginPattern::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_origin_is_allowed_by_its_pattern_and_no_other() {
        for (pattern, origin, allowed) in [
            ("https://example.com", "https://example.com", true),
            ("https://example.com", "HTTPS://EXAMPLE.COM:443", true),
            ("https://example.com", "wss://example.com", true),
            ("https://example.com", "http://example.com", false),
            ("https://example.com", "https://example.com:8443", false),
            ("https://example.com", "https://a.example.com", false),
            ("https://example.com", "https://example.com.evil.example", false),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://evilexample.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("https://*.example.com", "https://a.example.com:8443", false),
            ("tauri://localhost", "tauri://localhost", true),
            ("tauri://localhost", "http://localhost", false),
            ("chrome-extension://abc", "chrome-extension://abc", true),
            ("chrome-extension://abc", "chrome-extension://abd", false),
            ("http://[::1]:3000", "http://[0:0::1]:3000", true),
            ("file://", "file://", true),
            ("file://", "null", false),
            ("null", "null", true),
            ("null", "file://", false),
            ("null", "https://null", false),
        ] {
            let found =
                OriginPattern::parse(pattern).unwrap().matches(origin, Origin::parse(origin).as_ref());
            assert_eq!(found, allowed, "{pattern} {origin}");
        }
    }
}
