//! Reading from replicas, which spreads the load of many nodes.
//!
//! Only reading: what ends, what is silent and what is written is asked of the master. A replica that fails or lags costs a
//! read from the master and is exchanged; so nothing depends on it.

use std::time::Duration;

use crate::{
    clock::Instant,
    limits::LOG_REPLICA_LOOK,
    redis::{Cmd, Link, Server, Value},
};

/// The connection to one of the replicas.
#[derive(Debug, Default)]
pub(super) struct ReplicaReads {
    link: Option<Link>,
    /// Which of them.
    which: usize,
    /// When one is looked for again.
    next_look: Option<Instant>,
}

impl ReplicaReads {
    /// Its answer; none if there is no replica, or it failed.
    pub(super) async fn ask(&mut self, server: &Server, question: &Cmd, patience: Duration) -> Option<Value> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => self.look(server).await?,
        };
        match link.ask(question, patience).await {
            Ok(answer) => {
                self.link = Some(link);
                Some(answer)
            }
            Err(why) => {
                tracing::info!("a replica of the cluster's log is not read from any more: {why}");
                self.change();
                None
            }
        }
    }

    /// Takes another one the next time.
    pub(super) fn change(&mut self) {
        self.link = None;
        self.which = self.which.wrapping_add(1);
    }

    async fn look(&mut self, server: &Server) -> Option<Link> {
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return None;
        }
        self.next_look = Some(now + LOG_REPLICA_LOOK);
        match server.connect_to_replica(self.which).await {
            Ok(link) => link,
            Err(why) => {
                tracing::info!("no replica of the cluster's log can be read from: {why}");
                self.change();
                None
            }
        }
    }
}
