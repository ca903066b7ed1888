//! Every metric family in one place; those of venues' feeds in [`upstream`], of the file in [`store`], of a cluster in [`cluster`]. Components hold resolved handles, so counting is one addition.
//!
//! Labels come from small closed sets only (feed, channel, encoding, reason), never from a session, an address, a
//! symbol or the text of an error.

use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::market::{Channel, Source, State};

mod cluster;
mod connections;
mod derived;
mod feed;
mod latency;
mod notices;
mod process;
mod redis;
mod store;
mod switches;
mod symbols;
mod tasks;
mod time;
mod upstream;

pub use cluster::{
    ClusterMetrics, ClusterRole, Direction, EpochReason, HoleReason, ImageOutcome, Reconnect, Refusal,
    TakeoverReason,
};
pub use connections::{ClosedConnection, ConnectionMetrics, RefusedConnection};
pub use derived::DerivedMetrics;
pub use feed::FeedMetrics;
pub use latency::{Latency, LocalLatency};
pub use notices::{Notice, Notices, REQUEST_REFUSALS, SESSION_REFUSALS, Subject};
pub use process::ProcessMetrics;
use redis::RedisFamilies;
pub use redis::{REDIS_HOLES, RedisMetrics};
pub use store::StoreMetrics;
pub use switches::Switches;
use symbols::SymbolStates;
pub use tasks::TaskFailures;
pub use time::{Stalled, TimeMetrics};
use upstream::UpstreamFamilies;
pub use upstream::UpstreamMetrics;

/// Labels of sessions. `road` says the same as `transport`: its old name, kept for one version.
const SESSION_LABELS: [&str; 3] = ["encoding", "road", "transport"];

/// All families of one gateway, in a registry of its own so that several gateways fit in one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    upstream: UpstreamFamilies,
    /// Those of a cluster.
    pub cluster: ClusterMetrics,
    redis: RedisFamilies,
    /// Those of connections.
    pub connections: ConnectionMetrics,
    /// Those of the file that outlives a restart.
    pub store: StoreMetrics,
    /// Those of symbols that several feeds carry.
    pub switches: Switches,
    /// Those of clocks.
    pub time: TimeMetrics,
    /// Long-lived tasks that ended unasked.
    pub tasks: TaskFailures,
    feed_messages: IntCounterVec,
    feed_ticks: IntCounterVec,
    feed_ignored: IntCounterVec,
    feed_parse_errors: IntCounterVec,
    feed_restarts: IntCounterVec,
    feed_up: IntGaugeVec,
    feed_last_tick: IntGaugeVec,
    /// Symbols known.
    pub topics: IntGauge,
    /// Symbols removed because no tick of them came.
    pub topics_removed: IntCounter,
    symbols: SymbolStates,
    /// Ticks dropped because the gateway has no room for another symbol.
    pub refused_ticks: IntCounter,
    events: IntCounterVec,
    /// Of tickers and bars.
    pub derived: DerivedMetrics,
    /// Times that a shard was lapped.
    pub lane_laps: IntCounter,
    /// Events that did not fit into a lane and were recovered from topics, or gapped.
    pub lane_skipped: IntCounter,
    delivered: IntCounterVec,
    merged: IntCounterVec,
    gapped: IntCounterVec,
    gaps: IntCounterVec,
    sessions: IntGaugeVec,
    sessions_opened: IntCounterVec,
    sessions_closed: IntCounterVec,
    sessions_refused: IntCounterVec,
    requests_refused: IntCounterVec,
    /// What is counted and told in the log too.
    pub notices: Notices,
    subscriptions: IntGaugeVec,
    commands: IntCounterVec,
    /// Bytes of events that wait in stream queues.
    pub outbox_bytes: IntGauge,
    /// Replies and events written as WebSocket frames, blocks of an event stream or answers to polls.
    pub frames: IntCounter,
    /// Bytes handed to sockets, frame headers included.
    pub sent_bytes: IntCounter,
    /// Age of the oldest event of each written frame, from its receipt to its write.
    pub write_latency: Latency,
}

/// Registers one family; a clash of names is a defect that the unit test below would show.
macro_rules! family {
    ($registry:expr, $kind:ident, $name:literal, $help:literal, $labels:expr) => {{
        let family = $kind::new(Opts::new($name, $help), $labels).expect("the name and labels are valid");
        $registry.register(Box::new(family.clone())).expect("the name is used once");
        family
    }};
    ($registry:expr, $kind:ident, $name:literal, $help:literal) => {{
        let family = $kind::new($name, $help).expect("the name is valid");
        $registry.register(Box::new(family.clone())).expect("the name is used once");
        family
    }};
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every family.
    ///
    /// # Panics
    /// Never: the names are constants, and a test registers them all.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a flat table, one entry a family")]
    pub fn new() -> Self {
        let r = Registry::new();
        // Process figures exist on Linux only; elsewhere the collector reports nothing.
        #[cfg(target_os = "linux")]
        r.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("the name is used once");
        let build = family!(
            r,
            IntGaugeVec,
            "tickcast_build_info",
            "Always 1; the version is the label.",
            &["version"]
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        ProcessMetrics::register(&r);
        let write_latency = Latency::new(
            "tickcast_write_latency_seconds",
            "Age of the oldest event of each written frame, from its receipt by the gateway to its write.",
        )
        .expect("the name is valid");
        r.register(Box::new(write_latency.clone())).expect("the name is used once");
        let it = Self {
            upstream: UpstreamFamilies::new(&r),
            cluster: ClusterMetrics::new(&r),
            redis: RedisFamilies::new(&r),
            connections: ConnectionMetrics::new(&r),
            store: StoreMetrics::new(&r),
            derived: DerivedMetrics::new(&r),
            switches: Switches::new(&r),
            time: TimeMetrics::new(&r),
            tasks: TaskFailures::new(&r),
            feed_messages: family!(
                r,
                IntCounterVec,
                "tickcast_feed_messages_total",
                "Frames, lines or records read from a source.",
                &["feed"]
            ),
            feed_ticks: family!(
                r,
                IntCounterVec,
                "tickcast_feed_ticks_total",
                "Ticks that a feed published.",
                &["feed", "channel"]
            ),
            feed_ignored: family!(
                r,
                IntCounterVec,
                "tickcast_feed_ignored_total",
                "Frames passed over on purpose, by rule.",
                &["feed", "rule"]
            ),
            feed_parse_errors: family!(
                r,
                IntCounterVec,
                "tickcast_feed_parse_errors_total",
                "Frames that could not be read, by kind.",
                &["feed", "kind"]
            ),
            feed_restarts: family!(
                r,
                IntCounterVec,
                "tickcast_feed_restarts_total",
                "Times that a feed was started again, by reason.",
                &["feed", "reason"]
            ),
            feed_up: family!(
                r,
                IntGaugeVec,
                "tickcast_feed_up",
                "1 while the feed runs, 0 while it is broken off or has ended.",
                &["feed"]
            ),
            feed_last_tick: family!(
                r,
                IntGaugeVec,
                "tickcast_feed_last_tick_timestamp_seconds",
                "When the feed last published, in seconds since the Unix epoch.",
                &["feed"]
            ),
            topics: family!(r, IntGauge, "tickcast_topics", "Symbols known."),
            topics_removed: family!(
                r,
                IntCounter,
                "tickcast_topics_removed_total",
                "Idle symbols of push feeds that were removed."
            ),
            symbols: SymbolStates::new(&r),
            refused_ticks: family!(
                r,
                IntCounter,
                "tickcast_refused_ticks_total",
                "Ticks dropped because the gateway has no room for another symbol."
            ),
            events: family!(
                r,
                IntCounterVec,
                "tickcast_events_published_total",
                "Events that topics numbered and published.",
                &["channel"]
            ),
            lane_laps: family!(
                r,
                IntCounter,
                "tickcast_lane_laps_total",
                "Times that a shard could not keep up with the hub and resynchronised."
            ),
            lane_skipped: family!(
                r,
                IntCounter,
                "tickcast_lane_skipped_events_total",
                "Events that did not fit into a lane; resynchronisation recovers them or tells a gap."
            ),
            delivered: family!(
                r,
                IntCounterVec,
                "tickcast_events_delivered_total",
                "Events written to sessions.",
                &["channel", "encoding"]
            ),
            merged: family!(
                r,
                IntCounterVec,
                "tickcast_events_merged_total",
                "Events replaced by a newer one before they could be written.",
                &["channel"]
            ),
            gapped: family!(
                r,
                IntCounterVec,
                "tickcast_events_gapped_total",
                "Events that a stream lost and was told about.",
                &["channel", "reason"]
            ),
            gaps: family!(r, IntCounterVec, "tickcast_gaps_total", "Gap messages to sessions.", &["channel"]),
            sessions: family!(r, IntGaugeVec, "tickcast_sessions", "Connected sessions.", &SESSION_LABELS),
            sessions_opened: family!(
                r,
                IntCounterVec,
                "tickcast_sessions_opened_total",
                "Sessions that were opened.",
                &SESSION_LABELS
            ),
            sessions_closed: family!(
                r,
                IntCounterVec,
                "tickcast_sessions_closed_total",
                "Sessions that ended, by reason; evictions are the reasons slow, no_pong and overloaded.",
                &["reason"]
            ),
            sessions_refused: family!(
                r,
                IntCounterVec,
                "tickcast_sessions_refused_total",
                "Connections that did not become sessions, by reason.",
                &["reason"]
            ),
            requests_refused: family!(
                r,
                IntCounterVec,
                "tickcast_requests_refused_total",
                "Plain HTTP requests that were not carried out for a limit or for who asked, by reason.",
                &["reason"]
            ),
            notices: Notices::default(),
            subscriptions: family!(
                r,
                IntGaugeVec,
                "tickcast_subscriptions",
                "Subscriptions of all sessions, counted by (session, symbol).",
                &["channel"]
            ),
            commands: family!(
                r,
                IntCounterVec,
                "tickcast_commands_total",
                "Commands from clients, by outcome.",
                &["op", "outcome"]
            ),
            outbox_bytes: family!(
                r,
                IntGauge,
                "tickcast_outbox_bytes",
                "Bytes of events that wait in stream queues."
            ),
            frames: family!(
                r,
                IntCounter,
                "tickcast_frames_total",
                "Data frames, event blocks and poll answers written."
            ),
            sent_bytes: family!(
                r,
                IntCounter,
                "tickcast_sent_bytes_total",
                "Bytes handed to sockets, frame headers included."
            ),
            write_latency,
            registry: r,
        };
        // Reasons that never happened read 0 and are not absent, so that `rate` sees the first of them.
        for reason in SESSION_REFUSALS {
            it.sessions_refused.with_label_values(&[*reason]);
        }
        for reason in REQUEST_REFUSALS {
            it.requests_refused.with_label_values(&[*reason]);
        }
        it
    }

    /// The handles of one feed of a venue.
    #[must_use]
    pub fn upstream(&self, name: &str) -> UpstreamMetrics {
        self.upstream.feed(name)
    }

    /// The handles of one feed as a reader of Redis; `is_stream`: of streams, which tell how far behind it is.
    #[must_use]
    pub fn redis(&self, name: &str, is_stream: bool) -> RedisMetrics {
        self.redis.feed(name, is_stream)
    }

    /// The handles of one feed.
    #[must_use]
    pub fn feed(&self, name: &str) -> FeedMetrics {
        self.symbols.known(name);
        for kind in feed::PARSE_KINDS {
            let _at_zero = self.feed_parse_errors.with_label_values(&[name, *kind]);
        }
        FeedMetrics {
            name: name.to_owned(),
            messages: self.feed_messages.with_label_values(&[name]),
            ticks: Channel::FED.map(|channel| self.feed_ticks.with_label_values(&[name, channel.as_str()])),
            ignored: self.feed_ignored.clone(),
            partial: self.derived.partial(name),
            parse_errors: self.feed_parse_errors.clone(),
            restarts: self.feed_restarts.clone(),
            up: self.feed_up.with_label_values(&[name]),
            last_tick: self.feed_last_tick.with_label_values(&[name]),
        }
    }

    /// Sets how many symbols of which feed are in which state; states that are not told have none.
    pub fn symbols(&self, counts: &[(Source, State, i64)]) {
        self.symbols.set(counts);
    }

    /// Published events by channel.
    #[must_use]
    pub fn events(&self) -> [IntCounter; Channel::COUNT] {
        by_channel(&self.events)
    }

    /// Merged events by channel.
    #[must_use]
    pub fn merged(&self) -> [IntCounter; Channel::COUNT] {
        by_channel(&self.merged)
    }

    /// Gap messages by channel.
    #[must_use]
    pub fn gaps(&self) -> [IntCounter; Channel::COUNT] {
        by_channel(&self.gaps)
    }

    /// Subscriptions by channel.
    #[must_use]
    pub fn subscriptions(&self) -> [IntGauge; Channel::COUNT] {
        Channel::ALL.map(|channel| self.subscriptions.with_label_values(&[channel.as_str()]))
    }

    /// Delivered events of one encoding by channel.
    #[must_use]
    pub fn delivered(&self, encoding: &str) -> [IntCounter; Channel::COUNT] {
        Channel::ALL.map(|channel| self.delivered.with_label_values(&[channel.as_str(), encoding]))
    }

    /// Events that streams lost, of one channel and reason.
    #[must_use]
    pub fn gapped(&self, channel: Channel, reason: &str) -> IntCounter {
        self.gapped.with_label_values(&[channel.as_str(), reason])
    }

    /// Connected sessions of one encoding and transport.
    #[must_use]
    pub fn sessions(&self, encoding: &str, transport: &str) -> IntGauge {
        self.sessions.with_label_values(&[encoding, transport, transport])
    }

    /// Opened sessions of one encoding and transport.
    #[must_use]
    pub fn sessions_opened(&self, encoding: &str, transport: &str) -> IntCounter {
        self.sessions_opened.with_label_values(&[encoding, transport, transport])
    }

    /// Ended sessions of one reason.
    #[must_use]
    pub fn sessions_closed(&self, reason: &str) -> IntCounter {
        self.sessions_closed.with_label_values(&[reason])
    }

    /// Commands of one kind and outcome.
    #[must_use]
    pub fn command(&self, op: &str, outcome: &str) -> IntCounter {
        self.commands.with_label_values(&[op, outcome])
    }

    /// The Prometheus text exposition.
    ///
    /// # Errors
    /// When a family cannot be encoded, which the library reports for families without samples only.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn by_channel(family: &IntCounterVec) -> [IntCounter; Channel::COUNT] {
    Channel::ALL.map(|channel| family.with_label_values(&[channel.as_str()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_registers_and_renders() {
        let metrics = Metrics::new();
        metrics.feed("demo").message();
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        assert!(text.contains("tickcast_feed_messages_total{feed=\"demo\"} 1"), "{text}");
        assert!(text.contains("tickcast_build_info"), "{text}");
    }
}
