//! HTTP by hand over one connection, so that it is known which request uses which.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// Longest that an answer may take; the gateway may be paused meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);

/// A connection that can be asked again and again.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer whose body has a length.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, from: Ipv4Addr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = timeout(PATIENCE, socket.connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes)).await?
    }

    /// Sends a request without a body and reads the answer.
    pub(crate) async fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
        self.answer().await
    }

    pub(crate) async fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> io::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat()).await?;
        self.answer().await
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut part = vec![0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut part)).await??;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&part[..read]);
        Ok(())
    }

    /// Reads a head.
    pub(crate) async fn head(&mut self) -> io::Result<(u16, String)> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        self.buffer.drain(..end);
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        status.map(|status| (status, head)).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Reads an answer with its body.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let (status, head) = self.head().await?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = Vec::new();
        if let Some(length) = length {
            while self.buffer.len() < length {
                self.more().await?;
            }
            body = self.buffer.drain(..length).collect();
        } else if head.contains("transfer-encoding: chunked") {
            while let Some(chunk) = self.chunk().await? {
                body.extend_from_slice(&chunk);
            }
        }
        Ok(Answer { status, head, body })
    }

    /// The next chunk of a body that comes in chunks; none at its end.
    pub(crate) async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (at, length) = loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let size = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                let length = usize::from_str_radix(size.trim(), 16);
                break (at + 2, length.map_err(|_bad| io::Error::from(io::ErrorKind::InvalidData))?);
            }
            self.more().await?;
        };
        while self.buffer.len() < at + length + 2 {
            self.more().await?;
        }
        let chunk = self.buffer[at..at + length].to_vec();
        self.buffer.drain(..at + length + 2);
        Ok((length > 0).then_some(chunk))
    }
}

/// The status of one GET over a connection of its own.
pub(crate) async fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let mut connection = Connection::open(address, Ipv4Addr::LOCALHOST).await.ok()?;
    connection.get(path).await.ok().map(|answer| answer.status)
}

/// The JSON of one GET over a connection of its own.
pub(crate) async fn json(address: SocketAddr, path: &str) -> Option<serde_json::Value> {
    let mut connection = Connection::open(address, Ipv4Addr::LOCALHOST).await.ok()?;
    let answer = connection.get(path).await.ok()?;
    serde_json::from_slice(&answer.body).ok()
}
