//! Files of older formats. `format-1.redb.zst` is a file that version 0.1 of tickcast left when it was stopped, with a
//! simulator's ticks; `format-1.json` is what that version said just before, at `/v1/snapshot` for every channel.
//! `format-2.redb.zst` is one of the version before the present one, with two push feeds: `format-2.json` is what it said
//! last, and of `BBB-USD` what it said before six more trades came, of which no client read ticker and bars.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use redb::{Database, ReadableTable as _, TableDefinition};
use serde_json::Value;

use super::*;
use crate::{
    dialect::{
        native::{Encoding, encode_event},
        packed::unpack,
    },
    store::{
        file::{File, RunRecord, Stopped},
        record::{FORMAT, TopicRecord, decode, encode},
    },
};

const HEAD: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tickcast");
const SECONDS: i64 = 1_790_000_000;

/// The old file as it was left: a copy would be taken for one.
fn left(folder: &TempDir, format: u32) -> PathBuf {
    let path = folder.path().join("x");
    let packed: &[u8] = match format {
        1 => include_bytes!("format-1.redb.zst"),
        2 => include_bytes!("format-2.redb.zst"),
        _ => panic!("no file of format {format}"),
    };
    fs::write(&path, zstd::decode_all(packed).unwrap()).unwrap();
    let file = Database::open(&path).unwrap();
    let write = file.begin_write().unwrap();
    {
        let mut head = write.open_table(HEAD).unwrap();
        assert_eq!(head.get("format").unwrap().unwrap().value(), format.to_le_bytes());
        let run: RunRecord = decode(head.get("run").unwrap().unwrap().value()).unwrap();
        assert!(run.stopped.is_some(), "it was stopped in order");
        let stopped = Some(Stopped::at(fs::metadata(&path).unwrap().ino(), SECONDS));
        head.insert("run", encode(&RunRecord { stopped, ..run }).as_slice()).unwrap();
    }
    write.commit().unwrap();
    drop(file);
    let time = UNIX_EPOCH + Duration::from_secs(SECONDS.unsigned_abs());
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_modified(time).unwrap();
    path
}

fn said() -> Value {
    serde_json::from_str(include_str!("format-1.json")).unwrap()
}

fn plan() -> Plan {
    let config = HubConfig { trades_per_symbol: 20, bars: 10, ..HubConfig::default() };
    // Two seconds after the newest tick: no bar has ended that had not then.
    Plan { config, feeds: vec!["sim"], ..Plan::new() }
}

#[test]
fn a_file_of_format_1_goes_on_under_the_same_numbers() {
    let folder = folder();
    let path = left(&folder, 1);
    let said = said();
    let rig = plan().start(&path);
    assert!(rig.is_continued);
    assert_eq!(&*rig.hub.epoch(), said["epoch"].as_str().unwrap());
    let events = said["events"].as_array().unwrap();
    assert!(events.len() >= 18, "two symbols with every channel of then");
    for was in events {
        let channel = match was["T"].as_str().unwrap() {
            "t" => Channel::Trades,
            "q" => Channel::Quotes,
            "k" => Channel::Ticker,
            "b" => Channel::parse(&format!("bars.{}", was["i"].as_str().unwrap())).unwrap(),
            // The restart is told as one more.
            _status => continue,
        };
        let topic = rig.hub.topic(was["S"].as_str().unwrap().parse().unwrap()).unwrap();
        let now = topic.last(channel).unwrap();
        let now: Value = serde_json::from_slice(&encode_event(now.n, &now.body, Encoding::Json)).unwrap();
        assert_eq!(&now, was);
    }
    let status = |symbol: &str| {
        let was = events.iter().find(|was| was["T"] == "status" && was["S"] == symbol);
        (was.unwrap()["n"].as_u64().unwrap(), rig.hub.topic(symbol.parse().unwrap()).unwrap())
    };
    for (n, topic) in ["AAA-USD", "BBB-USD"].map(status) {
        assert_eq!(topic.last(Channel::Status).unwrap().n, n + 1, "{}", topic.symbol());
        assert_eq!(topic.since(Channel::Trades, 0).events.len(), 20);
        assert!(topic.last(Channel::Corrections).is_none());
    }
    rig.stop();
    let again = plan().start(&path);
    assert!(again.is_continued, "and so it does the next time");
    again.stop();
    assert_eq!(File::open(&path).unwrap().format, FORMAT);
}

#[test]
fn a_file_of_format_1_without_its_feed_is_rewritten_too() {
    let folder = folder();
    let path = left(&folder, 1);
    let orphaned = Plan { feeds: vec!["other"], ..plan() };
    let rig = orphaned.start(&path);
    assert!(rig.is_continued);
    rig.stop();
    let rig = plan().start(&path);
    assert_eq!(rig.hub.all_topics().len(), 2);
    assert!(rig.is_continued, "symbols that were away have their numbers still");
    rig.stop();
    assert_eq!(File::open(&path).unwrap().format, FORMAT);
}

/// The event as a client gets it.
fn shown(rig: &Rig, symbol: &str, channel: Channel) -> Value {
    let event = rig.hub.topic(symbol.parse().unwrap()).unwrap().last(channel).unwrap();
    serde_json::from_slice(&encode_event(event.n, &event.body, Encoding::Json)).unwrap()
}

fn channel(event: &Value) -> Channel {
    match event["T"].as_str().unwrap() {
        "t" => Channel::Trades,
        "q" => Channel::Quotes,
        "k" => Channel::Ticker,
        "c" => Channel::Corrections,
        "b" => Channel::parse(&format!("bars.{}", event["i"].as_str().unwrap())).unwrap(),
        other => Channel::parse(other).unwrap(),
    }
}

#[test]
fn a_file_of_format_2_goes_on_under_the_same_numbers() {
    let folder = folder();
    let path = left(&folder, 2);
    let said: Value = serde_json::from_str(include_str!("format-2.json")).unwrap();
    let plan = Plan { feeds: vec!["desk", "other"], ..plan() };
    let rig = plan.start(&path);
    assert!(rig.is_continued);
    assert_eq!(&*rig.hub.epoch(), said["epoch"].as_str().unwrap());
    let events = |key: &str| said[key].as_array().unwrap().clone();
    for was in events("events").iter().filter(|was| was["T"] != "status") {
        assert_eq!(&shown(&rig, was["S"].as_str().unwrap(), channel(was)), was);
    }
    // What had changed unread has a number of its own now: that of the event before would be given twice.
    let unread = |was: &&Value| matches!(was["T"].as_str().unwrap(), "k" | "b");
    for was in events("unread").iter().filter(unread) {
        let now = shown(&rig, "BBB-USD", channel(was));
        assert_ne!(&now, was);
        let finals = if was["i"] == "1s" { 6 } else { 0 };
        assert_eq!(now["n"].as_u64().unwrap(), was["n"].as_u64().unwrap() + finals + 1, "{now}");
    }
    let ids: Vec<_> =
        rig.hub.all_topics().iter().map(|it| (it.id().number(), it.symbol().to_string())).collect();
    rig.stop();
    // The feeds change places, and one more symbol comes.
    let turned = Plan { feeds: vec!["other", "desk"], ..plan };
    let rig = turned.start(&path);
    assert!(rig.is_continued);
    let new = rig.hub.declare("NEW-USD".parse().unwrap(), Source::new("other").unwrap()).unwrap();
    assert_eq!(new.id().number(), 3);
    for (number, symbol) in ids {
        assert_eq!(rig.hub.topic_at(number).unwrap().symbol().to_string(), symbol);
    }
    rig.stop();
    assert_eq!(File::open(&path).unwrap().format, FORMAT);
}

#[test]
fn records_of_format_1_are_read() {
    let bytes = |line: &str| -> Vec<u8> {
        let pairs = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    };
    let lines = |text: &str| text.lines().map(bytes).collect::<Vec<_>>();
    let (old, new) = (lines(include_str!("format-1.txt")), lines(include_str!("format-2.txt")));
    let events = |bytes| unpack(bytes, "S".parse().unwrap(), Channel::Trades).unwrap();
    let (was, is) = (events(&old[0]), events(&new[0]));
    assert_eq!(was[..3], is[..3], "the same trades");
    let record: TopicRecord = decode(&old[1]).unwrap();
    assert_eq!(record.image(7).heads[Channel::Trades.index()], 12);
    assert_eq!(record.image(7).heads[Channel::Bars(Interval::Minute).index()], 1);
    assert_eq!(record.image(7).heads[Channel::Corrections.index()], 0);
}
