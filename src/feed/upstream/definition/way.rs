//! What a definition says of the way to its venue: proxy, addresses of hosts, certificate authorities.

use std::{path::Path, sync::Arc};

use super::{Definition, Surroundings};
use crate::{
    feed::{
        DefinitionError,
        upstream::network::{Address, Network, Proxy, Resolver, Routing, Tls, read_credentials},
    },
    limits::{PINNED_HOSTS, UPSTREAM_ADDRESSES},
};

/// The value of `proxy` that switches the environment's off.
const NONE: &str = "none";

impl Definition {
    /// Checks the way to these addresses. Blocks on the files.
    pub(super) fn network<'a>(
        &self,
        base: &Path,
        surroundings: &Surroundings,
        addresses: impl Iterator<Item = &'a Address>,
    ) -> Result<Network, DefinitionError> {
        let authorities = self.tls_ca_file.as_ref().map(|path| base.join(path));
        if authorities.is_none() && self.tls_ca_mode.is_some() {
            return Err(DefinitionError::new("tls_ca_mode", "is of no use without tls_ca_file"));
        }
        let tls = Tls::new(authorities.as_deref(), self.tls_ca_mode.unwrap_or_default());
        let tls = tls.map_err(|why| DefinitionError::new("tls_ca_file", why))?;
        let network = Network { routing: self.routing(base, surroundings)?, resolver: self.resolver()?, tls };
        let mut hosts = Vec::new();
        for address in addresses {
            let route = network.routing.of(address).map_err(|why| {
                let why = format!("the environment's {why}; proxy = \"none\" passes it over");
                DefinitionError::new("proxy", why)
            })?;
            hosts.push(address.host());
            hosts.extend(route.proxy_host());
        }
        if let Some(host) = network.resolver.foreign(&hosts) {
            let why =
                format!("is the host of neither url, products_url nor proxy: these are {}", hosts.join(", "));
            return Err(DefinitionError::new(format!("resolve.{host}"), why));
        }
        Ok(network)
    }

    fn routing(&self, base: &Path, surroundings: &Surroundings) -> Result<Routing, DefinitionError> {
        let file = self.proxy_credentials_file.as_ref();
        let useless = |why| Err(DefinitionError::new("proxy_credentials_file", why));
        match (self.proxy.as_deref(), file) {
            (None, None) => Ok(Routing::Environment(surroundings.proxies.clone())),
            (None, Some(_)) => useless("is of no use without proxy"),
            (Some(NONE), Some(_)) => useless("is of no use with proxy = \"none\""),
            (Some(NONE), None) => Ok(Routing::Own(None)),
            (Some(text), file) => {
                let wrong = |why: String| DefinitionError::new("proxy", why);
                let read = Proxy::parse(text);
                let proxy = read.map_err(|why| wrong(format!("{why} (or is \"none\")")))?;
                if proxy.has_credentials() {
                    let why =
                        "has credentials in it: name a file with user:password in proxy_credentials_file";
                    return Err(wrong(why.into()));
                }
                let Some(path) = file else { return Ok(Routing::Own(Some(Arc::new(proxy)))) };
                let credentials = read_credentials(&base.join(path))
                    .map_err(|why| DefinitionError::new("proxy_credentials_file", why))?;
                Ok(Routing::Own(Some(Arc::new(proxy.with(credentials)))))
            }
        }
    }

    fn resolver(&self) -> Result<Resolver, DefinitionError> {
        if self.resolve.len() > PINNED_HOSTS {
            let why = format!("{} are more than {PINNED_HOSTS}", self.resolve.len());
            return Err(DefinitionError::new("resolve", why));
        }
        for (host, addresses) in &self.resolve {
            if !(1..=UPSTREAM_ADDRESSES).contains(&addresses.len()) {
                let why = format!("expected 1 to {UPSTREAM_ADDRESSES} addresses, found {}", addresses.len());
                return Err(DefinitionError::new(format!("resolve.{host}"), why));
            }
        }
        Ok(Resolver::new(self.resolve.clone()))
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        dialect::Venue,
        feed::upstream::{Definition, Surroundings, network::Environment},
    };

    fn build(keys: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("known"), "me:hush\n").unwrap();
        std::fs::write(folder.path().join("strange"), "hush").unwrap();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let surroundings = Surroundings { proxies: Environment::read(&variables), credentials: None };
        let definition: Definition =
            toml::from_str(&format!("symbols = [\"A\"]\n{keys}")).map_err(|why| why.message().to_owned())?;
        let built = definition.build(Venue::Kraken, folder.path(), &surroundings);
        let feed = built.map_err(|why| why.to_string())?;
        Ok(format!("{:?}", feed.network()))
    }

    #[test]
    fn keys_go_before_the_environment() {
        let environment = [("HTTPS_PROXY", "http://me:hush@p:1")];
        for (keys, variables, words) in [
            ("", &[][..], "Environment { proxy: None"),
            ("", &environment, "HTTPS_PROXY"),
            ("proxy = \"none\"", &environment, "Own(None)"),
            ("proxy = \"none\"", &[("HTTPS_PROXY", "nonsense")], "Own(None)"),
            (
                "proxy = \"socks5h://q:2\"",
                &environment,
                "scheme: Socks5h, host: \"q\", port: 2, credentials: None",
            ),
            (
                "proxy = \"http://q:2\"\nproxy_credentials_file = \"known\"",
                &[],
                "credentials: Some(ProxyCredentials { user: ***, password: *** })",
            ),
            ("proxy = \"http://q:2\"\nresolve = { q = [\"192.0.2.1\"] }", &[], "[192.0.2.1]"),
            (
                "resolve = { \"ws.Kraken.com\" = [\"192.0.2.1\", \"2001:db8::1\"] }",
                &[],
                "[192.0.2.1, 2001:db8::1]",
            ),
        ] {
            let shown = build(keys, variables).unwrap();
            assert!(shown.contains(words) && !shown.contains("hush"), "{keys}: {shown}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_key_and_without_what_is_secret() {
        for (keys, start) in [
            ("proxy = \"http://q\"", "proxy: has no port"),
            (
                "proxy = \"off\"",
                "proxy: has no port from 1 to 65535, like http://proxy:3128 (or is \"none\")",
            ),
            ("proxy = \"http://me:hush@q:1\"", "proxy: has credentials in it"),
            ("proxy = \"q:1\"\nproxy_credentials_file = \"gone\"", "proxy_credentials_file: "),
            ("proxy = \"q:1\"\nproxy_credentials_file = \"strange\"", "proxy_credentials_file: "),
            ("proxy_credentials_file = \"known\"", "proxy_credentials_file: is of no use without proxy"),
            (
                "proxy = \"none\"\nproxy_credentials_file = \"known\"",
                "proxy_credentials_file: is of no use with",
            ),
            ("resolve = { a = [] }", "resolve.a: expected 1 to 16 addresses, found 0"),
            ("resolve = { a = [\"::1\"] }", "resolve.a: is the host of neither url, products_url nor proxy"),
            ("resolve = { a = [\"b\"] }", "invalid IP address"),
            ("tls_ca_mode = \"add\"", "tls_ca_mode: is of no use"),
            ("tls_ca_file = \"known\"\ntls_ca_mode = \"also\"", "unknown variant `also`"),
            ("tls_ca_file = \"known\"\ntls_ca_mode = \"add\"", "tls_ca_file: "),
        ] {
            let why = build(keys, &[]).unwrap_err();
            assert!(why.starts_with(start) && !why.contains("hush"), "{keys}: {why}");
        }
        let why = build("", &[("ALL_PROXY", "http://me:hush@p")]).unwrap_err();
        assert!(
            why.starts_with("proxy: the environment's ALL_PROXY has no port") && !why.contains("hush"),
            "{why}"
        );
        let many: String = (0..17).map(|i| format!("h{i} = [\"::1\"], ")).collect();
        assert_eq!(
            build(&format!("resolve = {{ {many} }}"), &[]).unwrap_err(),
            "resolve: 17 are more than 16"
        );
    }
}
