//! The whole feed on small recordings that the tests write themselves.

mod nothing;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    clock::{Clock, Instant},
    feed::DefinitionError,
    hub::{Hub, HubConfig, Lane},
    limits::MAX_RECORDED_FRAME,
    market::{Body, Channel, State, Symbol, Tick, UnixMicros},
    metrics::Metrics,
};

/// A hub with a lane that listens to symbol `A`, and a feed's publisher.
struct Stage {
    hub: Arc<Hub>,
    lane: Arc<Lane>,
    out: Publisher,
    stop: CancellationToken,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let hub = Hub::new(HubConfig::default(), "e".into(), Clock::system(), Arc::new(Metrics::new()));
        let (hub, stop) = (Arc::new(hub), CancellationToken::new());
        let lane = hub.open_lane().unwrap();
        let topic = hub.declare(Symbol::new("A").unwrap(), Source::new("f").unwrap()).unwrap();
        for channel in Channel::FED {
            let _ = topic.join(lane.index(), channel);
        }
        let out = Publisher::new(Source::new("f").unwrap(), Arc::clone(&hub), stop.clone());
        Self { hub, lane, out, stop, folder: TempDir::new().unwrap() }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Builds the feed from the keys of its table; paths are in the stage's folder.
    fn build(&self, keys: &str) -> Result<Replay, DefinitionError> {
        let definition: Definition = toml::from_str(&format!("progress = false\n{keys}")).unwrap();
        definition.build(self.folder.path())
    }

    async fn play(&self, keys: &str) -> Result<End, FeedError> {
        self.build(keys).unwrap().run(&self.out).await
    }

    /// What arrived on trades and quotes of `A`: milliseconds since `start`, and the price or bid.
    fn arrived(&self, start: Instant) -> Vec<(u128, String)> {
        let mut events = Default::default();
        self.lane.drain(&mut events);
        let mut found = Vec::new();
        for event in events {
            let price = match &event.body {
                Body::Tick(Tick::Trade(trade)) => trade.price,
                Body::Tick(Tick::Quote(quote)) => quote.bid.unwrap().price,
                Body::Tick(Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_))
                | Body::Ticker(_)
                | Body::Bar(_) => continue,
            };
            found.push(((event.received - start).as_millis(), price.to_string()));
        }
        found
    }

    fn text(&self) -> String {
        String::from_utf8(self.hub.metrics().render().unwrap()).unwrap()
    }

    fn metric(&self, line: &str) {
        let text = self.text();
        assert!(text.lines().any(|have| have == line), "no {line:?} in\n{text}");
    }
}

/// A trade line of our own protocol, received that number of microseconds after a fixed time.
fn trade(after_us: u64, price: u32) -> String {
    let at = 1_700_000_000_000_000 + after_us;
    format!(r#"{{"T":"t","S":"A","p":"{price}","s":"1","te":{at},"tr":{at}}}"#) + "\n"
}

fn gzip(content: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(content.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test(start_paused = true)]
async fn ticks_are_spaced_as_recorded_at_speed_1_and_fifty_times_closer_at_50() {
    let stage = Stage::new();
    stage.file(
        "a.ndjson",
        [trade(0, 1), trade(250, 2), trade(1_000_000, 3), trade(3_600_000_000, 4)].concat(),
    );
    for (speed, expected) in [("1", [0, 1, 1_000, 3_600_000]), ("50.0", [0, 1, 20, 72_000])] {
        let start = Instant::now();
        let keys = format!("path = \"a.ndjson\"\nformat = \"native\"\nspeed = {speed}");
        assert_eq!(stage.play(&keys).await.unwrap(), End::Finished);
        let times: Vec<_> = stage.arrived(start).into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, expected, "speed {speed}");
    }
}

#[tokio::test(start_paused = true)]
async fn binance_frames_without_a_receive_clock_go_by_event_time() {
    let stage = Stage::new();
    let frame = |time: u64, price: &str| {
        format!(r#"{{"e":"trade","s":"A","t":1,"p":"{price}","q":"1","T":{time},"m":true}}"#) + "\n"
    };
    stage.file("a.ndjson", frame(1_700_000_000_000, "1.0") + &frame(1_700_000_005_000, "2.0"));
    let start = Instant::now();
    stage.play("path = \"a.ndjson\"\nformat = \"binance\"").await.unwrap();
    assert_eq!(stage.arrived(start), [(0, "1.0".into()), (5_000, "2.0".into())]);
}

#[tokio::test(start_paused = true)]
async fn kraken_and_alpaca_frames_are_played_and_the_rest_is_counted() {
    let stage = Stage::new();
    let kraken = r#"{"channel":"trade","type":"update","data":[{"symbol":"A","side":"buy","price":0.5147,"qty":2.50,"ord_type":"limit","trade_id":7,"timestamp":"2023-09-25T07:48:36.925533Z"}]}"#;
    stage.file("a.ndjson", format!("{kraken}\n{{\"channel\":\"heartbeat\"}}\n{{}}\n"));
    stage.play("path = \"a.ndjson\"\nformat = \"kraken\"").await.unwrap();
    let alpaca = r#"[{"T":"b","S":"A"},{"T":"t","S":"A","i":1,"x":"D","p":126.550,"s":1,"t":"2021-02-22T15:51:44.208Z"}]"#;
    stage.file("b.ndjson", format!("{alpaca}\n[{{\"T\":\"success\",\"msg\":\"connected\"}}]\n"));
    stage.play("path = \"b.ndjson\"\nformat = \"alpaca\"").await.unwrap();
    assert_eq!(
        stage.arrived(Instant::now()).into_iter().map(|(_, price)| price).collect::<Vec<_>>(),
        ["0.5147", "126.550"]
    );
    for rule in ["heartbeat", "unknown", "ack"] {
        stage.metric(&format!("tickcast_feed_ignored_total{{feed=\"f\",rule=\"{rule}\"}} 1"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_event_time_is_the_recorded_one_and_the_receive_time_is_now() {
    let stage = Stage::new();
    stage.file("a.ndjson", trade(0, 1));
    stage.play("path = \"a.ndjson\"\nformat = \"native\"").await.unwrap();
    let last = stage.hub.topic(Symbol::new("A").unwrap()).unwrap().last(Channel::Trades).unwrap();
    let Body::Tick(Tick::Trade(trade)) = &last.body else { panic!() };
    assert_eq!(trade.te, Some(UnixMicros(1_700_000_000_000_000)));
    assert!(trade.tr > UnixMicros(1_750_000_000_000_000), "{:?}", trade.tr);
}

#[tokio::test(start_paused = true)]
async fn files_of_all_compressions_play_in_order_under_our_names() {
    let stage = Stage::new();
    let line = |after, price| trade(after, price).replace("\"S\":\"A\"", "\"S\":\"B\"");
    // Two members in one file, as a recorder that was started again writes them.
    stage.file("1.gz", [gzip(&line(0, 1)), gzip(&line(1_000, 2))].concat());
    stage.file("2.ndjson.zst", zstd::encode_all(line(2_000, 3).as_bytes(), 0).unwrap());
    stage.file("3.ndjson", line(3_000, 4).trim_end());
    let keys = "path = [\"1.gz\", \"2.ndjson.zst\", \"3.ndjson\"]\nformat = \"native\"\nspeed = \"max\"\n\
        source = \"mine\"\nsymbols = { B = \"A\" }";
    let start = Instant::now();
    stage.play(keys).await.unwrap();
    let prices: Vec<_> = stage.arrived(start).into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["1", "2", "3", "4"]);
    let last = stage.hub.topic(Symbol::new("A").unwrap()).unwrap().last(Channel::Trades).unwrap();
    assert!(matches!(&last.body, Body::Tick(Tick::Trade(trade)) if trade.source.as_str() == "mine"));
    assert!(stage.hub.topic(Symbol::new("B").unwrap()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_loop_starts_over_until_it_is_stopped_and_needs_ticks() {
    let stage = Stage::new();
    stage.file("a.ndjson", trade(0, 1) + &trade(1_000_000, 2));
    let keys = "path = \"a.ndjson\"\nformat = \"native\"\nloop = true";
    let start = Instant::now();
    let stop = stage.stop.clone();
    let timer = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        stop.cancel();
    });
    assert_eq!(stage.play(keys).await.unwrap(), End::Cancelled);
    timer.await.unwrap();
    assert_eq!(start.elapsed().as_millis(), 2_500);
    let times: Vec<_> = stage.arrived(start).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [0, 1_000, 1_000, 2_000, 2_000]);

    let empty = Stage::new();
    empty.file("a.ndjson", "{\"T\":\"hb\"}\n");
    let error = empty.play(keys).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("nothing to play"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_an_hours_hole_at_once() {
    let stage = Stage::new();
    stage.file("a.ndjson", trade(0, 1) + &trade(3_600_000_000, 2));
    let mut feed = stage.build("path = \"a.ndjson\"\nformat = \"native\"").unwrap();
    let start = Instant::now();
    let run = async { feed.run(&stage.out).await };
    let stop = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        stage.stop.cancel();
    };
    let (end, ()) = tokio::join!(run, stop);
    assert_eq!(end.unwrap(), End::Cancelled);
    assert_eq!(start.elapsed(), Duration::from_secs(60));
    assert_eq!(stage.arrived(start).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_breaks_off_is_told_after_what_came_before_it() {
    let stage = Stage::new();
    let mut random = 1_u32;
    let lines: String = (0..2_000_u64)
        .map(|i| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            trade(i, random >> 8)
        })
        .collect();
    let whole = gzip(&lines);
    stage.file("a.ndjson.gz", &whole[..whole.len() / 2]);
    let end = stage.play("path = \"a.ndjson.gz\"\nformat = \"native\"\nspeed = \"max\"").await.unwrap();
    assert_eq!(end, End::Finished);
    assert!(stage.arrived(Instant::now()).len() > 100);
    // Told once, and half a line is no line.
    stage.metric("tickcast_feed_parse_errors_total{feed=\"f\",kind=\"cut_off\"} 1");
    stage.metric("tickcast_feed_parse_errors_total{feed=\"f\",kind=\"shape\"} 0");

    let mut flipped = whole.clone();
    flipped[20..200].fill(0x55);
    stage.file("b.gz", flipped);
    let error = stage.play("path = \"b.gz\"\nformat = \"native\"\nspeed = \"max\"").await.unwrap_err();
    assert!(error.to_string().contains("b.gz: line "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn garbage_and_oversize_lines_are_counted_and_cost_only_themselves() {
    let stage = Stage::new();
    let mut content = trade(0, 1).into_bytes();
    content.extend_from_slice(b"\xff\xfe garbage\n");
    content.resize(content.len() + MAX_RECORDED_FRAME + 1, b'x');
    content.push(b'\n');
    content.extend_from_slice(&vec![b'y'; MAX_RECORDED_FRAME]);
    content.push(b'\n');
    content.extend_from_slice(b"{\"T\":\"hb\",\"time\":1}\n");
    content.extend_from_slice(trade(1, 2).as_bytes());
    stage.file("a.ndjson", content);
    stage.play("path = \"a.ndjson\"\nformat = \"native\"\nspeed = \"max\"").await.unwrap();
    assert_eq!(stage.arrived(Instant::now()).len(), 2);
    stage.metric("tickcast_feed_messages_total{feed=\"f\"} 6");
    stage.metric("tickcast_feed_ticks_total{channel=\"trades\",feed=\"f\"} 2");
    stage.metric("tickcast_feed_ignored_total{feed=\"f\",rule=\"control\"} 1");
    stage.metric("tickcast_feed_parse_errors_total{feed=\"f\",kind=\"oversize\"} 1");
    stage.metric("tickcast_feed_parse_errors_total{feed=\"f\",kind=\"shape\"} 2");
}

#[tokio::test(start_paused = true)]
async fn a_fast_replay_waits_for_its_shards_and_laps_none() {
    let stage = Stage::new();
    let count = 50_000_u32;
    stage.file("a.ndjson", (0..count).map(|i| trade(u64::from(i), i)).collect::<String>());
    let mut feed = stage.build("path = \"a.ndjson\"\nformat = \"native\"\nspeed = \"max\"").unwrap();
    let run = async {
        let end = feed.run(&stage.out).await;
        stage.lane.wake();
        end
    };
    let listen = async {
        let (mut seen, mut events) = (0, std::collections::VecDeque::new());
        while seen < count {
            stage.lane.woken().await;
            assert_eq!(stage.lane.drain(&mut events).skipped, 0, "lapped");
            for event in events.drain(..).filter(|event| event.channel() == Channel::Trades) {
                seen += 1;
                assert_eq!(event.n, u64::from(seen));
            }
        }
    };
    let (end, ()) = tokio::join!(run, listen);
    assert_eq!(end.unwrap(), End::Finished);
}

#[tokio::test(start_paused = true)]
async fn symbols_that_appear_belong_to_the_feed_and_close_with_it() {
    let stage = Stage::new();
    stage.file("a.ndjson", trade(0, 1).replace("\"S\":\"A\"", "\"S\":\"NEW\",\"x\":\"binance\""));
    let feed = stage.build("path = \"a.ndjson\"\nformat = \"native\"\nspeed = \"max\"").unwrap();
    let Stage { hub, out, .. } = stage;
    crate::feed::supervise(feed, out).await;
    assert_eq!(hub.topic(Symbol::new("NEW").unwrap()).unwrap().state(), State::Closed);
}

#[tokio::test]
async fn definitions_name_what_is_wrong() {
    let stage = Stage::new();
    stage.file("a.ndjson", trade(0, 1));
    stage.file("a.csv", "t,p,s\n");
    stage.file("not.dbn", "certainly not");
    stage.file("not.dbn.zst", "certainly not");
    for (keys, key, why) in [
        ("path = \"nowhere.gz\"\nformat = \"native\"", "path", "nowhere.gz: No such file"),
        ("path = [\"a.ndjson\", \"nowhere\"]\nformat = \"native\"", "path[1]", "nowhere"),
        ("path = []\nformat = \"native\"", "path", "empty"),
        ("path = \".\"\nformat = \"native\"", "path", "not a file"),
        ("path = \"not.dbn\"\nformat = \"dbn\"", "path", "not DBN"),
        ("path = \"not.dbn.zst\"\nformat = \"dbn\"", "path", "not.dbn.zst"),
        ("path = \"a.ndjson\"\nformat = \"native\"\nspeed = 0", "speed", "0 is not within"),
        ("path = \"a.ndjson\"\nformat = \"native\"\nspeed = nan", "speed", "NaN is not within"),
        ("path = \"a.csv\"\nformat = \"csv\"", "csv", "mapping"),
        (
            "path = \"a.ndjson\"\nformat = \"native\"\ncsv = { kind = \"trades\", symbol = \"A\", time = 0, time_unit = \"s\" }",
            "csv",
            "only",
        ),
        (
            "path = \"a.csv\"\nformat = \"csv\"\ncsv = { kind = \"trades\", symbol = \"A\", time = \"t\", time_unit = \"s\", price = \"p\", size = \"q\" }",
            "path",
            "a.csv: csv.size: no column \"q\"",
        ),
    ] {
        let error = stage.build(keys).unwrap_err();
        assert_eq!(error.key, key, "{keys}: {error}");
        assert!(error.why.contains(why), "{keys}: {error}");
    }
    for keys in [
        "path = \"a\"\nformat = \"morse\"",
        "path = \"a\"\nformat = \"dbn\"\nspeed = \"fast\"",
        "path = 3\nformat = \"dbn\"",
        "path = \"a\"\nformat = \"dbn\"\nspeeds = 1",
    ] {
        assert!(toml::from_str::<Definition>(keys).is_err(), "{keys}");
    }
}

#[tokio::test]
async fn a_file_that_went_away_is_fatal_and_named() {
    let stage = Stage::new();
    let path = stage.file("a.ndjson", trade(0, 1));
    let mut feed = stage.build("path = \"a.ndjson\"\nformat = \"native\"").unwrap();
    fs::remove_file(&path).unwrap();
    let error = feed.run(&stage.out).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(Path::new(&path).parent().unwrap().exists());
}

/// What a pass counted as skipped, by kind.
fn skipped(stage: &Stage, kind: &str) -> u64 {
    let text = String::from_utf8(stage.hub.metrics().render().unwrap()).unwrap();
    let line = format!("tickcast_feed_parse_errors_total{{feed=\"f\",kind=\"{kind}\"}} ");
    text.lines().find_map(|have| have.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_means_nothing_and_utf_16_is_told_before_the_start() {
    let csv = "format = \"csv\"\ncsv = { kind = \"trades\", symbol = \"A\", time = \"t\", time_unit = \"s\", price = \"p\", size = \"s\" }";
    for (text, keys) in [
        (trade(0, 1), "format = \"native\""),
        (
            "{\"e\":\"trade\",\"s\":\"A\",\"t\":1,\"p\":\"1\",\"q\":\"1\",\"T\":1700000000000,\"m\":true}\n"
                .into(),
            "format = \"binance\"",
        ),
        ("t,p,s\n1700000000,1,2\n".to_owned(), csv),
    ] {
        let stage = Stage::new();
        let keys = format!("path = \"a\"\nspeed = \"max\"\n{keys}");
        stage.file("a", format!("\u{feff}{text}"));
        stage.play(&keys).await.unwrap();
        let prices: Vec<_> = stage.arrived(Instant::now()).into_iter().map(|(_, price)| price).collect();
        assert_eq!(prices, ["1"], "{keys}");
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            for mark in ["\u{feff}", ""] {
                let utf16: Vec<u8> = format!("{mark}{text}").encode_utf16().flat_map(bytes).collect();
                stage.file("a", utf16);
                let error = stage.build(&keys).unwrap_err();
                assert!(error.key == "path" && error.why.contains("UTF-16"), "{error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_symbol_in_any_letters_plays_under_its_name_and_costs_the_others_nothing() {
    let stage = Stage::new();
    let binance = |symbol: &str, price: &str| {
        format!(r#"{{"e":"trade","s":"{symbol}","t":1,"p":"{price}","q":"1","T":1700000000000,"m":true}}"#)
            + "\n"
    };
    stage.file(
        "a",
        binance("币安人生USDT", "1") + &binance("\\u5e01\\u5b89人生USDT", "2") + &binance("哈哈USDT", "3"),
    );
    let map = "symbols = { \"币安人生USDT\" = \"A\" }\nspeed = \"max\"";
    stage.play(&format!("path = \"a\"\nformat = \"binance\"\n{map}")).await.unwrap();
    let native = |symbol: &str, price| trade(0, price).replace("\"A\"", &format!("\"{symbol}\""));
    stage.file("b", native("币安人生USDT", 4) + &native("哈哈", 5));
    stage.play(&format!("path = \"b\"\nformat = \"native\"\n{map}")).await.unwrap();
    let kraken = r#"{"channel":"trade","type":"update","data":[{"symbol":"哈哈","side":"buy","price":6,"qty":6,"trade_id":4,"timestamp":"2023-09-25T07:48:36.925533Z"},{"symbol":"A","side":"buy","price":7,"qty":6,"trade_id":4,"timestamp":"2023-09-25T07:48:36.925533Z"}]}"#;
    stage.file("c", format!("{kraken}\n"));
    stage.play(&format!("path = \"c\"\nformat = \"kraken\"\n{map}")).await.unwrap();
    let prices: Vec<_> = stage.arrived(Instant::now()).into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["1", "2", "4", "7"]);
    assert_eq!(skipped(&stage, "symbol"), 3, "each that has no name is counted");
}

#[tokio::test(start_paused = true)]
async fn what_a_file_breaks_off_in_is_counted_and_no_value() {
    let lines = [trade(0, 11), trade(1, 22)].concat();
    let whole = lines.trim_end();
    // Ends in the middle of the second line's time: valid digits, but no line.
    let cut = &whole[..whole.len() - 3];
    for (name, content, is_torn) in [
        ("plain", cut.as_bytes().to_vec(), false),
        ("cut.gz", gzip(cut), false),
        ("torn.gz", gzip(&lines)[..gzip(&lines).len() - 12].to_vec(), true),
        (
            "torn.zst",
            zstd::encode_all(lines.as_bytes(), 0).map(|all| all[..all.len() - 4].to_vec()).unwrap(),
            true,
        ),
    ] {
        let stage = Stage::new();
        stage.file(name, content);
        let played = stage.play(&format!("path = \"{name}\"\nformat = \"native\"\nspeed = \"max\"")).await;
        assert_eq!(played.unwrap(), End::Finished, "{name}");
        assert_eq!(skipped(&stage, "cut_off"), 1, "{name}");
        let prices: Vec<_> = stage.arrived(Instant::now()).into_iter().map(|(_, price)| price).collect();
        assert!(
            ["11", "22"].starts_with(&prices.iter().map(String::as_str).collect::<Vec<_>>()),
            "{name}: {prices:?}"
        );
        assert!(is_torn || prices == ["11"], "{name}: {prices:?}");
    }
}
