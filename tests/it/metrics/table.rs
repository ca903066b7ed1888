//! Which series moves in which script, and how. A row for every family: add yours to the script in which it moves, or make
//! it move in one.

use tickcast::{
    dialect::Op,
    market::Channel,
    metrics::{
        ClosedConnection, ClusterRole, Direction, EpochReason, HoleReason, ImageOutcome, REQUEST_REFUSALS,
        Reconnect, Refusal, RefusedConnection, SESSION_REFUSALS, TakeoverReason,
    },
    session::CloseReason,
};

use super::{Moves, Moves::*, Script};

/// A series and how it moves.
pub(super) struct Row {
    pub(super) series: &'static str,
    pub(super) script: Script,
    pub(super) moves: Moves,
}

const fn row(script: Script, series: &'static str, moves: Moves) -> Row {
    Row { series, script, moves }
}

/// The rows, by script.
pub(super) const TABLE: &[Row] = &[
    row(Script::Client, concat!("tickcast_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), Is(1)),
    row(Script::Client, "tickcast_topics", Stays),
    row(Script::Client, "tickcast_symbols{feed=\"test\",state=\"live\"}", Stays),
    row(
        Script::Client,
        "tickcast_sessions{encoding=\"json\",road=\"websocket\",transport=\"websocket\"}",
        Returns(1),
    ),
    row(
        Script::Client,
        "tickcast_sessions_opened_total{encoding=\"json\",road=\"websocket\",transport=\"websocket\"}",
        Counts(1),
    ),
    row(Script::Client, "tickcast_sessions_closed_total{reason=\"client\"}", CountsBack(1)),
    row(Script::Client, "tickcast_subscriptions{channel=\"trades\"}", Returns(1)),
    row(Script::Client, "tickcast_subscriptions{channel=\"quotes\"}", Returns(1)),
    row(Script::Client, "tickcast_commands_total{op=\"subscribe\",outcome=\"ok\"}", Counts(5)),
    row(Script::Client, "tickcast_commands_total{op=\"unsubscribe\",outcome=\"ok\"}", CountsBack(1)),
    row(Script::Client, "tickcast_events_published_total{channel=\"trades\"}", Grows),
    row(Script::Client, "tickcast_events_published_total{channel=\"ticker\"}", Grows),
    row(Script::Client, "tickcast_events_published_total{channel=\"bars.1s\"}", Grows),
    row(Script::Client, "tickcast_events_delivered_total{channel=\"trades\",encoding=\"json\"}", Grows),
    row(Script::Client, "tickcast_events_delivered_total{channel=\"quotes\",encoding=\"msgpack\"}", Is(0)),
    row(Script::Client, "tickcast_events_merged_total{channel=\"quotes\"}", Grows),
    row(
        Script::Client,
        "tickcast_events_gapped_total{channel=\"trades\",reason=\"not_recoverable\"}",
        Counts(1),
    ),
    row(Script::Client, "tickcast_gaps_total{channel=\"trades\"}", Counts(2)),
    row(Script::Client, "tickcast_excluded_trades_total{channel=\"bars.1s\",reason=\"late\"}", Counts(1)),
    row(Script::Client, "tickcast_history_bars{channel=\"bars.1s\"}", Stays),
    row(Script::Client, "tickcast_history_bars_bytes", Stays),
    row(Script::Client, "tickcast_feed_clock_offset_seconds{feed=\"test\"}", Stays),
    row(Script::Client, "tickcast_frames_total", Grows),
    row(Script::Client, "tickcast_sent_bytes_total", Grows),
    row(Script::Client, "tickcast_write_latency_seconds_count", Grows),
    row(Script::Refused, "tickcast_sessions_refused_total{reason=\"origin\"}", Counts(1)),
    row(Script::Refused, "tickcast_sessions_refused_total{reason=\"connections_per_ip\"}", Counts(1)),
    row(Script::Refused, "tickcast_requests_refused_total{reason=\"origin\"}", Counts(1)),
    row(Script::Refused, "tickcast_commands_total{op=\"none\",outcome=\"refused\"}", Counts(1)),
    row(Script::Connections, "tickcast_connections_closed_total{reason=\"body_timeout\"}", CountsBack(1)),
    row(Script::Connections, "tickcast_connections_closed_total{reason=\"head_timeout\"}", CountsBack(1)),
    row(Script::Connections, "tickcast_connections_refused_total{reason=\"unproven\"}", Counts(1)),
    row(Script::Connections, "tickcast_bodies_bytes", ReturnsFromAny),
    row(
        Script::Corrected,
        "tickcast_uncorrected_values_total{channel=\"bars.1s\",reason=\"final\"}",
        Counts(1),
    ),
    row(Script::Connections, "tickcast_plain_connections", Returns(2)),
    row(Script::Slow, "tickcast_outbox_bytes", ReturnsFromAny),
    row(Script::Slow, "tickcast_events_gapped_total{channel=\"trades\",reason=\"slow_client\"}", Grows),
    row(
        Script::Slow,
        "tickcast_sessions{encoding=\"msgpack\",road=\"websocket\",transport=\"websocket\"}",
        Returns(1),
    ),
    row(Script::Lapped, "tickcast_lane_laps_total", Counts(1)),
    row(Script::Lapped, "tickcast_lane_skipped_events_total", Grows),
    row(Script::Lapped, "tickcast_events_gapped_total{channel=\"trades\",reason=\"overload\"}", Grows),
    row(Script::Full, "tickcast_refused_ticks_total", Counts(1)),
    row(Script::Full, "tickcast_topics_removed_total", Counts(1)),
    row(Script::Producer, "tickcast_feed_messages_total{feed=\"desk\"}", Counts(3)),
    row(Script::Producer, "tickcast_feed_ticks_total{channel=\"trades\",feed=\"desk\"}", Counts(2)),
    row(Script::Producer, "tickcast_feed_parse_errors_total{feed=\"desk\",kind=\"shape\"}", Counts(1)),
    row(Script::Producer, "tickcast_feed_partial_trades_total{feed=\"desk\",rule=\"declared\"}", Counts(1)),
    row(Script::Producer, "tickcast_feed_last_tick_timestamp_seconds{feed=\"desk\"}", Stays),
    row(Script::Producer, "tickcast_feed_ignored_total{feed=\"flaky\",rule=\"empty\"}", Counts(1)),
    row(Script::Producer, "tickcast_feed_up{feed=\"flaky\"}", FallsAndReturns),
    row(Script::Producer, "tickcast_feed_restarts_total{feed=\"flaky\",reason=\"broken\"}", Counts(1)),
    row(Script::Venue, "tickcast_upstream_connections{feed=\"feed\"}", Returns(1)),
    row(Script::Venue, "tickcast_upstream_subscriptions{feed=\"feed\"}", Returns(2)),
    row(Script::Venue, "tickcast_upstream_requests_total{feed=\"feed\",op=\"subscribe\"}", Counts(4)),
    row(Script::Venue, "tickcast_upstream_requests_total{feed=\"feed\",op=\"unsubscribe\"}", CountsBack(1)),
    row(Script::Venue, "tickcast_upstream_latency_seconds_count{feed=\"feed\"}", Grows),
    row(
        Script::Venue,
        "tickcast_upstream_gaps_total{channel=\"trades\",feed=\"feed\",reason=\"upstream_reconnect\"}",
        Grows,
    ),
    row(Script::Venue, "tickcast_upstream_lost_events_total{channel=\"trades\",feed=\"feed\"}", Grows),
    row(Script::Venue, "tickcast_feed_restarts_total{feed=\"feed\",reason=\"dropped\"}", Counts(1)),
    row(Script::Clock, "tickcast_clock_steps_total{direction=\"back\"}", Counts(1)),
    row(Script::Clock, "tickcast_clock_ahead_seconds", ReturnsFromAny),
    row(Script::Products, "tickcast_upstream_products{feed=\"feed\"}", Stays),
    row(
        Script::Products,
        "tickcast_upstream_products_left_out{feed=\"feed\",reason=\"unnamed\"}",
        Returns(1),
    ),
    row(Script::Products, "tickcast_upstream_product_lists_total{feed=\"feed\",outcome=\"ok\"}", Grows),
    row(Script::Products, "tickcast_upstream_first_values_total{feed=\"feed\",outcome=\"ok\"}", Grows),
    row(Script::Products, "tickcast_upstream_waiting{feed=\"feed\"}", Returns(1)),
    row(
        Script::Failover,
        "tickcast_feed_switches_total{from=\"one\",reason=\"closed\",to=\"two\"}",
        Counts(1),
    ),
    row(
        Script::Failover,
        "tickcast_feed_switches_total{from=\"two\",reason=\"preferred\",to=\"one\"}",
        CountsBack(1),
    ),
    row(Script::Failover, "tickcast_feed_standby_ticks_total{feed=\"two\"}", Counts(1)),
    row(Script::Rotation, "tickcast_upstream_rotations_total{feed=\"feed\",outcome=\"done\"}", Grows),
    row(Script::Rotation, "tickcast_upstream_duplicates_total{feed=\"feed\",kind=\"overlap\"}", Grows),
    row(Script::Redis, "tickcast_redis_holes_total{feed=\"desk\",reason=\"trimmed\"}", Counts(1)),
    row(Script::Redis, "tickcast_redis_lost_entries_total{feed=\"desk\"}", Counts(3)),
    row(Script::Redis, "tickcast_redis_behind_entries{feed=\"desk\"}", Returns(2)),
    row(Script::Redis, "tickcast_redis_repeated_ticks_total{feed=\"desk\"}", CountsBack(1)),
    row(Script::Store, "tickcast_store_saves_total", Counts(1)),
    row(Script::Store, "tickcast_store_failures_total", CountsBack(1)),
    row(Script::Store, "tickcast_store_save_seconds_count", Counts(1)),
    row(Script::Store, "tickcast_store_file_bytes", Stays),
    row(Script::Store, "tickcast_store_last_save_timestamp_seconds", Stays),
    row(Script::Cluster, "tickcast_cluster_role{role=\"leader\"}", Returns(1)),
    row(Script::Cluster, "tickcast_cluster_role{role=\"follower\"}", Is(0)),
    row(Script::Cluster, "tickcast_cluster_term", Stays),
    row(Script::Cluster, "tickcast_cluster_attached", Returns(1)),
    row(Script::Cluster, "tickcast_cluster_nodes", Returns(3)),
    row(Script::Cluster, "tickcast_cluster_delay_seconds_count", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_append_seconds_count", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_batches_total{direction=\"read\"}", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_bytes_total{direction=\"written\"}", Counts(4_000)),
    row(Script::Cluster, "tickcast_cluster_entries_total{direction=\"written\"}", Counts(100)),
    row(Script::Cluster, "tickcast_cluster_pending_bytes", Returns(70)),
    row(Script::Cluster, "tickcast_cluster_laps_total", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_reconnects_total{reason=\"connect\"}", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_holes_total{reason=\"trimmed\"}", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_images_total{outcome=\"loaded\"}", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_images_total{outcome=\"served\"}", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_longest_image_seconds", Stays),
    row(Script::Cluster, "tickcast_cluster_window_seconds", Stays),
    row(Script::Cluster, "tickcast_cluster_takeovers_total{reason=\"founded\"}", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_fenced_total", CountsBack(1)),
    row(Script::Cluster, "tickcast_cluster_epochs_total{reason=\"founded\"}", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_refusals_total{reason=\"policy\"}", Counts(1)),
    row(Script::Cluster, "tickcast_cluster_inbox_entries", Returns(2)),
    row(Script::Stall, "tickcast_stalls_total{task=\"worker\"}", Counts(1)),
    row(Script::Stall, "tickcast_stalls_total{task=\"timekeeper\"}", Is(0)),
    row(Script::Log, "tickcast_log_lines_dropped_total", Grows),
    row(Script::Panic, "tickcast_panics_total", Counts(1)),
    row(Script::Panic, "tickcast_task_failures_total{reason=\"panic\",task=\"session\"}", Counts(1)),
];

/// Families with a label whose values are not known before they happen, and why.
pub(super) const OPEN: &[(&str, &str)] = &[(
    "tickcast_feed_clock_offset_seconds",
    "unknown before the first tick with a time, and 0 would be a claim",
)];

/// The values of a label.
type Values = fn() -> Vec<&'static str>;

/// Labels that are closed sets: every combination is there before anything happens. Labels stand in the order of the text.
pub(super) const CLOSED: &[(&str, &[(&str, Values)])] = &[
    ("tickcast_events_published_total", &[("channel", channels)]),
    ("tickcast_events_delivered_total", &[("channel", channels), ("encoding", encodings)]),
    ("tickcast_events_merged_total", &[("channel", channels)]),
    (
        "tickcast_events_gapped_total",
        &[("channel", channels), ("reason", || vec!["slow_client", "overload", "not_recoverable"])],
    ),
    ("tickcast_gaps_total", &[("channel", channels)]),
    ("tickcast_subscriptions", &[("channel", channels)]),
    ("tickcast_excluded_trades_total", &[("channel", derived), ("reason", || vec!["late", "overflow"])]),
    (
        "tickcast_uncorrected_values_total",
        &[("channel", derived), ("reason", || vec!["final", "inexact", "forgotten"])],
    ),
    ("tickcast_history_bars", &[("channel", bars)]),
    ("tickcast_sessions", &[("encoding", encodings), ("road", websocket), ("transport", websocket)]),
    ("tickcast_sessions", &[("encoding", json), ("road", sse), ("transport", sse)]),
    ("tickcast_sessions", &[("encoding", json), ("road", poll), ("transport", poll)]),
    (
        "tickcast_sessions_opened_total",
        &[("encoding", encodings), ("road", websocket), ("transport", websocket)],
    ),
    ("tickcast_sessions_opened_total", &[("encoding", json), ("road", sse), ("transport", sse)]),
    ("tickcast_sessions_opened_total", &[("encoding", json), ("road", poll), ("transport", poll)]),
    ("tickcast_sessions_closed_total", &[("reason", closes)]),
    ("tickcast_sessions_refused_total", &[("reason", || SESSION_REFUSALS.to_vec())]),
    ("tickcast_requests_refused_total", &[("reason", || REQUEST_REFUSALS.to_vec())]),
    (
        "tickcast_connections_refused_total",
        &[("reason", || RefusedConnection::ALL.map(RefusedConnection::as_str).to_vec())],
    ),
    (
        "tickcast_task_failures_total",
        &[
            ("reason", || vec!["panic", "error", "ended", "stuck"]),
            ("task", || vec!["feed", "timekeeper", "saver", "shard", "server", "session"]),
        ],
    ),
    ("tickcast_stalls_total", &[("task", || vec!["worker", "timekeeper", "feed"])]),
    ("tickcast_clock_steps_total", &[("direction", || vec!["back", "forward"])]),
    (
        "tickcast_connections_closed_total",
        &[("reason", || ClosedConnection::ALL.map(ClosedConnection::as_str).to_vec())],
    ),
    ("tickcast_commands_total", &[("op", || Op::NAMES.to_vec()), ("outcome", || vec!["ok", "refused"])]),
    ("tickcast_commands_total", &[("op", || vec!["any", "none"]), ("outcome", || vec!["refused"])]),
    ("tickcast_cluster_role", &[("role", || ClusterRole::LABELS.to_vec())]),
    ("tickcast_cluster_batches_total", &[("direction", || Direction::LABELS.to_vec())]),
    ("tickcast_cluster_bytes_total", &[("direction", || Direction::LABELS.to_vec())]),
    ("tickcast_cluster_entries_total", &[("direction", || Direction::LABELS.to_vec())]),
    ("tickcast_cluster_reconnects_total", &[("reason", || Reconnect::LABELS.to_vec())]),
    ("tickcast_cluster_holes_total", &[("reason", || HoleReason::LABELS.to_vec())]),
    ("tickcast_cluster_images_total", &[("outcome", || ImageOutcome::LABELS.to_vec())]),
    ("tickcast_cluster_takeovers_total", &[("reason", || TakeoverReason::LABELS.to_vec())]),
    ("tickcast_cluster_epochs_total", &[("reason", || EpochReason::LABELS.to_vec())]),
    ("tickcast_cluster_refusals_total", &[("reason", || Refusal::LABELS.to_vec())]),
];

fn channels() -> Vec<&'static str> {
    Channel::ALL.map(Channel::as_str).to_vec()
}

fn derived() -> Vec<&'static str> {
    Channel::DERIVED.map(Channel::as_str).to_vec()
}

fn bars() -> Vec<&'static str> {
    Channel::ALL
        .into_iter()
        .filter(|channel| matches!(channel, Channel::Bars(_)))
        .map(Channel::as_str)
        .collect()
}

fn encodings() -> Vec<&'static str> {
    vec!["json", "msgpack"]
}

fn json() -> Vec<&'static str> {
    vec!["json"]
}

fn websocket() -> Vec<&'static str> {
    vec!["websocket"]
}

fn sse() -> Vec<&'static str> {
    vec!["sse"]
}

fn poll() -> Vec<&'static str> {
    vec!["poll"]
}

fn closes() -> Vec<&'static str> {
    CloseReason::ALL.map(|reason| reason.frame().label).to_vec()
}
