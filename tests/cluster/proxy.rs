//! A line between a node and Redis that can be cut, and can stall in one or both directions.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
};

/// What the line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It carries everything.
    Open,
    /// It closes every connection, also new ones.
    Cut,
    /// Nothing reaches Redis; what Redis says arrives.
    StallsUp,
    /// Nothing comes back.
    StallsDown,
    /// Both, silently, as a firewall that drops packets: connections are neither closed nor refused.
    Drops,
}

impl Line {
    fn carries(self, up: bool) -> bool {
        match self {
            Self::Open => true,
            Self::Cut | Self::Drops => false,
            Self::StallsUp => !up,
            Self::StallsDown => up,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    line: Arc<watch::Sender<Line>>,
    to: Arc<watch::Sender<SocketAddr>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let line = Arc::new(watch::Sender::new(Line::Open));
        let to = Arc::new(watch::Sender::new(to));
        let (shared, leads_to) = (Arc::clone(&line), to.subscribe());
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = *leads_to.borrow();
                tokio::spawn(carry(near, far, shared.subscribe()));
            }
        });
        Self { address, line, to, task }
    }

    /// New connections lead to another server.
    pub(crate) fn lead_to(&self, to: SocketAddr) {
        self.to.send_replace(to);
    }

    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn carry(near: TcpStream, to: SocketAddr, mut line: watch::Receiver<Line>) {
    if *line.borrow_and_update() == Line::Cut {
        return;
    }
    let Ok(far) = TcpStream::connect(to).await else { return };
    let _quick = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_reads, near_writes) = near.into_split();
    let (far_reads, far_writes) = far.into_split();
    let (up, down) = (line.clone(), line.clone());
    tokio::select! {
        () = pump(near_reads, far_writes, up, true) => {}
        () = pump(far_reads, near_writes, down, false) => {}
        _cut = line.wait_for(|line| *line == Line::Cut) => {}
    }
}

/// Carries bytes one way; what comes while the line stalls arrives when it no longer does, as TCP sends it again.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>, up: bool) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        if line.wait_for(|line| line.carries(up)).await.is_err() {
            return;
        }
        let Ok(count @ 1..) = from.read(&mut bytes).await else { break };
        if line.wait_for(|line| line.carries(up)).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    // An end is a packet, too.
    let _open = line.wait_for(|line| line.carries(up)).await;
}
