//! What a proxy is named by: `http://host:port` and the like, and who we are there.

use std::{fmt, path::Path};

use tokio_tungstenite::tungstenite::http::Uri;

use crate::{
    dialect::without_mark,
    feed::upstream::secret::Secret,
    limits::{MAX_CONFIG_BYTES, PROXY_CREDENTIALS_BYTES},
};

/// What is spoken with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyScheme {
    /// `CONNECT` in the clear.
    Http,
    /// `CONNECT`, the proxy's own connection encrypted.
    Https,
    /// SOCKS5; names are resolved here.
    Socks5,
    /// SOCKS5; names are resolved there.
    Socks5h,
}

impl ProxyScheme {
    const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Socks5, Self::Socks5h];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }
}

/// A user's name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::feed::upstream) struct ProxyCredentials {
    pub(super) user: Secret,
    pub(super) password: Secret,
}

impl ProxyCredentials {
    /// Both must fit into a SOCKS5 message.
    fn new(user: &str, password: &str) -> Result<Self, String> {
        let fits = |text: &str| {
            (1..=PROXY_CREDENTIALS_BYTES).contains(&text.len()) && !text.contains(char::is_control)
        };
        if !fits(user) || !fits(password) || user.contains(':') {
            return Err(format!(
                "expected user:password, each of 1 to {PROXY_CREDENTIALS_BYTES} bytes without control characters"
            ));
        }
        Ok(Self { user: Secret::new(user.to_owned()), password: Secret::new(password.to_owned()) })
    }
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::feed::upstream) struct Proxy {
    pub(super) scheme: ProxyScheme,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<ProxyCredentials>,
}

/// As it may be shown to anybody: without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.scheme.as_str(), &self.host, self.port);
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl Proxy {
    /// Reads a URL that may have credentials in it, percent-encoded, and no scheme, which is `http` then.
    ///
    /// # Errors
    /// Says what is wrong, and nothing of what the URL has before its `@`.
    pub(in crate::feed::upstream) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = ProxyScheme::ALL.into_iter().find(|known| scheme.eq_ignore_ascii_case(known.as_str()));
        let scheme = scheme.ok_or("must start with http://, https://, socks5:// or socks5h://")?;
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let place = rest.strip_suffix('/').unwrap_or(rest);
        let uri: Uri =
            format!("http://{place}/").parse().map_err(|_quotes| format!("{place:?} is no host and port"))?;
        if uri.path() != "/" || uri.query().is_some() {
            return Err("has something behind its port".into());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("has no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        // Some take 1080 for it and others 80 or 443: better to be told.
        let port = uri
            .port_u16()
            .filter(|port| *port != 0)
            .ok_or("has no port from 1 to 65535, like http://proxy:3128")?;
        let credentials = user.map(|user| {
            let (user, password) = user.split_once(':').ok_or("has a user without a password")?;
            ProxyCredentials::new(&decoded(user)?, &decoded(password)?)
        });
        Ok(Self { scheme, host, port, credentials: credentials.transpose()? })
    }

    /// Whether the URL says who we are.
    pub(in crate::feed::upstream) const fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// With credentials of a file.
    pub(in crate::feed::upstream) fn with(self, credentials: ProxyCredentials) -> Self {
        Self { credentials: Some(credentials), ..self }
    }
}

/// Percent-decoding.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let digits = if *first == b'%' { rest.split_at_checked(2) } else { None };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match digits.and_then(|(pair, behind)| Some((digit(&pair[0])? * 16 + digit(&pair[1])?, behind))) {
            Some((byte, behind)) => {
                bytes.push(byte);
                rest = behind;
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).map_err(|_secret| "has credentials that are no UTF-8".to_owned())
}

/// Reads a file with one line, `user:password`, as it is: nothing is decoded.
///
/// # Errors
/// Says what is wrong with the file, and nothing of what is in it.
pub(in crate::feed::upstream) fn read_credentials(path: &Path) -> Result<ProxyCredentials, String> {
    let shown = path.display();
    let about = path.metadata().map_err(|why| format!("{shown}: {why}"))?;
    if about.len() > MAX_CONFIG_BYTES {
        return Err(format!("{shown}: is longer than {MAX_CONFIG_BYTES} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|why| format!("{shown}: {why}"))?;
    let text = without_mark(&bytes).map_err(|why| format!("{shown}: {why}"))?;
    let text = str::from_utf8(text).map_err(|_secret| format!("{shown}: is no UTF-8"))?;
    let line = text.trim_end_matches(['\r', '\n']);
    let (user, password) =
        line.split_once(':').ok_or_else(|| format!("{shown}: expected one line, user:password"))?;
    ProxyCredentials::new(user, password).map_err(|why| format!("{shown}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_or_refused_with_the_reason() {
        for (text, shown) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("proxy:3128", "http://proxy:3128"),
            ("HTTPS://proxy.example:8443/", "https://proxy.example:8443"),
            ("socks5://[::1]:1080", "socks5://[::1]:1080"),
            ("socks5h://127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
            ("http://us%65r:p%40ss:w%3Ard@proxy:1", "http://proxy:1"),
        ] {
            assert_eq!(Proxy::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for (text, why) in [
            ("", "is no host and port"),
            ("http://proxy", "has no port"),
            ("http://proxy:0", "has no port"),
            ("http://proxy:99999", "has no port from 1 to 65535"),
            ("socks4://proxy:1080", "must start with"),
            ("ftp://proxy:21", "must start with"),
            ("http://proxy:1/way", "behind its port"),
            ("http://proxy:1?a=b", "behind its port"),
            ("http://hush@proxy:1", "without a password"),
            ("http://hush:@proxy:1", "expected user:password"),
            ("http://a:hush%0d%0ax@proxy:1", "expected user:password"),
            ("http://a:hush%ff@proxy:1", "no UTF-8"),
            ("http://hush:hush@pro xy:1", "is no host and port"),
        ] {
            let found = Proxy::parse(text).unwrap_err();
            assert!(found.contains(why) && !found.contains("hush"), "{text}: {found}");
        }
    }

    #[test]
    fn what_we_are_known_by_is_decoded_and_never_shown() {
        let proxy = Proxy::parse("http://us%65r:hu%40sh:%zz@proxy:1").unwrap();
        let credentials = proxy.credentials.clone().unwrap();
        assert_eq!((credentials.user.reveal(), credentials.password.reveal()), ("user", "hu@sh:%zz"));
        assert!(!format!("{proxy:?} {proxy}").contains("hu@sh"), "{proxy:?}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy");
        for (text, found) in [
            ("user:hu:sh%40\r\n", Some(("user", "hu:sh%40"))),
            ("\u{feff}user:hush", Some(("user", "hush"))),
            ("hush", None),
            ("user:", None),
            (":hush", None),
            ("user:hush\nmore:hush\n", None),
        ] {
            std::fs::write(&path, text).unwrap();
            let read = read_credentials(&path);
            match (&read, found) {
                (Ok(read), Some(found)) => assert_eq!((read.user.reveal(), read.password.reveal()), found),
                (Err(why), None) => assert!(why.contains("user:password") && !why.contains("hush"), "{why}"),
                _ => panic!("{text:?}: {read:?}"),
            }
        }
        std::fs::write(&path, "a".repeat(256) + ":hush").unwrap();
        assert!(read_credentials(&path).unwrap_err().contains("1 to 255 bytes"));
        let missing = read_credentials(Path::new("/nowhere/x")).unwrap_err();
        assert!(missing.starts_with("/nowhere/x: "), "{missing}");
    }
}
