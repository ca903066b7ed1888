//! The families of a cluster. They stay at zero in a gateway that is alone.

use std::time::Duration;

use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::Collector,
};

/// Upper bounds of the way through the log and of its answers, in seconds: from loopback to a Redis that hangs.
const BUCKETS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Makes an enum whose values are those of a label: closed, and all there from the start.
macro_rules! labels {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $value:ident = $label:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meaning])* $value,)*
        }

        impl $name {
            /// Every one, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$value,)*];

            /// Their names.
            pub const LABELS: &[&str] = &[$($label,)*];

            /// The name as a label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $label,)*
                }
            }
        }
    };
}

labels! {
    /// What a node does at the moment.
    ClusterRole {
        /// It runs the feeds and writes the log.
        Leader = "leader",
        /// It follows the log.
        Follower = "follower",
        /// It has no image yet, or loads one because it had a hole.
        Joining = "joining",
    }
}

labels! {
    /// Which way something went.
    Direction {
        /// From the log to this node.
        Read = "read",
        /// From this node to the log.
        Written = "written",
    }
}

labels! {
    /// Why a node connected to Redis again.
    Reconnect {
        /// It could not be reached.
        Connect = "connect",
        /// It did not answer in time.
        Timeout = "timeout",
        /// It closed the connection.
        Closed = "closed",
        /// It refused a command or who asks.
        Refused = "refused",
        /// It said what no Redis says.
        Protocol = "protocol",
        /// It is a replica, or became one.
        Role = "role",
        /// The log was silent though Redis answered.
        Silent = "silent",
    }
}

labels! {
    /// Why what a node read does not follow from what it had.
    HoleReason {
        /// The log no longer reaches back to it.
        Trimmed = "trimmed",
        /// The log ends before it.
        Regressed = "regressed",
        /// Batches are missing in between.
        Skipped = "skipped",
        /// The node has come to other numbers than the leader.
        Differs = "differs",
        /// A batch cannot be read.
        Unreadable = "unreadable",
        /// A batch has a form that this version does not know.
        Version = "version",
        /// The log is gone.
        Gone = "gone",
    }
}

labels! {
    /// What became of an image.
    ImageOutcome {
        /// This node has loaded it.
        Loaded = "loaded",
        /// This node has handed it out.
        Served = "served",
        /// This node asked for one and got none, or only a part.
        Missing = "missing",
        /// The log no longer reached back to where it begins.
        TooOld = "too_old",
        /// The other side took no pieces any more.
        Abandoned = "abandoned",
        /// It could not be read.
        Unreadable = "unreadable",
    }
}

labels! {
    /// Why a node began to lead.
    TakeoverReason {
        /// There was no log before.
        Founded = "founded",
        /// The leader before let go.
        Resigned = "resigned",
        /// The leader before was not heard any more.
        Expired = "expired",
        /// There was a log, and a leader that ended without a word is long gone.
        Resumed = "resumed",
    }
}

labels! {
    /// Why a new numbering began.
    EpochReason {
        /// There was none.
        Founded = "founded",
        /// Redis came back without the log, or it was removed.
        Gone = "gone",
        /// The log ends before what a node has applied.
        Regressed = "regressed",
        /// Redis has failed over or restarted, and nothing proves that its log is whole.
        Unproven = "unproven",
    }
}

labels! {
    /// Why a node does not take part, or not fully.
    Refusal {
        /// Its feeds or intervals are not the cluster's.
        Digest = "digest",
        /// It derives by other rules.
        Rules = "rules",
        /// It writes another form.
        Format = "format",
        /// The keys hold what no tickcast of this cluster wrote.
        Foreign = "foreign",
        /// Redis may evict the log.
        Policy = "policy",
        /// Redis is too old.
        Server = "server",
        /// Redis is a replica.
        Replica = "replica",
    }
}

/// All of them.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    roles: IntGaugeVec,
    term: IntGauge,
    attached: IntGauge,
    nodes: IntGauge,
    delay: Histogram,
    append: Histogram,
    batches: [IntCounter; 2],
    bytes: [IntCounter; 2],
    entries: [IntCounter; 2],
    pending: IntGauge,
    laps: IntCounter,
    reconnects: IntCounterVec,
    holes: IntCounterVec,
    images: IntCounterVec,
    longest_image: Gauge,
    window: Gauge,
    takeovers: IntCounterVec,
    fenced: IntCounter,
    epochs: IntCounterVec,
    refusals: IntCounterVec,
    inbox: IntGauge,
}

/// Registers one family.
fn family<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let family = made.expect("the name and labels are valid");
    registry.register(Box::new(family.clone())).expect("the name is used once");
    family
}

/// A counter for each value of a label, all of them there from the start.
fn by(registry: &Registry, [name, help]: [&str; 2], label: &str, values: &[&str]) -> IntCounterVec {
    let counters = family(registry, IntCounterVec::new(Opts::new(name, help), &[label]));
    for value in values {
        counters.with_label_values(&[*value]);
    }
    counters
}

/// What went each way.
fn ways(registry: &Registry, about: [&str; 2]) -> [IntCounter; 2] {
    let counters = by(registry, about, "direction", Direction::LABELS);
    [Direction::Read, Direction::Written].map(|way| counters.with_label_values(&[way.as_str()]))
}

fn histogram(name: &str, help: &str) -> prometheus::Result<Histogram> {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()))
}

impl ClusterMetrics {
    #[expect(clippy::too_many_lines, reason = "a flat table, one entry a family")]
    pub(super) fn new(r: &Registry) -> Self {
        let roles = Opts::new("tickcast_cluster_role", "1 for what this node does, 0 for the others.");
        let roles = family(r, IntGaugeVec::new(roles, &["role"]));
        for role in ClusterRole::ALL {
            roles.with_label_values(&[role.as_str()]).set(0);
        }
        Self {
            roles,
            term: family(
                r,
                IntGauge::new("tickcast_cluster_term", "The fencing token under which the log is written."),
            ),
            attached: family(
                r,
                IntGauge::new("tickcast_cluster_attached", "1 while this node hears the log."),
            ),
            nodes: family(
                r,
                IntGauge::new(
                    "tickcast_cluster_nodes",
                    "Nodes that have shown a sign of life, this one too.",
                ),
            ),
            delay: family(
                r,
                histogram(
                    "tickcast_cluster_delay_seconds",
                    "From the time of a batch, by the leader's clock, to its application here.",
                ),
            ),
            append: family(
                r,
                histogram("tickcast_cluster_append_seconds", "From a write to the log to its answer."),
            ),
            batches: ways(r, ["tickcast_cluster_batches_total", "Batches read from and written to the log."]),
            bytes: ways(r, ["tickcast_cluster_bytes_total", "Bytes of these batches, as Redis has them."]),
            entries: ways(r, ["tickcast_cluster_entries_total", "Entries of these batches."]),
            pending: family(
                r,
                IntGauge::new(
                    "tickcast_cluster_pending_bytes",
                    "What sources have said and the log does not have.",
                ),
            ),
            laps: family(
                r,
                IntCounter::new(
                    "tickcast_cluster_laps_total",
                    "Times that so much was pending that only newest values and told losses were kept.",
                ),
            ),
            reconnects: by(
                r,
                ["tickcast_cluster_reconnects_total", "Connections to Redis that were given up, by reason."],
                "reason",
                Reconnect::LABELS,
            ),
            holes: by(
                r,
                ["tickcast_cluster_holes_total", "Times that what was read did not follow, by reason."],
                "reason",
                HoleReason::LABELS,
            ),
            images: by(
                r,
                ["tickcast_cluster_images_total", "Images of the whole hub, by what became of them."],
                "outcome",
                ImageOutcome::LABELS,
            ),
            longest_image: family(
                r,
                Gauge::new(
                    "tickcast_cluster_longest_image_seconds",
                    "The longest that this node has taken to load an image.",
                ),
            ),
            window: family(r, Gauge::new("tickcast_cluster_window_seconds", "How far back the log reaches.")),
            takeovers: by(
                r,
                ["tickcast_cluster_takeovers_total", "Times that this node began to lead, by reason."],
                "reason",
                TakeoverReason::LABELS,
            ),
            fenced: family(
                r,
                IntCounter::new(
                    "tickcast_cluster_fenced_total",
                    "Times that the log refused this node because another leads.",
                ),
            ),
            epochs: by(
                r,
                ["tickcast_cluster_epochs_total", "New numberings that this node began, by reason."],
                "reason",
                EpochReason::LABELS,
            ),
            refusals: by(
                r,
                [
                    "tickcast_cluster_refusals_total",
                    "Times that this node could not take part, or not lead, by reason.",
                ],
                "reason",
                Refusal::LABELS,
            ),
            inbox: family(
                r,
                IntGauge::new(
                    "tickcast_cluster_inbox_entries",
                    "Entries of producers that wait for the leader.",
                ),
            ),
        }
    }

    /// What this node does; nothing when it has left.
    pub fn role(&self, now: Option<ClusterRole>) {
        for role in ClusterRole::ALL {
            self.roles.with_label_values(&[role.as_str()]).set(i64::from(now == Some(*role)));
        }
    }

    /// The leader's token, as this node knows it.
    pub fn term(&self, term: u64) {
        self.term.set(whole(term));
    }

    /// Whether this node hears the log.
    pub fn attached(&self, is: bool) {
        self.attached.set(i64::from(is));
    }

    /// How many nodes live.
    pub fn nodes(&self, count: usize) {
        self.nodes.set(whole(count as u64));
    }

    /// A batch was read and applied, so long after its time.
    pub fn applied(&self, bytes: usize, entries: usize, delay: Duration) {
        self.moved(Direction::Read, bytes, entries);
        self.delay.observe(delay.as_secs_f64());
    }

    /// A batch was written, and the answer took so long.
    pub fn appended(&self, bytes: usize, entries: usize, took: Duration) {
        self.moved(Direction::Written, bytes, entries);
        self.append.observe(took.as_secs_f64());
    }

    fn moved(&self, way: Direction, bytes: usize, entries: usize) {
        self.batches[way as usize].inc();
        self.bytes[way as usize].inc_by(bytes as u64);
        self.entries[way as usize].inc_by(entries as u64);
    }

    /// So much waits to be written.
    pub fn pending(&self, bytes: usize) {
        self.pending.set(whole(bytes as u64));
    }

    /// More was pending than may be.
    pub fn lapped(&self) {
        self.laps.inc();
    }

    /// A connection to Redis was given up.
    pub fn reconnected(&self, reason: Reconnect) {
        self.reconnects.with_label_values(&[reason.as_str()]).inc();
    }

    /// What was read did not follow.
    pub fn hole(&self, reason: HoleReason) {
        self.holes.with_label_values(&[reason.as_str()]).inc();
    }

    /// An image came to an end.
    pub fn image(&self, outcome: ImageOutcome) {
        self.images.with_label_values(&[outcome.as_str()]).inc();
    }

    /// An image was loaded, and that took so long.
    pub fn image_loaded(&self, took: Duration) {
        self.image(ImageOutcome::Loaded);
        self.longest_image.set(self.longest_image.get().max(took.as_secs_f64()));
    }

    /// The log reaches back so far.
    pub fn window(&self, reach: Duration) {
        self.window.set(reach.as_secs_f64());
    }

    /// This node leads from now on.
    pub fn took_over(&self, reason: TakeoverReason) {
        self.takeovers.with_label_values(&[reason.as_str()]).inc();
    }

    /// Another node leads, and the log says so.
    pub fn fenced(&self) {
        self.fenced.inc();
    }

    /// This node has begun a new numbering.
    pub fn epoch(&self, reason: EpochReason) {
        self.epochs.with_label_values(&[reason.as_str()]).inc();
    }

    /// This node cannot take part, or not lead.
    pub fn refused(&self, reason: Refusal) {
        self.refusals.with_label_values(&[reason.as_str()]).inc();
    }

    /// How many entries of producers wait.
    pub fn inbox(&self, entries: usize) {
        self.inbox.set(whole(entries as u64));
    }
}

/// As a gauge has it.
fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_one_role_and_none_when_it_has_left() {
        let cluster = ClusterMetrics::new(&Registry::new());
        let roles = || {
            ClusterRole::ALL
                .iter()
                .map(|role| cluster.roles.with_label_values(&[role.as_str()]).get())
                .collect::<Vec<_>>()
        };
        assert_eq!(roles(), [0, 0, 0]);
        cluster.role(Some(ClusterRole::Follower));
        cluster.role(Some(ClusterRole::Leader));
        assert_eq!(roles(), [1, 0, 0]);
        cluster.role(None);
        assert_eq!(roles(), [0, 0, 0]);
    }

    #[test]
    fn the_longest_image_is_remembered() {
        let cluster = ClusterMetrics::new(&Registry::new());
        cluster.image_loaded(Duration::from_millis(250));
        cluster.image_loaded(Duration::from_millis(125));
        assert_eq!(cluster.longest_image.get().to_bits(), 0.25_f64.to_bits());
    }
}
