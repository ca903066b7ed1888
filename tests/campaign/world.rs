//! What all tasks of a campaign share: the gateway, the journal, and when faults and clients end.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{gateway::GatewayProcess, journal::Journal};

pub(crate) struct World {
    pub(crate) gateway: GatewayProcess,
    pub(crate) journal: Journal,
    /// Faults stop first, clients last.
    pub(crate) faults: CancellationToken,
    pub(crate) clients: CancellationToken,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(program: &Path, driver: &str, only: &[String], seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = program
            .canonicalize()
            .unwrap_or_else(|why| panic!("{}: {why}; run `make campaign`", program.display()));
        Self {
            gateway: GatewayProcess::new(program, driver, folder.path(), seed),
            journal: Journal::new(folder.path().to_owned(), only),
            faults: CancellationToken::new(),
            clients: CancellationToken::new(),
            _folder: folder,
        }
    }

    /// Whether the fault of that name is wanted.
    pub(crate) fn wants(&self, fault: &str) -> bool {
        self.journal.wants(fault)
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.address
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.journal.path(name)
    }

    pub(crate) fn count(&self, what: &'static str) {
        self.journal.add(what, 1);
    }

    pub(crate) fn add(&self, what: &'static str, by: u64) {
        self.journal.add(what, by);
    }

    /// Something that the protocol forbids.
    pub(crate) fn found(&self, kind: &str, text: String) {
        self.journal.found(kind, text);
    }

    /// Waits; tells whether faults go on.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        self.faults.run_until_cancelled(tokio::time::sleep(time)).await.is_some()
    }

    pub(crate) fn progress(&self) -> String {
        let counts = self.journal.counts();
        let get = |name| counts.get(name).copied().unwrap_or(0);
        format!(
            "{:5} s: {} events checked, {} gaps, {} reconnects, {} starts, RSS {} MB, {} findings",
            self.journal.elapsed().as_secs(),
            get("events checked"),
            get("gaps"),
            get("reconnects"),
            get("gateway starts"),
            self.gateway.rss_mb(),
            self.journal.findings().len(),
        )
    }

    pub(crate) fn stop_faults(&self) {
        self.faults.cancel();
    }

    pub(crate) fn stop_clients(&self) {
        self.clients.cancel();
    }
}

/// A loopback address of its own for each client.
pub(crate) fn source(number: usize) -> Ipv4Addr {
    let number = u8::try_from(number % 250).unwrap_or(0);
    let block = u8::try_from((number as usize / 250) % 200).unwrap_or(0);
    Ipv4Addr::new(127, 1, block, number + 1)
}
