//! What the tasks of one node share: the hub that its clients see, and where it stands to the log.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use super::{
    ClusterConfig, FeedWord, Follower, InboxId, Open, Position,
    log::{Log, LogError, Window},
    roles::{Identity, Standing},
};
use crate::{
    clock::Instant,
    feed::Backoff,
    hub::Hub,
    limits::{LOG_BACKOFF, LOG_BACKOFF_LONGEST},
    metrics::{ClusterMetrics, Reconnect},
};

/// What every task of a node has at hand.
pub(super) struct NodeContext {
    pub(super) config: ClusterConfig,
    /// The node's name.
    pub(super) id: String,
    /// Where its clients connect.
    pub(super) address: String,
    /// What its feeds and sizes are, as `…meta` has them.
    pub(super) made_of: MadeOf,
    /// The hub that its clients see. It hears the log and nothing else.
    pub(super) hub: Arc<Hub>,
    /// What applies the log to it, and makes images of it: never both at once.
    pub(super) follower: Mutex<Follower>,
    /// Cloned by each task: a handle makes one call at a time.
    pub(super) log: Log,
    pub(super) metrics: ClusterMetrics,
    pub(super) seen: watch::Sender<Seen>,
    /// Which part of the log is kept; noted by the reader, so that every node would cut it alike.
    pub(super) window: Mutex<Window>,
    /// The newest entry of the inbox that is in the log.
    pub(super) inbox: watch::Sender<InboxId>,
    /// How the leader's feeds are doing.
    pub(super) feeds: watch::Sender<Vec<FeedWord>>,
    /// The lead may be free.
    pub(super) chance: Notify,
    /// What clients of some node want has changed.
    pub(super) demand: Notify,
    /// The node should show now that it lives.
    pub(super) beat: Notify,
}

/// What nodes of one cluster have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeOf {
    /// Tells whether two nodes have the same feeds.
    pub feeds: String,
    /// `history.intervals`.
    pub intervals: Vec<String>,
    /// `history.trades_per_symbol`.
    pub trades_per_symbol: usize,
    /// `history.bars`.
    pub bars: usize,
}

/// Where a node stands.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) standing: Standing,
    pub(super) position: Position,
    /// Who opened the log last, and where.
    pub(super) led: Led,
    /// The latest term that this node knows of: no leader may have an earlier one.
    pub(super) known_term: u64,
    /// When the last batch came.
    pub(super) batch_at: Option<Instant>,
    /// When the last one was applied, so that clients know the newest.
    pub(super) applied_at: Option<Instant>,
    /// Since when the log answers each call.
    pub(super) answers_since: Option<Instant>,
    /// Whether the log had batches when it was asked last.
    pub(super) has_log: bool,
    /// The leader has let go, and no other one has been heard since.
    pub(super) is_resigned: bool,
    /// Whether this node's feeds and rules are the cluster's.
    pub(super) fits: bool,
    /// Whether other nodes that are in step were seen lately.
    pub(super) has_company: bool,
    /// This node founds a numbering on a log that ends there, whatever that says: it waits for the next batch, its own.
    pub(super) founds: Option<Position>,
    /// Whether this node leads.
    pub(super) leads: bool,
}

/// Who leads, and in which server it has opened the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Led {
    pub(super) node: String,
    pub(super) server: Identity,
}

impl Led {
    pub(super) fn of(open: &Open) -> Self {
        let server = Identity { run_id: open.run_id.clone(), replid: open.replid.clone() };
        Self { node: open.node.clone(), server }
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            standing: Standing::Joining,
            position: Position::START,
            led: Led::default(),
            known_term: 0,
            batch_at: None,
            applied_at: None,
            answers_since: None,
            has_log: false,
            is_resigned: false,
            fits: true,
            has_company: false,
            founds: None,
            leads: false,
        }
    }
}

impl Seen {
    /// How long the log has answered and had no batch; nothing while it does not answer.
    pub(super) fn quiet(&self, now: Instant) -> Option<Duration> {
        let since = self.answers_since?;
        let since = self.batch_at.map_or(since, |batch_at| batch_at.max(since));
        Some(now.saturating_duration_since(since))
    }
}

impl NodeContext {
    /// The hub has all that the log says up to there.
    pub(super) fn in_step(&self, at: Position, inbox: Option<InboxId>, led: Option<Led>) {
        self.inbox.send_if_modified(|newest| {
            let is_newer = inbox > Some(*newest);
            *newest = inbox.filter(|_| is_newer).unwrap_or(*newest);
            is_newer
        });
        self.seen.send_modify(|seen| {
            if seen.standing != Standing::InStep {
                tracing::info!(position = %at, epoch = %self.hub.epoch(), "in step with the log");
                seen.standing = Standing::InStep;
                self.beat.notify_one();
            }
            (seen.position, seen.founds) = (at, None);
            seen.applied_at = Some(Instant::now());
            if let Some(led) = led {
                (seen.led, seen.is_resigned) = (led, false);
            }
        });
    }

    /// The log has answered.
    pub(super) fn answered(&self, now: Instant) {
        self.seen.send_if_modified(|seen| {
            let is_new = seen.answers_since.is_none();
            seen.answers_since.get_or_insert(now);
            is_new
        });
    }

    /// The log does not answer.
    pub(super) fn unanswered(&self) {
        self.seen.send_if_modified(|seen| seen.answers_since.take().is_some());
    }

    pub(super) fn count(&self, why: &LogError) {
        self.metrics.reconnected(match why.kind() {
            "connect" => Reconnect::Connect,
            "timeout" => Reconnect::Timeout,
            "closed" => Reconnect::Closed,
            "full" | "refused" => Reconnect::Refused,
            _ => Reconnect::Protocol,
        });
    }
}

/// The pauses of one task between two attempts to reach the log: doubling, with jitter, told once.
pub(super) struct Patience {
    backoff: Backoff,
    what: &'static str,
    is_told: bool,
}

impl Patience {
    pub(super) fn new(what: &'static str) -> Self {
        Self { backoff: Backoff::new(LOG_BACKOFF, LOG_BACKOFF_LONGEST), what, is_told: false }
    }

    /// Waits before the next attempt.
    pub(super) async fn after(&mut self, why: &LogError) {
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(task = self.what, "the log is not reached, and tried again for ever: {why}");
        }
        let pause = self.backoff.next(&mut rand::rng());
        tokio::time::sleep(pause).await;
    }

    /// An attempt has succeeded.
    pub(super) fn reset(&mut self) {
        if std::mem::take(&mut self.is_told) {
            tracing::info!(task = self.what, "the log is reached again");
        }
        self.backoff.reset();
    }
}

/// A name with 48 random bits.
pub(super) fn random_name(random: &mut impl Rng) -> String {
    format!("{:012x}", random.random::<u64>() >> 16)
}
