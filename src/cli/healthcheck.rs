//! `tickcast healthcheck`: one plain HTTP request with a deadline, for containers that have no other client.

use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::http::Uri;

use super::output::print;
use crate::limits::HEALTHCHECK_TIMEOUT;

/// Longest status line that is read.
const MAX_STATUS_LINE: usize = 512;

/// Whom to ask.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// The address to ask; any 2xx answer is healthy
    #[arg(default_value = "http://127.0.0.1:8080/readyz", value_parser = http_url)]
    pub url: Uri,
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
/// When there is no answer in time, or another one than 2xx.
pub fn run(args: &HealthcheckArgs) -> anyhow::Result<()> {
    let status = ask(&args.url, HEALTHCHECK_TIMEOUT)?;
    print(|out| writeln!(out, "{status}"))?;
    Ok(())
}

fn ask(url: &Uri, timeout: Duration) -> anyhow::Result<String> {
    let host = url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_u16().unwrap_or(80);
    let address = (bare, port).to_socket_addrs().with_context(|| format!("{host} has no address"))?.next();
    let address = address.with_context(|| format!("{host} has no address"))?;
    let deadline = Instant::now() + timeout;
    let mut stream = TcpStream::connect_timeout(&address, timeout)
        .with_context(|| format!("nobody answers at {address}"))?;
    stream.set_write_timeout(Some(timeout))?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\nUser-Agent: tickcast-healthcheck\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let status = status_line(&mut stream, deadline).with_context(|| format!("{address} gave no answer"))?;
    let mut words = status.split(' ');
    ensure!(words.next().is_some_and(|word| word.starts_with("HTTP/1.")), "{address} does not speak HTTP/1");
    match words.next() {
        Some(code) if code.len() == 3 && code.starts_with('2') => Ok(status),
        _ => bail!("{url} is not healthy: {status}"),
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
        assert_eq!(ask(&served("HTTP/1.1 200 OK\r\n\r\n"), long).unwrap(), "HTTP/1.1 200 OK");
        let error = ask(&served("HTTP/1.1 503 Service Unavailable\r\n\r\n"), long).unwrap_err();
        assert!(error.to_string().contains("not healthy: HTTP/1.1 503"), "{error}");
        assert!(ask(&served("220 mail\r\n"), long).unwrap_err().to_string().contains("does not speak"));
    }

    #[test]
    fn silence_ends_at_the_deadline_and_a_closed_port_at_once() {
        let error = ask(&served("HTTP/1."), Duration::from_millis(50)).unwrap_err();
        assert!(format!("{error:#}").ends_with("not in time"), "{error:#}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);
        let error = ask(&url, Duration::from_secs(10)).unwrap_err();
        assert!(error.to_string().starts_with("nobody answers at 127.0.0.1:"), "{error}");
    }
}
