//! A proxy of this machine that says what was asked of it and fails on command: HTTP `CONNECT` and SOCKS5, with and without
//! credentials, in the clear or over TLS. Whatever host it is asked for, it connects to this machine.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Socks5,
}

/// What it does.
#[derive(Debug, Clone)]
pub(super) enum Manner {
    /// Lets everybody through.
    Open,
    /// Lets this user with this password through.
    Guarded(&'static str, &'static str),
    /// Answers the first request with these bytes and closes.
    Says(Vec<u8>),
    /// Reads, and never answers.
    Silent,
    /// Closes at once.
    Closing,
}

pub(super) struct TestProxy {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for TestProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestProxy {
    pub(super) async fn start(kind: Kind, manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let asking = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, asked, tls) = (manner.clone(), Arc::clone(&asking), tls.clone());
                tokio::spawn(async move {
                    // A client that goes away is served no more.
                    let _gone = match tls {
                        None => serve(stream, kind, &manner, &asked).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, kind, &manner, &asked).await,
                            Err(why) => Err(why),
                        },
                    };
                });
            }
        });
        Self { address, asked, task }
    }

    /// The places that a connection was asked for and given to, `host:port`.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

async fn serve<S>(
    mut stream: S,
    kind: Kind,
    manner: &Manner,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match manner {
        Manner::Closing => return Ok(()),
        Manner::Silent => {
            let mut scratch = [0; 1_024];
            while stream.read(&mut scratch).await? > 0 {}
            return Ok(());
        }
        Manner::Says(answer) => {
            let mut scratch = [0; 1_024];
            let _request = stream.read(&mut scratch).await?;
            stream.write_all(answer).await?;
            stream.shutdown().await?;
            // A reset could overtake the answer.
            while stream.read(&mut scratch).await? > 0 {}
            return Ok(());
        }
        Manner::Open | Manner::Guarded(..) => {}
    }
    let known = match manner {
        Manner::Guarded(user, password) => Some((*user, *password)),
        Manner::Open | Manner::Says(_) | Manner::Silent | Manner::Closing => None,
    };
    let place = match kind {
        Kind::Http => http(&mut stream, known).await?,
        Kind::Socks5 => socks(&mut stream, known).await?,
    };
    let Some(place) = place else { return Ok(()) };
    let port: u16 = place.rsplit_once(':').unwrap().1.parse().unwrap();
    asked.lock().push(place);
    let mut target = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let granted: &[u8] = match kind {
        Kind::Http => b"HTTP/1.1 200 Connection established\r\n\r\n",
        Kind::Socks5 => b"\x05\x00\x00\x01\0\0\0\0\0\0",
    };
    stream.write_all(granted).await?;
    copy_bidirectional(&mut stream, &mut target).await.map(drop)
}

/// The place that is asked for, if that is allowed.
async fn http<S>(stream: &mut S, known: Option<(&str, &str)>) -> std::io::Result<Option<String>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    if let Some((user, password)) = known {
        let basic = STANDARD.encode(format!("{user}:{password}"));
        if !head.contains(&format!("proxy-authorization: Basic {basic}\r\n")) {
            let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\
                           Content-Length: 0\r\n\r\n";
            stream.write_all(refusal.as_bytes()).await?;
            return Ok(None);
        }
    }
    let line = head.lines().next().unwrap();
    Ok(line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).map(ToOwned::to_owned))
}

/// Likewise.
async fn socks<S>(stream: &mut S, known: Option<(&str, &str)>) -> std::io::Result<Option<String>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    assert_eq!(stream.read_u8().await?, 5);
    let mut methods = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut methods).await?;
    if let Some((user, password)) = known {
        if !methods.contains(&2) {
            stream.write_all(b"\x05\xff").await?;
            return Ok(None);
        }
        stream.write_all(b"\x05\x02").await?;
        stream.read_u8().await?;
        let said = [text(stream).await?, text(stream).await?];
        let is_known = said == [user, password];
        stream.write_all(&[1, u8::from(!is_known)]).await?;
        if !is_known {
            return Ok(None);
        }
    } else {
        stream.write_all(b"\x05\x00").await?;
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        3 => text(stream).await?,
        other => panic!("kind of address {other}"),
    };
    Ok(Some(format!("{host}:{}", stream.read_u16().await?)))
}

async fn text<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<String> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(String::from_utf8(bytes).unwrap())
}
