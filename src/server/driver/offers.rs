//! `Upgrade` as RFC 9110, section 7.8, has it: a list of offers, of which a server may take one or none.
//!
//! actix takes a request with `Upgrade: websocket` and nothing else there for an upgrade, whatever it asks for, and one
//! that offers something besides for none. So in the bytes that it gets, the header says `websocket` where that is offered
//! and there is a WebSocket, and else nothing. Everything else in the line is overwritten with
//! blanks: no byte moves.

use bytes::{Buf as _, BytesMut};
use tokio::io::ReadBuf;

use crate::{limits::HEAD_LINE_BYTES, server::path};

/// The longest method (RFC 9110 and WebDAV have none of more than 16).
const METHOD: usize = 20;

const UPGRADE: &[u8] = b"upgrade:";
const CONNECTION: &[u8] = b"connection:";
const OFFER: &[u8] = b"websocket";

/// Rewrites a whole head.
pub(crate) fn single_out(head: &mut [u8], is_socket: impl Fn(&str) -> bool) {
    let Some((is_upgrade, end)) = first_line(head, &is_socket) else { return };
    for line in head[end..].split_inclusive_mut(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        rewrite(line, is_upgrade);
    }
}

/// Rewrites a header's line.
fn rewrite(line: &mut [u8], is_upgrade: bool) {
    if let Some(offers) = value(line, UPGRADE) {
        choose(offers, is_upgrade);
    } else if !is_upgrade && let Some(options) = value(line, CONNECTION) {
        // actix would end the connection behind its answer, and not say so.
        take_out(options, b"upgrade");
    }
}

/// A head that comes in pieces: each line waits here until it is whole and rewritten. One that is longer than
/// [`HEAD_LINE_BYTES`], or that begins no request, goes up as it is.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    held: BytesMut,
    /// Bytes at its start that may go up.
    ready: usize,
    line: Line,
    whole: bool,
}

/// What the bytes behind the ready ones are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// The beginning of the request's own line.
    #[default]
    First,
    /// The beginning of a header's.
    Header { is_upgrade: bool },
    /// The rest of a line that is too long.
    Long { is_upgrade: bool },
    /// Nothing that is rewritten.
    Other,
}

impl Pieces {
    /// Takes in the next piece of the head, which ends it if it is `whole` then.
    pub(crate) fn push(&mut self, piece: &[u8], whole: bool, is_socket: impl Fn(&str) -> bool) {
        self.held.extend_from_slice(piece);
        self.whole = whole;
        while self.line != Line::Other {
            let rest = &mut self.held[self.ready..];
            let Some(end) = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1) else { break };
            let line = &mut rest[..end];
            self.line = match self.line {
                Line::First => match first_line(line, &is_socket) {
                    Some((is_upgrade, _end)) => Line::Header { is_upgrade },
                    None => Line::Other,
                },
                Line::Header { is_upgrade } => {
                    rewrite(line, is_upgrade);
                    Line::Header { is_upgrade }
                }
                Line::Long { is_upgrade } => Line::Header { is_upgrade },
                Line::Other => Line::Other,
            };
            self.ready += end;
        }
        self.pass_on();
    }

    /// Lets go what need not wait for the end of its line.
    fn pass_on(&mut self) {
        let rest = &self.held[self.ready..];
        let is_long = rest.len() > HEAD_LINE_BYTES;
        self.line = match self.line {
            Line::First if is_long || !may_be_request(rest) => Line::Other,
            Line::Header { is_upgrade } if is_long => Line::Long { is_upgrade },
            Line::First | Line::Header { .. } | Line::Long { .. } | Line::Other => self.line,
        };
        if self.whole || matches!(self.line, Line::Long { .. } | Line::Other) {
            self.ready = self.held.len();
        }
    }

    /// The client will send no more: what is here goes up as it is.
    pub(crate) fn end(&mut self) {
        self.ready = self.held.len();
    }

    /// Moves what may go up into a buffer. Returns whether that was anything.
    pub(crate) fn put(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let moved = self.ready.min(buf.remaining());
        buf.put_slice(&self.held[..moved]);
        self.held.advance(moved);
        self.ready -= moved;
        moved > 0
    }

    /// Whether the head is whole and went up.
    pub(crate) fn is_over(&self) -> bool {
        self.whole && self.held.is_empty()
    }
}

/// Whether bytes without the end of a line may be the beginning of a request.
fn may_be_request(bytes: &[u8]) -> bool {
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    method.len() < METHOD && method.iter().all(u8::is_ascii_uppercase) && !bytes.starts_with(b" ")
}

/// Whether a request may be an upgrade, and where its first line ends. `None` if there is no request.
fn first_line(bytes: &[u8], is_socket: impl Fn(&str) -> bool) -> Option<(bool, usize)> {
    let space = bytes.iter().take(METHOD).position(|byte| *byte == b' ')?;
    if space == 0 || !bytes[..space].iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let end = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let line = str::from_utf8(&bytes[..end]).ok()?.trim_ascii_end();
    let (target, version) = line[space + 1..].rsplit_once(" HTTP/1.")?;
    let origin =
        target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let path = origin.split(['?', '#']).next().unwrap_or_default();
    let is_upgrade = &bytes[..space] == b"GET" && version == "1" && is_socket(&path::plain(path));
    Some((is_upgrade, end))
}

/// The value of a header's line, with the end of the line.
fn value<'a>(line: &'a mut [u8], name: &[u8]) -> Option<&'a mut [u8]> {
    let (found, value) = line.split_at_mut_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then_some(value)
}

/// Blanks an element of a list, however often it is there.
fn take_out(list: &mut [u8], element: &[u8]) {
    for found in list.split_mut(|byte| *byte == b',') {
        if found.trim_ascii().eq_ignore_ascii_case(element) {
            let end = found.trim_ascii_end().len();
            found[..end].fill(b' ');
        }
    }
}

/// Leaves one offer in the value of the header, or none.
fn choose(value: &mut [u8], is_upgrade: bool) {
    let has_offer = value.split(|byte| *byte == b',').any(|it| it.trim_ascii().eq_ignore_ascii_case(OFFER));
    // The end of the line stays.
    let end = value.trim_ascii_end().len();
    let value = &mut value[..end];
    if value.trim_ascii().eq_ignore_ascii_case(OFFER) && is_upgrade {
        return;
    }
    value.fill(b' ');
    if has_offer && is_upgrade {
        let start = end - OFFER.len();
        value[start..].copy_from_slice(OFFER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        single_out(&mut bytes, |path| path == "/v1/ws");
        assert_eq!(bytes.len(), text.len());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_list_of_offers_is_one_websocket() {
        for (value, left) in [
            ("websocket", "websocket"),
            ("WebSocket", "WebSocket"),
            ("h2c, WebSocket", "websocket"),
            ("websocket,h2c", "websocket"),
            ("TLS/1.0 , websocket , x", "websocket"),
            ("h2c", ""),
            ("websockets", ""),
            ("", ""),
        ] {
            let head = |value: &str| {
                format!("GET /v1/ws?a=/b HTTP/1.1\r\nHost: a\r\nuPgrade: {value}\r\nX: y\r\n\r\n")
            };
            let found = rewritten(&head(value));
            let line = found.lines().nth(2).unwrap();
            assert_eq!(line.split_once(':').unwrap().1.trim(), left, "{value}");
            assert!(found.ends_with("\r\nX: y\r\n\r\n"), "{found}");
        }
    }

    /// What goes up of a head that comes in these pieces.
    fn in_pieces(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut head, mut up) = (Pieces::default(), Vec::new());
        for (i, piece) in pieces.iter().enumerate() {
            head.push(piece, i + 1 == pieces.len(), |path| path == "/v1/ws");
            // A reader with little room.
            let mut bytes = [0; 7];
            loop {
                let mut buf = ReadBuf::new(&mut bytes);
                if !head.put(&mut buf) {
                    break;
                }
                up.extend_from_slice(buf.filled());
            }
        }
        assert!(head.is_over(), "{}", String::from_utf8_lossy(&up));
        up
    }

    #[test]
    fn a_head_in_pieces_is_rewritten_like_a_whole_one() {
        for text in [
            "GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, websocket\r\nConnection: upgrade\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "\u{81}\u{85}abc\nUpgrade: h2c\n\n",
            " GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
        ] {
            let whole = rewritten(text);
            for cut in 1..text.len() {
                let (a, b) = text.as_bytes().split_at(cut);
                assert_eq!(in_pieces(&[a, b]), whole.as_bytes(), "{cut}: {text}");
            }
            let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
            assert_eq!(in_pieces(&bytes), whole.as_bytes(), "{text}");
        }
    }

    #[test]
    fn what_is_no_request_and_what_is_too_long_does_not_wait() {
        let up = |text: &[u8]| {
            let mut head = Pieces::default();
            head.push(text, false, |_path| true);
            let mut bytes = vec![0; 64 * 1024];
            let mut buf = ReadBuf::new(&mut bytes);
            head.put(&mut buf);
            buf.filled().len()
        };
        assert_eq!(up(b"GET /v1/ws HTT"), 0, "its line is not whole");
        assert_eq!(up(b"GET /v1/ws HTTP/1.1\r\nUpgr"), 21, "whole lines go up");
        for other in [&b"\x16\x03\x01\x02"[..], b"get /", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"nonsense\nUpgr"] {
            assert_eq!(up(other), other.len(), "{}", String::from_utf8_lossy(other));
        }
        let long = [b"GET / HTTP/1.1\r\nUpgrade: ".as_slice(), &[b'x'; HEAD_LINE_BYTES]].concat();
        assert_eq!(up(&long), long.len(), "nothing waits without a bound");
        let behind = [long.as_slice(), b"\r\nUpgrade: h2c\r\n\r\n"].concat();
        let (a, b) = behind.split_at(long.len());
        let found = in_pieces(&[a, b]);
        assert!(found.ends_with(b"\r\nUpgrade:    \r\n\r\n"), "the lines behind it are rewritten again");
    }

    #[test]
    fn where_there_is_no_websocket_nothing_is_offered() {
        for (first, offered) in [
            ("GET /v1/ws HTTP/1.1", true),
            ("GET http://a:1/v1/ws HTTP/1.1", true),
            ("GET //v1/ws/ HTTP/1.1", true),
            ("GET /v1/ws HTTP/1.0", false),
            ("POST /v1/ws HTTP/1.1", false),
            ("HEAD /healthz HTTP/1.1", false),
            ("GET / HTTP/1.1", false),
            ("GET http://a HTTP/1.1", false),
            ("POST /v1/publish?feed=/v1/ws HTTP/1.1", false),
        ] {
            let found = rewritten(&format!("{first}\r\nUpgrade: websocket\r\n\r\n"));
            assert_eq!(found.contains("websocket"), offered, "{first}");
        }
        let connection = |first: &str, options: &str| {
            let found = rewritten(&format!(
                "{first} HTTP/1.1\r\nconnection: {options}\r\nUpgrade: websocket\r\n\r\n"
            ));
            found.lines().nth(1).unwrap().replace(' ', "")
        };
        assert_eq!(connection("GET /", "keep-alive, Upgrade"), "connection:keep-alive,");
        assert_eq!(connection("GET /", "UPGRADE"), "connection:");
        assert_eq!(connection("GET /", "close,upgrade,te"), "connection:close,,te");
        assert_eq!(connection("GET /v1/ws", "keep-alive, Upgrade"), "connection:keep-alive,Upgrade");
    }

    #[test]
    fn other_bytes_stay_as_they_are() {
        for text in [
            "",
            "\u{81}\u{85}abc",
            "Upgrade: h2c\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nUpgr",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Upgrade: websocket\r\n\r\n",
            "{\"S\":\"A\"}\nUpgrade: websocket\n",
            "get / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        ] {
            assert_eq!(rewritten(text), text);
        }
    }
}
