//! NATS: its own server with its WebSocket listener, and a publisher beside it on the same core.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Stdio},
    sync::atomic::Ordering,
    thread,
    time::Duration,
};

use anyhow::Context as _;

use crate::{
    market::Market,
    process::{on_core, ready_as},
};

/// Where Debian's package puts it.
pub(crate) const PROGRAM: &str = "/usr/sbin/nats-server";

/// Stops the server together with the program that started it.
struct Server(Child, PathBuf);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
        let _gone = std::fs::remove_file(&self.1);
    }
}

/// Runs the server and publishes to it until killed. The server's process is the one to watch: it is named by the line
/// `ready PORT PID`.
pub(crate) fn publish(mut market: Market) -> anyhow::Result<()> {
    let (plain, stream) = (free_port()?, free_port()?);
    let path = std::env::temp_dir().join(format!("tickcast-bench-nats-{}.conf", std::process::id()));
    let config = format!(
        "listen: 127.0.0.1:{plain}\nmax_connections: 30000\nwebsocket {{ listen: \"127.0.0.1:{stream}\", no_tls: true }}\n"
    );
    std::fs::write(&path, config)?;
    let child = on_core(0, PROGRAM)
        .arg("-c")
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context(PROGRAM)?;
    let server = Server(child, path);
    let mut socket = (0..100)
        .find_map(|_| {
            thread::sleep(Duration::from_millis(20));
            TcpStream::connect(("127.0.0.1", plain)).ok()
        })
        .context("nats-server does not listen")?;
    socket.set_nodelay(true)?;
    socket.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n")?;
    let mut answers = socket.try_clone()?;
    let mut pong = socket.try_clone()?;
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(n @ 1..) = answers.read(&mut buffer) {
            if buffer[..n].windows(4).any(|word| word == b"PING") && pong.write_all(b"PONG\r\n").is_err() {
                break;
            }
        }
    });
    let ended = ready_as(stream, server.0.id());
    let mut batch = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
        batch.clear();
        market.release(|symbol, text| {
            batch.extend(format!("PUB {} {}\r\n{text}\r\n", Market::name(symbol), text.len()).into_bytes());
        });
        socket.write_all(&batch)?;
    }
    drop(server);
    Ok(())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
