use std::path::Path;

use super::*;
use crate::{
    clock::Clock,
    feed::{End, Feed as _, Publisher, replay, simulator},
    hub::{Body, Hub, HubConfig},
    market::{Channel, Level, Print, Quote, Side, Trade, TradeId},
    metrics::Metrics,
};

const MARKET: &str = "seed = 11\nrate = 40\n\
    [[symbol]]\nsymbol = \"BTC-USD\"\nprice = \"67210.10\"\ntick = \"0.01\"\nvolatility = 900\n\
    [[symbol]]\nsymbol = \"ETH-USD\"\nprice = \"3480.25\"\ntick = \"0.05\"\nlot = \"1\"\n";

fn recorded(
    market: &mut Generator,
    plan: &RecordPlan,
    format: Format,
    path: &Path,
) -> Result<u64, RecordError> {
    record(market, plan, format, Output::create(path, false)?, &CancellationToken::new())
}

fn market() -> Generator {
    let definition: simulator::Definition = toml::from_str(MARKET).unwrap();
    definition.build(Path::new(".")).unwrap().into_generator().unwrap()
}

fn plan() -> RecordPlan {
    RecordPlan {
        start: UnixMicros(1_767_623_400_000_000),
        length: Duration::from_secs(20),
        symbols: HashSet::new(),
        source: Source::new("sim").unwrap(),
    }
}

/// The ticks that a format can hold, as texts of what it holds.
fn simulated(mut holds: impl FnMut(&Tick) -> bool) -> Vec<String> {
    let (mut market, plan) = (market(), plan());
    let mut ticks = Vec::new();
    loop {
        let arrival = market.arrival();
        if arrival.at > plan.length {
            return ticks;
        }
        let at = UnixMicros(plan.start.0 + i64::try_from(arrival.at.as_micros()).unwrap());
        let tick = market.tick(&arrival, plan.source, at, at);
        if holds(&tick) {
            ticks.push(shown(&tick));
        }
    }
}

/// Prices by value: Databento files keep no scale.
fn shown(tick: &Tick) -> String {
    match tick {
        Tick::Trade(trade) => {
            let side = if trade.side == Some(Side::Buy) { "buy" } else { "sell" };
            format!("t {} {} {} {side}", trade.symbol, trade.price.decimal().normalize(), trade.size)
        }
        Tick::Quote(quote) => {
            let level = |level: Option<Level>| {
                level.map(|level| {
                    format!("{} {}", level.price, level.size.map(|s| s.to_string()).unwrap_or_default())
                })
            };
            format!("q {} {:?} {:?}", quote.symbol, level(quote.bid), level(quote.ask))
        }
        Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => "neither".into(),
    }
}

/// Plays a recording and returns its ticks, with `symbols` as in the recording.
fn played(folder: &Path, keys: &str, symbols: [&str; 2]) -> Vec<String> {
    let keys = format!("speed = \"max\"\nprogress = false\n{keys}");
    let mut replay = toml::from_str::<replay::Definition>(&keys).unwrap().build(folder).unwrap();
    let config = HubConfig { lane_events: 1 << 16, ..HubConfig::default() };
    let hub = std::sync::Arc::new(Hub::new(
        config,
        "e".into(),
        Clock::system(),
        std::sync::Arc::new(Metrics::new()),
    ));
    let feed = Source::new("feed").unwrap();
    let lane = hub.open_lane().unwrap();
    for symbol in symbols {
        let topic = hub.declare(Symbol::new(symbol).unwrap(), feed).unwrap();
        for channel in [Channel::Trades, Channel::Quotes] {
            let _from_now = topic.join(lane.index(), channel);
        }
    }
    let out = Publisher::new(feed, std::sync::Arc::clone(&hub), CancellationToken::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(replay.run(&out)).unwrap(), End::Finished);
    let metrics = String::from_utf8(hub.metrics().render().unwrap()).unwrap();
    let mut errors = metrics.lines().filter(|line| line.starts_with("tickcast_feed_parse_errors_total{"));
    assert!(errors.all(|line| line.ends_with(" 0")), "every line is read: {metrics}");
    let mut events = std::collections::VecDeque::new();
    lane.drain(&mut events);
    let tick = |body: &Body| match body {
        Body::Tick(tick) => shown(tick),
        Body::Ticker(_) | Body::Bar(_) => panic!("nobody listens to {body:?}"),
    };
    events.iter().map(|event| tick(&event.body)).collect()
}

#[test]
fn every_format_plays_what_was_simulated() {
    let folder = tempfile::tempdir().unwrap();
    let is_trade = |tick: &Tick| matches!(tick, Tick::Trade(_));
    let columns = "price = \"price\", size = \"size\", side = \"side\", id = \"id\"";
    let trades = format!(
        "format = \"csv\"\ncsv = {{ kind = \"trades\", symbol_column = \"symbol\", time = \"timestamp\", time_unit = \"us\", {columns} }}"
    );
    let quotes = "format = \"csv\"\ncsv = { kind = \"quotes\", symbol_column = \"symbol\", time = \"timestamp\", time_unit = \"us\", \
                  bid = \"bid\", bid_size = \"bid_size\", ask = \"ask\", ask_size = \"ask_size\" }";
    let names = ["BTC-USD", "ETH-USD"];
    for (format, name, keys, symbols) in [
        (Format::Native, "native.ndjson.gz", "format = \"native\"", names),
        (Format::Binance, "binance.ns.gz", "format = \"binance\"", ["BTCUSD", "ETHUSD"]),
        (Format::Coinbase, "coinbase.ns", "format = \"coinbase\"", names),
        (Format::CsvTrades, "trades.csv", &trades, names),
        (Format::CsvQuotes, "quotes.csv.zst", quotes, names),
        (Format::Dbn, "trades.dbn.zst", "format = \"dbn\"", names),
    ] {
        let path = folder.path().join(name);
        let count = recorded(&mut market(), &plan(), format, &path).unwrap();
        let expected = match format {
            Format::Native | Format::Binance => simulated(|_| true),
            Format::Coinbase => {
                let mut traded = HashSet::new();
                simulated(move |tick| {
                    traded.contains(&tick.symbol()) || is_trade(tick) && traded.insert(tick.symbol())
                })
            }
            Format::CsvTrades | Format::Dbn => simulated(is_trade),
            Format::CsvQuotes => simulated(|tick| !is_trade(tick)),
        };
        assert_eq!(count, expected.len() as u64);
        let played = played(folder.path(), &format!("path = \"{name}\"\n{keys}"), symbols);
        let ours = |tick: &String| tick.replace("BTCUSD", names[0]).replace("ETHUSD", names[1]);
        let played: Vec<_> =
            if format == Format::Binance { played.iter().map(ours).collect() } else { played };
        assert_eq!(played, expected, "{name}");
        let again = folder.path().join(format!("again-{name}"));
        recorded(&mut market(), &plan(), format, &again).unwrap();
        assert!(
            std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap(),
            "{name}: the same seed, the same bytes"
        );
    }
}

/// A trade, a quote and another trade of one symbol.
fn three() -> [Tick; 3] {
    let (symbol, source) = (Symbol::new("BTC-USD").unwrap(), Source::new("sim").unwrap());
    let tr = UnixMicros(1_767_623_400_041_986);
    let trade = |price: &str, size: &str, side, id| {
        let (price, size) = (price.parse().unwrap(), size.parse().unwrap());
        let id = Some(TradeId::Number(id));
        Tick::Trade(Trade {
            symbol,
            price,
            size,
            side: Some(side),
            id,
            source,
            te: Some(tr),
            tr,
            print: Print::default(),
        })
    };
    let level = |price: &str, size: &str| {
        Some(Level { price: price.parse().unwrap(), size: Some(size.parse().unwrap()) })
    };
    let (bid, ask) = (level("67209.90", "0.1000"), level("67210.00", "2.0000"));
    let quote = Tick::Quote(Quote { symbol, bid, ask, source, te: Some(tr), tr, is_snapshot: false });
    [trade("67210.10", "0.0150", Side::Sell, 7), quote, trade("67209.00", "1.0000", Side::Buy, 8)]
}

const AT: UnixMicros = UnixMicros(1_767_623_400_041_986);

#[test]
fn binance_frames_are_as_documented() {
    let (mut binance, mut out) = (json::Binance::default(), Vec::new());
    for tick in three() {
        assert!(binance.write(&tick, AT, &mut out).unwrap());
    }
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            r#"1767623400041986000 {"stream":"btcusd@trade","data":{"e":"trade","E":1767623400041,"s":"BTCUSD","t":7,"p":"67210.10","q":"0.0150","T":1767623400041,"m":true,"M":true}}"#,
            r#"1767623400041986000 {"stream":"btcusd@bookTicker","data":{"u":1,"s":"BTCUSD","b":"67209.90","B":"0.1000","a":"67210.00","A":"2.0000"}}"#,
            r#"1767623400041986000 {"stream":"btcusd@trade","data":{"e":"trade","E":1767623400041,"s":"BTCUSD","t":8,"p":"67209.00","q":"1.0000","T":1767623400041,"m":false,"M":true}}"#,
        ]
    );
}

#[test]
fn coinbase_frames_are_as_documented() {
    let (mut coinbase, mut out) = (json::Coinbase::default(), Vec::new());
    let [first, quote, second] = three();
    assert!(!coinbase.write(&quote, AT, &mut out).unwrap() && out.is_empty(), "a ticker has a last trade");
    for tick in [&first, &second, &quote] {
        assert!(coinbase.write(tick, AT, &mut out).unwrap());
    }
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            r#"1767623400041986000 {"type":"match","trade_id":7,"maker_order_id":"00000000-0000-4000-8000-000000000001","taker_order_id":"00000000-0000-4000-8000-000000000002","side":"buy","size":"0.0150","price":"67210.10","product_id":"BTC-USD","sequence":1,"time":"2026-01-05T14:30:00.041986Z"}"#,
            r#"1767623400041986000 {"type":"match","trade_id":8,"maker_order_id":"00000000-0000-4000-8000-000000000003","taker_order_id":"00000000-0000-4000-8000-000000000004","side":"sell","size":"1.0000","price":"67209.00","product_id":"BTC-USD","sequence":2,"time":"2026-01-05T14:30:00.041986Z"}"#,
            r#"1767623400041986000 {"type":"ticker","sequence":3,"product_id":"BTC-USD","price":"67209.00","open_24h":"67210.10","volume_24h":"1.0150","low_24h":"67209.00","high_24h":"67210.10","volume_30d":"1.0150","best_bid":"67209.90","best_bid_size":"0.1000","best_ask":"67210.00","best_ask_size":"2.0000","side":"buy","time":"2026-01-05T14:30:00.041986Z","trade_id":8,"last_size":"1.0000"}"#,
        ]
    );
}

#[test]
fn databento_names_no_real_venue() {
    use ::dbn::decode::{DbnMetadata as _, DecodeRecordRef as _, dbn::Decoder};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trades.dbn");
    recorded(&mut market(), &plan(), Format::Dbn, &path).unwrap();
    let mut decoder = Decoder::from_file(&path).unwrap();
    let metadata = decoder.metadata();
    assert_eq!((metadata.version, metadata.schema), (3, Some(::dbn::Schema::Trades)));
    assert_eq!(metadata.symbols, ["BTC-USD", "ETH-USD"]);
    let record = decoder.decode_record_ref().unwrap().unwrap();
    let trade = record.get::<::dbn::TradeMsg>().unwrap();
    assert!(trade.hd.publisher().is_err(), "{:?}", trade.hd);
}

#[test]
fn what_a_format_cannot_hold_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = MARKET.replace("lot = \"1\"", "lot = \"0.001\"");
    let definition: simulator::Definition = toml::from_str(&text).unwrap();
    let mut market = definition.build(Path::new(".")).unwrap().into_generator().unwrap();
    let error = recorded(&mut market, &plan(), Format::Dbn, &folder.path().join("x.dbn")).unwrap_err();
    assert!(error.to_string().contains("ETH-USD") && error.to_string().contains("whole numbers"), "{error}");
    let missing = recorded(&mut market, &plan(), Format::Native, &folder.path().join("no/such/folder"));
    assert!(matches!(missing, Err(RecordError::Io(_))));
}

#[test]
fn only_the_wanted_symbols_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = RecordPlan { symbols: HashSet::from([Symbol::new("ETH-USD").unwrap()]), ..plan() };
    let path = folder.path().join("eth.csv");
    recorded(&mut market(), &wanted, Format::CsvTrades, &path).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("ETH-USD") && !text.contains("BTC-USD"));
}
