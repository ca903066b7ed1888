//! A real redis-server of a test: on a free port and a Unix socket, in a folder of its own, ended by its process id.
//!
//! Needs nothing else of the tests, so that other test programs can take it in by its path.
#![allow(dead_code, reason = "each test program takes in what it needs")]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::Instant;

/// Longest that a server may take to do anything; only failures take that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A redis-server. Killed when it is dropped.
pub(crate) struct RedisServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
    is_encrypted: bool,
}

impl RedisServer {
    /// One that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One that writes every command to its append-only file before it answers: nothing is lost by a kill.
    pub(crate) fn durable() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// One with these options behind the usual ones: `["--maxmemory", "10mb"]`.
    pub(crate) fn with(options: &[&str]) -> Self {
        Self::build(options, false, |_folder| {})
    }

    /// One that speaks TLS only (and a Unix socket, for [`RedisServer::ask`]). It believes clients that show
    /// [`RedisServer::client_cert`] and, unless `must_prove`, all others.
    pub(crate) fn with_tls(must_prove: bool) -> Self {
        let auth = if must_prove { "yes" } else { "no" };
        Self::build(&["--tls-auth-clients", auth], true, |folder| Self::certify(folder, "localhost"))
    }

    /// A sentinel that watches `master` under the name `m`, with a quorum of one.
    pub(crate) fn sentinel(master: &Self) -> Self {
        let watched = master.port;
        let prepare = move |folder: &Path| {
            let text = format!(
                "sentinel monitor m 127.0.0.1 {watched} 1\nsentinel down-after-milliseconds m 500\n\
                 sentinel failover-timeout m 2000\n"
            );
            fs::write(folder.join("sentinel.conf"), text).unwrap();
        };
        Self::build(&["--sentinel"], false, prepare)
    }

    fn build(options: &[&str], is_encrypted: bool, prepare: impl Fn(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let options = options.iter().map(ToString::to_string).collect();
        let mut server = Self { folder, port: 0, options, child: None, is_encrypted };
        // Another process may take the port before the server does.
        for _attempt in 0..10 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.spawn() {
                return server;
            }
        }
        panic!("no redis-server starts: {}", server.log());
    }

    /// Writes a certificate for `host`, an authority of its own, and one that a client may show.
    fn certify(folder: &Path, host: &str) {
        // An issuer of the same name would look like a certificate that is its own.
        let named = |name: &str, hosts: Vec<String>| {
            let mut params = rcgen::CertificateParams::new(hosts).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params
        };
        let mut params = named("authority", Vec::new());
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
        let issuer = rcgen::Issuer::new(params, key);
        for (name, host) in [("server", host), ("client", "client")] {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = named(name, vec![host.to_owned()]);
            let certificate = params.signed_by(&key, &issuer).unwrap();
            fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
            fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
    }

    /// Starts the process and waits until it answers. False when it has ended, as it does when its port is taken.
    fn spawn(&mut self) -> bool {
        let folder = self.folder.path();
        let socket = self.socket();
        let is_sentinel = self.options.iter().any(|option| option == "--sentinel");
        let mut command = Command::new("redis-server");
        if is_sentinel {
            command.arg(folder.join("sentinel.conf"));
        }
        let (plain, encrypted) = if self.is_encrypted { (0, self.port) } else { (self.port, 0) };
        command.args(["--bind", "127.0.0.1", "--port", &plain.to_string()]);
        command.arg("--unixsocket").arg(&socket).arg("--dir").arg(folder);
        command.arg("--logfile").arg(folder.join("log"));
        if self.is_encrypted {
            command.args(["--tls-port", &encrypted.to_string()]);
            for (option, file) in [
                ("--tls-ca-cert-file", "ca.pem"),
                ("--tls-cert-file", "server.pem"),
                ("--tls-key-file", "server.key"),
            ] {
                command.arg(option).arg(folder.join(file));
            }
        }
        if !is_sentinel {
            command.args(["--save", "", "--appendonly", "no", "--protected-mode", "no"]);
        }
        command.args(&self.options);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("redis-server is installed: see make deps"));
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            let child = self.child.as_mut().unwrap();
            if child.try_wait().unwrap().is_some() {
                self.child = None;
                return false;
            }
            assert!(Instant::now() < deadline, "it starts: {}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Whether it answers to more than a refusal to answer yet.
    fn answers(&self) -> bool {
        let Ok(mut connection) = self.connection() else { return false };
        match redis::cmd("PING").query::<redis::Value>(&mut connection) {
            Ok(_pong) => true,
            // A server with users answers so before anybody logs in.
            Err(why) => matches!(why.code(), Some("NOAUTH" | "NOPERM")),
        }
    }

    /// A connection of the test itself.
    pub(crate) fn connection(&self) -> redis::RedisResult<redis::Connection> {
        let client = redis::Client::open(format!("unix://{}", self.socket().display()))?;
        let connection = client.get_connection_with_timeout(Duration::from_secs(1))?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    /// Asks the server, past every user, password and certificate: `server.ask(&["SET", "a", "1"])`.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).unwrap_or_else(|why| panic!("{words:?}: {why}"))
    }

    /// Likewise, where the server may refuse it.
    pub(crate) fn try_ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let (name, arguments) = words.split_first().unwrap();
        redis::cmd(name).arg(arguments).query(&mut self.connection()?)
    }

    /// Where it is, over TCP.
    pub(crate) fn url(&self) -> String {
        let (scheme, host) = if self.is_encrypted { ("rediss", "localhost") } else { ("redis", "127.0.0.1") };
        format!("{scheme}://{host}:{}", self.port)
    }

    /// Where it is, over its Unix socket.
    pub(crate) fn socket_url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.file("redis.sock")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A file in its folder: `ca.pem`, `client.pem` and `client.key` of one with TLS.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Gives it another certificate, of another authority; it must be started again.
    pub(crate) fn renew_certificates(&self, host: &str) {
        Self::certify(self.folder.path(), host);
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.id().to_string()]).status().unwrap().success());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Ends it in order, as an operator would.
    pub(crate) fn stop(&mut self) {
        self.signal("-TERM");
        self.child.take().unwrap().wait().unwrap();
    }

    /// It stands still: connections stay open, and nothing is answered.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    /// Starts it again at the same place, in the same folder.
    pub(crate) fn start_again(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.spawn() {
            assert!(Instant::now() < deadline, "it starts again: {}", self.log());
        }
    }

    /// Removes what it has saved, so that it comes back empty.
    pub(crate) fn forget(&self) {
        assert!(self.child.is_none(), "it is stopped first");
        let _none = fs::remove_dir_all(self.file("appendonlydir"));
        let _none = fs::remove_file(self.file("dump.rdb"));
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}
