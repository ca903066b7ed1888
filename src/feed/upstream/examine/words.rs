//! How an examination writes addresses, names and times.

use std::time::Duration;

use super::super::network::Address;
use crate::limits::DOCTOR_NAMES;

/// An address without what may be secret in it: a name before the host, and what is behind a question mark.
pub(super) fn shown(address: &Address) -> String {
    let (scheme, rest) = address.url.split_once("://").unwrap_or(("", &address.url));
    let behind = rest.find('/').map_or("", |at| &rest[at..]);
    let path = behind.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}:{}{path}", address.host, address.port)
}

/// A text in which that address is shown like this.
pub(super) fn discreet(text: &str, address: &Address) -> String {
    text.replace(&address.url, &shown(address))
}

/// The first names of a list, and how many there are besides.
pub(super) fn list(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let first = names.iter().take(DOCTOR_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(DOCTOR_NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// `1 symbol`, `2 symbols`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// As a number for reports.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Microseconds as seconds, to a tenth.
pub(super) fn seconds(micros: i64) -> String {
    let tenths = micros.unsigned_abs().saturating_add(50_000) / 100_000;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let address = Address {
            url: "wss://me:hush@venue.example/v2/feed?key=hush#x".into(),
            host: "venue.example".into(),
            port: 443,
            is_tls: true,
        };
        assert_eq!(shown(&address), "wss://venue.example:443/v2/feed");
        let text = discreet("wss://me:hush@venue.example/v2/feed?key=hush#x: HTTP 500", &address);
        assert_eq!(text, "wss://venue.example:443/v2/feed: HTTP 500");
        let url = "ws://[::1]".to_owned();
        let bare = Address { url, host: "[::1]".into(), port: 80, is_tls: false };
        assert_eq!(shown(&bare), "ws://[::1]:80");
    }

    #[test]
    fn lists_and_times_are_short() {
        let names = |count: usize| (1..=count).map(|n| n.to_string());
        assert_eq!(list(names(3)), "1, 2, 3");
        assert!(list(names(DOCTOR_NAMES + 4)).ends_with("10 and 4 more"));
        assert_eq!(
            (seconds(1_249_999), seconds(-2_000_000), seconds(960_000)),
            ("1.2 s".into(), "2.0 s".into(), "1.0 s".into())
        );
    }
}
