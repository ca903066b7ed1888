//! A real redis-server on a free port in a folder of its own: killed, paused, started again.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::Instant;

use tempfile::TempDir;

/// Longest that a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Redis {
    folder: TempDir,
    pub(crate) port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A stopped one dies as well.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Sends a signal to one process.
pub(crate) fn signal(id: u32, name: &str) {
    let sent = Command::new("kill").args([name, &id.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {name} {id}");
}

/// The server's program: redis-server, or what `REDIS_SERVER` names (a Valkey, for one).
fn program() -> String {
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into())
}

impl Redis {
    /// Starts one with these options beside what a cluster needs.
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut redis = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            options: options.iter().map(ToString::to_string).collect(),
            child: None,
        };
        redis.again();
        redis
    }

    /// Starts it, on the same port and with what is in its folder.
    pub(crate) fn again(&mut self) {
        let child = Command::new(program())
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--dir", self.folder.path().to_str().unwrap()])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|why| panic!("{}: {why}; `make deps` installs it", program()));
        self.child = Some(child);
        let begun = Instant::now();
        while self.try_command(&["PING"]).is_none() {
            assert!(begun.elapsed() < PATIENCE, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    fn try_command(&self, words: &[&str]) -> Option<redis::Value> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).ok()?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(2)).ok()?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection).ok()
    }

    /// One command and its answer.
    pub(crate) fn command(&self, words: &[&str]) -> redis::Value {
        self.try_command(words).unwrap_or_else(|| panic!("{words:?} is answered"))
    }

    /// One command and its answer as a text or number, in words.
    pub(crate) fn text(&self, words: &[&str]) -> String {
        redis::from_redis_value(self.command(words)).unwrap_or_default()
    }

    /// A figure of `INFO`.
    pub(crate) fn info(&self, name: &str) -> String {
        let text = self.text(&["INFO", "everything"]);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        signal(child.id(), "-TERM");
        child.wait().unwrap();
    }

    pub(crate) fn pause(&self) {
        signal(self.id(), "-STOP");
    }

    pub(crate) fn resume(&self) {
        signal(self.id(), "-CONT");
    }
}
