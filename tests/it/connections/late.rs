//! Heads, bodies and answers that take too long end their connection, and nothing else does.

use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tickcast::{
    limits::BODIES_BYTES_PER_ADDRESS,
    server::{Driver, ServerConfig},
    session::SessionConfig,
};

use super::{
    HEAD, TICK,
    http::{Http, get, publish, publish_chunked, publish_head},
    hurried, outlast, position,
};
use crate::util::TestGateway;

on_both_drivers! {
    half_a_head_ends_the_connection_wherever_it_begins,
    a_head_that_drips_is_cut,
    a_body_that_drips_is_cut,
    a_body_that_nobody_reads_is_cut_too,
    a_body_has_its_own_time,
    half_bodies_of_one_address_leave_room_for_others,
    an_answer_that_nobody_takes_is_given_up,
}

async fn half_a_head_ends_the_connection_wherever_it_begins(driver: Driver) {
    let gateway = hurried(driver);
    let poll = get(&format!("/v1/poll?symbols=A&channels=trades&wait=1&after={}", position(&gateway)));
    let whole = [String::new(), get("/healthz"), get("/metrics"), publish(TICK), publish_chunked(TICK), poll];
    let halves =
        ["G", "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgr", "GET / HTTP/1.1\r\nHost: localhost\r\n"];
    let pairs: Vec<_> = whole.iter().flat_map(|whole| halves.map(|half| (whole, half))).collect();
    let mut open = Vec::new();
    for &(whole, half) in &pairs {
        let mut together = Http::dial(&gateway);
        together.send(&format!("{whole}{half}"));
        open.push((whole, half, whole.matches(" HTTP/1.1\r\n").count(), together));
    }
    let mut idle = Vec::new();
    for &(whole, half) in pairs.iter().filter(|(whole, _)| !whole.is_empty()) {
        for wait in [false, true] {
            let mut behind = Http::dial(&gateway);
            assert_eq!(behind.ask(whole).status, 200);
            if wait {
                idle.push((whole, half, 0, behind));
            } else {
                behind.send(half);
                open.push((whole, half, 0, behind));
            }
        }
    }
    outlast(&gateway);
    for (_, half, _, idle) in &mut idle {
        idle.send(half);
    }
    let cut = open.len() + idle.len() + 1;
    for (whole, half, answers, mut http) in open.into_iter().chain(idle) {
        let rest = http.rest();
        assert_eq!(rest.matches("HTTP/1.1 200").count(), answers, "{whole:?} {half:?}: {rest}");
        assert_eq!(rest.matches("HTTP/1.1 408").count(), 1, "{whole:?} {half:?}: {rest}");
    }
    let sample = "tickcast_connections_closed_total{reason=\"head_timeout\"}";
    assert_eq!(gateway.count(sample), cut as u64);
}

async fn a_head_that_drips_is_cut(driver: Driver) {
    let gateway = hurried(driver);
    for before in [0, 1, 5] {
        let mut http = Http::dial(&gateway);
        for _ in 0..before {
            assert_eq!(http.ask(&get("/healthz")).status, 200);
        }
        http.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ");
        http.drip("x");
        assert!(http.rest().starts_with("HTTP/1.1 408"));
    }
}

async fn a_body_that_drips_is_cut(driver: Driver) {
    let gateway = hurried(driver);
    let chunked =
        "POST /v1/publish?feed=desk HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut cut = 0;
    for before in [0, 1] {
        for (head, drop) in [(publish_head(1_000_000), " "), (chunked.to_owned(), "1\r\n \r\n")] {
            let mut http = Http::dial(&gateway);
            for _ in 0..before {
                assert_eq!(http.ask(&publish(TICK)).status, 200);
            }
            http.send(&head);
            http.drip(drop);
            let rest = http.rest();
            assert!(rest.starts_with("HTTP/1.1 408"), "{rest}");
            assert!(rest.to_ascii_lowercase().contains("connection: close"), "{rest}");
            cut += 1;
        }
    }
    assert_eq!(gateway.count("tickcast_connections_closed_total{reason=\"body_timeout\"}"), cut);
}

async fn a_body_that_nobody_reads_is_cut_too(driver: Driver) {
    let gateway = hurried(driver);
    let mut http = Http::dial(&gateway);
    let answer =
        http.ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n");
    assert_eq!(answer.status, 200);
    http.drip("1\r\n \r\n");
    assert_eq!(http.rest(), "");
}

async fn a_body_has_its_own_time(driver: Driver) {
    let server = ServerConfig {
        driver,
        request_timeout: HEAD,
        body_timeout: Duration::from_secs(60),
        ..ServerConfig::default()
    };
    let gateway = TestGateway::with_everything(server, SessionConfig::default(), &[("desk", true)]);
    let body = format!("{TICK}\n").repeat(10_000);
    let mut http = Http::dial(&gateway);
    for _ in 0..2 {
        http.send(&publish_head(body.len()));
        let (one, two) = body.split_at(body.len() / 2);
        http.send(one);
        outlast(&gateway);
        // The next request comes with the end of this one.
        http.send(&format!("{two}{}", get("/healthz")));
        assert!(http.answer().body.contains("\"accepted\":10000"));
        assert_eq!(http.answer().body, "alive\n");
    }
}

async fn half_bodies_of_one_address_leave_room_for_others(driver: Driver) {
    let server = ServerConfig { driver, body_timeout: 4 * HEAD, ..ServerConfig::default() };
    let gateway = TestGateway::with_everything(server, SessionConfig::default(), &[("desk", true)]);
    let (most, half) = (990_000, " ".repeat(989_999));
    let fit = BODIES_BYTES_PER_ADDRESS / most;
    let mut held: Vec<_> = (0..fit)
        .map(|_| {
            let mut http = Http::dial_from(&gateway, 1);
            http.send(&publish_head(most));
            http.send(&half);
            http
        })
        .collect();
    gateway.metric_reaches("tickcast_bodies_bytes", f64::from(u32::try_from(fit * most).unwrap())).await;
    let mut refused = Http::dial_from(&gateway, 1);
    refused.send(&publish_head(most));
    refused.send(&half);
    let head = refused.until("\r\n\r\n").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 503") && head.contains("retry-after: 1"), "{head}");
    let mut other = Http::dial_from(&gateway, 2);
    assert_eq!(other.ask(&publish(&format!("{half}{TICK}"))).status, 200);
    for http in &mut held {
        assert!(http.rest().starts_with("HTTP/1.1 408"));
    }
    gateway.metric_is("tickcast_bodies_bytes", |bytes| bytes < 1.0).await;
    assert_eq!(Http::dial_from(&gateway, 1).ask(&publish(TICK)).status, 200);
    let count =
        |reason: &str| gateway.count(&format!("tickcast_requests_refused_total{{reason=\"{reason}\"}}"));
    assert_eq!(["bodies", "bodies_per_ip", "body_size", "body_timeout"].map(count), [0, 1, 0, fit as u64]);
}

async fn an_answer_that_nobody_takes_is_given_up(driver: Driver) {
    let session = SessionConfig { stall_timeout: HEAD, ..SessionConfig::default() };
    let gateway = TestGateway::with(ServerConfig { driver, ..ServerConfig::default() }, session);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&gateway.address.into()).unwrap();
    let mut http = Http::over(socket.into());
    http.send(&get("/v1/openapi.json").repeat(100));
    let stalled = "tickcast_connections_closed_total{reason=\"stalled\"}";
    gateway.metric_reaches(stalled, 1.0).await;
    // Some of it was on its way.
    http.rest();
}
