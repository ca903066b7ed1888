//! `tickcast healthcheck`: one plain HTTP request with a deadline, for containers that have no other client.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::http::Uri;

use super::{ServeArgs, output::print};
use crate::{
    config::{Config, environment},
    limits::HEALTHCHECK_TIMEOUT,
};

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// Longest status line that is read.
const MAX_STATUS_LINE: usize = 512;

/// Whom to ask.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// The address to ask; any 2xx answer is healthy. Without it, `/readyz` where `serve` with the same configuration
    /// file, environment and flags listens
    #[arg(value_parser = http_url, conflicts_with_all = ["config", "bind"])]
    pub url: Option<Uri>,
    #[command(flatten)]
    serve: ServeArgs,
}

fn http_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|why| format!("{why}"))?;
    match (url.scheme_str(), url.host()) {
        (Some("http"), Some(_)) => Ok(url),
        _ => Err("expected an address like http://127.0.0.1:8080/readyz".into()),
    }
}

/// Asks, and prints the status line.
///
/// # Errors
/// When there is no answer in time, or another one than 2xx; [`ConfigErrors`](crate::config::ConfigErrors) when the
/// address cannot be read from the configuration.
pub fn run(args: &HealthcheckArgs) -> anyhow::Result<()> {
    let asked = match &args.url {
        Some(url) => Asked::of(url)?,
        None => {
            let directory = std::env::current_dir().context("the working directory is gone")?;
            let bind = Config::load_bind(&args.serve.flags(), environment(), &directory)?;
            Asked::at(bind)?
        }
    };
    let status = asked.ask(HEALTHCHECK_TIMEOUT)?;
    print(|out| writeln!(out, "{status}"))?;
    Ok(())
}

/// What is asked, and where.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// One after the other, until one is connected.
    addresses: Vec<SocketAddr>,
    /// With the port.
    host: String,
    path: String,
}

impl Asked {
    fn of(url: &Uri) -> anyhow::Result<Self> {
        let host = url.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_u16().unwrap_or(80);
        let found = (bare, port).to_socket_addrs().with_context(|| format!("{host} has no address"))?;
        let addresses: Vec<_> = found.take(MAX_ADDRESSES).collect();
        ensure!(!addresses.is_empty(), "{host} has no address");
        let path = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { addresses, host: format!("{host}:{port}"), path })
    }

    /// A gateway that listens there. One that listens on all addresses of the machine is asked on its loopback.
    fn at(bind: SocketAddr) -> anyhow::Result<Self> {
        let port = bind.port();
        ensure!(port != 0, "server.bind has port 0, which is any free one: name the address to ask");
        let addresses = match bind.ip().to_canonical() {
            IpAddr::V4(ip) if ip.is_unspecified() => vec![(Ipv4Addr::LOCALHOST, port).into()],
            // It takes IPv4 too, as a rule, and loopback may have no IPv6.
            IpAddr::V6(ip) if ip.is_unspecified() => {
                vec![(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()]
            }
            IpAddr::V4(_) | IpAddr::V6(_) => vec![bind],
        };
        // Without the zone of a link-local address, which means something on this machine only.
        let host = addresses.first().map(|first| SocketAddr::new(first.ip(), port).to_string());
        Ok(Self { addresses, host: host.unwrap_or_default(), path: "/readyz".into() })
    }

    fn ask(&self, timeout: Duration) -> anyhow::Result<String> {
        let deadline = Instant::now() + timeout;
        let (mut stream, address) = self.connect(deadline)?;
        stream.set_write_timeout(Some(timeout))?;
        let Self { host, path, .. } = self;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: tickcast-healthcheck\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let status =
            status_line(&mut stream, deadline).with_context(|| format!("{address} gave no answer"))?;
        let mut words = status.split(' ');
        ensure!(
            words.next().is_some_and(|word| word.starts_with("HTTP/1.")),
            "{address} does not speak HTTP/1"
        );
        match words.next() {
            Some(code) if code.len() == 3 && code.starts_with('2') => Ok(status),
            _ => bail!("http://{host}{path} is not healthy: {status}"),
        }
    }

    fn connect(&self, deadline: Instant) -> anyhow::Result<(TcpStream, SocketAddr)> {
        let mut failed = None;
        for (tried, address) in self.addresses.iter().enumerate() {
            // One that does not answer leaves the others their share.
            let others = u32::try_from(self.addresses.len() - tried).unwrap_or(u32::MAX);
            let left = deadline.saturating_duration_since(Instant::now()) / others;
            if left.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(address, left) {
                Ok(stream) => return Ok((stream, *address)),
                Err(why) => {
                    failed = failed.or_else(|| {
                        Some(anyhow::Error::from(why).context(format!("nothing answers at {address}")))
                    });
                }
            }
        }
        Err(failed.unwrap_or_else(|| anyhow::anyhow!("{} was not reached in time", self.host)))
    }
}

/// The first line of the answer. A server that trickles does not stretch the deadline.
fn status_line(stream: &mut TcpStream, deadline: Instant) -> anyhow::Result<String> {
    let mut line = Vec::new();
    let mut chunk = [0; 128];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "not in time");
        stream.set_read_timeout(Some(left))?;
        let read = match stream.read(&mut chunk) {
            Ok(read) => read,
            Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => bail!("not in time"),
            Err(why) => return Err(why.into()),
        };
        ensure!(read > 0, "the connection was closed");
        line.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if let Some(end) = line.iter().position(|b| *b == b'\n') {
            line.truncate(end);
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        ensure!(line.len() <= MAX_STATUS_LINE, "the first line of the answer has no end");
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// A server that answers one request with `answer` and keeps the connection open until the client goes.
    fn served(answer: &'static str) -> Uri {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/readyz?a=b", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /readyz?a=b HTTP/1.1\r\nHost: 127.0.0.1:"));
            stream.write_all(answer.as_bytes()).unwrap();
            while stream.read(&mut request).is_ok_and(|read| read > 0) {}
        });
        url.parse().unwrap()
    }

    #[test]
    fn only_2xx_is_healthy() {
        let long = Duration::from_secs(10);
        let ask = |url: &Uri, timeout| Asked::of(url).unwrap().ask(timeout);
        assert_eq!(ask(&served("HTTP/1.1 200 OK\r\n\r\n"), long).unwrap(), "HTTP/1.1 200 OK");
        let error = ask(&served("HTTP/1.1 503 Service Unavailable\r\n\r\n"), long).unwrap_err();
        assert!(error.to_string().contains("not healthy: HTTP/1.1 503"), "{error}");
        assert!(ask(&served("220 mail\r\n"), long).unwrap_err().to_string().contains("does not speak"));
    }

    #[test]
    fn silence_ends_at_the_deadline_and_a_closed_port_at_once() {
        let ask = |url: &Uri, timeout| Asked::of(url).unwrap().ask(timeout);
        let error = ask(&served("HTTP/1."), Duration::from_millis(50)).unwrap_err();
        assert!(format!("{error:#}").ends_with("not in time"), "{error:#}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);
        let error = ask(&url, Duration::from_secs(10)).unwrap_err();
        assert!(error.to_string().starts_with("nothing answers at 127.0.0.1:"), "{error}");
    }

    #[test]
    fn whatever_a_gateway_listens_on_it_can_be_asked() {
        for (bind, addresses, host) in [
            ("127.0.0.1:8080", &["127.0.0.1:8080"][..], "127.0.0.1:8080"),
            ("127.0.0.2:81", &["127.0.0.2:81"], "127.0.0.2:81"),
            ("0.0.0.0:9000", &["127.0.0.1:9000"], "127.0.0.1:9000"),
            ("[::]:9000", &["[::1]:9000", "127.0.0.1:9000"], "[::1]:9000"),
            ("[::ffff:0.0.0.0]:9000", &["127.0.0.1:9000"], "127.0.0.1:9000"),
            ("[::1]:80", &["[::1]:80"], "[::1]:80"),
            ("192.0.2.7:80", &["192.0.2.7:80"], "192.0.2.7:80"),
            ("[fe80::1%2]:80", &["[fe80::1%2]:80"], "[fe80::1]:80"),
        ] {
            let asked = Asked::at(bind.parse().unwrap()).unwrap();
            let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(asked, Asked { addresses, host: host.into(), path: "/readyz".into() }, "{bind}");
        }
        assert!(Asked::at("0.0.0.0:0".parse().unwrap()).unwrap_err().to_string().contains("port 0"));
    }

    #[test]
    fn a_name_with_several_addresses_is_reached_at_the_one_that_answers() {
        let url = served("HTTP/1.1 200 OK\r\n\r\n");
        let mut asked = Asked::of(&url).unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        asked.addresses.insert(0, closed.local_addr().unwrap());
        drop(closed);
        assert_eq!(asked.ask(Duration::from_secs(10)).unwrap(), "HTTP/1.1 200 OK");
    }
}
