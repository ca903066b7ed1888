//! Every recorded file of a format that can be read is played whole, and each tick is compared with what a separate,
//! simple reading of the raw text gives.
//!
//! The recordings are not part of the repository: `TICKCAST_CAPTURES` names their folder (default
//! `../shared/captures`); `folder.rs` says when their absence is a failure.

mod csv;
mod dbn;
mod derived;
mod escaped;
mod folder;
mod foreign;
mod json;
mod literal;
mod live;
mod products;
mod said;
mod upstream;

use self::{folder::folder, products::answer};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::Read as _,
    path::Path,
    sync::Arc,
};

use tickcast::{
    clock::Clock,
    feed::{End, Feed as _, FeedError, Publisher, replay::Definition},
    hub::{Hub, HubConfig},
    market::{Body, Channel, Level, Side, Source, Symbol, Tick},
    metrics::Metrics,
};
use tokio_util::sync::CancellationToken;

/// How many of what a recording holds: `trades` and `quotes` by these names, everything else by its rule.
type Counts = BTreeMap<String, u64>;

fn counts(of: &[(&str, u64)]) -> Counts {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// The decompressed bytes of a file, read whole.
fn bytes(path: &Path) -> Vec<u8> {
    let raw = std::fs::read(path).unwrap();
    let mut plain = Vec::new();
    match path.extension().unwrap().to_str().unwrap() {
        "gz" => drop(flate2::read::GzDecoder::new(raw.as_slice()).read_to_end(&mut plain).unwrap()),
        "zst" => plain = zstd::decode_all(raw.as_slice()).unwrap(),
        _ => plain = raw,
    }
    plain
}

fn text(path: &Path) -> String {
    String::from_utf8(bytes(path)).unwrap()
}

/// What came out of a replay.
struct Played {
    /// Trades and quotes in the order in which they were published, each as [`shown`].
    ticks: Vec<String>,
    counts: Counts,
    messages: u64,
    errors: u64,
}

/// Plays a whole file as fast as possible; `symbols` are those whose ticks are wanted.
fn play(keys: &str, folder: &Path, symbols: &BTreeSet<String>) -> Result<Played, FeedError> {
    let keys = format!("speed = \"max\"\nprogress = false\n{keys}");
    let definition: Definition = toml::from_str(&keys).unwrap();
    let mut replay = definition.build(folder).map_err(|error| FeedError::Fatal(error.to_string()))?;
    // The lane is drained at the end only: it must hold everything.
    let config = HubConfig { lane_events: 1 << 20, trades_per_symbol: 16, ..HubConfig::default() };
    let hub = Arc::new(Hub::new(config, "e".into(), Clock::system(), Arc::new(Metrics::new())));
    let feed = Source::new("feed").unwrap();
    let lane = hub.open_lane().unwrap();
    for symbol in symbols {
        let topic = hub.declare(Symbol::new(symbol).unwrap(), feed).unwrap();
        for channel in Channel::FED {
            drop(topic.join(lane.index(), channel));
        }
    }
    let out = Publisher::new(feed, Arc::clone(&hub), CancellationToken::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(replay.run(&out))?, End::Finished);
    let mut events = VecDeque::new();
    assert_eq!(lane.drain(&mut events).skipped, 0);
    let ticks: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.body {
            Body::Tick(tick) => shown(tick),
            Body::Ticker(_) | Body::Bar(_) => None,
        })
        .collect();
    let (counts, messages, errors) = metrics(&hub);
    let published: u64 = ["trades", "quotes"].iter().filter_map(|kind| counts.get(*kind)).sum();
    assert_eq!(published, ticks.len() as u64, "every counted tick has arrived");
    Ok(Played { ticks, counts, messages, errors })
}

fn metrics(hub: &Hub) -> (Counts, u64, u64) {
    let text = String::from_utf8(hub.metrics().render().unwrap()).unwrap();
    let (mut counts, mut messages, mut errors) = (Counts::new(), 0, 0);
    for line in text.lines().filter(|line| line.starts_with("tickcast_feed_")) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let label = name.rsplit('"').nth(1).unwrap_or_default().to_owned();
        let value = value.parse().unwrap_or_default();
        if name.starts_with("tickcast_feed_ticks_total") && value > 0 {
            let channel = name.split('"').nth(1).unwrap();
            counts.insert(channel.to_owned(), value);
        } else if name.starts_with("tickcast_feed_ignored_total") && value > 0 {
            counts.insert(label, value);
        } else if name.starts_with("tickcast_feed_messages_total") {
            messages = value;
        } else if name.starts_with("tickcast_feed_parse_errors_total") {
            errors += value;
        }
    }
    (counts, messages, errors)
}

/// `t SYMBOL PRICE SIZE SIDE ID SOURCE TIME` or `q SYMBOL BID SIZE ASK SIZE SOURCE TIME`, `-` for what is not there;
/// the time is in microseconds.
fn shown(tick: &Tick) -> Option<String> {
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let level = |level: Option<Level>| match level {
        Some(Level { price, size }) => format!("{price} {}", or(size.map(|size| size.to_string()))),
        None => "- -".into(),
    };
    match tick {
        Tick::Trade(t) => {
            let side = t.side.map(|side| if side == Side::Buy { "buy" } else { "sell" });
            let (side, id) = (or(side.map(Into::into)), or(t.id.as_ref().map(ToString::to_string)));
            let te = or(t.te.map(|te| te.0.to_string()));
            Some(format!("t {} {} {} {side} {id} {} {te}", t.symbol, t.price, t.size, t.source))
        }
        Tick::Quote(q) => {
            let te = or(q.te.map(|te| te.0.to_string()));
            Some(format!("q {} {} {} {} {te}", q.symbol, level(q.bid), level(q.ask), q.source))
        }
        Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => None,
    }
}

/// Plays the file and compares ticks and counts with what is expected.
fn check(file: &str, keys: &str, folder: &Path, expected: &[String], counted: &Counts) {
    let symbols = expected.iter().map(|tick| tick.split(' ').nth(1).unwrap().to_owned()).collect();
    let played = play(&format!("path = \"{file}\"\n{keys}"), folder, &symbols).unwrap();
    assert_eq!(played.errors, 0, "{file}");
    assert_eq!(&played.counts, counted, "{file}");
    assert_eq!(played.ticks.len(), expected.len(), "{file}");
    for (i, (played, expected)) in played.ticks.iter().zip(expected).enumerate() {
        assert_eq!(played, expected, "{file}: tick {i}");
    }
    assert!(played.messages > 0, "{file}");
    eprintln!("{file}: {} lines or records, {} ticks, {counted:?}", played.messages, expected.len());
}
