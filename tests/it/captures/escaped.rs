//! Every text of every recorded frame and product list is written with escapes, as any venue, proxy or recorder may, by
//! a seed that is printed: what is read must be the same.

use std::{collections::BTreeSet, path::Path};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tickcast::{dialect::Venue, market::UnixMicros};

use super::{answer, folder, literal::frame, play, text};
use crate::seeds::promises::escape::escaped;

fn random() -> ChaCha8Rng {
    let seed = rand::random();
    eprintln!("seed {seed}");
    ChaCha8Rng::seed_from_u64(seed)
}

/// The recordings of a venue.
pub(super) fn recordings(folder: &Path, venue: Venue) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(venue.as_str())).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names.into_iter().map(|name| format!("{}/{name}", venue.as_str())).collect()
}

#[test]
fn escaped_frames_of_all_captures_say_the_same() {
    let Some(folder) = folder() else { return };
    let mut random = random();
    for venue in Venue::ALL {
        for file in recordings(&folder, venue) {
            let (mut said, mut again, mut frames) = (vec![], vec![], 0);
            for frame in text(&folder.join(&file)).lines().filter_map(frame) {
                let other = escaped(frame.as_bytes(), || random.random()).unwrap();
                let read = venue.parse(frame.as_bytes(), UnixMicros(1), &mut said).map_err(|why| why.kind());
                let reread = venue.parse(&other, UnixMicros(1), &mut again).map_err(|why| why.kind());
                assert_eq!(read, reread, "{file}: {:.300}", String::from_utf8_lossy(&other));
                assert_eq!(said, again, "{file}: {:.300}", String::from_utf8_lossy(&other));
                said.clear();
                again.clear();
                frames += 1;
            }
            eprintln!("{file}: {frames} frames");
        }
    }
}

#[test]
fn escaped_product_lists_of_all_captures_say_the_same() {
    let Some(folder) = folder() else { return };
    let mut random = random();
    let lists = [
        (Venue::Binance, answer("binance/spot-4sym-20211012.rest.cf1.gz", "/exchangeInfo")),
        (Venue::Coinbase, answer("coinbase/exchange-products-20210417.rest.cf1.gz", "/products")),
        (Venue::Kraken, Some(text(&folder.join("kraken/assetpairs-20260707.json")))),
    ];
    for (venue, list) in lists {
        let list = list.unwrap();
        let products = venue.products(list.as_bytes()).unwrap().products;
        let other = escaped(list.as_bytes(), || random.random()).unwrap();
        assert_eq!(venue.products(&other).unwrap().products, products, "{venue:?}");
        eprintln!("{venue:?}: {} products", products.len());
    }
}

/// Plays a recording and one with the same lines, escaped, and compares ticks and counts.
fn replays_of(file: &Path, format: &str, symbols: &BTreeSet<String>, random: &mut ChaCha8Rng) {
    let elsewhere = tempfile::tempdir().unwrap();
    let lines = text(file).lines().fold(Vec::new(), |mut all, line| {
        all.extend(escaped(line.as_bytes(), || random.random()).unwrap());
        all.push(b'\n');
        all
    });
    std::fs::write(elsewhere.path().join("again"), lines).unwrap();
    let plain = play(&format!("path = {file:?}\nformat = \"{format}\""), elsewhere.path(), symbols).unwrap();
    let again = play(&format!("path = \"again\"\nformat = \"{format}\""), elsewhere.path(), symbols).unwrap();
    assert_eq!(plain.ticks, again.ticks, "{file:?}");
    assert_eq!((plain.counts, plain.errors), (again.counts, again.errors), "{file:?}");
    assert!(!plain.ticks.is_empty(), "{file:?}");
    eprintln!("{file:?}: {} ticks", plain.ticks.len());
}

#[test]
fn escaped_lines_of_every_recorder_play_the_same() {
    let Some(folder) = folder() else { return };
    let mut random = random();
    for (file, format, symbols) in [
        ("binance/spot-btcusdt-20260707.ndjson.gz", "binance", &["BTCUSDT"][..]),
        (
            "kraken/v1-trade-10pair-20210417.ws.cf1.gz",
            "kraken",
            &[
                "ADA/XBT",
                "ETH/CHF",
                "GRT/ETH",
                "KSM/XBT",
                "OCEAN/XBT",
                "OMG/USD",
                "SC/EUR",
                "WAVES/EUR",
                "XBT/CHF",
                "XMR/USD",
            ],
        ),
        ("coinbase/advanced-btc-eth-20260809-head.cf2.gz", "coinbase", &["BTC-USD", "ETH-USD"]),
        ("alpaca/iex-sip-frames.ndjson", "alpaca", &["NVDA", "SPY"]),
    ] {
        let symbols = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        replays_of(&folder.join(file), format, &symbols, &mut random);
    }
}

#[test]
fn escaped_lines_of_the_shipped_recordings_play_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds/recordings");
    let mut random = random();
    for (file, format) in
        [("binance.ns.gz", "binance"), ("coinbase.ns.gz", "coinbase"), ("native.ndjson.gz", "native")]
    {
        let path = folder.join(file);
        // Whatever looks like a symbol anywhere in it.
        let symbols: BTreeSet<String> = text(&path)
            .split('"')
            .filter(|word| tickcast::market::Symbol::new(word).is_ok())
            .map(Into::into)
            .collect();
        replays_of(&path, format, &symbols, &mut random);
    }
}
