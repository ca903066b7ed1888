//! Every recorded frame of the four venues as a live connection would hear it: nothing unknown, nothing unreadable,
//! kinds as often as they were counted when the recordings were made, and numbers that keep their promise.

use std::collections::HashMap;

use tickcast::{
    dialect::{Message, Sequence, Venue},
    market::{Channel, Symbol, UnixMicros},
};

use super::{Counts, counts, folder, literal::frame, text};

/// Of each frame its first message; a frame with ticks counts by their channel.
fn kind(said: &Message) -> &'static str {
    let Message::Tick { tick, .. } = said else { return said.rule().unwrap() };
    if tick.channel() == Channel::Trades { "trade" } else { "quote" }
}

/// How many numbers followed on another one.
#[derive(Default)]
struct Numbers {
    last: HashMap<(Symbol, Channel), u64>,
    counted: u64,
    risen: u64,
}

impl Numbers {
    fn check(&mut self, said: &Message, file: &str) {
        let Message::Tick { tick, sequence: Some(sequence) } = said else { return };
        let (Sequence::Counted(number) | Sequence::Rising(number)) = *sequence;
        let Some(last) = self.last.insert((tick.symbol(), tick.channel()), number) else { return };
        match sequence {
            Sequence::Counted(_) => {
                assert_eq!(number, last + 1, "{file}: {tick:?}");
                self.counted += 1;
            }
            Sequence::Rising(_) => {
                assert!(number > last, "{file}: {number} after {last}: {tick:?}");
                self.risen += 1;
            }
        }
    }
}

fn check(venue: Venue, file: &str, expected: &[(&str, u64)], follow: (u64, u64)) {
    let Some(folder) = folder() else { return };
    let file = format!("{}/{file}", venue.as_str());
    let (mut found, mut numbers) = (Counts::new(), Numbers::default());
    for (i, frame) in text(&folder.join(&file)).lines().filter_map(frame).enumerate() {
        let mut said = Vec::new();
        let parsed = venue.parse(frame.as_bytes(), UnixMicros(1), &mut said);
        parsed.unwrap_or_else(|error| panic!("{file}: frame {i}: {error}"));
        assert!(!said.contains(&Message::Unknown), "{file}: frame {i}: {frame:.200}");
        *found.entry(kind(&said[0]).to_owned()).or_default() += 1;
        said.iter().for_each(|said| numbers.check(said, &file));
    }
    assert_eq!(found, counts(expected), "{file}");
    assert_eq!((numbers.counted, numbers.risen), follow, "{file}");
    eprintln!("{file}: {found:?}, {} numbers in line and {} risen", numbers.counted, numbers.risen);
}

#[test]
fn binance_says_nothing_unknown() {
    let check = |file, expected, follow| check(Venue::Binance, file, expected, follow);
    check(
        "spot-btcusdt-20240808.ns.gz",
        &[("quote", 28_040), ("trade", 9_757), ("depth", 3_451 + 1)],
        (9_756, 28_039),
    );
    check(
        "spot-4sym-20211012.ws.cf1.gz",
        &[("depth", 177), ("quote", 84), ("trade", 2), ("kline", 2)],
        (0, 81),
    );
    check("spot-btcusdt-20260707.ndjson.gz", &[("trade", 748), ("depth", 450)], (747, 0));
    check("rest-depth-btcusdt-20260707.json", &[("depth", 1)], (0, 0));
    check(
        "usdm-ethusdt-20240808.ns.gz",
        &[("quote", 11_419), ("trade", 2_329), ("depth", 1_251 + 1)],
        (2_328, 11_418),
    );
    check(
        "usdm-20211103.ws.cf1.gz",
        &[("depth", 764), ("quote", 613), ("trade", 91), ("kline", 67)],
        (87, 609),
    );
}

#[test]
fn coinbase_says_nothing_unknown() {
    let check = |file, expected, follow| check(Venue::Coinbase, file, expected, follow);
    check(
        "exchange-btcusd-20260707.ndjson.gz",
        &[
            ("l2update", 979),
            ("trade", 344),
            ("heartbeat", 59),
            ("ack", 1),
            ("snapshot", 1),
            ("last_match", 1),
        ],
        (343, 0),
    );
    check(
        "exchange-10prod-20210417.ws.cf1.gz",
        &[
            ("l2update", 9_719),
            ("quote", 107),
            ("trade", 97),
            ("snapshot", 10),
            ("last_match", 10),
            ("ack", 3),
        ],
        (89, 97),
    );
    // 29 `market_trades` frames, two of them history.
    check(
        "advanced-btc-eth-20260809-head.cf2.gz",
        &[
            ("l2_data", 284),
            ("quote", 61),
            ("trade", 27),
            ("trade_history", 2),
            ("heartbeat", 9),
            ("ack", 5),
            ("candles", 4),
        ],
        (38, 0),
    );
}

#[test]
fn kraken_says_nothing_unknown() {
    let check = |file, expected, follow| check(Venue::Kraken, file, expected, follow);
    check(
        "v2-btcusd-20260707.ndjson.gz",
        &[("book", 561 + 1), ("heartbeat", 23), ("trade", 6), ("ack", 2), ("status", 1)],
        (11, 0),
    );
    check(
        "v1-trade-10pair-20210417.ws.cf1.gz",
        &[("heartbeat", 30), ("ack", 10), ("trade", 8), ("status", 1)],
        (0, 0),
    );
    check(
        "v1-ticker-10pair-20210417.ws.cf1.gz",
        &[("heartbeat", 31), ("quote", 18), ("ack", 10), ("status", 1)],
        (0, 0),
    );
    check(
        "v1-book1000-10pair-20210417.ws.cf1.gz",
        &[("book", 4_279), ("heartbeat", 31), ("ack", 10), ("status", 1)],
        (0, 0),
    );
    check("assetpairs-20260707.json", &[("rest", 1)], (0, 0));
}

#[test]
fn alpaca_says_nothing_unknown() {
    // Five `subscription` and two `success`; the trade's frame has two quotes behind it.
    let expected = [("ack", 5 + 2), ("refused", 5), ("bar", 1), ("trade", 1)];
    check(Venue::Alpaca, "iex-sip-frames.ndjson", &expected, (0, 0));
}
