//! The built program as a process of its own, with its address and its log.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::util::PATIENCE;

/// A running gateway; killed by its id when the test ends early.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: String,
    log: Arc<Mutex<Vec<Value>>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Program {
    /// Starts `tickcast` on a free port with these arguments and variables, and waits until it is ready. Its log is JSON.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap().path(), arguments, variables)
    }

    /// Likewise, in that folder.
    pub(crate) fn start_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tickcast"))
            .args(["--bind", "127.0.0.1:0", "--log-format", "json"])
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&log);
        let reader = thread::spawn(move || {
            let lines = stderr.lines().map_while(Result::ok);
            lines.for_each(|line| to.lock().unwrap().push(serde_json::from_str(&line).unwrap()));
        });
        let mut program = Self { child, address: String::new(), log, reader: Some(reader) };
        let ready = program.line("ready");
        program.address = ready["address"].as_str().unwrap().to_owned();
        program
    }

    /// The lines of the log with that message.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        self.log.lock().unwrap().iter().filter(|line| line["message"] == message).cloned().collect()
    }

    /// Waits for a line with that message.
    pub(crate) fn line(&self, message: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.lines(message).first() {
                return line.clone();
            }
            assert!(Instant::now() < deadline, "no {message:?} in {:#?}", self.log.lock().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it with SIGTERM and waits until it and its log have ended.
    pub(crate) fn stop(&mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it ends");
            thread::sleep(Duration::from_millis(5));
        }
        self.reader.take().unwrap().join().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
