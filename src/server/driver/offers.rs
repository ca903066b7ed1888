//! `Upgrade` as RFC 9110, section 7.8, has it: a list of offers, of which a server may take one or none.
//!
//! actix takes a request with `Upgrade: websocket` and nothing else there for an upgrade, whatever it asks for, and one
//! that offers something besides for none. So in the bytes that it gets, the header says `websocket` where that is offered
//! and there is a WebSocket, and else nothing. What stands in the way of the header's line is overwritten with
//! blanks: no byte moves.

use crate::server::path;

/// The longest method (RFC 9110 and WebDAV have none of more than 16).
const METHOD: usize = 20;

const UPGRADE: &[u8] = b"upgrade:";
const CONNECTION: &[u8] = b"connection:";
const OFFER: &[u8] = b"websocket";

/// Rewrites a head. One that came in pieces is rewritten as far as whole lines of it are in the piece with its first
/// line: what is left is refused at the handshake, or answered without an upgrade.
pub(crate) fn single_out(head: &mut [u8], is_socket: impl Fn(&str) -> bool) {
    let Some((is_upgrade, end)) = first_line(head, &is_socket) else { return };
    for line in head[end..].split_inclusive_mut(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        if let Some(offers) = value(line, UPGRADE) {
            choose(offers, is_upgrade);
        } else if !is_upgrade && let Some(options) = value(line, CONNECTION) {
            // actix would end the connection behind its answer, and not say so.
            take_out(options, b"upgrade");
        }
    }
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
