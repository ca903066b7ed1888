//! What a connection may take its time with, and what not: over both drivers, for each transport, as the first request
//! of a connection and as a later one.

mod crowd;
mod http;
mod late;

use std::time::Duration;

use serde_json::{Value, json};
use tickcast::{
    server::{Driver, ServerConfig},
    session::SessionConfig,
};

use self::http::{Http, get, publish, publish_chunked};
use crate::util::{TestGateway, trade};

on_both_drivers! {
    a_later_request_on_a_connection_is_served_as_long_as_the_first,
    requests_on_one_connection_go_on_past_the_timeout,
    requests_that_come_together_are_all_answered,
    a_stream_outlives_half_a_head_behind_it,
    a_client_that_closes_its_side_still_gets_what_it_asked_for,
}

const TICK: &str = r#"{"S":"A","p":"1.5","s":"1"}"#;

const UPGRADE: &str = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const NOTHING: &str = "";

/// A ping frame of a client.
const PING: &[u8] = &[0x89, 0x80, 0, 0, 0, 0];

/// How long a head may take here: short, and long beside what a quick client needs.
const HEAD: Duration = Duration::from_millis(400);

fn hurried(driver: Driver) -> TestGateway {
    let server =
        ServerConfig { driver, request_timeout: HEAD, body_timeout: HEAD, ..ServerConfig::default() };
    let gateway = TestGateway::with_everything(server, SessionConfig::default(), &[("desk", true)]);
    gateway.declare(&["A"]);
    gateway.publish([trade("A", 1, "1.5")]);
    gateway
}

/// Waits until a head that begins now has taken too long.
fn outlast(gateway: &TestGateway) {
    let mut late = Http::dial(gateway);
    late.send("GET /hea");
    assert!(late.rest().starts_with("HTTP/1.1 408"));
}

/// A position to poll from.
fn position(gateway: &TestGateway) -> String {
    let answer = Http::dial(gateway).ask(&get("/v1/poll?symbols=A&channels=trades"));
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["position"].as_str().unwrap().to_owned()
}

/// A transport: its request, and what is there at once.
struct Case {
    name: &'static str,
    request: String,
    at_once: &'static str,
}

fn cases(position: &str) -> Vec<Case> {
    let case = |name, request, at_once| Case { name, request, at_once };
    let plain = |path| case(path, get(path), "HTTP/1.1 200");
    vec![
        plain("/"),
        plain("/healthz"),
        plain("/readyz"),
        plain("/metrics"),
        plain("/v1/symbols"),
        plain("/v1/snapshot?symbols=A"),
        plain("/v1/trades/A"),
        plain("/v1/bars/A?interval=1m"),
        case("publish", publish(TICK), "HTTP/1.1 200"),
        case("publish in chunks", publish_chunked(TICK), "HTTP/1.1 200"),
        case("poll", get(&format!("/v1/poll?symbols=A&channels=trades&wait=60&after={position}")), NOTHING),
        case("sse", get("/v1/sse?symbols=A&channels=trades"), "welcome"),
        case("websocket", UPGRADE.to_owned(), "welcome"),
    ]
}

async fn a_later_request_on_a_connection_is_served_as_long_as_the_first(driver: Driver) {
    let gateway = hurried(driver);
    let mut open = Vec::new();
    for before in [0, 1, 99] {
        for case in cases(&position(&gateway)) {
            let mut http = Http::dial(&gateway);
            for _ in 0..before {
                assert_eq!(http.ask(&get("/healthz")).body, "alive\n");
            }
            http.send(&case.request);
            if case.at_once != NOTHING {
                http.until(case.at_once);
            }
            open.push((before, case, http));
        }
    }
    outlast(&gateway);
    outlast(&gateway);
    gateway.publish([trade("A", 2, "777.5")]);
    for (before, case, http) in &mut open {
        let name = format!("{} as request {}", case.name, *before + 1);
        match case.name {
            "sse" => drop(http.until("777.5")),
            "websocket" => {
                std::io::Write::write_all(&mut http.stream, PING).unwrap();
                let bytes = std::iter::from_fn(|| {
                    let mut byte = [0];
                    std::io::Read::read_exact(&mut http.stream, &mut byte).unwrap();
                    Some(byte[0])
                });
                assert!(bytes.take(4_096).any(|byte| byte == 0x8A), "{name}");
            }
            "poll" => {
                let answer = http.answer();
                assert!(answer.body.contains("777.5"), "{name}: {answer:?}");
                assert_eq!(http.ask(&get("/healthz")).body, "alive\n", "{name}");
            }
            _ => {
                // The start of the answer was read above.
                http.until("\r\n\r\n");
                http.read.clear();
                http.send(&get("/healthz"));
                http.until("alive\n");
            }
        }
    }
}

async fn requests_on_one_connection_go_on_past_the_timeout(driver: Driver) {
    let gateway = hurried(driver);
    let (mut health, mut metrics, mut producer) =
        (Http::dial(&gateway), Http::dial(&gateway), Http::dial(&gateway));
    let start = tokio::time::Instant::now();
    let mut published = 0;
    // Quick ones, past three times the timeout; and slow ones, each of which comes after it.
    while start.elapsed() < 3 * HEAD {
        assert_eq!(health.ask(&get("/healthz")).status, 200);
        assert_eq!(metrics.ask(&get("/metrics")).status, 200);
        assert_eq!(producer.ask(&publish(TICK)).status, 200);
        assert_eq!(producer.ask(&publish_chunked(TICK)).status, 200);
        published += 2;
    }
    for _ in 0..3 {
        outlast(&gateway);
        assert_eq!(health.ask(&get("/healthz")).status, 200);
        assert_eq!(metrics.ask(&get("/metrics")).status, 200);
        // Line ends between two requests are no request that has begun.
        producer.send("\r\n\r\n");
        outlast(&gateway);
        let answer = producer.ask(&publish(TICK));
        assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["accepted"], json!(1));
        published += 1;
    }
    let sample = "tickcast_feed_ticks_total{channel=\"trades\",feed=\"desk\"}";
    assert_eq!(gateway.count(sample), published, "each was taken once");
    for reason in ["body_timeout", "stalled"] {
        assert_eq!(gateway.count(&format!("tickcast_connections_closed_total{{reason=\"{reason}\"}}")), 0);
    }
}

async fn requests_that_come_together_are_all_answered(driver: Driver) {
    let gateway = hurried(driver);
    let position = position(&gateway);
    let all: Vec<_> = cases(&position).into_iter().filter(|case| case.at_once.starts_with("HTTP")).collect();
    let mut http = Http::dial(&gateway);
    // More than is read ahead, and more than actix queues.
    let many: String = (0..20).flat_map(|_| all.iter().map(|case| case.request.as_str())).collect();
    http.send(&many);
    for case in (0..20).flat_map(|_| &all) {
        assert_eq!(http.answer().status, 200, "{}", case.name);
    }
    // Behind an answer that has to wait, and before a stream.
    let poll = get(&format!("/v1/poll?symbols=A&channels=trades&wait=60&after={}", self::position(&gateway)));
    http.send(&[poll, get("/healthz").repeat(40), get("/v1/sse?symbols=A&channels=trades")].concat());
    outlast(&gateway);
    outlast(&gateway);
    gateway.publish([trade("A", 3, "778.5")]);
    assert!(http.answer().body.contains("778.5"));
    for _ in 0..40 {
        assert_eq!(http.answer().body, "alive\n");
    }
    http.until("welcome");
    outlast(&gateway);
    gateway.publish([trade("A", 4, "779.5")]);
    http.until("779.5");
}

async fn a_stream_outlives_half_a_head_behind_it(driver: Driver) {
    let gateway = hurried(driver);
    let mut http = Http::dial(&gateway);
    assert_eq!(http.ask(&get("/healthz")).status, 200);
    http.send(&format!("{}GET /heal", get("/v1/sse?symbols=A&channels=trades")));
    http.until("welcome");
    for id in 2..5 {
        outlast(&gateway);
        gateway.publish([trade("A", id, &format!("77{id}.5"))]);
        http.until(&format!("77{id}.5"));
    }
}

async fn a_client_that_closes_its_side_still_gets_what_it_asked_for(driver: Driver) {
    let gateway = hurried(driver);
    for requests in [get("/healthz"), get("/healthz").repeat(30), publish(TICK) + &get("/healthz")] {
        let mut http = Http::dial(&gateway);
        http.send(&requests);
        http.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let expected = requests.matches(" HTTP/1.1\r\n").count();
        let rest = http.rest();
        assert_eq!(rest.matches("HTTP/1.1 200").count(), expected, "{rest}");
    }
}
