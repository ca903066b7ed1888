//! What the environment says of proxies: `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in the way of curl.
//!
//! The lower-case name goes first, an empty value is none, and a URL without a scheme is HTTP. Other than with curl a port
//! must be there, and connections to this machine do not go by a proxy. All connections to venues are encrypted, but for
//! those to this machine, so `HTTP_PROXY` is never read.

use std::{ffi::OsString, net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::{Address, proxy::Proxy};
use crate::limits::NO_PROXY_ENTRIES;

/// What the variables say.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The variable, and the proxy or what is wrong with it.
    proxy: Option<(&'static str, Result<Arc<Proxy>, String>)>,
    /// The variable, and what goes by no proxy.
    direct: Option<(&'static str, Vec<Exempt>)>,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exempt {
    what: Target,
    /// Any, where none is said.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Everything,
    Network(IpNet),
    /// In lower case, without dots at its ends: the domain itself and all below it.
    Domain(String),
}

impl Environment {
    /// Takes the variables that matter.
    #[must_use]
    pub fn read(variables: &[(OsString, OsString)]) -> Self {
        let named = |names: [&'static str; 2]| {
            names.into_iter().find_map(|wanted| {
                let (_, value) = variables.iter().find(|(name, _)| name == wanted)?;
                (!value.is_empty()).then_some((wanted, value.to_str()))
            })
        };
        let proxy = named(["https_proxy", "HTTPS_PROXY"]).or_else(|| named(["all_proxy", "ALL_PROXY"]));
        let proxy = proxy.map(|(name, value)| {
            let read = value.ok_or_else(|| "is no UTF-8".to_owned()).and_then(Proxy::parse);
            (name, read.map(Arc::new))
        });
        let direct =
            named(["no_proxy", "NO_PROXY"]).map(|(name, value)| (name, exempts(value.unwrap_or_default())));
        Self { proxy, direct }
    }

    /// The proxy for an address, if any, and what decided that.
    ///
    /// # Errors
    /// The variable that would be asked names no proxy.
    pub(super) fn route(&self, address: &Address) -> Result<(Option<&Proxy>, String), String> {
        let Some((name, proxy)) = &self.proxy else { return Ok((None, "none is set".into())) };
        if address.is_loopback() {
            return Ok((None, "this machine".into()));
        }
        if let Some((exempting, exempts)) = &self.direct
            && exempts.iter().any(|exempt| exempt.takes(address))
        {
            return Ok((None, (*exempting).to_owned()));
        }
        match proxy {
            Ok(proxy) => Ok((Some(proxy.as_ref()), (*name).to_owned())),
            Err(why) => Err(format!("{name} {why}")),
        }
    }
}

/// The entries of a list that is separated by commas or blanks.
fn exempts(list: &str) -> Vec<Exempt> {
    let entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    entries.take(NO_PROXY_ENTRIES).map(Exempt::parse).collect()
}

impl Exempt {
    fn parse(entry: &str) -> Self {
        if entry == "*" {
            return Self { what: Target::Everything, port: None };
        }
        if let Some(network) = network(entry) {
            return Self { what: Target::Network(network), port: None };
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (entry, None),
        };
        let host = if port.is_some() { host } else { entry };
        let what = network(host.trim_start_matches('[').trim_end_matches(']')).map_or_else(
            || {
                // Some write a star in front of the dot.
                let domain = host.strip_prefix('*').unwrap_or(host).trim_matches('.');
                Target::Domain(domain.to_ascii_lowercase())
            },
            Target::Network,
        );
        Self { what, port }
    }

    fn takes(&self, address: &Address) -> bool {
        if self.port.is_some_and(|port| port != address.port) {
            return false;
        }
        match &self.what {
            Target::Everything => true,
            Target::Network(network) => {
                address.host().parse::<IpAddr>().is_ok_and(|address| network.contains(&address))
            }
            Target::Domain(domain) => {
                let host = address.host().trim_end_matches('.').to_ascii_lowercase();
                let above = host.strip_suffix(domain.as_str());
                !domain.is_empty() && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
        }
    }
}

/// An address or a network of them.
fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Environment::read(&variables)
    }

    fn address(host: &str, port: u16) -> Address {
        Address { url: format!("wss://{host}:{port}/"), host: host.into(), port, is_tls: true }
    }

    fn shown(environment: &Environment, address: &Address) -> Result<String, String> {
        let (proxy, why) = environment.route(address)?;
        Ok(proxy.map_or_else(|| format!("direct: {why}"), |proxy| format!("{proxy}: {why}")))
    }

    #[test]
    fn which_variable_counts() {
        let venue = address("stream.venue.com", 443);
        for (variables, found) in [
            (&[][..], "direct: none is set"),
            (&[("HTTPS_PROXY", "http://p:1")], "http://p:1: HTTPS_PROXY"),
            (&[("https_proxy", "p:2"), ("HTTPS_PROXY", "http://p:1")], "http://p:2: https_proxy"),
            (
                &[("HTTPS_PROXY", "http://u:hush@p:1"), ("ALL_PROXY", "socks5://q:2")],
                "http://p:1: HTTPS_PROXY",
            ),
            (&[("https_proxy", ""), ("ALL_PROXY", "socks5://q:2")], "socks5://q:2: ALL_PROXY"),
            (&[("all_proxy", "socks5h://q:3"), ("ALL_PROXY", "socks5://q:2")], "socks5h://q:3: all_proxy"),
            (&[("HTTP_PROXY", "http://p:1"), ("http_proxy", "http://p:1")], "direct: none is set"),
            (&[("ALL_PROXY", "http://p:1"), ("NO_PROXY", "venue.com")], "direct: NO_PROXY"),
            (
                &[("ALL_PROXY", "http://p:1"), ("NO_PROXY", "venue.com"), ("no_proxy", "x")],
                "http://p:1: ALL_PROXY",
            ),
        ] {
            assert_eq!(shown(&environment(variables), &venue).as_deref(), Ok(found), "{variables:?}");
        }
        let wrong = environment(&[("HTTPS_PROXY", "ftp://u:hush@p:1")]);
        let why = shown(&wrong, &venue).unwrap_err();
        assert!(why.starts_with("HTTPS_PROXY must start with") && !why.contains("hush"), "{why}");
        for host in ["localhost", "127.0.0.1", "[::1]", "127.9.9.9"] {
            assert_eq!(shown(&wrong, &address(host, 1)).as_deref(), Ok("direct: this machine"), "{host}");
        }
    }

    #[test]
    fn what_goes_by_no_proxy() {
        for (list, host, port, is_exempt) in [
            ("*", "venue.com", 443, true),
            ("venue.com", "venue.com", 443, true),
            ("venue.com", "a.b.venue.com", 443, true),
            ("venue.com", "VENUE.com.", 443, true),
            ("venue.com", "notvenue.com", 443, false),
            ("venue.com", "venue.com.evil.org", 443, false),
            (".venue.com", "venue.com", 443, true),
            (".venue.com", "a.venue.com", 443, true),
            ("*.venue.com", "a.venue.com", 443, true),
            ("Venue.COM.", "a.venue.com", 443, true),
            ("other.org, venue.com", "venue.com", 443, true),
            ("other.org\tvenue.com other.net", "venue.com", 443, true),
            ("venue.com:443", "a.venue.com", 443, true),
            ("venue.com:9443", "venue.com", 443, false),
            ("10.0.0.7", "10.0.0.7", 443, true),
            ("10.0.0.7", "10.0.0.8", 443, false),
            ("10.0.0.7:443", "10.0.0.7", 443, true),
            ("10.0.0.7:80", "10.0.0.7", 443, false),
            ("10.0.0.0/8", "10.200.3.4", 443, true),
            ("10.0.0.0/8", "11.0.0.1", 443, false),
            ("10.0.0.0/8", "10.com", 443, false),
            ("2001:db8::/32", "[2001:db8::7]", 443, true),
            ("2001:db8::7", "[2001:db8::7]", 443, true),
            ("[2001:db8::7]:443", "[2001:db8::7]", 443, true),
            ("[2001:db8::7]", "[2001:db8::7]", 443, true),
            ("[2001:db8::7]:80", "[2001:db8::7]", 443, false),
            ("com", "venue.com", 443, true),
            (".", "venue.com", 443, false),
            ("", "venue.com", 443, false),
            ("venue.*", "venue.com", 443, false),
        ] {
            let found = exempts(list).iter().any(|exempt| exempt.takes(&address(host, port)));
            assert_eq!(found, is_exempt, "{list} {host}:{port}");
        }
        assert_eq!(exempts(&"a,".repeat(10_000)).len(), NO_PROXY_ENTRIES);
    }
}
