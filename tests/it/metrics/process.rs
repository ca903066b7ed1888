//! Scripts of the real program, where what moves is the process': its log and its panics.

use std::process::Stdio;

use tempfile::TempDir;

use super::samples::{Samples, Three};
use crate::process::{Program, tickcast};

fn serve(command: &mut std::process::Command) -> Program {
    Program::serving(command.env("TICKCAST_SERVER__GRACE_MS", "0").env("TICKCAST_SERVER__DRAIN_MS", "0"))
}

async fn scrape(program: &Program) -> Samples {
    let (status, text) = program.get("/metrics").await;
    assert_eq!(status, 200);
    Samples::read(&text)
}

/// A line is logged while no reader is left.
pub(super) async fn log() -> Three {
    let folder = TempDir::new().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let program = serve(
        tickcast(folder.path(), &["--bind", "127.0.0.1:0", "--feed", "demo"]).stderr(Stdio::from(writer)),
    );
    program.metric_reaches("tickcast_feed_up{feed=\"demo\"}", 1).await;
    let before = scrape(&program).await;
    drop(reader);
    // A name that is not the gateway's is a warning.
    let url = format!("http://{}/v1/symbols", program.address);
    let answer =
        reqwest::Client::new().get(url).header("host", "elsewhere.example.com").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 421);
    program.metric_reaches("tickcast_log_lines_dropped_total", 1).await;
    let after = scrape(&program).await;
    Three([before, after, scrape(&program).await])
}

/// One session panics.
#[cfg(feature = "test-endpoints")]
pub(super) async fn panic() -> Three {
    let folder = TempDir::new().unwrap();
    let program =
        serve(tickcast(folder.path(), &["--bind", "127.0.0.1:0", "--feed", "demo"]).stderr(Stdio::null()));
    let mut client = program.connect().await;
    client.expect("welcome").await;
    let before = scrape(&program).await;
    let url = format!("http://{}/test/fail/session", program.address);
    assert_eq!(reqwest::Client::new().post(url).send().await.unwrap().status().as_u16(), 204);
    client.send(serde_json::json!({"op": "ping"})).await;
    assert_eq!(client.ended().await, None, "cut");
    program.metric_reaches("tickcast_task_failures_total{reason=\"panic\",task=\"session\"}", 1).await;
    program.metric_reaches("tickcast_panics_total", 1).await;
    let after = scrape(&program).await;
    Three([before, after, scrape(&program).await])
}
