//! The address of a client that wants to be told of another numbering, instead of being closed.

/// The address with `resync=1`, unless it says something of it already.
pub(super) fn asking_for_resync(address: &str) -> String {
    let (address, fragment) = match address.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (address, String::new()),
    };
    let query = address.split_once('?').map(|(_, query)| query);
    if query.is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("resync"))) {
        return format!("{address}{fragment}");
    }
    let mark = match query {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    format!("{address}{mark}resync=1{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_address_stays() {
        for (given, asked) in [
            ("ws://h:1/v1/ws", "ws://h:1/v1/ws?resync=1"),
            ("/v1/ws?", "/v1/ws?resync=1"),
            ("/v1/ws?flush_ms=0", "/v1/ws?flush_ms=0&resync=1"),
            ("/v1/ws?resync=0", "/v1/ws?resync=0"),
            ("/v1/ws?flush_ms=0&resync=1", "/v1/ws?flush_ms=0&resync=1"),
            ("/v1/ws#resync=0", "/v1/ws?resync=1#resync=0"),
        ] {
            assert_eq!(asking_for_resync(given), asked, "{given}");
        }
    }
}
