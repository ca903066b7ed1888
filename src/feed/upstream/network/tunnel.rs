//! A connection asked of an HTTP proxy with `CONNECT`: RFC 9110, section 9.3.6.

use std::convert::Infallible;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::Empty;
use hyper::{Method, Request, Response, StatusCode, Uri, body::Incoming, header, upgrade};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::Bytes;

use super::{AGENT, Carrier, error::ProxyError, proxy::Proxy};
use crate::limits::PROXY_HEAD_BYTES;

/// Asks for a connection to `authority`, a host with its port. What is returned reaches it.
///
/// # Cancel safety
/// The connection is dropped.
pub(super) async fn ask(carrier: Carrier, proxy: &Proxy, authority: &str) -> Result<Carrier, ProxyError> {
    let request =
        request(proxy, authority).map_err(|why| ProxyError::new(proxy, format!("cannot be asked: {why}")))?;
    let opened = hyper::client::conn::http1::Builder::new()
        .max_buf_size(PROXY_HEAD_BYTES)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(carrier))
        .await;
    let (mut sender, connection) = opened.map_err(|why| misunderstood(proxy, &why))?;
    // What goes wrong with the connection the answer tells.
    let driven = async {
        let _ended = connection.with_upgrades().await;
        std::future::pending::<Infallible>().await
    };
    let exchanged = async {
        let answer = sender.send_request(request).await.map_err(|why| misunderstood(proxy, &why))?;
        opened_by(answer, proxy, authority).await
    };
    tokio::select! {
        done = exchanged => done,
        never = driven => match never {},
    }
}

fn request(proxy: &Proxy, authority: &str) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let uri: Uri = authority.parse()?;
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(uri)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, AGENT);
    if let Some(credentials) = &proxy.credentials {
        let pair = format!("{}:{}", credentials.user.reveal(), credentials.password.reveal());
        let mut value = header::HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))?;
        value.set_sensitive(true);
        request = request.header(header::PROXY_AUTHORIZATION, value);
    }
    request.body(Empty::new())
}

async fn opened_by(
    answer: Response<Incoming>,
    proxy: &Proxy,
    authority: &str,
) -> Result<Carrier, ProxyError> {
    let status = answer.status();
    // Some answer wrong credentials with 401, as if they were the venue.
    if matches!(status, StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED) {
        return Err(ProxyError::credentials(proxy, &format!("HTTP {status}")));
    }
    if !status.is_success() {
        let advice = match status.as_u16() {
            403 => "its rules do not allow this connection",
            500 | 502..=504 => "it cannot reach the venue either",
            405 | 501 => "it does not make connections for others",
            _ => "no connection",
        };
        let what = format!("answers HTTP {status} for {authority}: {advice}");
        return Err(ProxyError::new(proxy, what));
    }
    let upgraded = upgrade::on(answer).await.map_err(|why| misunderstood(proxy, &why))?;
    let parts = upgraded.downcast::<TokioIo<Carrier>>();
    match parts {
        Ok(parts) if parts.read_buf.is_empty() => Ok(parts.io.into_inner()),
        // A venue waits for us to speak.
        Ok(_) | Err(_) => Err(ProxyError::garbled(proxy, "says more than was asked")),
    }
}

fn misunderstood(proxy: &Proxy, why: &hyper::Error) -> ProxyError {
    // The library has a name for this only where it is a server.
    let what = if why.is_parse() && why.to_string().contains("too large") {
        format!("answers with more than {PROXY_HEAD_BYTES} bytes before anything else")
    } else if why.is_parse() {
        "does not answer in HTTP".to_owned()
    } else {
        format!("ends the connection without an answer ({why})")
    };
    ProxyError::garbled(proxy, what)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };
    use tokio_tungstenite::MaybeTlsStream;

    use super::*;

    /// What becomes of this answer, and what was asked.
    async fn asked(proxy: &str, answer: &[u8]) -> (Result<Carrier, ProxyError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        let answer = answer.to_vec();
        let said = tokio::spawn(async move {
            let mut said = Vec::new();
            while !said.ends_with(b"\r\n\r\n") && theirs.read_buf(&mut said).await.unwrap() > 0 {}
            // Who has read enough closes.
            let _whole = theirs.write_all(&answer).await;
            let _told = theirs.shutdown().await;
            String::from_utf8(said).unwrap()
        });
        let proxy = Proxy::parse(proxy).unwrap();
        let done = ask(MaybeTlsStream::Plain(ours), &proxy, "venue.com:443").await;
        (done, said.await.unwrap())
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_with_what_we_are_known_by() {
        let (done, said) = asked("http://p:1", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
        assert!(done.is_ok(), "a length means nothing here");
        assert!(said.starts_with("CONNECT venue.com:443 HTTP/1.1\r\nhost: venue.com:443\r\n"), "{said}");
        assert!(said.contains(&format!("user-agent: {AGENT}")) && !said.contains("authorization"), "{said}");
        let (_done, said) = asked("http://me:hush@p:1", b"HTTP/1.0 200\r\n\r\n").await;
        assert!(said.contains("proxy-authorization: Basic bWU6aHVzaA==\r\n"), "{said}");
    }

    #[tokio::test]
    async fn each_answer_that_is_no_tunnel_is_named() {
        let long = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'a'; 2 * PROXY_HEAD_BYTES]].concat();
        for (answer, words, is_about_credentials) in [
            (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], "407", true),
            (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "does not accept the credentials (HTTP 401", true),
            (b"HTTP/1.1 500 Unable to connect\r\n\r\n", "cannot reach the venue either", false),
            (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!", "rules do not allow", false),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "cannot reach the venue either", false),
            (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "connections for others", false),
            (b"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\n\r\n", "HTTP 301", false),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer in HTTP", false),
            (b"\x05\xff", "does not answer in HTTP", false),
            (b"", "ends the connection", false),
            (b"HTTP/1.1 200 O", "ends the connection", false),
            (b"HTTP/1.1 200 OK\r\n\r\n220 smtp ready\r\n", "says more than was asked", false),
            (&long, "bytes before anything else", false),
        ] {
            let (done, _said) = asked("http://me:hush@p:1", answer).await;
            let why = done.map(drop).unwrap_err();
            assert!(why.to_string().contains(words), "{:?}: {why}", String::from_utf8_lossy(answer));
            assert!(why.to_string().contains("http://p:1") && !why.to_string().contains("hush"), "{why}");
            assert_eq!(why.is_about_credentials, is_about_credentials, "{why}");
        }
    }
}
