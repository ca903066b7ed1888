use std::path::Path;

use super::*;
use crate::{
    clock::Clock,
    feed::{End, Feed as _, Publisher, replay, simulator},
    hub::{Hub, HubConfig},
    market::{Channel, Side},
    metrics::Metrics,
};

const MARKET: &str = "seed = 11\nrate = 40\n\
    [[symbol]]\nsymbol = \"BTC-USD\"\nprice = \"67210.10\"\ntick = \"0.01\"\nvolatility = 900\n\
    [[symbol]]\nsymbol = \"ETH-USD\"\nprice = \"3480.25\"\ntick = \"0.05\"\nlot = \"1\"\n";

fn market() -> Generator {
    let definition: simulator::Definition = toml::from_str(MARKET).unwrap();
    definition.build(Path::new(".")).unwrap().into_generator()
}

fn plan() -> Plan {
    Plan {
        start: UnixMicros(1_767_623_400_000_000),
        length: Duration::from_secs(20),
        symbols: HashSet::new(),
        source: Source::new("sim").unwrap(),
    }
}

/// The ticks that a format can hold, as texts of what it holds.
fn simulated(holds: impl Fn(&Tick) -> bool) -> Vec<String> {
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
            let level = |level: Option<crate::market::Level>| {
                level.map(|level| {
                    format!("{} {}", level.price, level.size.map(|s| s.to_string()).unwrap_or_default())
                })
            };
            format!("q {} {:?} {:?}", quote.symbol, level(quote.bid), level(quote.ask))
        }
        Tick::Status(_) => "status".into(),
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
    let out = Publisher::new(feed, std::sync::Arc::clone(&hub), tokio_util::sync::CancellationToken::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(replay.run(&out)).unwrap(), End::Finished);
    let metrics = String::from_utf8(hub.metrics().render().unwrap()).unwrap();
    assert!(!metrics.contains("tickcast_feed_parse_errors_total{"), "every line is read: {metrics}");
    let mut events = std::collections::VecDeque::new();
    lane.drain(&mut events);
    events.iter().map(|event| shown(&event.body)).collect()
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
        let count = record(&mut market(), &plan(), format, &path).unwrap();
        let expected = match format {
            Format::Native | Format::Binance | Format::Coinbase => simulated(|_| true),
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
        record(&mut market(), &plan(), format, &again).unwrap();
        assert!(
            std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap(),
            "{name}: the same seed, the same bytes"
        );
    }
}

#[test]
fn what_a_format_cannot_hold_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = MARKET.replace("lot = \"1\"", "lot = \"0.001\"");
    let definition: simulator::Definition = toml::from_str(&text).unwrap();
    let mut market = definition.build(Path::new(".")).unwrap().into_generator();
    let error = record(&mut market, &plan(), Format::Dbn, &folder.path().join("x.dbn")).unwrap_err();
    assert!(error.to_string().contains("ETH-USD") && error.to_string().contains("whole numbers"), "{error}");
    let missing = record(&mut market, &plan(), Format::Native, &folder.path().join("no/such/folder"));
    assert!(matches!(missing, Err(RecordError::Io(_))));
}

#[test]
fn only_the_wanted_symbols_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = Plan { symbols: HashSet::from([Symbol::new("ETH-USD").unwrap()]), ..plan() };
    let path = folder.path().join("eth.csv");
    record(&mut market(), &wanted, Format::CsvTrades, &path).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("ETH-USD") && !text.contains("BTC-USD"));
}
