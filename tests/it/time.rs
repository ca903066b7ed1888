//! The real program and time: it is stopped and goes on.

use std::{fs, time::Duration};

use serde_json::json;
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    store::Program,
    util::{Client, PATIENCE},
};

/// Longer than all that a session may be silent or stuck.
const STOPPED: Duration = Duration::from_millis(1_500);

fn folder(driver: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let config = format!(
        "[server]\nbind = \"127.0.0.1:0\"\ndriver = \"{driver}\"\n\
         [session]\nping_ms = 200\npong_timeout_ms = 200\nheartbeat_ms = 200\nstall_timeout_ms = 200\n\
         [[feed]]\nname = \"desk\"\nkind = \"push\"\nsymbols = [\"BTC-USD\"]\n\
         [feed.fresh]\nsilence_ms = 1000\n"
    );
    fs::write(folder.path().join("tickcast.toml"), config).unwrap();
    folder
}

async fn publish(program: &Program, bid: &str) {
    let url = format!("http://{}/v1/publish?feed=desk", program.address);
    let body = json!({"S": "BTC-USD", "bp": bid}).to_string();
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// Reads until that price comes, and then some heartbeats.
async fn follow(mut client: Client, bid: &str) {
    while client.expect("q").await["bp"] != bid {}
    for _ in 0..5 {
        client.expect("hb").await;
    }
}

async fn follow_events(mut stream: reqwest::Response, bid: &str) {
    let mut text = String::new();
    let wanted = format!("\"bp\":\"{bid}\"");
    while !text.contains(&wanted) {
        let chunk = timeout(PATIENCE, stream.chunk()).await.expect("the price comes").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
}

async fn nobody_is_evicted(driver: &str) {
    let folder = folder(driver);
    let program = Program::start(folder.path());
    publish(&program, "1").await;
    let mut followers = JoinSet::new();
    for _ in 0..8 {
        let mut client = program.connect().await;
        client.send(json!({"op": "subscribe", "channel": "quotes", "symbols": ["BTC-USD"]})).await;
        client.expect("q").await;
        followers.spawn(follow(client, "2"));
        let url = format!("http://{}/v1/sse?symbols=BTC-USD&channels=quotes", program.address);
        followers.spawn(follow_events(reqwest::get(url).await.unwrap(), "2"));
    }
    program.signal("-STOP");
    // Not for something to happen: that it lasts is what is tried.
    tokio::time::sleep(STOPPED).await;
    program.signal("-CONT");
    publish(&program, "2").await;
    while let Some(followed) = followers.join_next().await {
        followed.unwrap();
    }
    for reason in ["no_pong", "slow", "rate_limited"] {
        let name = format!("tickcast_sessions_closed_total{{reason=\"{reason}\"}}");
        assert!(program.metric(&name).await < 1.0, "{reason}");
    }
    assert!(program.metric("tickcast_stalls_total{task=\"worker\"}").await >= 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_was_stopped_evicts_nobody() {
    nobody_is_evicted("socket").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_was_stopped_evicts_nobody_with_the_actix_driver() {
    nobody_is_evicted("actix").await;
}
