//! An HTTP client that sends bytes as they are told, and reads answers one by one.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::time::Instant;

use crate::util::{PATIENCE, TestGateway};

/// A plain connection.
pub(super) struct Http {
    pub(super) stream: TcpStream,
    /// What was read and not looked at.
    pub(super) read: Vec<u8>,
}

/// An answer with a body of known length.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Http {
    pub(super) fn dial(gateway: &TestGateway) -> Self {
        Self::over(TcpStream::connect(gateway.address).unwrap())
    }

    /// From another of this machine's addresses: 127.0.0.x.
    pub(super) fn dial_from(gateway: &TestGateway, last: u8) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
        socket.connect(&gateway.address.into()).unwrap();
        Self::over(socket.into())
    }

    pub(super) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub(super) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Asks and reads the answer.
    pub(super) fn ask(&mut self, request: &str) -> Answer {
        self.send(request);
        self.answer()
    }

    /// The next answer.
    pub(super) fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            Some(line.split_once(": ")?.1.to_owned())
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.more(), "the body of {head} ends early");
        }
        let body = self.read.drain(..length).collect();
        Answer { status, body: String::from_utf8(body).unwrap() }
    }

    /// Everything up to the end of that text.
    pub(super) fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.read.windows(text.len()).position(|window| window == text.as_bytes()) {
                let taken: Vec<u8> = self.read.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&taken).into_owned();
            }
            let have = String::from_utf8_lossy(&self.read).into_owned();
            assert!(self.more(), "the connection ended before {text:?}: {have:?}");
        }
    }

    /// Everything up to the end of the connection.
    pub(super) fn rest(&mut self) -> String {
        while self.more() {}
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// Sends that text again and again, until the gateway answers or ends the connection.
    pub(super) fn drip(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        self.stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let mut bytes = [0; 4_096];
        loop {
            assert!(Instant::now() < deadline, "it drips for ever");
            if self.stream.write_all(text.as_bytes()).is_err() {
                break;
            }
            match self.stream.read(&mut bytes) {
                Ok(n) => {
                    self.read.extend_from_slice(&bytes[..n]);
                    break;
                }
                Err(why) if matches!(why.kind(), std::io::ErrorKind::WouldBlock) => {}
                Err(_) => break,
            }
        }
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    /// Reads once. Returns whether there was anything.
    fn more(&mut self) -> bool {
        let mut bytes = [0; 64 * 1024];
        let read = match self.stream.read(&mut bytes) {
            Ok(read) => read,
            // Ended with bytes of ours unread.
            Err(why) if why.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(why) => panic!("{why}"),
        };
        self.read.extend_from_slice(&bytes[..read]);
        read > 0
    }
}

/// A request without a body.
pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// A request to publish that body.
pub(super) fn publish(body: &str) -> String {
    format!("{}{body}", publish_head(body.len()))
}

/// The head of one, for a body of that length.
pub(super) fn publish_head(length: usize) -> String {
    format!("POST /v1/publish?feed=desk HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

/// The same in two chunks.
pub(super) fn publish_chunked(body: &str) -> String {
    let (one, two) = body.split_at(body.len() / 2);
    format!(
        "POST /v1/publish?feed=desk HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{one}\r\n{:x};a=b\r\n{two}\r\n0\r\nX-Trailer: 1\r\n\r\n",
        one.len(),
        two.len()
    )
}
