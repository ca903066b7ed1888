//! A table of requests, and what RFC 9110, 9112 and 6455 want.

use serde_json::Value;
use tickcast::server::Driver;

use super::{Answer, UPGRADE, ask, dial, read, request, rest, routes, upgrade};
use crate::util::{TestGateway, trade};

on_both_drivers! {
    every_resource_answers_head_and_options,
    other_methods_are_told_the_right_ones,
    upgrades_are_offers_in_a_list,
    an_upgrade_elsewhere_is_ignored,
    a_refused_handshake_says_what_is_wrong,
    http_1_0_gets_what_it_understands,
    an_event_stream_must_not_be_transformed,
    a_body_in_an_unknown_encoding_is_refused,
    unknown_parameters_are_refused_below_v1_and_ignored_elsewhere,
    slashes_too_many_lead_to_the_same_place,
}

fn gateway(driver: Driver) -> TestGateway {
    let server = tickcast::server::ServerConfig { driver, ..Default::default() };
    let gateway = TestGateway::with_feeds(server, &[("desk", false)]);
    gateway.declare(&["A", "EUR/USD"]);
    gateway.publish([trade("A", 1, "1.5"), trade("EUR/USD", 2, "1.1")]);
    gateway
}

fn message(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|why| panic!("{why}: {answer:?}"));
    assert!(body["code"].is_u64(), "{answer:?}");
    body["msg"].as_str().unwrap().to_owned()
}

async fn every_resource_answers_head_and_options(driver: Driver) {
    let gateway = gateway(driver);
    for (method, path) in routes() {
        let answer = ask(&gateway, &request("OPTIONS", &path, "localhost", &[]));
        assert_eq!(answer.status, 204, "{path}: {answer:?}");
        let allow = answer.header("allow");
        assert!(allow.contains(&method) && allow.contains("OPTIONS"), "{path}: {answer:?}");
        assert_eq!(allow.contains("HEAD"), method == "GET", "{path}: {answer:?}");
        if method == "POST" {
            continue;
        }
        // On one connection: a body behind the answer to HEAD would be taken for the next answer.
        let mut stream = dial(&gateway);
        for method in ["HEAD", "HEAD", "GET"] {
            let asked = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            std::io::Write::write_all(&mut stream, asked.as_bytes()).unwrap();
            let answer = read(&mut stream, method == "HEAD");
            let expected = if path == "/v1/ws" { 426 } else { 200 };
            assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
            assert!(answer.has("content-type"), "{method} {path}: {answer:?}");
        }
    }
    let streams =
        gateway.metric("tickcast_sessions_opened_total{encoding=\"json\",road=\"sse\",transport=\"sse\"}");
    assert!((1.0..2.0).contains(&streams), "one, by GET: {streams}");
    let answer = ask(&gateway, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!((answer.status, answer.header("allow").as_str()), (204, "GET, HEAD, POST, OPTIONS"));
}

async fn other_methods_are_told_the_right_ones(driver: Driver) {
    let gateway = gateway(driver);
    for (right, path) in routes() {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW"] {
            if method == right {
                continue;
            }
            let answer = ask(&gateway, &request(method, &path, "localhost", &["Content-Length: 0"]));
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            assert!(answer.header("allow").contains(&right), "{method} {path}: {answer:?}");
            assert!(message(&answer).contains(&right), "{answer:?}");
        }
    }
    let answer =
        ask(&gateway, "CONNECT example:443 HTTP/1.1\r\nHost: example:443\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 405, "{answer:?}");
    assert!(answer.has("allow"), "{answer:?}");
}

async fn upgrades_are_offers_in_a_list(driver: Driver) {
    let gateway = gateway(driver);
    for offer in [
        &["Upgrade: websocket"][..],
        &["upgrade: WebSocket"],
        &["UPGRADE:WEBSOCKET"],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: websocket, h2c"],
        &["Upgrade: TLS/1.0,websocket ,x"],
        &["Upgrade: h2c", "Upgrade: websocket"],
        &["Upgrade: websocket", "Upgrade: h2c"],
    ] {
        for connection in
            ["Connection: Upgrade", "connection: keep-alive, upgrade", "Connection: UPGRADE, HTTP2-Settings"]
        {
            let headers = [offer, &UPGRADE[1..], &[connection]].concat();
            let asked = format!("GET /v1/ws HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n", headers.join("\r\n"));
            let mut stream = dial(&gateway);
            // Also behind another request.
            let first = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
            std::io::Write::write_all(&mut stream, first.as_bytes()).unwrap();
            assert_eq!(read(&mut stream, false).status, 200);
            std::io::Write::write_all(&mut stream, asked.as_bytes()).unwrap();
            let answer = read(&mut stream, false);
            assert_eq!(answer.status, 101, "{asked}{answer:?}");
            assert_eq!(answer.header("upgrade").to_lowercase(), "websocket");
            assert_eq!(
                answer.header("sec-websocket-accept"),
                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                "RFC 6455, section 1.3"
            );
            assert!(!answer.has("sec-websocket-protocol"), "none was offered");
            // And the session works: a close frame is answered.
            std::io::Write::write_all(&mut stream, &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]).unwrap();
            assert!(rest(&mut stream).contains("welcome"), "{asked}");
        }
    }
}

async fn an_upgrade_elsewhere_is_ignored(driver: Driver) {
    let gateway = gateway(driver);
    for (method, path) in routes().into_iter().filter(|(_, path)| path != "/v1/ws") {
        for offer in [
            &UPGRADE[..],
            &["Upgrade: h2c, websocket"],
            &["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
            &["Upgrade: "],
        ] {
            let body = if method == "POST" { "{}" } else { "" };
            let length = format!("Content-Length: {}", body.len());
            let headers = [offer, &[length.as_str()]].concat().join("\r\n");
            let asked = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n{headers}\r\n\r\n{body}"
            );
            let mut stream = dial(&gateway);
            std::io::Write::write_all(&mut stream, asked.as_bytes()).unwrap();
            let answer = read(&mut stream, false);
            assert_eq!(answer.status, 200, "{asked}{answer:?}");
            if path.starts_with("/v1/sse") {
                continue;
            }
            // The connection goes on.
            let next = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
            std::io::Write::write_all(&mut stream, next.as_bytes()).unwrap();
            assert_eq!(read(&mut stream, false).status, 200, "after {asked}");
        }
    }
}

async fn a_refused_handshake_says_what_is_wrong(driver: Driver) {
    let gateway = gateway(driver);
    let plain = |more: &[&str]| request("GET", "/v1/ws", "localhost", more);
    for (asked, status, part) in [
        (plain(&[]), 426, "WebSocket"),
        (upgrade("/v1/ws", "localhost", &[]).replace("HTTP/1.1", "HTTP/1.0"), 426, "HTTP/1.1"),
        (upgrade("/v1/ws", "localhost", &[]).replace("Version: 13", "Version: 8"), 426, "13"),
        (
            upgrade("/v1/ws", "localhost", &[]).replace("Sec-WebSocket-Version: 13\r\n", ""),
            400,
            "Sec-WebSocket-Version",
        ),
        (upgrade("/v1/ws", "localhost", &[]).replace("dGhl", "dGh"), 400, "Sec-WebSocket-Key"),
        (upgrade("/v1/ws", "localhost", &[]).replace("Connection: Upgrade\r\n", ""), 400, "Connection"),
        (upgrade("/v1/ws", "localhost", &["Content-Length: 2"]) + "{}", 400, "body"),
        (upgrade("/v1/ws", "localhost", &["Sec-WebSocket-Protocol: graphql-ws"]), 400, "tickcast.v1.json"),
        (
            upgrade("/v1/ws", "localhost", &["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c"]),
            400,
            "tickcast.v1.msgpack",
        ),
        (upgrade("/v1/ws?flush=1", "localhost", &[]), 400, "`flush`"),
        (upgrade("/v1/ws", "localhost", &[]).replacen("GET", "POST", 1), 405, "GET"),
    ] {
        let answer = ask(&gateway, &asked);
        assert_eq!(answer.status, status, "{asked}{answer:?}");
        assert!(message(&answer).contains(part), "{part}: {answer:?}");
        if status == 426 {
            assert_eq!(answer.header("upgrade"), "websocket", "{answer:?}");
            assert!(answer.header("connection").to_lowercase().contains("upgrade"), "{answer:?}");
        }
        assert_eq!(answer.has("sec-websocket-version"), asked.contains("Version: 8"), "{answer:?}");
    }
    for passes in ["/v1/ws?_=17", "/v1/ws/", "//v1//ws", "/v1/ws?flush_ms=5&_=x"] {
        assert_eq!(ask(&gateway, &upgrade(passes, "localhost", &[])).status, 101, "{passes}");
    }
}

async fn http_1_0_gets_what_it_understands(driver: Driver) {
    let gateway = gateway(driver);
    for (method, path) in routes().into_iter().filter(|(method, path)| method == "GET" && path != "/v1/ws") {
        for more in [
            "",
            "Accept-Encoding: gzip\r\n",
            "Connection: close\r\n",
            "Connection: keep-alive\r\nAccept-Encoding: gzip\r\n",
        ] {
            let mut stream = dial(&gateway);
            let asked = format!("{method} {path} HTTP/1.0\r\n{more}\r\n");
            std::io::Write::write_all(&mut stream, asked.as_bytes()).unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            assert!(head.starts_with("http/1.0 200"), "{asked}{head}");
            assert!(!head.contains("transfer-encoding"), "{asked}{head}");
            if path.starts_with("/v1/sse") {
                let mut start = [0; 6];
                std::io::Read::read_exact(&mut stream, &mut start).unwrap();
                assert_eq!(&start, b"retry:", "no chunk's size stands before it");
                continue;
            }
            // Where the connection goes on, the length tells the end of the body; else the end of the connection does.
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if head.contains("connection: keep-alive") {
                let mut body = vec![0; length.unwrap_or_else(|| panic!("{asked}{head}"))];
                std::io::Read::read_exact(&mut stream, &mut body).unwrap();
                continue;
            }
            let mut body = Vec::new();
            std::io::Read::read_to_end(&mut stream, &mut body).unwrap();
            assert!(!body.is_empty(), "{asked}");
        }
    }
}

async fn an_event_stream_must_not_be_transformed(driver: Driver) {
    let gateway = gateway(driver);
    for method in ["GET", "HEAD"] {
        let answer =
            ask(&gateway, &request(method, "/v1/sse?symbols=A", "localhost", &["Accept-Encoding: gzip, br"]));
        assert_eq!((answer.status, answer.header("content-type").as_str()), (200, "text/event-stream"));
        let control = answer.header("cache-control");
        assert!(control.contains("no-transform") && control.contains("no-store"), "{answer:?}");
        assert!(!answer.has("content-encoding"), "{answer:?}");
    }
}

async fn a_body_in_an_unknown_encoding_is_refused(driver: Driver) {
    let gateway = gateway(driver);
    let body = r#"{"S":"A","p":"1","s":"1"}"#;
    let length = format!("Content-Length: {}", body.len());
    let post = |more: &[&str]| {
        request("POST", "/v1/publish?feed=desk", "localhost", &[&[length.as_str()][..], more].concat()) + body
    };
    for (coding, status) in [
        (&["Content-Encoding: gzip"][..], 415),
        (&["Content-Encoding: GZIP"], 415),
        (&["Content-Encoding: br"], 415),
        (&["Content-Encoding: rot13"], 415),
        (&["Content-Encoding: identity, zstd"], 415),
        (&["Content-Encoding: identity", "Content-Encoding: deflate"], 415),
        (&["Content-Encoding: identity"], 200),
        (&["Content-Encoding: Identity"], 200),
        (&["Content-Encoding: "], 200),
        (&[], 200),
    ] {
        let answer = ask(&gateway, &post(coding));
        assert_eq!(answer.status, status, "{coding:?}: {answer:?}");
        if status == 415 {
            assert_eq!(answer.header("accept-encoding"), "identity", "{answer:?}");
            assert!(message(&answer).contains("Content-Encoding"), "{answer:?}");
        }
    }
}

async fn unknown_parameters_are_refused_below_v1_and_ignored_elsewhere(driver: Driver) {
    let gateway = gateway(driver);
    let body = r#"{"S":"A","p":"1","s":"1"}"#;
    let length = format!("Content-Length: {}", body.len());
    for (method, path) in routes() {
        let with = |query: &str| format!("{path}{}{query}", if path.contains('?') { "&" } else { "?" });
        let asks = |path: &str| match method.as_str() {
            "POST" => ask(&gateway, &(request("POST", path, "localhost", &[&length]) + body)),
            _ if path.starts_with("/v1/ws") => ask(&gateway, &upgrade(path, "localhost", &[])),
            _ => ask(&gateway, &request("GET", path, "localhost", &[])),
        };
        let fine = if path == "/v1/ws" { 101 } else { 200 };
        for buster in ["_=1764095000", "_", "_=a&_=b", "_=%20"] {
            let answer = asks(&with(buster));
            assert_eq!(answer.status, fine, "{path} {buster}: {answer:?}");
        }
        for query in ["zzz=1", "zzz", "_=1&zzz=%41", "Symbols=A&zzz"] {
            let answer = asks(&with(query));
            if !path.starts_with("/v1/") {
                assert_eq!(answer.status, 200, "{path} {query}: {answer:?}");
                continue;
            }
            assert_eq!(answer.status, 400, "{path} {query}: {answer:?}");
            let name = if query.starts_with('S') { "`Symbols`" } else { "`zzz`" };
            assert!(message(&answer).contains(name), "{path} {query}: {answer:?}");
        }
    }
}

async fn slashes_too_many_lead_to_the_same_place(driver: Driver) {
    let gateway = gateway(driver);
    let body = r#"{"S":"A","p":"1","s":"1"}"#;
    let length = format!("Content-Length: {}", body.len());
    for (method, path) in routes().into_iter().filter(|(_, path)| path != "/v1/ws") {
        let (bare, query) = path.split_once('?').unwrap_or((&path, ""));
        for odd in
            [format!("{bare}/"), format!("/{bare}"), bare.replacen("/v1/", "/v1//", 1), format!("//{bare}//")]
        {
            let odd = format!("{odd}?{query}");
            let asked = match method.as_str() {
                "POST" => request("POST", &odd, "localhost", &[&length]) + body,
                _ => request("GET", &odd, "localhost", &[]),
            };
            let answer = ask(&gateway, &asked);
            assert_eq!(answer.status, 200, "{odd}: {answer:?}");
        }
    }
    for (path, symbol) in [
        ("/v1/trades/EUR/USD", Some("EUR/USD")),
        ("/v1/trades/EUR%2FUSD", Some("EUR/USD")),
        ("/v1/trades/EUR%2fUSD", Some("EUR/USD")),
        ("//v1//trades/EUR/USD", Some("EUR/USD")),
        ("/v1/trades/EUR/USD/", Some("EUR/USD")),
        ("/v1/trades//EUR/USD", Some("EUR/USD")),
        ("/v1/trades/EUR//USD", None),
        ("/v1/trades/EURUSD", None),
        ("/v1/trades/", None),
        ("/v1/trades", None),
    ] {
        let answer = ask(&gateway, &request("GET", path, "localhost", &[]));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (answer.status, body["S"].as_str()),
            (if symbol.is_some() { 200 } else { 404 }, symbol),
            "{path}"
        );
    }
}
