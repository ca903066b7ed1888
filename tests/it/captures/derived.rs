//! Tickers and bars of every recording with trades, against a separate computation in another language; and against
//! the venue's own bars where a recording has comparable ones.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::Command,
    sync::Arc,
};

use serde_json::Value;
use tickcast::{
    clock::Clock,
    dialect::{Message, Venue},
    feed::{End, Feed as _, Publisher, replay::Definition},
    hub::{BarSpan, Event, Hub, HubConfig},
    market::{Bar, Body, Channel, Interval, Marks, Price, Print, Source, Symbol, Tick, Trade, UnixMicros},
    metrics::Metrics,
};
use tokio_util::sync::CancellationToken;

use super::{
    bytes,
    csv::equity_trade_mapping,
    dbn::{price, records},
    folder,
    json::frame,
    text,
};

/// 2100: no recording is newer, so that no time in one is further ahead than is believed.
const NOW: UnixMicros = UnixMicros(4_102_444_800_000_000);

fn hub() -> Arc<Hub> {
    let config = HubConfig { bars: 100_000, lane_events: 1 << 22, ..HubConfig::default() };
    Arc::new(Hub::new(config, "e".into(), Clock::manual(NOW), Arc::new(Metrics::new())))
}

fn or<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

fn bar_line(bar: &Bar) -> String {
    let Bar { symbol, start, open, high, low, close, volume, trades, .. } = bar;
    let (interval, vwap, state) =
        (bar.interval.as_str(), or(bar.vwap), if bar.is_final { "final" } else { "forming" });
    format!("b {symbol} {interval} {} {open} {high} {low} {close} {volume} {vwap} {trades} {state}", start.0)
}

fn bar(event: &Event) -> &Bar {
    let Body::Bar(bar) = &event.body else { panic!("not a bar: {event:?}") };
    bar
}

/// Every remembered bar of a topic, with the forming ones.
fn bars(hub: &Hub, symbol: Symbol) -> Vec<String> {
    let topic = hub.topic(symbol).unwrap();
    let mut lines = Vec::new();
    for interval in Interval::ALL {
        let bars = topic.bars(interval, &BarSpan::ALL, usize::MAX).events;
        lines.extend(bars.iter().map(|event| bar_line(bar(event))));
    }
    lines
}

fn ticker_line(event: &Event) -> String {
    let Body::Ticker(k) = &event.body else { panic!("not a ticker: {event:?}") };
    let [last, bid, ask, open, high, low, change] =
        [k.last, k.bid, k.ask, k.open, k.high, k.low, k.change].map(or);
    let (symbol, volume, percent, trades) = (k.symbol, k.volume, or(k.change_pct), k.trades);
    format!("k {symbol} {last} {bid} {ask} {open} {high} {low} {volume} {change} {percent} {trades}")
}

/// Plays a recording. Returns what went in, for the separate computation, and what came out.
fn play(keys: &str, folder: &Path) -> (String, Vec<String>) {
    let keys = format!("speed = \"max\"\nprogress = false\n{keys}");
    let mut replay = toml::from_str::<Definition>(&keys).unwrap().build(folder).unwrap();
    let hub = hub();
    let feed = Source::new("feed").unwrap();
    let lane = hub.open_lane().unwrap();
    // A first pass tells the symbols; the second one has listeners from the first tick on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let first = self::hub();
    let out = Publisher::new(feed, Arc::clone(&first), CancellationToken::new());
    assert_eq!(runtime.block_on(replay.run(&out)).unwrap(), End::Finished);
    let symbols: BTreeSet<_> = first.all_topics().iter().map(|topic| topic.symbol()).collect();
    for symbol in &symbols {
        let topic = hub.declare(*symbol, feed).unwrap();
        for channel in [Channel::Trades, Channel::Quotes, Channel::Ticker] {
            let _from_now = topic.join(lane.index(), channel);
        }
    }
    let out = Publisher::new(feed, Arc::clone(&hub), CancellationToken::new());
    assert_eq!(runtime.block_on(replay.run(&out)).unwrap(), End::Finished);
    let mut events = VecDeque::new();
    assert_eq!(lane.drain(&mut events).skipped, 0);
    let (mut ticks, mut came) = (String::new(), Vec::new());
    for event in &events {
        match &event.body {
            // A print that counts for nothing is nothing to the script.
            Body::Tick(Tick::Trade(t)) if t.print.marks.has(Marks::NOTHING) => {}
            Body::Tick(Tick::Trade(t)) => {
                let te = or(t.te.map(|te| te.0));
                writeln!(ticks, "t {} {} {} {te} {}", t.symbol, t.price, t.size, t.tr.0).unwrap();
            }
            Body::Tick(Tick::Quote(q)) => {
                let [bid, ask] = [q.bid, q.ask].map(|level| or(level.map(|level| level.price)));
                writeln!(ticks, "q {} {bid} {ask}", q.symbol).unwrap();
            }
            Body::Ticker(_) => came.push(ticker_line(event)),
            Body::Tick(Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_)) | Body::Bar(_) => {}
        }
    }
    came.extend(symbols.iter().flat_map(|symbol| bars(&hub, *symbol)));
    // The bars of the first pass had no listener: what is remembered is the same.
    let unheard: Vec<_> = symbols.iter().flat_map(|symbol| bars(&first, *symbol)).collect();
    assert_eq!(unheard, came[came.len() - unheard.len()..]);
    (ticks, came)
}

/// What the script makes of the ticks; none without an interpreter.
fn computed(ticks: &str) -> Option<Vec<String>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ticks.as_bytes()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/derived.py");
    let Ok(output) = Command::new("python3").arg(script).arg(file.path()).output() else {
        let mut loud = std::io::stderr();
        writeln!(loud, "SKIPPED: no python3 to compare tickers and bars with").unwrap();
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect())
}

#[test]
fn tickers_and_bars_equal_a_separate_computation() {
    let Some(folder) = folder() else { return };
    let tardis = r#"kind = "trades", symbol_column = "symbol", source = "exchange", time = "timestamp", time_unit = "us", side = "side", price = "price", size = "amount""#;
    let (ibm, spy) = (equity_trade_mapping("IBM"), equity_trade_mapping("SPY"));
    let table = [
        ("binance/spot-btcusdt-20240808.ns.gz", ""),
        ("binance/spot-4sym-20211012.ws.cf1.gz", ""),
        ("binance/spot-btcusdt-20260707.ndjson.gz", ""),
        ("binance/usdm-ethusdt-20240808.ns.gz", ""),
        ("binance/usdm-20211103.ws.cf1.gz", ""),
        ("coinbase/exchange-btcusd-20260707.ndjson.gz", ""),
        ("coinbase/exchange-10prod-20210417.ws.cf1.gz", ""),
        ("coinbase/advanced-btc-eth-20260809-head.cf2.gz", ""),
        ("dbn/test_data.trades.dbn", ""),
        ("dbn/test_data.tbbo.v3.dbn.zst", ""),
        ("dbn/futures_trades_2024-07-01.dbn.zst", ""),
        ("csv/tardis-bitmex-trades-xbtusd.csv", tardis),
        ("csv/equity-ibm-trade-20131007.lean.csv.gz", &ibm),
        ("csv/equity-spy-trade-20131007.lean.csv.gz", &spy),
    ];
    for (file, mapping) in table {
        let format = file.split('/').next().unwrap();
        let csv = if mapping.is_empty() {
            String::new()
        } else {
            format!("csv = {{ header = {}, {mapping} }}", file.contains("tardis"))
        };
        let (ticks, came) = play(&format!("path = \"{file}\"\nformat = \"{format}\"\n{csv}"), &folder);
        let Some(expected) = computed(&ticks) else { return };
        assert_eq!(came.len(), expected.len(), "{file}");
        for (i, (came, expected)) in came.iter().zip(&expected).enumerate() {
            assert_eq!(came, expected, "{file}: line {i}");
        }
        let count = |kind: &str| came.iter().filter(|line| line.starts_with(kind)).count();
        assert!(count("b ") >= Interval::COUNT && count("k ") > 0, "{file}");
        eprintln!("{file}: {} tickers and {} bars are the same", count("k "), count("b "));
    }
}

/// Futures have prints of the insurance fund, of deleveraging and of nothing at a price of 0 among their trades: as the venue documents
/// them, they are put between the recorded ones.
#[test]
fn prints_of_futures_that_are_no_trades_change_neither_ticker_nor_bars() {
    let Some(folder) = folder() else { return };
    let recorded = text(&folder.join("binance/usdm-ethusdt-20240808.ns.gz"));
    let place = tempfile::tempdir().unwrap();
    let (mut mixed, mut count) = (String::new(), 0_u64);
    for line in recorded.lines() {
        writeln!(mixed, "{line}").unwrap();
        if !line.contains("\"e\":\"trade\"") {
            continue;
        }
        count += 1;
        let how = [("NA", "0"), ("INSURANCE_FUND", "9999999"), ("ADL", "0.01")][(count % 3) as usize];
        let other = line.replace("\"X\":\"MARKET\"", &format!("\"X\":\"{}\"", how.0));
        let from = other.find("\"p\":\"").unwrap() + 5;
        let to = from + other[from..].find('"').unwrap();
        writeln!(mixed, "{}{}{}", &other[..from], how.1, &other[to..]).unwrap();
    }
    std::fs::write(place.path().join("mixed.ns"), mixed).unwrap();
    std::fs::write(place.path().join("plain.ns"), recorded).unwrap();
    let (plain, came) = play("path = \"plain.ns\"\nformat = \"binance\"", place.path());
    let (ticks, mixed) = play("path = \"mixed.ns\"\nformat = \"binance\"", place.path());
    assert!(count > 2_000 && plain == ticks && came == mixed, "{count} prints changed something");
    let low = |line: &String| line.starts_with("k ").then(|| line.split(' ').nth(7).unwrap().to_owned());
    assert!(
        mixed.iter().filter_map(low).all(|low| low == "-" || low.starts_with('2')),
        "no price of 0 is the day's low"
    );
    let Some(expected) = computed(&ticks) else { return };
    assert_eq!(mixed, expected);
}

/// Open, high, low, close, volume; by value, for venues pad with zeros.
fn values(bar: &Bar) -> [rust_decimal::Decimal; 5] {
    let [o, h, l, c] = [bar.open, bar.high, bar.low, bar.close].map(Price::decimal);
    [o, h, l, c, bar.volume.decimal()].map(|value| value.normalize())
}

fn told(kline: &Value, keys: [&str; 5]) -> [rust_decimal::Decimal; 5] {
    keys.map(|key| kline[key].as_str().unwrap().parse::<Price>().unwrap().decimal().normalize())
}

fn newest_minute(hub: &Hub, symbol: &str) -> Option<Arc<Event>> {
    hub.topic(Symbol::new(symbol).unwrap())?.last(Channel::Bars(Interval::Minute))
}

/// The venue's forming minutes as far as each goes, where the recording has every trade from the minute's first to the
/// last that the venue counted.
#[test]
fn binance_minutes_are_those_of_the_venue() {
    let Some(folder) = folder() else { return };
    let (hub, venue) = (hub(), Source::new("binance").unwrap());
    let mut firsts = BTreeSet::new();
    let mut told_of: BTreeMap<String, Value> = BTreeMap::new();
    let mut compared = 0;
    for frame in text(&folder.join("binance/usdm-20211103.ws.cf1.gz")).lines().filter_map(frame) {
        let data = &frame["data"];
        let mut ticks = Vec::new();
        Venue::Binance.parse(frame.to_string().as_bytes(), NOW, &mut ticks).unwrap();
        let ticks = ticks
            .into_iter()
            .filter_map(|said| if let Message::Tick { tick, .. } = said { Some(tick) } else { None });
        hub.publish(venue, ticks);
        let Some(symbol) = data["s"].as_str() else { continue };
        match data["e"].as_str() {
            // The bar is told before the trades that are in it.
            Some("kline") => drop(told_of.insert(symbol.to_owned(), data["k"].clone())),
            Some("aggTrade") => {
                firsts.insert((symbol.to_owned(), data["f"].as_u64()));
                let Some(kline) = told_of.get(symbol).filter(|kline| kline["L"] == data["l"]) else {
                    continue;
                };
                if !firsts.contains(&(symbol.to_owned(), kline["f"].as_u64())) {
                    continue;
                }
                let event = newest_minute(&hub, symbol).unwrap();
                assert_eq!(bar(&event).start.0, kline["t"].as_i64().unwrap() * 1_000, "{kline}");
                assert_eq!(values(bar(&event)), told(kline, ["o", "h", "l", "c", "v"]), "{kline}");
                compared += 1;
            }
            _ => {}
        }
    }
    assert!(compared > 10, "{compared} minutes of the venue are comparable");
    eprintln!("{compared} forming minutes of Binance are the same: open, high, low, close, volume");
}

/// This venue opens a minute with the price before it, so open, high and low differ by rule; close, volume and turnover
/// do not.
#[test]
fn bybit_minutes_are_those_of_the_venue() {
    let Some(folder) = folder() else { return };
    let (mut trades, mut klines) = (Vec::new(), Vec::new());
    for frame in text(&folder.join("bybit/v5-spot-20260809.cf2.gz")).lines().filter_map(frame) {
        let topic = frame["topic"].as_str().unwrap_or_default().to_owned();
        let each = || frame["data"].as_array().unwrap().iter().cloned();
        if topic.starts_with("publicTrade") {
            trades.extend(each());
        } else if let Some(symbol) = topic.strip_prefix("kline.1.") {
            klines.extend(each().map(|kline| (symbol.to_owned(), kline)));
        }
    }
    let trade = |t: &Value| Trade {
        symbol: Symbol::new(t["s"].as_str().unwrap()).unwrap(),
        price: t["p"].as_str().unwrap().parse().unwrap(),
        size: t["v"].as_str().unwrap().parse().unwrap(),
        side: None,
        id: None,
        source: Source::new("bybit").unwrap(),
        te: Some(UnixMicros(t["T"].as_i64().unwrap() * 1_000)),
        tr: NOW,
        print: Print::default(),
    };
    let whole = klines.iter().map(|(_, kline)| kline["start"].as_i64()).max().unwrap();
    let mut compared = 0;
    for (symbol, kline) in klines.iter().filter(|(_, kline)| kline["start"].as_i64() == whole) {
        let hub = hub();
        let before = |t: &&Value| t["T"].as_i64() <= kline["timestamp"].as_i64();
        let ticks = trades.iter().filter(before).map(|t| Tick::Trade(trade(t)));
        hub.publish(Source::new("bybit").unwrap(), ticks);
        let Some(event) = newest_minute(&hub, symbol) else { continue };
        let number = |key: &str| kline[key].as_str().unwrap().parse::<Price>().unwrap().decimal();
        let [.., close, volume] = values(bar(&event));
        assert_eq!((close, volume), (number("close").normalize(), number("volume").normalize()), "{kline}");
        let vwap = bar(&event).vwap.unwrap().decimal();
        assert_eq!((number("turnover") / number("volume")).round_dp(vwap.scale()), vwap, "{kline}");
        compared += 1;
    }
    assert!(compared > 10, "{compared} minutes of the venue are comparable");
    eprintln!("{compared} forming minutes of Bybit are the same: close, volume, average price");
}

/// The publisher's own minutes beside its trades of four minutes, all of them whole.
#[test]
fn databento_minutes_are_those_of_the_publisher() {
    let Some(folder) = folder() else { return };
    let (_, came) = play("path = \"dbn/futures_trades_2024-07-01.dbn.zst\"\nformat = \"dbn\"", &folder);
    let instrument = |record: &[u8]| record[4..8].to_vec();
    let traded = instrument(records(&bytes(&folder.join("dbn/futures_trades_2024-07-01.dbn.zst")))[0]);
    let file = bytes(&folder.join("dbn/futures_ohlcv-1m_2024-07-01.dbn.zst"));
    let number = |record: &[u8], at: usize| i64::from_le_bytes(record[at..at + 8].try_into().unwrap());
    let mut same = 0;
    for record in records(&file).into_iter().filter(|record| instrument(record) == traded) {
        let start = number(record, 8) / 1_000;
        let [open, high, low, close] = [16, 24, 32, 40].map(|at| price(number(record, at)));
        let told = format!("b ESU4 1m {start} {open} {high} {low} {close} {} ", number(record, 48));
        let ours = came.iter().find(|line| line.starts_with(&format!("b ESU4 1m {start} ")));
        if let Some(ours) = ours {
            assert!(ours.starts_with(&told), "{ours} for {told}");
            same += 1;
        }
    }
    assert_eq!(same, 4);
    eprintln!("{same} minutes of Databento are the same: open, high, low, close, volume");
}
