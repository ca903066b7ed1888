//! SIGTERM under load, on the real program.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

use crate::util::{Client, PATIENCE};

/// The program, stopped by its id when the test ends early.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_says_goodbye_to_everyone_and_exits_with_0() {
    let window = Duration::from_millis(800);
    let child = Command::new(env!("CARGO_BIN_EXE_tickcast"))
        .args(["--bind", "127.0.0.1:0", "--feed", "demo"])
        .env("TICKCAST_SERVER__DRAIN_MS", window.as_millis().to_string())
        .env("TICKCAST_SERVER__GRACE_MS", "50")
        .env("TICKCAST_LOG__LEVEL", "error")
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut program = Program(child);
    let mut banner = BufReader::new(program.0.stdout.take().unwrap()).lines();
    let address = loop {
        let line = banner.next().unwrap().unwrap();
        if let Some((_, url)) = line.split_once("ws://") {
            break url.to_owned();
        }
    };
    let mut clients = JoinSet::new();
    for _ in 0..50 {
        let mut client = Client::connect(&format!("ws://{address}"), None).await.unwrap();
        client.send(serde_json::json!({"op": "subscribe", "channel": "quotes", "symbols": ["*"]})).await;
        client.expect("q").await;
        clients.spawn(async move {
            let bye = client.expect("bye").await;
            let when = Instant::now();
            assert_eq!((bye["code"].as_u64(), bye["reconnect"].as_bool()), (Some(4201), Some(true)), "{bye}");
            assert!(bye["after_ms"].as_u64().is_some(), "{bye}");
            (when, client.ended().await)
        });
    }
    let terminated = Command::new("kill").args(["-TERM", &program.0.id().to_string()]).status().unwrap();
    assert!(terminated.success());
    let mut times = Vec::new();
    while let Some(ended) = clients.join_next().await {
        let (when, code) = ended.unwrap();
        assert_eq!(code, Some(4201));
        times.push(when);
    }
    times.sort();
    let spread = times[times.len() - 1] - times[0];
    assert!(spread >= window / 2 && spread <= window * 4, "goodbyes over {spread:?}");
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match program.0.try_wait().unwrap() {
            Some(status) => break status,
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        assert!(Instant::now() < deadline, "it exits");
    };
    assert_eq!(status.code(), Some(0));
}
