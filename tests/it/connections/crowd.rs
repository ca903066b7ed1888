//! Many connections of one address cost that address alone.

use tickcast::{
    server::{Driver, ServerConfig},
    session::SessionConfig,
};

use super::{
    HEAD, UPGRADE,
    http::{Http, get},
    outlast,
};
use crate::util::TestGateway;

on_both_drivers! {
    idle_connections_of_one_address_lock_nobody_out,
    idle_connections_beyond_the_limit_of_an_address_give_way,
    a_session_beyond_the_limit_of_an_address_is_told,
    silent_connections_of_one_address_are_few,
    connections_that_come_too_fast_are_closed,
}

fn gateway(server: ServerConfig) -> TestGateway {
    TestGateway::with(server, SessionConfig::default())
}

fn refused(gateway: &TestGateway, reason: &str) -> u64 {
    gateway.count(&format!("tickcast_connections_refused_total{{reason=\"{reason}\"}}"))
}

/// A connection that was answered and is kept.
fn idle(gateway: &TestGateway, last: u8) -> Http {
    let mut http = Http::dial_from(gateway, last);
    assert_eq!(http.ask(&get("/healthz")).body, "alive\n");
    http
}

async fn idle_connections_of_one_address_lock_nobody_out(driver: Driver) {
    let gateway = gateway(ServerConfig { driver, connections: 8, ..ServerConfig::default() });
    let kept: Vec<_> = (0..40).map(|_| idle(&gateway, 1)).collect();
    for last in [1, 2] {
        idle(&gateway, last);
        let mut session = Http::dial_from(&gateway, last);
        session.send(UPGRADE);
        session.until("welcome");
    }
    for mut http in kept {
        assert_eq!(http.ask(&get("/healthz")).status, 200, "there was room for all");
    }
    gateway.metric_is("tickcast_plain_connections", |open| open < 1.0).await;
}

async fn idle_connections_beyond_the_limit_of_an_address_give_way(driver: Driver) {
    let gateway = gateway(ServerConfig { driver, connections_per_ip: 4, ..ServerConfig::default() });
    let mut other = idle(&gateway, 2);
    let mut kept: Vec<_> = (0..10).map(|_| idle(&gateway, 1)).collect();
    // The one before the newest may still be on its way to be idle when the newest comes.
    for mut http in kept.split_off(7) {
        assert_eq!(http.ask(&get("/healthz")).status, 200);
    }
    for mut gone in kept.drain(..5) {
        assert_eq!(gone.rest(), "", "the oldest ones end");
    }
    assert_eq!(other.ask(&get("/healthz")).status, 200);
    assert!(gateway.count("tickcast_connections_closed_total{reason=\"gave_way\"}") >= 5);
}

async fn a_session_beyond_the_limit_of_an_address_is_told(driver: Driver) {
    let gateway = gateway(ServerConfig { driver, connections_per_ip: 4, ..ServerConfig::default() });
    let session = |last: u8, text: &str| {
        let mut http = Http::dial_from(&gateway, last);
        http.send(UPGRADE);
        http.until(text);
        http
    };
    let mut sessions = vec![session(1, "welcome")];
    // An event stream is a session like others.
    for _ in 0..3 {
        let mut http = Http::dial_from(&gateway, 1);
        http.send(&get("/v1/sse?symbols=*&channels=trades"));
        http.until("welcome");
        sessions.push(http);
    }
    let _told = session(1, "\"code\":406");
    let mut refused = Http::dial_from(&gateway, 1);
    assert_eq!(refused.ask(&get("/v1/sse?symbols=*&channels=trades")).status, 503);
    assert_eq!(idle(&gateway, 1).ask(&get("/readyz")).status, 200, "it can be probed");
    session(2, "welcome");
}

async fn silent_connections_of_one_address_are_few(driver: Driver) {
    let gateway = gateway(ServerConfig {
        driver,
        unproven_per_address: 3,
        request_timeout: 3 * HEAD,
        ..ServerConfig::default()
    });
    for reason in ["rate", "unproven", "connections_per_ip", "full"] {
        assert_eq!(refused(&gateway, reason), 0, "every reason is there from the start");
    }
    let mut silent: Vec<_> = (0..3).map(|_| Http::dial_from(&gateway, 3)).collect();
    gateway.metric_reaches("tickcast_plain_connections", 3.0).await;
    assert_eq!(Http::dial_from(&gateway, 3).rest(), "");
    assert_eq!(refused(&gateway, "unproven"), 1);
    idle(&gateway, 2);
    // One that has asked is no stranger any more.
    assert_eq!(silent[0].ask(&get("/healthz")).status, 200);
    idle(&gateway, 3);
    outlast(&gateway);
    for http in &mut silent[1..] {
        assert!(http.rest().starts_with("HTTP/1.1 408"));
    }
    gateway.metric_is("tickcast_plain_connections", |open| open < 2.0).await;
    assert_eq!(silent[0].ask(&get("/healthz")).status, 200);
    idle(&gateway, 3);
}

async fn connections_that_come_too_fast_are_closed(driver: Driver) {
    let server = ServerConfig { driver, accepts_per_second: 1, ..ServerConfig::default() };
    let exempt = gateway(server.clone());
    let kept: Vec<_> = (0..20).map(|_| idle(&exempt, 1)).collect();
    assert_eq!(
        (kept.len(), refused(&exempt, "rate")),
        (20, 0),
        "this machine's own clients come as they like"
    );
    let gateway = gateway(ServerConfig { loopback_counts: true, ..server });
    idle(&gateway, 2);
    let came = (0..5).filter(|_| {
        let mut http = Http::dial_from(&gateway, 1);
        // Some may be closed before they can send.
        let _closed = std::io::Write::write_all(&mut http.stream, get("/healthz").as_bytes());
        http.stream.shutdown(std::net::Shutdown::Write).ok();
        http.rest().contains("alive")
    });
    let came = came.count();
    assert!((1..5).contains(&came), "{came}");
    assert_eq!(refused(&gateway, "rate") + came as u64, 5);
    outlast_rate(&gateway).await;
}

/// A second later the address may come again.
async fn outlast_rate(gateway: &TestGateway) {
    crate::util::eventually("the rate allows it again", || {
        let mut http = Http::dial_from(gateway, 1);
        let _closed = std::io::Write::write_all(&mut http.stream, get("/healthz").as_bytes());
        http.stream.shutdown(std::net::Shutdown::Write).ok();
        http.rest().contains("alive")
    })
    .await;
}
