//! The page and its content policy, and the log's word on a refused host, of the built program.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

use tickcast::server::Driver;

use super::{ask, request};
use crate::util::TestGateway;

on_both_drivers! {
    the_page_may_run_nothing_but_its_own_and_talk_to_nobody_else,
}

async fn the_page_may_run_nothing_but_its_own_and_talk_to_nobody_else(driver: Driver) {
    let gateway = TestGateway::on(driver);
    let answer = ask(&gateway, &request("GET", "/?anything=1", "localhost", &[]));
    assert_eq!(answer.status, 200);
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains("connect-src 'self';") && policy.matches("'sha256-").count() == 3, "{policy}");
    for never in ["unsafe", "ws:", "wss:", " *"] {
        assert!(!policy.contains(never), "{never}: {policy}");
    }
    // Below a prefix of a proxy, what starts with a slash is somebody else's.
    for absolute in ["href=\"/", "src=\"/", "fetch('/", "fetch(`/", "location.host}/"] {
        assert!(!answer.body.contains(absolute), "{absolute}");
    }
}

#[test]
fn the_first_foreign_host_is_named_in_the_log_with_the_key_and_only_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_tickcast"))
        .args(["--bind", "127.0.0.1:0", "--feed", "demo", "--workers", "2", "--log-format", "json"])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(gateway.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let ready = lines.find(|line| line.contains("\"ready\"")).expect("it starts");
    let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
    let found = ready["address"].as_str();
    let address = found
        .unwrap_or_else(|| panic!("{ready}"))
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    for name in ["first.example.com", "second.example.com"] {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    }
    let _stopped = Command::new("kill").args(["-TERM", &gateway.id().to_string()]).status().unwrap();
    let log: Vec<_> = lines.filter(|line| line.contains("server.hosts")).collect();
    assert!(gateway.wait().unwrap().success());
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("first.example.com") && log[0].contains("WARN"), "{log:?}");
}
