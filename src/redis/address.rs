//! Where a Redis is, as one text: `redis://host:6379/0`, `rediss://…` with TLS, `unix:///run/redis.sock`.

use std::{fmt, path::PathBuf};

use crate::limits::REDIS_DATABASES;

/// The way to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) place: Place,
    /// The database that is selected.
    pub(super) database: u32,
}

/// What is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Tcp { host: String, port: u16, is_encrypted: bool },
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { .. } => write!(f, "{}/{}", self.place, self.database),
            Place::Unix(_) if self.database == 0 => write!(f, "{}", self.place),
            Place::Unix(_) => write!(f, "{}?db={}", self.place, self.database),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, is_encrypted } => {
                let scheme = if *is_encrypted { "rediss" } else { "redis" };
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "{scheme}://{open}{host}{close}:{port}")
            }
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

const EXPECTED: &str =
    "expected redis://host:6379/0, rediss://host:6379/0 with TLS, or unix:///path/of/the.sock";

/// Reads a URL.
///
/// # Errors
/// What is wrong with it. A password in it is refused without being repeated.
pub(super) fn parse(url: &str) -> Result<Address, String> {
    let (scheme, rest) = url.split_once("://").ok_or(EXPECTED)?;
    match scheme {
        "unix" | "redis+unix" => unix(rest),
        "redis" | "rediss" => tcp(rest, scheme == "rediss"),
        _ => Err(EXPECTED.into()),
    }
}

fn unix(rest: &str) -> Result<Address, String> {
    let (path, database) = match rest.split_once('?') {
        None => (rest, 0),
        Some((path, query)) => {
            let number = query.strip_prefix("db=").ok_or("behind ? only db=0 and the like may stand")?;
            (path, database(number)?)
        }
    };
    if !path.starts_with('/') {
        return Err(EXPECTED.into());
    }
    Ok(Address { place: Place::Unix(path.into()), database })
}

fn tcp(rest: &str, is_encrypted: bool) -> Result<Address, String> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let database = if path.is_empty() { 0 } else { database(path)? };
    let (host, port) = host_and_port(authority, 6_379)?;
    Ok(Address { place: Place::Tcp { host, port, is_encrypted }, database })
}

fn database(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| REDIS_DATABASES.contains(number));
    number.ok_or_else(|| format!("expected the number of a database, from 0 to {}", REDIS_DATABASES.end()))
}

/// Reads a sentinel: `host:26379`, or `rediss://host:26379` with TLS.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_sentinel(text: &str) -> Result<Place, String> {
    let (is_encrypted, authority) = match text.split_once("://") {
        None | Some(("redis", _)) => (false, text.strip_prefix("redis://").unwrap_or(text)),
        Some(("rediss", authority)) => (true, authority),
        Some(_) => return Err("expected host:26379, or rediss://host:26379 with TLS".into()),
    };
    let (host, port) = host_and_port(authority.strip_suffix('/').unwrap_or(authority), 26_379)?;
    Ok(Place::Tcp { host, port, is_encrypted })
}

fn host_and_port(authority: &str, usual: u16) -> Result<(String, u16), String> {
    if authority.contains('@') {
        let why = "expected no name and no password in here, where logs and process lists show them: write username and \
                   password_file";
        return Err(why.into());
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or(EXPECTED)?)),
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_bracketed = authority.starts_with('[');
    let is_host =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') || (is_bracketed && c == ':');
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(EXPECTED.into());
    }
    let port = match port {
        None => usual,
        Some(text) => text.parse().ok().filter(|port| *port != 0).ok_or("expected a port from 1 to 65535")?,
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_is_shown_as_it_was_meant() {
        for (url, shown) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://localhost/", "redis://localhost:6379/0"),
            ("redis://10.0.0.1:7000/3", "redis://10.0.0.1:7000/3"),
            ("rediss://cache.example.com:6380/0", "rediss://cache.example.com:6380/0"),
            ("redis://[::1]:6379/1", "redis://[::1]:6379/1"),
            ("redis://[::1]", "redis://[::1]:6379/0"),
            ("unix:///run/redis.sock", "unix:///run/redis.sock"),
            ("redis+unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ] {
            assert_eq!(parse(url).unwrap().to_string(), shown);
        }
        assert_eq!(parse_sentinel("a:1").unwrap().to_string(), "redis://a:1");
        assert_eq!(parse_sentinel("a").unwrap().to_string(), "redis://a:26379");
        assert_eq!(parse_sentinel("rediss://a:1/").unwrap().to_string(), "rediss://a:1");
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_password_is_repeated() {
        for bad in [
            "localhost:6379",
            "http://localhost",
            "redis://",
            "redis://:6379",
            "redis://host:0",
            "redis://host:65536",
            "redis://host:x",
            "redis://host/x",
            "redis://host/65536",
            "redis://[::1",
            "redis://[::1]6379",
            "redis://::1",
            "redis://ho st",
            "redis://host?x=1",
            "unix://run/redis.sock",
            "unix:///run/redis.sock?x=1",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for with_password in ["redis://:hush@host", "rediss://user:hush@host:6380/0", "redis://hush@host"] {
            let why = parse(with_password).unwrap_err();
            assert!(why.contains("password_file") && !why.contains("hush"), "{why}");
        }
        assert!(parse_sentinel("http://a:1").is_err() && parse_sentinel("user:hush@a:1").is_err());
    }
}
