//! The families of feeds that are connected to a venue.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::market::{Channel, LossWhy};

/// Upper bounds of the source-to-gateway histogram, in seconds: from the same machine to the other side of the world
/// behind a queue. Clocks differ by milliseconds, so finer ones would say nothing.
const LATENCY_BUCKETS: &[f64] = &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// All of them.
#[derive(Debug)]
pub(super) struct UpstreamFamilies {
    connected: IntGaugeVec,
    subscriptions: IntGaugeVec,
    requests: IntCounterVec,
    losses: IntCounterVec,
    lost: IntCounterVec,
    duplicates: IntCounterVec,
    rotations: IntCounterVec,
    waiting: IntGaugeVec,
    products: IntGaugeVec,
    left_out: IntGaugeVec,
    lists: IntCounterVec,
    first_values: IntCounterVec,
    latency: HistogramVec,
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let family = IntCounterVec::new(Opts::new(name, help), labels).expect("the name and labels are valid");
    registry.register(Box::new(family.clone())).expect("the name is used once");
    family
}

fn gauges(registry: &Registry, name: &str, help: &str) -> IntGaugeVec {
    labelled(registry, name, help, &["feed"])
}

fn labelled(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    let family = IntGaugeVec::new(Opts::new(name, help), labels).expect("the name and labels are valid");
    registry.register(Box::new(family.clone())).expect("the name is used once");
    family
}

fn first_values(registry: &Registry) -> IntCounterVec {
    counters(
        registry,
        "tickcast_upstream_first_values_total",
        "Requests for the first quotes of symbols whose stream had brought none.",
        &["feed", "outcome"],
    )
}

fn latency(registry: &Registry) -> HistogramVec {
    let opts = HistogramOpts::new(
        "tickcast_upstream_latency_seconds",
        "From a tick's time at the venue to its receipt, by two clocks; the newest tick of each burst.",
    );
    let family = HistogramVec::new(opts.buckets(LATENCY_BUCKETS.to_vec()), &["feed"]);
    let family = family.expect("the buckets rise");
    registry.register(Box::new(family.clone())).expect("the name is used once");
    family
}

impl UpstreamFamilies {
    pub(super) fn new(r: &Registry) -> Self {
        Self {
            connected: gauges(
                r,
                "tickcast_upstream_connections",
                "Connections to the venue: 1, or 2 while one takes over from the other.",
            ),
            subscriptions: gauges(
                r,
                "tickcast_upstream_subscriptions",
                "Symbols that the venue has confirmed on the connection in use, less those that were let go.",
            ),
            requests: counters(
                r,
                "tickcast_upstream_requests_total",
                "Symbols in requests to the venue.",
                &["feed", "op"],
            ),
            losses: counters(
                r,
                "tickcast_upstream_gaps_total",
                "Places in a symbol's events where some were never received.",
                &["feed", "channel", "reason"],
            ),
            lost: counters(
                r,
                "tickcast_upstream_lost_events_total",
                "Events that were never received, where the venue's numbers tell how many.",
                &["feed", "channel"],
            ),
            duplicates: counters(
                r,
                "tickcast_upstream_duplicates_total",
                "Ticks not published: repeated, late (older than one published), or overlap (brought by two connections).",
                &["feed", "kind"],
            ),
            rotations: counters(
                r,
                "tickcast_upstream_rotations_total",
                "Planned changes of connection.",
                &["feed", "outcome"],
            ),
            waiting: gauges(
                r,
                "tickcast_upstream_waiting",
                "Symbols that somebody listens to and for which the connection has no place.",
            ),
            products: gauges(
                r,
                "tickcast_upstream_products",
                "Products of the venue's newest list that are the feed's.",
            ),
            left_out: labelled(
                r,
                "tickcast_upstream_products_left_out",
                "Products of the venue's newest list that are left out: unreadable, unnamed (no name of ours), collision (of names), or no_room.",
                &["feed", "reason"],
            ),
            lists: counters(
                r,
                "tickcast_upstream_product_lists_total",
                "Attempts to fetch the venue's product list.",
                &["feed", "outcome"],
            ),
            first_values: first_values(r),
            latency: latency(r),
        }
    }

    pub(super) fn feed(&self, name: &str) -> UpstreamMetrics {
        let duplicates = |kind| self.duplicates.with_label_values(&[name, kind]);
        UpstreamMetrics {
            connections: self.connected.with_label_values(&[name]),
            subscriptions: self.subscriptions.with_label_values(&[name]),
            subscribes: self.requests.with_label_values(&[name, "subscribe"]),
            unsubscribes: self.requests.with_label_values(&[name, "unsubscribe"]),
            losses: Channel::ALL.map(|channel| {
                LossWhy::ALL.map(|why| self.losses.with_label_values(&[name, channel.as_str(), why.as_str()]))
            }),
            lost: Channel::ALL.map(|channel| self.lost.with_label_values(&[name, channel.as_str()])),
            repeated: duplicates("repeated"),
            late: duplicates("late"),
            overlap: duplicates("overlap"),
            rotated: self.rotations.with_label_values(&[name, "done"]),
            rotation_failed: self.rotations.with_label_values(&[name, "failed"]),
            latency: self.latency.with_label_values(&[name]),
            waiting: self.waiting.clone(),
            products: self.products.clone(),
            left_out: self.left_out.clone(),
            lists: self.lists.clone(),
            first_values: self.first_values.clone(),
            feed: name.to_owned(),
        }
    }
}

/// Why a product is left out, as a label.
const LEFT_OUT: [&str; 4] = ["unreadable", "unnamed", "collision", "no_room"];

/// One feed's handles.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    /// Connections to the venue.
    pub connections: IntGauge,
    /// Symbols that the venue has confirmed.
    pub subscriptions: IntGauge,
    /// Symbols in subscribe requests.
    pub subscribes: IntCounter,
    /// Symbols in unsubscribe requests.
    pub unsubscribes: IntCounter,
    losses: [[IntCounter; LossWhy::ALL.len()]; Channel::COUNT],
    lost: [IntCounter; Channel::COUNT],
    /// Ticks that had come before.
    pub repeated: IntCounter,
    /// Ticks older than one that was published.
    pub late: IntCounter,
    /// Ticks that both connections brought.
    pub overlap: IntCounter,
    /// Planned changes of connection that were made.
    pub rotated: IntCounter,
    /// Planned changes of connection that were given up.
    pub rotation_failed: IntCounter,
    latency: Histogram,
    /// Families of which a feed may have no member: few have a product list.
    waiting: IntGaugeVec,
    products: IntGaugeVec,
    left_out: IntGaugeVec,
    lists: IntCounterVec,
    first_values: IntCounterVec,
    feed: String,
}

impl UpstreamMetrics {
    /// Sets how many symbols wait for a place.
    pub fn waiting(&self, count: usize) {
        self.waiting.with_label_values(&[&self.feed]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Of a product list: how many are the feed's, and how many are left out: unreadable, without a name of ours, for a collision of names, and
    /// for want of room.
    pub fn products(&self, matched: usize, left_out: [usize; 4]) {
        let as_gauge = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.products.with_label_values(&[&self.feed]).set(as_gauge(matched));
        for (reason, count) in LEFT_OUT.into_iter().zip(left_out) {
            self.left_out.with_label_values(&[&self.feed, reason]).set(as_gauge(count));
        }
    }

    /// How attempts to fetch a product list may end: these read 0 from now on.
    pub fn product_lists(&self, outcomes: &[&str]) {
        for outcome in outcomes {
            let _at_zero = self.lists.with_label_values(&[self.feed.as_str(), *outcome]);
        }
    }

    /// A product list was fetched, or why not.
    pub fn product_list(&self, outcome: &str) {
        self.lists.with_label_values(&[&self.feed, outcome]).inc();
    }

    /// How requests for first quotes may end: these read 0 from now on.
    pub fn first_values_outcomes(&self, outcomes: &[&str]) {
        for outcome in outcomes {
            let _at_zero = self.first_values.with_label_values(&[self.feed.as_str(), *outcome]);
        }
    }

    /// First quotes were asked for, and came, or why not.
    pub fn first_values(&self, outcome: &str) {
        self.first_values.with_label_values(&[&self.feed, outcome]).inc();
    }

    /// Events of a channel were lost; how many, if that is known.
    pub fn loss(&self, channel: Channel, why: LossWhy, events: Option<u64>) {
        self.losses[channel.index()][why as usize].inc();
        self.lost[channel.index()].inc_by(events.unwrap_or_default());
    }

    /// Time from the source to the gateway, in microseconds; a negative one is a clock's fault and counts as none.
    #[expect(clippy::float_arithmetic, reason = "a duration for a histogram; no price is near")]
    pub fn latency(&self, micros: i64) {
        let micros = u32::try_from(micros.max(0)).unwrap_or(u32::MAX);
        self.latency.observe(f64::from(micros) / 1e6);
    }
}
