//! How a gateway ends: readiness off, a grace period, goodbyes spread over the drain window, feeds stopped, server
//! stopped, and the last save when nothing is published any more. No part that fails on the way keeps the rest from it.
//!
//! When a part has failed before, what is in memory goes to the file first, there is no grace period, and goodbyes have
//! a short time: clients are better served by a gateway that starts again than by one that works in part. If nothing
//! that publishes has failed, the last save makes the numbering go on as after any stop: what a shard, the saver or the
//! server leave behind says nothing about numbers.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Fault, Task, Tasks, cluster::Leaving, persist::SaveTask};
use crate::{
    limits::{CLOSE_TIMEOUT, FAULT_DRAIN, FAULT_SAVE_TIMEOUT, FEED_STOP_TIMEOUT, STOP_TIMEOUT},
    server::{Gateway, Readiness, ServerHandle},
};

/// All that ends.
pub(super) struct Ending {
    pub(super) gateway: Arc<Gateway>,
    pub(super) tasks: Tasks,
    pub(super) stop_feeds: CancellationToken,
    pub(super) server: ServerHandle,
    pub(super) save_task: Option<SaveTask>,
    /// In a cluster.
    pub(super) leaving: Option<Leaving>,
}

impl Ending {
    /// Ends everything. `fault` is why, unless it was asked for.
    ///
    /// # Errors
    /// That fault, or the first one that came up meanwhile.
    pub(super) async fn end(mut self, fault: Option<Fault>) -> anyhow::Result<()> {
        self.gateway.readiness.set(Readiness::Draining);
        let hurried = fault.is_some();
        let mut faults = Vec::from_iter(fault);
        if hurried {
            self.gateway.hurry.cancel();
            if let Some(save_task) = &self.save_task {
                save_task.save(FAULT_SAVE_TIMEOUT).await;
            }
        }
        if let Some(leaving) = &self.leaving {
            // First of all: another node leads while this one's clients say goodbye, and they miss nothing.
            leaving.resign().await;
        }
        drain(&self.gateway, hurried).await;
        self.stop_feeds.cancel();
        self.leaving.iter().for_each(Leaving::stop);
        faults.extend(self.tasks.stopped(publishes, FEED_STOP_TIMEOUT).await);
        // Open requests have their time; a server that has ended does not answer.
        let _stopped = timeout(2 * STOP_TIMEOUT, self.server.stop(true)).await;
        faults.extend(self.tasks.stopped(|task| *task == Task::Server, STOP_TIMEOUT).await);
        if let Some(save_task) = self.save_task {
            let patience = if faults.is_empty() { Duration::MAX } else { FAULT_SAVE_TIMEOUT };
            save_task.stop();
            faults.extend(self.tasks.stopped(|task| *task == Task::Saver, patience).await);
            let goes_on = !faults.iter().any(|fault| publishes(&fault.task));
            save_task.finish(goes_on, patience).await;
        }
        self.gateway.hub.metrics().notices.finish();
        match faults.into_iter().next() {
            None => {
                tracing::info!("stopped");
                Ok(())
            }
            Some(fault) => Err(fault.into()),
        }
    }
}

/// Whether a task gives numbers to events.
const fn publishes(task: &Task) -> bool {
    matches!(task, Task::Feed(_) | Task::Timekeeper | Task::Cluster)
}

/// Lets every session go in peace, for as long as that may take.
async fn drain(gateway: &Gateway, hurried: bool) {
    let sessions = gateway.connections.total();
    tracing::info!(sessions, "draining");
    if sessions > 0 && !hurried {
        tokio::time::sleep(gateway.server.grace).await;
    }
    gateway.drain.cancel();
    // The last goodbye goes at the end of the window; then a client has its time to answer.
    let patience = if hurried {
        gateway.server.drain.min(FAULT_DRAIN) + CLOSE_TIMEOUT
    } else {
        gateway.server.drain + CLOSE_TIMEOUT + STOP_TIMEOUT + Duration::from_secs(1)
    };
    if timeout(patience, gateway.connections.emptied()).await.is_err() {
        tracing::warn!(sessions = gateway.connections.total(), "sessions did not leave in time");
    }
}
