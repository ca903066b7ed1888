//! Variables that begin as ours do and are a platform's: what Kubernetes injects for services called `tickcast` or
//! `tickcast-…`, and what Docker injects for links of these names.
//!
//! Only their known forms are passed over, by name and value: everything else that begins with our prefix is meant for
//! us, and a mistake if it is no key.

use std::net::{IpAddr, SocketAddr};

/// Prefix of every variable.
pub(super) const PREFIX: &str = "TICKCAST_";

/// Protocols of a port.
const PROTOCOLS: &[&str] = &["tcp", "udp", "sctp"];

/// Whether that variable is a platform's. `value_of` tells the value of another one: what a link takes over from the other
/// container's environment has any form, and is known by the link's name beside it.
pub(super) fn is_injected<'a>(name: &str, value: &str, value_of: impl Fn(&str) -> Option<&'a str>) -> bool {
    // With two underscores it is one of our keys, well spelt or not.
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    if let Some((link, variable)) = rest.split_once("ENV_").filter(|(link, _)| is_service(link)) {
        let named = format!("{PREFIX}{link}NAME");
        return !variable.is_empty() && value_of(&named).is_some_and(is_link);
    }
    if rest.contains("__") {
        return false;
    }
    service_and(rest, |form| {
        of_service(form, value) || of_port(form, value) || (form == "NAME" && is_link(value))
    })
}

/// Tries a form with and without the further name of a service: `METRICS_PORT` is `PORT` of `tickcast-metrics`.
fn service_and(rest: &str, is_form: impl Fn(&str) -> bool) -> bool {
    let ends = rest.match_indices('_').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).any(|start| is_service(&rest[..start]) && is_form(&rest[start..]))
}

/// What is left of a service's name behind `tickcast-`, with the underscore behind it, or nothing.
fn is_service(text: &str) -> bool {
    text.is_empty() || text.strip_suffix('_').is_some_and(is_name)
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && !text.starts_with('_') && !text.ends_with('_') && text.bytes().all(plain)
}

/// `SERVICE_HOST`, `SERVICE_PORT`, `SERVICE_PORT_HTTP`.
fn of_service(form: &str, value: &str) -> bool {
    match form.strip_prefix("SERVICE_") {
        Some("HOST") => value.parse::<IpAddr>().is_ok(),
        Some("PORT") => is_port(value),
        Some(port) => port.strip_prefix("PORT_").is_some_and(is_name) && is_port(value),
        None => false,
    }
}

/// `PORT`, `PORT_8080_TCP`, `PORT_8080_TCP_ADDR`, `…_PORT`, `…_PROTO`; of a range of ports also `…_START` and `…_END`.
fn of_port(form: &str, value: &str) -> bool {
    let Some(rest) = form.strip_prefix("PORT") else { return false };
    if rest.is_empty() {
        return is_place(value);
    }
    let mut words = rest.split('_').skip(1);
    let (Some(port), Some(protocol)) = (words.next(), words.next()) else { return false };
    if !is_port(port) || !PROTOCOLS.contains(&protocol.to_ascii_lowercase().as_str()) {
        return false;
    }
    match words.collect::<Vec<_>>().as_slice() {
        [] | ["START" | "END"] => is_place(value),
        ["ADDR"] => value.parse::<IpAddr>().is_ok(),
        ["PORT"] | ["PORT", "START" | "END"] => is_port(value),
        ["PROTO"] => PROTOCOLS.contains(&value),
        _ => false,
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// `tcp://10.0.0.1:8080`
fn is_place(text: &str) -> bool {
    let place = text.split_once("://").filter(|(protocol, _)| PROTOCOLS.contains(protocol));
    place.is_some_and(|(_, address)| address.parse::<SocketAddr>().is_ok())
}

/// `/web/tickcast`: a container and how it calls another one.
fn is_link(text: &str) -> bool {
    let name = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        !text.is_empty() && text.bytes().all(plain)
    };
    let parts = text.strip_prefix('/').and_then(|text| text.split_once('/'));
    parts.is_some_and(|(container, alias)| name(container) && name(alias))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injected(name: &str, value: &str) -> bool {
        is_injected(name, value, |_| None)
    }

    #[test]
    fn what_platforms_inject_is_known_by_name_and_value() {
        for (name, value) in [
            // Kubernetes, for the services tickcast, tickcast-metrics and tickcast-eu-1.
            ("TICKCAST_SERVICE_HOST", "10.96.0.17"),
            ("TICKCAST_SERVICE_HOST", "fd00:10:96::11"),
            ("TICKCAST_SERVICE_PORT", "8080"),
            ("TICKCAST_SERVICE_PORT_HTTP", "8080"),
            ("TICKCAST_SERVICE_PORT_HTTP_METRICS", "9090"),
            ("TICKCAST_PORT", "tcp://10.96.0.17:8080"),
            ("TICKCAST_PORT", "tcp://[fd00:10:96::11]:8080"),
            ("TICKCAST_PORT_8080_TCP", "tcp://10.96.0.17:8080"),
            ("TICKCAST_PORT_8080_TCP_PROTO", "tcp"),
            ("TICKCAST_PORT_8080_TCP_PORT", "8080"),
            ("TICKCAST_PORT_8080_TCP_ADDR", "10.96.0.17"),
            ("TICKCAST_PORT_53_UDP", "udp://10.96.0.17:53"),
            ("TICKCAST_PORT_7_SCTP_PROTO", "sctp"),
            ("TICKCAST_METRICS_PORT", "tcp://10.96.0.18:9090"),
            ("TICKCAST_METRICS_SERVICE_HOST", "10.96.0.18"),
            ("TICKCAST_METRICS_SERVICE_PORT_SCRAPE", "9090"),
            ("TICKCAST_METRICS_PORT_9090_TCP_ADDR", "10.96.0.18"),
            ("TICKCAST_EU_1_PORT_9090_TCP", "tcp://10.96.0.18:9090"),
            ("TICKCAST_SERVER_PORT", "tcp://10.96.0.18:9090"),
            // Docker, for links of these names.
            ("TICKCAST_NAME", "/web-1/tickcast"),
            ("TICKCAST_METRICS_NAME", "/web.x/tickcast_metrics"),
            ("TICKCAST_PORT_8000_TCP_START", "tcp://172.17.0.5:8000"),
            ("TICKCAST_PORT_8000_TCP_PORT_END", "8010"),
        ] {
            assert!(injected(name, value), "{name}={value}");
        }
    }

    #[test]
    fn everything_else_is_meant_for_us() {
        for (name, value) in [
            ("TICKCAST_SERVER_BIND", "127.0.0.1:1"),
            ("TICKCAST_SERVER_BIND", "tcp://10.96.0.17:8080"),
            ("TICKCAST_SERVER__PORT", "tcp://10.96.0.17:8080"),
            ("TICKCAST_SERVER__BIND", "127.0.0.1:1"),
            ("TICKCAST_PORT", "8080"),
            ("TICKCAST_SERVER_PORT", "8080"),
            ("TICKCAST_PORT", "http://10.96.0.17:8080"),
            ("TICKCAST_PORT", "tcp://gateway:8080"),
            ("TICKCAST_SERVICE_HOST", "gateway"),
            ("TICKCAST_SERVICE_PORT", "-1"),
            ("TICKCAST_SERVICE_PORT", "+80"),
            ("TICKCAST_SERVICE_PORT", "65536"),
            ("TICKCAST_SERVICE_PORT_", "80"),
            ("TICKCAST_SERVICE_BIND", "10.96.0.17"),
            ("TICKCAST_SERVICE__HOST", "10.96.0.17"),
            ("TICKCAST_PORT_8080_TCP_ADDR", "here"),
            ("TICKCAST_PORT_HTTP_TCP", "tcp://10.96.0.17:8080"),
            ("TICKCAST_PORT_8080_HTTP", "tcp://10.96.0.17:8080"),
            ("TICKCAST_PORT_8080_TCP_NAME", "x"),
            ("TICKCAST_NAME", "desk"),
            ("TICKCAST_NAME", "/desk"),
            ("TICKCAST_NAME", "/a/b/c"),
            ("TICKCAST__PORT", "tcp://10.96.0.17:8080"),
            ("TICKCAST_ENV_RUST_LOG", "debug"),
            ("TICKCAST_", ""),
            ("tickcast_port", "tcp://10.96.0.17:8080"),
            ("OTHER_PORT", "tcp://10.96.0.17:8080"),
        ] {
            assert!(!injected(name, value), "{name}={value}");
        }
    }

    #[test]
    fn what_a_link_takes_over_is_known_by_the_links_name() {
        let linked = |name: &str| {
            is_injected(name, "any thing", |other| match other {
                "TICKCAST_NAME" => Some("/web/tickcast"),
                "TICKCAST_EU_NAME" => Some("no link"),
                _ => None,
            })
        };
        assert!(linked("TICKCAST_ENV_RUST_LOG") && linked("TICKCAST_ENV_TICKCAST_SERVER__BIND"));
        assert!(
            !linked("TICKCAST_EU_ENV_PATH") && !linked("TICKCAST_ENV_") && !linked("TICKCAST_ENVIRONMENT")
        );
    }
}
