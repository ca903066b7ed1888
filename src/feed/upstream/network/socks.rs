//! A connection asked of a SOCKS5 proxy: RFC 1928, with a name and a password by RFC 1929.
//!
//! These are three short questions, and every answer has a fixed length or tells its own, of 255 bytes at most. The
//! libraries for it tell an answer that they do not know by another's name.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{error::ProxyError, proxy::Proxy};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;

/// Where to connect to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Address(SocketAddr),
    /// The proxy resolves it.
    Name(String, u16),
}

impl Target {
    pub(super) fn of(host: &str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(address) => Self::Address(SocketAddr::new(address, port)),
            Err(_name) => Self::Name(host.to_owned(), port),
        }
    }

    fn write(&self, message: &mut Vec<u8>) -> Result<(), &'static str> {
        let port = match self {
            Self::Address(SocketAddr::V4(address)) => {
                message.push(1);
                message.extend(address.ip().octets());
                address.port()
            }
            Self::Address(SocketAddr::V6(address)) => {
                message.push(4);
                message.extend(address.ip().octets());
                address.port()
            }
            Self::Name(name, port) => {
                message.push(3);
                message.push(u8::try_from(name.len()).map_err(|_long| "cannot be asked for so long a name")?);
                message.extend(name.as_bytes());
                *port
            }
        };
        message.extend(port.to_be_bytes());
        Ok(())
    }
}

/// Asks for a connection. What is returned reaches the target.
///
/// # Cancel safety
/// The connection is dropped.
pub(super) async fn ask<S>(mut stream: S, proxy: &Proxy, target: &Target) -> Result<S, ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ended = |why: io::Error| {
        ProxyError::garbled(proxy, format!("ends the connection in the middle of SOCKS5 ({why})"))
    };
    let strange = || ProxyError::garbled(proxy, "does not answer in SOCKS5");
    let methods: &[u8] = if proxy.credentials.is_some() {
        &[VERSION, 2, NO_AUTHENTICATION, PASSWORD]
    } else {
        &[VERSION, 1, NO_AUTHENTICATION]
    };
    let [version, method] = exchange(&mut stream, methods).await.map_err(ended)?;
    if version != VERSION {
        return Err(strange());
    }
    match (method, &proxy.credentials) {
        (NO_AUTHENTICATION, _) => {}
        (PASSWORD, Some(credentials)) => {
            let mut message = vec![1];
            for text in [credentials.user.reveal(), credentials.password.reveal()] {
                message.push(u8::try_from(text.len()).map_err(|_checked| strange())?);
                message.extend(text.as_bytes());
            }
            let [_version, status] = exchange(&mut stream, &message).await.map_err(ended)?;
            if status != 0 {
                return Err(ProxyError::credentials(proxy, &format!("SOCKS5 status {status}")));
            }
        }
        (0xff, _) => return Err(ProxyError::credentials(proxy, "no method of ours suits it")),
        _ => return Err(strange()),
    }
    let mut message = vec![VERSION, 1, 0];
    target.write(&mut message).map_err(|why| ProxyError::new(proxy, why))?;
    let [version, reply, _reserved, kind] = exchange(&mut stream, &message).await.map_err(ended)?;
    if version != VERSION {
        return Err(strange());
    }
    if reply != 0 {
        return Err(ProxyError::new(proxy, format!("answers: {}", meaning(reply))));
    }
    // From where the proxy connects, which is of no use here.
    let rest = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await.map_err(ended)?),
        _ => return Err(strange()),
    };
    let mut bound = vec![0; rest + 2];
    stream.read_exact(&mut bound).await.map_err(ended)?;
    Ok(stream)
}

async fn exchange<S, const N: usize>(stream: &mut S, message: &[u8]) -> io::Result<[u8; N]>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(message).await?;
    stream.flush().await?;
    let mut answer = [0; N];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// RFC 1928, section 6.
fn meaning(reply: u8) -> String {
    match reply {
        1 => "it has failed".into(),
        2 => "its rules do not allow this connection".into(),
        3 => "the network cannot be reached from there".into(),
        4 => "the host cannot be reached from there".into(),
        5 => "the host refuses the connection".into(),
        6 => "the way to the host is too long".into(),
        7 => "it does not make connections".into(),
        8 => "it does not know this kind of address (socks5h:// sends it the name, socks5:// an address)"
            .into(),
        other => format!("unknown reply {other}"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What becomes of these answers, and what was asked.
    async fn asked(proxy: &str, target: &Target, answers: &[&[u8]]) -> (Result<(), ProxyError>, Vec<u8>) {
        let (ours, mut theirs) = duplex(4_096);
        for answer in answers {
            theirs.write_all(answer).await.unwrap();
        }
        theirs.shutdown().await.unwrap();
        let done = ask(ours, &Proxy::parse(proxy).unwrap(), target).await.map(drop);
        let mut said = Vec::new();
        theirs.read_to_end(&mut said).await.unwrap();
        (done, said)
    }

    #[tokio::test]
    async fn the_bytes_are_those_of_the_rfc() {
        let name = Target::of("venue.com", 443);
        let (done, said) =
            asked("socks5h://p:1", &name, &[b"\x05\x00", b"\x05\x00\x00\x01\0\0\0\0\0\0"]).await;
        assert_eq!(done, Ok(()));
        assert_eq!(said, b"\x05\x01\x00\x05\x01\x00\x03\x09venue.com\x01\xbb");
        let v6 = Target::of("2001:db8::1", 443);
        let answers: [&[u8]; 3] = [b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x03\x02ab\0\0"];
        let (done, said) = asked("socks5h://me:hush@p:1", &v6, &answers).await;
        assert_eq!(done, Ok(()));
        let asked_for = b"\x05\x02\x00\x02\x01\x02me\x04hush\x05\x01\x00\x04\x20\x01\x0d\xb8";
        assert!(said.starts_with(asked_for) && said.ends_with(b"\x01\x01\xbb"), "{said:?}");
    }

    #[tokio::test]
    async fn each_refusal_is_named_and_nothing_is_said_of_the_credentials() {
        let ok: &[u8] = b"\x05\x00";
        for (answers, words, is_about_credentials) in [
            (&[&b"\x05\xff"[..]][..], "no method of ours", true),
            (&[b"\x05\x02", b"\x01\x01"], "SOCKS5 status 1", true),
            (&[b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not answer in SOCKS5", false),
            (&[b"\x05\x03"], "does not answer in SOCKS5", false),
            (&[b"\x05"], "ends the connection", false),
            (&[ok, b"\x05\x02\x00\x01"], "rules do not allow", false),
            (&[ok, b"\x05\x05\x00\x01"], "refuses the connection", false),
            (&[ok, b"\x05\x08\x00\x01"], "kind of address", false),
            (&[ok, b"\x05\x63\x00\x01"], "unknown reply 99", false),
            (&[ok, b"\x05\x00\x00\x07\0\0\0\0\0\0"], "does not answer in SOCKS5", false),
            (&[ok, b"\x05\x00\x00\x01\0\0"], "ends the connection", false),
        ] {
            let (done, _said) = asked("socks5://me:hush@p:1", &Target::of("a", 1), answers).await;
            let why = done.unwrap_err();
            assert!(why.to_string().contains(words), "{why}");
            assert!(why.to_string().contains("socks5://p:1") && !why.to_string().contains("hush"), "{why}");
            assert_eq!(why.is_about_credentials, is_about_credentials, "{why}");
        }
        let long = Target::Name("a".repeat(256), 1);
        let (done, _said) = asked("socks5h://p:1", &long, &[ok]).await;
        assert!(done.unwrap_err().to_string().contains("so long a name"));
    }
}
