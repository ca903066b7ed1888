//! What must have happened to clients, and what must not.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{client::Seen, stage::Stage};

/// Channels that are delivered whole.
fn streams(channel: &str) -> bool {
    matches!(channel, "trades" | "status" | "corrections")
}

impl Stage {
    fn fail(&self, what: &str) -> ! {
        panic!("{what}\n{}", self.story())
    }

    /// No client of another node than that one was disconnected; without one, no client at all.
    pub(crate) fn only_clients_of(&self, begun: Instant, node: Option<usize>) {
        for (client, after, at, seen) in self.since(begun) {
            if matches!(seen, Seen::Lost(_) | Seen::Closed(_)) && Some(at) != node {
                self.fail(&format!(
                    "client {client} was disconnected from node {at} after {after:?}: {seen:?}"
                ));
            }
        }
    }

    /// Every connection that ended did so at a node that was killed or stopped just before.
    pub(crate) fn only_killed(&self, begun: Instant) {
        for (client, after, at, seen) in self.since(begun) {
            let ends = self.nodes[at].ends.lock().unwrap();
            let when = begun + after;
            let is_caused = ends.iter().any(|end| *end <= when && when - *end < Duration::from_secs(5));
            if matches!(seen, Seen::Lost(_) | Seen::Closed(_)) && !is_caused {
                drop(ends);
                self.fail(&format!(
                    "client {client} was disconnected from node {at} after {after:?}: {seen:?}"
                ));
            }
        }
    }

    /// Gaps of streams: client, symbol and channel, and how often.
    fn gaps(&self, begun: Instant) -> BTreeMap<(usize, String, String), usize> {
        let mut gaps = BTreeMap::new();
        for (client, _, _, seen) in self.since(begun) {
            if let Seen::Gap { symbol, channel, .. } = seen
                && streams(&channel)
            {
                *gaps.entry((client, symbol, channel)).or_default() += 1;
            }
        }
        gaps
    }

    /// No stream has a gap.
    pub(crate) fn no_gap(&self, begun: Instant) {
        let gaps = self.gaps(begun);
        if !gaps.is_empty() {
            self.fail(&format!("gaps: {gaps:?}"));
        }
    }

    /// No stream of a producer's symbols has a gap.
    pub(crate) fn no_gap_of_producers(&self, begun: Instant) {
        let gaps: Vec<_> =
            self.gaps(begun).into_iter().filter(|((_, it, _), _)| it.starts_with("DESK")).collect();
        if !gaps.is_empty() {
            self.fail(&format!("gaps: {gaps:?}"));
        }
    }

    /// No stream has more than one gap.
    pub(crate) fn one_gap_each(&self, begun: Instant) {
        let gaps: Vec<_> = self.gaps(begun).into_iter().filter(|(_, count)| *count > 1).collect();
        if !gaps.is_empty() {
            self.fail(&format!("more than one gap: {gaps:?}"));
        }
    }

    /// Every client of that node, or every client, was told that within the time.
    pub(crate) async fn told(&self, begun: Instant, node: Option<usize>, state: &str, within: Duration) {
        let expected: Vec<usize> = (0..self.records.len())
            .filter(|client| {
                let record = self.records[*client].lock().unwrap();
                record.node.is_some() && (node.is_none() || record.node == node)
            })
            .collect();
        assert!(!expected.is_empty(), "no client is there");
        let left = within.saturating_sub(begun.elapsed());
        self.until(&format!("clients are told {state}"), left, async |stage| {
            let all = stage.since(begun);
            expected
                .iter()
                .all(|client| all.iter().any(|it| it.0 == *client && it.3 == Seen::Source(state.to_owned())))
        })
        .await;
    }

    /// All sessions that asked for it are told of the new numbering; all others are closed with 4202.
    pub(crate) async fn renumbered(&self, begun: Instant, within: Duration) {
        self.until("clients are told of the new numbering", within, async |stage| {
            let all = stage.since(begun);
            (0..stage.records.len()).all(|client| {
                let asks = client % 2 == 0;
                all.iter().any(|it| {
                    it.0 == client && if asks { it.3 == Seen::Resync } else { it.3 == Seen::Closed(4202) }
                })
            })
        })
        .await;
        let again = self.since(begun).into_iter().filter(|it| it.3 == Seen::Resync);
        let mut times = BTreeMap::new();
        again.for_each(|it| *times.entry(it.0).or_insert(0) += 1);
        if times.values().any(|count| *count > 1) {
            self.fail(&format!("told more than once: {times:?}"));
        }
    }

    /// The numbering has not changed.
    pub(crate) fn same_epoch(&self) {
        if self.journal.epochs() != 1 {
            self.fail("another numbering has begun");
        }
    }

    /// A counter has risen since then by that much at least.
    pub(crate) async fn counts(&self, start: &str, before: f64, by: f64, within: Duration) {
        self.until(&format!("{start} rises by {by}"), within, async |stage| {
            stage.metric(start).await >= before + by
        })
        .await;
    }
}
