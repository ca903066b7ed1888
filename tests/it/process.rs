//! The real program as a process: its streams, its signals, its files, and the end it comes to when a part of it fails.

#[cfg(feature = "test-endpoints")]
mod faults;
mod files;
mod health;
mod streams;

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::util::{Client, PATIENCE};

/// The program; stopped by its id when the test ends early.
pub(crate) struct Program {
    child: Child,
    /// Where it listens, if it told.
    pub(crate) address: String,
    _banner: Option<Lines<BufReader<ChildStdout>>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The program with these arguments in that folder, with nothing in its environment. It takes SIGHUP for what it is, also
/// where the tests themselves run under `nohup`.
pub(crate) fn tickcast(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_tickcast")]).args(arguments);
    command.current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

impl Program {
    /// A gateway that says where it listens.
    pub(crate) fn serving(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut banner = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = banner.next().expect("it starts").unwrap();
            if let Some((_, url)) = line.split_once("ws://") {
                break url.trim_end_matches("/v1/ws").to_owned();
            }
        };
        Self { child, address, _banner: Some(banner) }
    }

    /// Another command.
    pub(crate) fn running(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap(), address: String::new(), _banner: None }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    pub(crate) async fn ended(mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it ends");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let answer = client.get(format!("http://{}{path}", self.address)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The value of the sample whose line starts so; 0 when there is none.
    pub(crate) async fn metric(&self, start: &str) -> u64 {
        let (_, text) = self.get("/metrics").await;
        let line = text.lines().find(|line| line.starts_with(&format!("{start} ")));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    pub(crate) async fn metric_reaches(&self, start: &str, value: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.metric(start).await < value {
            assert!(Instant::now() < deadline, "{start} is {}", self.metric(start).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&format!("ws://{}/v1/ws", self.address), None).await.unwrap()
    }

    pub(crate) async fn epoch(&self) -> String {
        let (_, text) = self.get("/v1/symbols").await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["epoch"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn signal(id: u32, name: &str) {
    assert!(Command::new("kill").args([name, &id.to_string()]).status().unwrap().success());
}

/// Polls a file until `found` finds something in it.
pub(crate) async fn until<T>(path: &Path, found: impl Fn(&[u8]) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let bytes = fs::read(path).unwrap_or_default();
        if let Some(found) = found(&bytes) {
            return found;
        }
        assert!(Instant::now() < deadline, "{}: {}", path.display(), String::from_utf8_lossy(&bytes));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
