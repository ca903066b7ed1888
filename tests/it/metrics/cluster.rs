//! The families of a cluster, moved by hand: what moves them in a gateway is shown where whole clusters run, in
//! `tests/it/cluster`.

use std::time::Duration;

use tickcast::metrics::{
    ClusterRole, EpochReason, HoleReason, ImageOutcome, Metrics, Reconnect, Refusal, TakeoverReason,
};

use super::samples::{Samples, Three};

/// A node joins, leads, is deposed, and leaves.
pub(super) async fn node() -> Three {
    let metrics = Metrics::new();
    let scrape = || Samples::read(&String::from_utf8(metrics.render().unwrap()).unwrap());
    let cluster = &metrics.cluster;
    let before = scrape();
    cluster.reconnected(Reconnect::Connect);
    cluster.refused(Refusal::Policy);
    cluster.hole(HoleReason::Trimmed);
    cluster.image_loaded(Duration::from_millis(20));
    cluster.image(ImageOutcome::Served);
    cluster.role(Some(ClusterRole::Leader));
    cluster.took_over(TakeoverReason::Founded);
    cluster.epoch(EpochReason::Founded);
    cluster.attached(true);
    cluster.term(3 << 20);
    cluster.nodes(3);
    cluster.window(Duration::from_secs(60));
    cluster.appended(4_000, 100, Duration::from_micros(300));
    cluster.applied(4_000, 100, Duration::from_micros(700));
    cluster.pending(70);
    cluster.inbox(2);
    cluster.lapped();
    let after = scrape();
    cluster.fenced();
    cluster.role(None);
    cluster.attached(false);
    cluster.pending(0);
    cluster.inbox(0);
    cluster.nodes(0);
    Three([before, after, scrape()])
}
