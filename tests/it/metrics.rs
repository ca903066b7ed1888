//! Every metric is what it says: a scripted session for each, with its value before, after, and back.
//!
//! A family that no row of `TABLE` (tests/it/metrics/table.rs) asserts fails the first test here. A row names a series, the
//! script in which it moves, and how; a script is a function in tests/it/metrics/scripts.rs.

mod cluster;
mod inside;
mod plain;
mod process;
mod redis;
mod samples;
mod scripts;
mod table;
mod venues;

use std::{collections::BTreeSet, fs, path::Path};

use self::{
    samples::{Samples, Three},
    table::{OPEN, Row, TABLE},
};

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    /// A client subscribes, is sent events of every kind, unsubscribes and leaves.
    Client,
    /// Connections, requests and commands that are refused.
    Refused,
    /// Connections that are silent, cut off or too many.
    Connections,
    /// A trade of a final bar is taken back.
    Corrected,
    /// A client that takes nothing for a while, and then everything.
    Slow,
    /// A shard that does not drain its lane.
    Lapped,
    /// A ninth feed for one symbol, and a symbol that is removed.
    Full,
    /// A producer's ticks, good and bad; then the feed ends.
    Producer,
    /// A venue's feed: subscribes on demand, is cut off, comes back, lets go.
    Venue,
    /// A venue's product list, and a connection with too few places.
    Products,
    /// The machine's clock is set back.
    Clock,
    /// Another feed takes over a symbol, and the first one takes it back.
    Failover,
    /// A venue's connection is changed as planned.
    Rotation,
    /// A feed reads Redis, and what it was to read is trimmed.
    Redis,
    /// A store is saved, and its file is removed.
    Store,
    /// A node of a cluster joins, leads, is deposed, and leaves.
    Cluster,
    /// A worker's thread is held up.
    Stall,
    /// A line is logged that no reader takes.
    Log,
    /// A session panics, in a build that has the order for it.
    Panic,
}

/// How a series moves: from before to after, and then back.
#[derive(Debug, Clone, Copy)]
enum Moves {
    /// A counter: by that much, and never down.
    Counts(u32),
    /// A counter: by that much on the way back.
    CountsBack(u32),
    /// A counter: up by something, and never down.
    Grows,
    /// A gauge: up by that much, and back to where it was.
    Returns(u32),
    /// A gauge: up by something, and back to where it was.
    ReturnsFromAny,
    /// A gauge: up by something that stays.
    Stays,
    /// A gauge: down to zero, and back to where it was.
    FallsAndReturns,
    /// The same all the time.
    Is(u32),
}

impl Moves {
    /// Whether the values fit; else what does not.
    #[expect(clippy::float_cmp, clippy::float_arithmetic, reason = "counts are whole numbers")]
    fn check(self, [before, after, back]: [f64; 3]) -> bool {
        match self {
            Self::Counts(n) => after - before == f64::from(n) && back >= after,
            Self::CountsBack(n) => after == before && back - after == f64::from(n),
            Self::Grows => after > before && back >= after,
            Self::Returns(n) => after - before == f64::from(n) && back == before,
            Self::ReturnsFromAny => after > before && back == before,
            Self::Stays => after > before && back == after,
            Self::FallsAndReturns => before > 0.0 && after == 0.0 && back == before,
            Self::Is(n) => [before, after, back] == [f64::from(n); 3],
        }
    }
}

/// The names in the sources of `src/metrics.rs` and `src/metrics/`: also those of which no series exists yet.
fn families() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rest = fs::read_dir(folder.join("metrics")).unwrap().map(|entry| entry.unwrap().path());
    let mut families = BTreeSet::new();
    for file in rest.chain([folder.join("metrics.rs")]) {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let names = code.split('"').filter(|text| text.starts_with("tickcast_"));
        families.extend(names.map(ToOwned::to_owned));
    }
    families
}

#[test]
fn every_family_is_asserted_by_a_row() {
    let families = families();
    assert!(families.len() > 50, "the families are not found any more: {families:?}");
    let rows: BTreeSet<_> = TABLE.iter().map(|row| samples::family(row.series).to_owned()).collect();
    let missing: Vec<_> = families.difference(&rows).collect();
    assert!(
        missing.is_empty(),
        "no test asserts {missing:?}: add a row for each to TABLE in tests/it/metrics/table.rs, in a script that moves it \
         (CONTRIBUTING.md, \"Tests\")"
    );
    let gone: Vec<_> = rows.difference(&families).collect();
    assert!(
        gone.is_empty(),
        "tests/it/metrics/table.rs has rows for {gone:?}, which are no families any more"
    );
}

/// Compares what a script brought about with its rows, and with what is said of labels.
fn check(script: Script, three: &Three) {
    let rows: Vec<&Row> = TABLE.iter().filter(|row| row.script == script).collect();
    assert!(!rows.is_empty(), "{script:?} has no row");
    let mut wrong = Vec::new();
    for row in rows {
        let values = three.values(row.series);
        if !row.moves.check(values) {
            wrong.push(format!("{}: {:?}, but [before, after, back] are {values:?}", row.series, row.moves));
        }
    }
    // A series that comes into being with its first event is one event late for `rate`.
    let is_open = |series: &&String| !OPEN.iter().any(|(family, _)| samples::family(series) == *family);
    let late: Vec<_> = three.new_series().into_iter().collect();
    wrong.extend(
        late.iter().filter(is_open).map(|series| format!("{series} was not there with 0 from the start")),
    );
    wrong.extend(three.fallen().iter().map(|series| format!("{series} is a counter and has fallen")));
    assert!(wrong.is_empty(), "{script:?}:\n{}", wrong.join("\n"));
}

macro_rules! scripts {
    ($($(#[$attribute:meta])* $test:ident: $script:ident, $run:path;)*) => {
        $(
            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                check(Script::$script, &$run().await);
            }
        )*

        #[test]
        fn every_script_of_the_table_is_run() {
            let run = [$($(#[$attribute])* Script::$script),*];
            let is_run = |row: &Row| {
                run.contains(&row.script) || (row.script == Script::Panic && !cfg!(feature = "test-endpoints"))
            };
            assert!(TABLE.iter().all(is_run), "a script is not run");
        }
    };
}

scripts! {
    a_client_comes_and_goes: Client, scripts::client;
    connections_requests_and_commands_are_refused: Refused, scripts::refused;
    silent_connections_are_cut: Connections, plain::connections;
    a_trade_is_taken_back_too_late: Corrected, plain::corrected;
    a_slow_client_catches_up: Slow, scripts::slow;
    a_shard_is_lapped: Lapped, scripts::lapped;
    a_ninth_feed_is_refused: Full, scripts::full;
    a_producer_publishes_and_ends: Producer, scripts::producer;
    a_venue_is_lost_and_comes_back: Venue, venues::venue;
    a_product_list_is_read: Products, venues::products;
    a_clock_is_set_back: Clock, scripts::clock;
    a_feed_takes_over: Failover, scripts::failover;
    a_connection_is_changed: Rotation, venues::rotation;
    a_stream_of_redis_is_read: Redis, redis::stream;
    a_store_is_saved_and_its_file_removed: Store, inside::store;
    a_node_leads_and_leaves: Cluster, cluster::node;
    a_worker_is_held_up: Stall, inside::stall;
    a_log_line_has_no_reader: Log, process::log;
    #[cfg(feature = "test-endpoints")]
    a_session_panics: Panic, process::panic;
}

/// Labels whose values are a closed set, and the set: all of it is there before anything happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_label_sets_began_with_their_first_event() {
    let gateway = crate::util::TestGateway::start();
    gateway.metric_is("tickcast_sessions_closed_total", |_| true).await;
    gateway.metric_is("tickcast_commands_total", |_| true).await;
    let samples = Samples::of(&gateway);
    for (family, labels) in table::CLOSED {
        let mut expected: Vec<String> = vec![String::new()];
        for (label, values) in *labels {
            let one = |start: &String, value: &&str| {
                let comma = if start.is_empty() { "" } else { "," };
                format!("{start}{comma}{label}=\"{value}\"")
            };
            expected = expected
                .iter()
                .flat_map(|start| values().iter().map(|value| one(start, value)).collect::<Vec<_>>())
                .collect();
        }
        for labels in expected {
            let series = format!("{family}{{{labels}}}");
            assert!(samples.get(&series).is_some(), "{series} is not there from the start");
        }
    }
}
