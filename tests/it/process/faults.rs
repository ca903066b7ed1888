//! A part of the gateway fails: the gateway says which, saves, says goodbye, and ends with 70.

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Program, tickcast};
use crate::util::Client;

const CONFIG: &str = "[server]\nbind = \"127.0.0.1:0\"\nworkers = 2\ngrace_ms = 0\ndrain_ms = 0\n\
    [session]\nheartbeat_ms = 200\n[store]\npath = \"kept.redb\"\ninterval_ms = INTERVAL\n\
    [[feed]]\nname = \"desk\"\nkind = \"push\"\nsymbols = [\"A\"]\n";

fn folder(interval_ms: u32) -> TempDir {
    let folder = TempDir::new().unwrap();
    let config = CONFIG.replace("INTERVAL", &interval_ms.to_string());
    fs::write(folder.path().join("tickcast.toml"), config).unwrap();
    folder
}

fn start(folder: &Path) -> Program {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    Program::serving(tickcast(folder, &[]).stderr(log))
}

async fn post(program: &Program, path: &str, body: String) -> String {
    let url = format!("http://{}{path}", program.address);
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    answer.text().await.unwrap()
}

/// Orders a part to fail.
async fn fail(program: &Program, task: &str) {
    assert_eq!(post(program, &format!("/test/fail/{task}"), String::new()).await, "");
}

async fn publish(program: &Program, price: &str) {
    let tick = json!({"S": "A", "p": price, "s": "1"}).to_string();
    let answer: Value = serde_json::from_str(&post(program, "/v1/publish?feed=desk", tick).await).unwrap();
    assert_eq!(answer["accepted"], 1, "{answer}");
}

/// Clients of both workers, as likely as can be.
async fn clients(program: &Program) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = program.connect().await;
        client.expect("welcome").await;
        clients.push(client);
    }
    clients
}

async fn last_price(program: &Program) -> Value {
    let (_, text) = program.get("/v1/trades/A").await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    // Behind what a crash left there is a loss, which has no price.
    let trades = answer["trades"].as_array().unwrap();
    trades.iter().rfind(|trade| trade["T"] == "t").unwrap_or_else(|| panic!("{text}"))["p"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_fails_ends_the_gateway_in_order_with_its_name_and_70() {
    // The saver must come round to fail; the others must not be saved by it.
    for (task, interval_ms, said, goes_on) in [
        ("timekeeper", 3_600_000, "the timekeeper panicked: a drill: timekeeper fails", false),
        ("saver", 100, "the saver panicked: a drill: saver fails", true),
        // Its workers go with it, which may be seen first.
        ("server", 3_600_000, "ended by itself", true),
        ("shard", 3_600_000, "a worker's shard panicked: a drill: shard fails", true),
    ] {
        let folder = folder(interval_ms);
        let program = start(folder.path());
        let epoch = program.epoch().await;
        let mut clients = clients(&program).await;
        publish(&program, "1.25").await;
        fail(&program, task).await;
        let mut byes = 0;
        for client in &mut clients {
            byes += usize::from(client.ended().await == Some(4201));
        }
        drop(clients);
        assert_eq!(program.ended().await.code(), Some(70), "{task}");
        // A shard that has failed says nothing more, and without the server there is none.
        assert!(byes == 8 || (task == "shard" && byes > 0) || task == "server", "{task}: {byes} goodbyes");
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(log.contains(said), "{task}: {log}");
        let last = log.lines().last().unwrap();
        assert!(last.starts_with("tickcast: ") && last.ends_with(said), "{task}: {log}");
        let program = start(folder.path());
        assert_eq!(last_price(&program).await, "1.25", "{task}: it was saved");
        assert_eq!(program.epoch().await == epoch, goes_on, "{task}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_one_session_is_its_end_and_nobody_elses() {
    for driver in ["socket", "actix"] {
        let folder = folder(3_600_000);
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = tickcast(folder.path(), &[]);
        let program = Program::serving(command.env("TICKCAST_SERVER__DRIVER", driver).stderr(log));
        let mut clients = clients(&program).await;
        fail(&program, "session").await;
        let mut unlucky = clients.pop().unwrap();
        unlucky.send(json!({"op": "ping"})).await;
        assert_eq!(unlucky.ended().await, None, "{driver}: cut");
        for client in &mut clients {
            client
                .send(json!({"op": "subscribe", "channel": "trades", "symbols": ["A"], "mode": "stream"}))
                .await;
            client.expect("subscribed").await;
        }
        publish(&program, "2.50").await;
        for client in &mut clients {
            assert_eq!(client.expect("t").await["p"], "2.50", "{driver}");
        }
        program.metric_reaches("tickcast_task_failures_total{reason=\"panic\",task=\"session\"}", 1).await;
        program.metric_reaches("tickcast_panics_total", 1).await;
        assert_eq!(
            program
                .metric("tickcast_sessions{encoding=\"json\",road=\"websocket\",transport=\"websocket\"}")
                .await,
            7
        );
        drop(clients);
        program.signal("-TERM");
        assert_eq!(program.ended().await.code(), Some(0), "{driver}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_fails_while_stopping_keeps_nothing_from_the_last_save() {
    let folder = folder(3_600_000);
    let mut command = tickcast(folder.path(), &[]);
    let program = Program::serving(command.env("TICKCAST_SERVER__GRACE_MS", "1000").stderr(Stdio::null()));
    let mut client = program.connect().await;
    client.expect("welcome").await;
    publish(&program, "3.75").await;
    program.signal("-TERM");
    while program.get("/readyz").await.0 != 503 {}
    fail(&program, "timekeeper").await;
    assert_eq!(client.ended().await, Some(4201));
    drop(client);
    assert_eq!(program.ended().await.code(), Some(70), "SIGTERM, and a part that failed after it");
    let program = start(folder.path());
    assert_eq!(last_price(&program).await, "3.75");
}
