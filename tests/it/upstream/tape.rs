//! Made-up sessions in each venue's own words: one trade and one quote of every symbol at each step.

use std::sync::LazyLock;

use tickcast::{
    cli::venue::Recorded,
    clock::Clock,
    dialect::{Sequence, Venue},
    market::{Level, Print, Quote, Side, Source, Symbol, Tick, Trade, TradeId, UnixMicros},
};

/// Trade ids start here.
pub(crate) const FIRST: u64 = 1_000;

/// The price of a step, which tells the step.
pub(crate) fn price(step: u64) -> String {
    format!("{}.{:02}", 100 + step / 100, step % 100)
}

pub(crate) fn step(price: &str) -> u64 {
    price.replace('.', "").parse::<u64>().unwrap() - 10_000
}

/// The time of a step: recent ones, so that what is measured of them is a latency.
fn millis(step: u64) -> i64 {
    static START: LazyLock<i64> = LazyLock::new(|| Clock::system().now().0 / 1_000);
    *START + i64::try_from(step - FIRST).unwrap()
}

/// What the venue says of a tick of a symbol of ours.
fn frame(venue: Venue, ours: &str, tick: Tick, sequence: Option<Sequence>) -> String {
    venue.frame_of(&venue.symbol(ours), &tick, sequence).expect("the venue has words for it")
}

/// Alpaca tells where a stock was traded.
fn source(venue: Venue, ours: &str) -> Source {
    let is_stock = venue == Venue::Alpaca && !venue.symbol(ours).contains('/');
    Source::new(if is_stock { "V" } else { venue.as_str() }).unwrap()
}

/// One trade.
pub(crate) fn trade(venue: Venue, symbol: &str, id: u64) -> String {
    let source = source(venue, symbol);
    let tick = Tick::Trade(Trade {
        // The venue's name is written.
        symbol: Symbol::new("X").unwrap(),
        price: price(id).parse().unwrap(),
        size: "0.50".parse().unwrap(),
        side: (source.as_str() == venue.as_str()).then_some(Side::Sell),
        id: Some(TradeId::Number(id)),
        source,
        te: Some(UnixMicros(millis(id) * 1_000)),
        tr: UnixMicros(0),
        print: Print::default(),
    });
    frame(venue, symbol, tick, (venue != Venue::Alpaca).then_some(Sequence::Counted(id)))
}

/// One quote.
pub(crate) fn quote(venue: Venue, symbol: &str, id: u64) -> String {
    let level = |price: &str, size: &str| {
        Some(Level { price: price.parse().unwrap(), size: Some(size.parse().unwrap()) })
    };
    let tick = Tick::Quote(Quote {
        symbol: Symbol::new("X").unwrap(),
        bid: level(&price(id), "1.0"),
        ask: level("99999.00", "2.0"),
        source: source(venue, symbol),
        te: (venue != Venue::Binance).then(|| UnixMicros(millis(id) * 1_000)),
        tr: UnixMicros(0),
        is_snapshot: false,
    });
    let sequence = match venue {
        Venue::Binance => Some(Sequence::Rising(50_000 + 3 * id)),
        Venue::Coinbase => Some(Sequence::Rising(9_001 + 2 * id)),
        Venue::Kraken | Venue::Alpaca => None,
    };
    frame(venue, symbol, tick, sequence)
}

/// That many steps.
pub(crate) fn session(venue: Venue, symbols: &[&str], steps: u64) -> Vec<Recorded> {
    let recorded = |text| Recorded::new(venue, None, text).expect("there is a tick in it");
    texts(venue, symbols, steps).into_iter().map(recorded).collect()
}

pub(crate) fn texts(venue: Venue, symbols: &[&str], steps: u64) -> Vec<String> {
    let mut frames = Vec::new();
    for id in FIRST..FIRST + steps {
        for symbol in symbols {
            frames.extend([trade(venue, symbol, id), quote(venue, symbol, id)]);
        }
    }
    frames
}
