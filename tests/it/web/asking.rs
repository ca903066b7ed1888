//! Who is asking: names that are not the gateway's, pages of other origins, clients behind proxies.

use tickcast::server::{Driver, HostPattern, Network, OriginPattern, ServerConfig};

use super::{Answer, ask, request, routes, upgrade};
use crate::util::TestGateway;

on_both_drivers! {
    a_path_that_is_written_differently_is_judged_like_the_route_it_leads_to,
    a_name_that_leads_here_but_is_not_ours_is_refused_on_every_route,
    names_that_are_always_right_and_names_that_are_ours,
    an_allowed_page_reads_every_answer_and_another_one_none,
    preflights_say_what_a_page_may_send,
    a_page_is_our_own_however_its_host_is_written,
    the_client_behind_a_trusted_proxy_is_who_counts,
    a_producer_behind_a_proxy_is_not_on_this_machine,
}

const FEEDS: &[(&str, bool)] = &[("desk", false), ("open", true)];

fn gateway(driver: Driver, change: impl FnOnce(&mut ServerConfig)) -> TestGateway {
    let mut server = ServerConfig { driver, ..ServerConfig::default() };
    change(&mut server);
    let gateway = TestGateway::with_feeds(server, FEEDS);
    gateway.declare(&["A"]);
    gateway
}

fn tick(path: &str, host: &str, more: &[&str]) -> String {
    let body = r#"{"S":"A","p":"1","s":"1"}"#;
    let length = format!("Content-Length: {}", body.len());
    request("POST", path, host, &[&[length.as_str()][..], more].concat()) + body
}

async fn a_name_that_leads_here_but_is_not_ours_is_refused_on_every_route(driver: Driver) {
    let gateway = gateway(driver, |_| {});
    let port = gateway.address.port();
    for name in ["evil.example.com", "EVIL.example.com.", "127.0.0.1.nip.io", "localhost.evil.example"] {
        let host = format!("{name}:{port}");
        let origin = format!("Origin: http://{host}");
        for (method, path) in routes() {
            for method in [method.as_str(), "OPTIONS", "HEAD"] {
                let asked = if method == "POST" {
                    tick(&path, &host, &[&origin])
                } else {
                    request(method, &path, &host, &[&origin])
                };
                let answer = ask(&gateway, &asked);
                let is_probe = path == "/healthz" || path == "/readyz";
                assert_eq!(answer.status == 421, !is_probe, "{method} {path} as {name}: {answer:?}");
                assert!(!answer.has("access-control-allow-origin"), "{method} {path}");
            }
        }
        let answer = ask(&gateway, &upgrade("/v1/ws", &host, &[&origin]));
        assert_eq!(answer.status, 421, "{answer:?}");
        assert!(answer.body.contains("server.hosts"), "{answer:?}");
        let answer = ask(&gateway, &request("GET", "/nothing/here", &host, &[]));
        assert_eq!(answer.status, 421, "{answer:?}");
    }
    let newest =
        gateway.gateway.hub.topic(crate::util::symbol("A")).unwrap().last(tickcast::market::Channel::Trades);
    assert!(newest.is_none(), "nothing was published");
    assert!(gateway.metric("tickcast_sessions_refused_total{reason=\"host\"}") >= 10.0);
    assert!(gateway.metric("tickcast_requests_refused_total{reason=\"host\"}") >= 10.0);
}

async fn a_path_that_is_written_differently_is_judged_like_the_route_it_leads_to(driver: Driver) {
    let gateway = gateway(driver, |_| {});
    let evil = ["Origin: http://evil.example"];
    for path in
        ["/%761/publish", "/v%31/publish", "//v1/publish", "/v1//publish/", "/v1/publis%68", "/%2Fv1/publish"]
    {
        let path = format!("{path}?feed=desk");
        let found = !path.contains("%2F");
        for (host, headers, status) in
            [("localhost", &evil[..], 403), ("evil.example", &[], 421), ("localhost", &[], 200)]
        {
            let answer = ask(&gateway, &tick(&path, host, headers));
            assert_eq!(
                answer.status,
                if found || status == 421 { status } else { 404 },
                "{path} {host}: {answer:?}"
            );
        }
    }
    for path in ["/v1/%77s", "/%76%31/ws", "/v1/ws"] {
        assert_eq!(ask(&gateway, &upgrade(path, "localhost", &evil)).status, 403, "{path}");
        assert_eq!(ask(&gateway, &upgrade(path, "evil.example", &[])).status, 421, "{path}");
        assert_eq!(ask(&gateway, &upgrade(path, "localhost", &[])).status, 101, "{path}");
    }
    // A probe's freedom is the probe's alone.
    for path in ["/healthz/../metrics", "/healthz%2F..%2Fmetrics", "/readyz/x"] {
        assert_eq!(ask(&gateway, &request("GET", path, "evil.example", &[])).status, 421, "{path}");
    }
    assert_eq!(ask(&gateway, &request("GET", "/health%7A", "evil.example", &[])).status, 200);
}

async fn names_that_are_always_right_and_names_that_are_ours(driver: Driver) {
    let names = ["ticks.example.com", "*.desk.example"].map(|name| HostPattern::parse(name).unwrap());
    let gateway = gateway(driver, |server| server.hosts = names.into());
    let port = gateway.address.port();
    for host in [
        "127.0.0.1",
        "10.1.2.3:8080",
        "[::1]:8080",
        "[2001:db8::7]",
        "localhost",
        "LocalHost:8080",
        "gateway:8080",
        "my_gateway",
        "ticks.example.com",
        "TICKS.Example.com:443",
        "ticks.example.com.",
        "a.b.desk.example:8443",
        "",
    ] {
        for path in ["/metrics", "/v1/symbols", "/"] {
            let answer = ask(&gateway, &request("GET", path, host, &[]));
            assert_eq!(answer.status, 200, "{host} {path}: {answer:?}");
        }
        assert_eq!(ask(&gateway, &upgrade("/v1/ws", host, &[])).status, 101, "{host}");
    }
    for host in ["a b", "user@localhost", "localhost:http", "localhost:99999", "localhost/", "[::1", "ho\"st"]
    {
        for asked in [request("GET", "/v1/symbols", host, &[]), upgrade("/v1/ws", host, &[])] {
            assert_eq!(ask(&gateway, &asked).status, 400, "{asked}");
        }
    }
    // The usual checks of load balancers: HAProxy's has no host, others have whatever name they know.
    for (asked, status) in [
        ("OPTIONS / HTTP/1.0\r\n\r\n".to_owned(), 204),
        ("GET /readyz HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET /v1/symbols HTTP/1.0\r\n\r\n".to_owned(), 200),
        (request("GET", "/readyz", "pool.internal.example", &[]), 200),
        (request("HEAD", "/healthz", "pool.internal.example", &[]), 200),
        // The target's own host wins over the header.
        (request("GET", &format!("http://127.0.0.1:{port}/v1/symbols"), "evil.example.com", &[]), 200),
        (request("GET", "http://evil.example.com/v1/symbols", "localhost", &[]), 421),
        ("GET /v1/symbols HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), 400),
        ("GET /v1/symbols HTTP/1.1\r\nHost: a\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(), 400),
    ] {
        assert_eq!(ask(&gateway, &asked).status, status, "{asked}");
    }
}

const ALLOWED: [&str; 6] = [
    "https://app.example.com",
    "https://*.pages.example",
    "tauri://localhost",
    "capacitor://localhost",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "null",
];

fn with_origins(driver: Driver) -> TestGateway {
    gateway(driver, |server| {
        server.origins = ALLOWED.iter().map(|text| OriginPattern::parse(text).unwrap()).collect();
    })
}

/// What a browser would think: whether the page may read the answer.
fn is_readable(answer: &Answer, origin: &str) -> bool {
    assert!(!answer.has("access-control-allow-credentials"), "there are none: {answer:?}");
    answer.header("access-control-allow-origin") == origin
}

async fn an_allowed_page_reads_every_answer_and_another_one_none(driver: Driver) {
    let gateway = with_origins(driver);
    let host = gateway.address.to_string();
    let api = || routes().into_iter().filter(|(_, path)| path.starts_with("/v1/") && path != "/v1/ws");
    for origin in [
        "https://app.example.com",
        "https://a.b.pages.example",
        "tauri://localhost",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "null",
    ] {
        let header = format!("Origin: {origin}");
        for (method, path) in api() {
            let asked = if method == "POST" {
                tick(&path, &host, &[&header])
            } else {
                request(&method, &path, &host, &[&header])
            };
            let answer = ask(&gateway, &asked);
            assert_eq!(answer.status, 200, "{origin} {path}: {answer:?}");
            assert!(is_readable(&answer, origin), "{origin} {path}: {answer:?}");
            assert!(answer.header("vary").contains("Origin"), "{path}: {answer:?}");
        }
        // Also what was wrong.
        for path in ["/v1/snapshot?x=1", "/v1/trades/NONE", "/v1/nothing", "/v1/sse"] {
            let answer = ask(&gateway, &request("GET", path, &host, &[&header]));
            assert!(answer.status >= 400 && is_readable(&answer, origin), "{origin} {path}: {answer:?}");
        }
        assert_eq!(ask(&gateway, &upgrade("/v1/ws", &host, &[&header])).status, 101, "{origin}");
    }
    for origin in [
        "https://evil.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://pages.example",
        "https://app.example.com.evil.example",
        "tauri://evil",
        "chrome-extension://b",
        "file://",
        "x",
        "",
        "https://app.example.com, https://evil.example",
    ] {
        let header = format!("Origin: {origin}");
        for (method, path) in api() {
            let asked = if method == "POST" {
                tick(&path, &host, &[&header])
            } else {
                request(&method, &path, &host, &[&header])
            };
            let answer = ask(&gateway, &asked);
            assert_eq!(answer.status, 403, "{origin} {path}: {answer:?}");
            assert!(
                !answer.has("access-control-allow-origin") && answer.header("vary").contains("Origin"),
                "{answer:?}"
            );
            assert!(answer.body.contains("server.origins"), "{answer:?}");
        }
        assert_eq!(ask(&gateway, &upgrade("/v1/ws", &host, &[&header])).status, 403, "{origin}");
    }
    for (_, path) in api().filter(|(method, _)| method == "GET") {
        let answer = ask(&gateway, &request("GET", &path, &host, &[]));
        assert!(answer.header("vary").contains("Origin"), "a cache must not mix them up: {answer:?}");
        assert!(!answer.has("access-control-allow-origin"));
    }
}

async fn preflights_say_what_a_page_may_send(driver: Driver) {
    let gateway = with_origins(driver);
    let host = gateway.address.to_string();
    for (method, path) in routes().into_iter().filter(|(_, path)| path.starts_with("/v1/")) {
        let asks = |origin: &str| {
            let origin = format!("Origin: {origin}");
            let wish = format!("Access-Control-Request-Method: {method}");
            let wishes = "Access-Control-Request-Headers: content-type,last-event-id,if-none-match";
            ask(&gateway, &request("OPTIONS", &path, &host, &[&origin, &wish, wishes]))
        };
        let answer = asks("https://app.example.com");
        assert_eq!(answer.status, 204, "{path}: {answer:?}");
        assert!(is_readable(&answer, "https://app.example.com"), "{answer:?}");
        assert!(answer.header("access-control-allow-methods").contains(&method), "{answer:?}");
        assert_eq!(answer.header("access-control-max-age"), "600");
        let accepted = answer.header("access-control-allow-headers").to_lowercase();
        for name in ["content-type", "last-event-id", "if-none-match"] {
            assert!(accepted.contains(name), "{name}: {answer:?}");
        }
        let answer = asks("https://evil.example.com");
        assert_eq!(
            (answer.status, answer.has("access-control-allow-origin")),
            (403, false),
            "{path}: {answer:?}"
        );
    }
}

async fn a_page_is_our_own_however_its_host_is_written(driver: Driver) {
    let names = ["ticks.example.com"].map(|name| HostPattern::parse(name).unwrap());
    let gateway = gateway(driver, |server| server.hosts = names.into());
    let port = gateway.address.port();
    for (host, origin, own) in [
        (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"), true),
        ("127.0.0.1".into(), format!("http://127.0.0.1:{port}"), true),
        ("ticks.example.com".into(), "https://ticks.example.com".into(), true),
        ("ticks.example.com:443".into(), "https://ticks.example.com".into(), true),
        ("TICKS.Example.Com".into(), "https://ticks.example.com".into(), true),
        ("ticks.example.com:80".into(), "http://ticks.example.com".into(), true),
        ("ticks.example.com:8443".into(), "wss://ticks.example.com:8443".into(), true),
        ("ticks.example.com:8443".into(), "https://ticks.example.com".into(), false),
        ("ticks.example.com:443".into(), "http://ticks.example.com".into(), false),
        ("ticks.example.com".into(), "https://ticks.example.com.evil.example".into(), false),
        (format!("127.0.0.1:{port}"), "http://127.0.0.1:1".into(), false),
        (format!("127.0.0.1:{port}"), "null".into(), false),
    ] {
        let header = format!("Origin: {origin}");
        let answer = ask(&gateway, &upgrade("/v1/ws", &host, &[&header]));
        assert_eq!(answer.status, if own { 101 } else { 403 }, "{host} {origin}: {answer:?}");
        let answer = ask(&gateway, &tick("/v1/publish?feed=desk", &host, &[&header]));
        assert_eq!(answer.status, if own { 200 } else { 403 }, "{host} {origin}: {answer:?}");
    }
}

fn behind(driver: Driver, change: impl FnOnce(&mut ServerConfig)) -> TestGateway {
    gateway(driver, |server| {
        server.trusted_proxies =
            ["127.0.0.0/8", "10.0.0.0/8"].iter().filter_map(|text| Network::parse(text)).collect();
        change(server);
    })
}

async fn the_client_behind_a_trusted_proxy_is_who_counts(driver: Driver) {
    let gateway = behind(driver, |server| server.connections_per_ip = 1);
    let mut open = Vec::new();
    for (hops, status) in [
        ("203.0.113.5", 101),
        // The same client, whatever it writes in front.
        ("198.51.100.9, 203.0.113.5", 101),
        ("203.0.113.6", 101),
        ("2001:db8::1", 101),
        ("unknown", 101),
    ] {
        let mut stream = super::dial(&gateway);
        let header = format!("X-Forwarded-For: {hops}");
        std::io::Write::write_all(&mut stream, upgrade("/v1/ws", "localhost", &[&header]).as_bytes())
            .unwrap();
        assert_eq!(super::read(&mut stream, false).status, status, "{hops}");
        open.push(stream);
    }
    // Told inside the session, and counted; of the five one came from an address that has its session already.
    gateway.metric_reaches("tickcast_sessions_refused_total{reason=\"connections_per_ip\"}", 1.0).await;
    assert!(gateway.metric("tickcast_sessions_refused_total{reason=\"connections_per_ip\"}") < 2.0);
    for (hops, status) in [("10.0.0.2, 203.0.113.5, 10.9.9.9", 503), ("203.0.113.77", 200)] {
        let header = format!("X-Forwarded-For: {hops}");
        let answer = ask(&gateway, &request("GET", "/v1/poll?symbols=A&wait=0", "localhost", &[&header]));
        assert_eq!(answer.status, status, "{hops}: {answer:?}");
    }
}

async fn a_producer_behind_a_proxy_is_not_on_this_machine(driver: Driver) {
    let direct = gateway(driver, |_| {});
    let trusting = behind(driver, |_| {});
    for (header, untrusted, trusted) in [
        ("Accept: */*", 200, 200),
        ("X-Forwarded-For: 203.0.113.5", 403, 403),
        ("X-Forwarded-For: 127.0.0.1, 203.0.113.5", 403, 403),
        ("X-Forwarded-For: 127.0.0.1", 403, 200),
        ("X-Forwarded-For: nonsense", 403, 403),
        ("Forwarded: for=127.0.0.1", 403, 403),
        ("Via: 1.1 proxy", 403, 403),
        ("X-Real-IP: 127.0.0.1", 403, 403),
    ] {
        for (gateway, status) in [(&direct, untrusted), (&trusting, trusted)] {
            let answer = ask(gateway, &tick("/v1/publish?feed=desk", "localhost", &[header]));
            assert_eq!(answer.status, status, "{header}: {answer:?}");
            let answer = ask(gateway, &tick("/v1/publish?feed=open", "localhost", &[header]));
            assert_eq!(answer.status, 200, "allow_remote, {header}: {answer:?}");
        }
    }
}
