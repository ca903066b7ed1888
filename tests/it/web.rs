//! What the web around the gateway sends: names and origins, proxies, methods, upgrades, and requests that are odd but
//! legal, as bytes on a plain socket and over both drivers.

mod asking;
mod pages;
mod requests;

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use crate::util::{PATIENCE, TestGateway};

/// An answer up to the end of what it says of its length.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    /// All values of a header, with commas between them; empty when there is none.
    fn header(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join(", ")
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(found, _)| found == name)
    }
}

/// Sends a request as it stands and reads the answer; the head only of one that goes on, or of one to `HEAD`.
fn ask(gateway: &TestGateway, request: &str) -> Answer {
    let mut stream = dial(gateway);
    stream.write_all(request.as_bytes()).unwrap();
    read(&mut stream, request.starts_with("HEAD "))
}

fn dial(gateway: &TestGateway) -> TcpStream {
    let stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn read(stream: &mut TcpStream, is_head: bool) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .unwrap_or_else(|why| panic!("{why} after {:?}", String::from_utf8_lossy(&head)));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let start = lines.next().unwrap();
    let header =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: Vec<_> = lines.map(|line| header(line).unwrap()).collect();
    let status = start.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, headers, body: String::new() };
    let goes_on = answer.header("content-type") == "text/event-stream" || matches!(status, 101 | 204 | 304);
    if !goes_on && !is_head {
        let length = answer.header("content-length").parse().expect("a length");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
    }
    answer
}

/// What is left until the gateway ends the connection.
fn rest(stream: &mut TcpStream) -> String {
    let _gone = stream.shutdown(Shutdown::Write);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    String::from_utf8_lossy(&rest).into_owned()
}

/// A request with these headers besides `Host`, on a connection of its own.
fn request(method: &str, path: &str, host: &str, more: &[&str]) -> String {
    let more: String = more.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n")
}

/// What makes a request an upgrade.
const UPGRADE: [&str; 3] =
    ["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];

/// A request for a session with these headers besides.
fn upgrade(path: &str, host: &str, more: &[&str]) -> String {
    let lines: String = UPGRADE.iter().chain(more).map(|line| format!("{line}\r\n")).collect();
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n{lines}\r\n")
}

/// Every route as a request that is answered at once: method and path.
fn routes() -> Vec<(String, String)> {
    let path = |path: &str| match path {
        "/v1/sse" => "/v1/sse?symbols=A".to_owned(),
        "/v1/poll" => "/v1/poll?symbols=A&wait=0".to_owned(),
        "/v1/publish" => "/v1/publish?feed=desk".to_owned(),
        "/v1/bars/{symbol:.+}" => "/v1/bars/A?interval=1m".to_owned(),
        other => other.replace("{symbol:.+}", "A"),
    };
    let routes = tickcast::server::routes();
    routes.into_iter().map(|(method, name)| (method.to_uppercase(), path(name))).collect()
}
