//! What is in the file: the bytes of a format, and no more rows than the rings have.

use redb::{ReadableDatabase as _, ReadableTableMetadata as _};

use super::*;
use crate::{
    dialect::packed::{pack, unpack},
    hub::SavedMark,
    market::{Bar, Change, Correction, Loss, LossWhy, Marks, Print, Side},
    store::{
        file::{EVENTS, File, MINUTES, RunRecord, Stopped, TOPICS},
        record::{FORMAT, TopicRecord, decode, encode},
    },
};

fn events() -> Vec<Event> {
    let topic = Plan::new().start(&folder().path().join("x")).hub.declare("S".parse().unwrap(), source());
    let id = topic.unwrap().id();
    let Tick::Trade(plain) = trade("S", 7, "67210.10", 5) else { unreachable!() };
    let full = Trade { side: Some(Side::Sell), id: Some(TradeId::Text("a-1".into())), ..plain.clone() };
    let bare = Trade { id: None, te: None, ..plain.clone() };
    let symbol = plain.symbol;
    let loss = Loss { symbol, channel: Channel::Trades, why: LossWhy::Venue, events: Some(3) };
    let partial =
        Trade { print: Print { marks: Marks::NOT_LAST.and(Marks::BUSTED), rule: None }, ..bare.clone() };
    let busted = Correction {
        symbol,
        id: TradeId::Number(7),
        source: source(),
        change: Change::Busted { price: Some(bare.price), size: None },
        te: Some(UnixMicros(5)),
        tr: UnixMicros(6),
        of: Some(3),
    };
    let change = Change::Corrected {
        price: bare.price,
        size: bare.size,
        marks: Marks::VOLUME_ONLY,
        id: Some(TradeId::Text("b".into())),
    };
    let corrected = Correction { change, of: None, ..busted.clone() };
    let trades = [plain, full, bare, partial].map(Tick::Trade);
    let corrections = [busted, corrected].map(|it| Tick::Correction(Box::new(it)));
    let bodies = trades.into_iter().chain([Tick::Loss(loss)]).chain(corrections).map(Body::from);
    bodies.zip(1..).map(|(body, n)| Event::new(id, n, body, tokio::time::Instant::now())).collect()
}

fn packed(events: &[Event]) -> Vec<u8> {
    pack(events.iter().map(|event| (event.n, &event.body)))
}

#[test]
fn events_come_back_as_they_were() {
    let events = events();
    let bytes = packed(&events);
    let back = unpack(&bytes, "S".parse().unwrap(), Channel::Trades).unwrap();
    assert_eq!(back, events.iter().map(|event| (event.n, event.body.clone())).collect::<Vec<_>>());
    assert!(unpack(&bytes[1..], "S".parse().unwrap(), Channel::Trades).is_err());
}

/// Most quotes are none, and have the bytes that they always had.
#[test]
fn a_quote_comes_back_with_its_mark_of_a_snapshot() {
    let symbol = "S".parse().unwrap();
    let of = |is_snapshot| Body::from(Tick::Quote(Quote { is_snapshot, ..plain_quote(symbol) }));
    let [plain, marked] = [false, true].map(|is_snapshot| pack([(1, &of(is_snapshot))]));
    assert_eq!(marked.len(), plain.len() + 1);
    for (bytes, is_snapshot) in [(plain, false), (marked, true)] {
        assert_eq!(unpack(&bytes, symbol, Channel::Quotes).unwrap(), [(1, of(is_snapshot))]);
    }
}

fn plain_quote(symbol: Symbol) -> Quote {
    Quote { symbol, bid: None, ask: None, source: source(), te: None, tr: UnixMicros(5), is_snapshot: false }
}

/// Other bytes are another format: then `FORMAT` must rise, or files that exist would be misread.
#[test]
fn the_bytes_of_a_format_do_not_change() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(FORMAT, 3);
    let bar = Bar {
        symbol: "S".parse().unwrap(),
        interval: Interval::Minute,
        start: UnixMicros(60_000_000),
        open: "1.50".parse().unwrap(),
        high: "2".parse().unwrap(),
        low: "1".parse().unwrap(),
        close: "1.7".parse().unwrap(),
        volume: "3.10".parse().unwrap(),
        vwap: None,
        trades: 4,
        is_final: true,
        is_void: false,
    };
    let mut events = events();
    let (topic, received) = (events[0].topic, events[0].received);
    events.push(Event::new(topic, 9, Body::Bar(Box::new(bar)), received));
    let rig = Plan::new().start(&folder().path().join("x"));
    rig.hub.publish(source(), minutes(0, 2));
    let topic = rig.hub.topic("BTC-USD".parse().unwrap()).unwrap();
    let image = topic.image(&SavedMark::NOTHING, false).unwrap();
    let record = encode(&TopicRecord::of(&image, Some(UnixMicros(3))));
    let run = RunRecord { epoch: "e".into(), stopped: Some(Stopped::at(7, 9)) };
    let all = [packed(&events), record.clone(), encode(&image.minutes), encode(&run)];
    let all: Vec<_> = all.iter().map(|bytes| hex(bytes)).collect();
    assert_eq!(all.join("\n"), include_str!("format-3.txt").trim());
    let back: TopicRecord = decode(&record).unwrap();
    assert_eq!(encode(&back), record);
}

#[test]
fn the_file_keeps_what_the_rings_keep() {
    let (folder, config) = (folder(), HubConfig { trades_per_symbol: 50, bars: 10, ..HubConfig::default() });
    let path = folder.path().join("x");
    let plan = Plan { config, ..Plan::new() };
    let mut rig = plan.start(&path);
    let mut sizes = Vec::new();
    // Two days, saved every ten minutes: 20 trades each time into a ring of 50, and minutes leave the ticker.
    for i in 0..288 {
        rig.hub.publish(source(), minutes(i * 600, 10).into_iter().step_by(3));
        rig.save();
        sizes.push(std::fs::metadata(&path).unwrap().len());
    }
    let (early, late) = (sizes[160], sizes[287]);
    assert!(late <= early * 2, "{early} bytes after a day, {late} after two");
    rig.stop();
    let file = File::open(&path).unwrap();
    let read = file.db.begin_read().unwrap();
    let rows = |rows: u64, most: u64| assert!(rows <= most, "{rows} rows, {most} at most");
    rows(read.open_table(TOPICS).unwrap().len().unwrap(), 1);
    rows(read.open_table(MINUTES).unwrap().len().unwrap(), 1_440);
    rows(read.open_table(EVENTS).unwrap().len().unwrap(), 4 + 6 * 11);
}

#[test]
fn nothing_new_is_not_written() {
    let folder = folder();
    let mut rig = Plan::new().start(&folder.path().join("x"));
    rig.hub.publish(source(), minutes(0, 1));
    rig.save();
    rig.save();
    rig.save();
    assert_eq!(rig.metric("tickcast_store_saves_total"), 1);
    assert_eq!(rig.metric("tickcast_store_save_seconds_count"), 1);
    assert!(rig.metric("tickcast_store_file_bytes") > 0);
    assert_eq!(rig.metric("tickcast_store_last_save_timestamp_seconds"), 20_000 * 86_400);
    rig.hub.publish(source(), minutes(60, 1));
    rig.save();
    assert_eq!(rig.metric("tickcast_store_saves_total"), 2);
}
