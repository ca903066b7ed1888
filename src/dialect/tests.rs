//! What every dialect promises, on documented frames that were damaged at random: no panic, nothing left behind by an
//! error, and no more kept than the frame was long. The same for product lists, for commands of clients and for ticks of
//! producers. `fuzz/` goes on from here for as long as one likes.

mod frames;
mod texts;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::limits::MAX_VENUE_WORDS;

/// Damaged frames of each venue.
const RUNS: usize = 20_000;

/// Longest error: its words, and what frames them.
const LONGEST_ERROR: usize = MAX_VENUE_WORDS + 120;

fn documented(venue: Venue) -> Vec<Vec<u8>> {
    let frames: &[&str] = match venue {
        Venue::Binance => &[
            r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true}"#,
            r#"{"stream":"bnbbtc@aggTrade","data":{"e":"aggTrade","s":"BNBBTC","a":777,"p":"1","q":"2.50","T":1672515782136001,"m":false}}"#,
            r#"{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66"}"#,
            r#"{"code":2,"msg":"Invalid request","id":1}"#,
        ],
        Venue::Coinbase => &[
            r#"{"type":"match","trade_id":10,"sequence":50,"time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#,
            r#"{"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","best_bid":"1285.04","best_bid_size":"0.4","best_ask":"1285.27","time":"2022-10-19T23:28:22.061769Z"}"#,
            r#"{"channel":"market_trades","timestamp":"2023-02-09T20:19:35.39625135Z","events":[{"type":"update","trades":[{"trade_id":"8","product_id":"A","price":"1","size":"1","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#,
            r#"{"type":"error","message":"Failed to subscribe","reason":"no such product"}"#,
        ],
        Venue::Kraken => &[
            r#"{"channel":"trade","type":"update","data":[{"symbol":"A/B","side":"buy","price":0.5147,"qty":6423.4632600,"ord_type":"limit","trade_id":4665846,"timestamp":"2023-09-25T07:48:36.925533Z"}]}"#,
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"A/B","bid":0.10025,"bid_qty":740.0,"ask":0.10035,"ask_qty":1361.44}]}"#,
            r#"[0,[["5541.20000","0.15850568","1534614057.321597","s","l",""]],"trade","XBT/USD"]"#,
            r#"[0,{"a":["5525.40000",1,"1.000"],"b":["5525.10000",1,"1.000"]},"ticker","XBT/USD"]"#,
            r#"{"error":"Currency pair not supported","method":"subscribe","success":false,"symbol":"XBT/USD"}"#,
        ],
        Venue::Alpaca => &[
            r#"[{"T":"t","i":96921,"S":"AAPL","x":"D","p":126.55,"s":1,"t":"2021-02-22T15:51:44.208Z","c":["@","I"]}]"#,
            r#"[{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"X","ap":87.68,"as":4,"t":"2021-02-22T15:51:45.3Z"}]"#,
            r#"[{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","t":"2021-02-22T19:15:00Z"},{"T":"error","code":402,"msg":"auth failed"}]"#,
        ],
    };
    let mut frames: Vec<_> = frames.iter().map(|frame| frame.as_bytes().to_vec()).collect();
    if venue == Venue::Alpaca {
        let packed = |frame: &Vec<u8>| {
            let value: serde_json::Value = serde_json::from_slice(frame).unwrap();
            rmp_serde::to_vec_named(&value).unwrap()
        };
        frames.extend(frames.clone().iter().map(packed));
        // A timestamp, which no text above is packed as.
        let mut timed = vec![0x91, 0x83, 0xa1, b'T', 0xa1, b't', 0xa1, b'S', 0xa1, b'A', 0xa1, b't'];
        timed.extend([0xd7, 0xff, 0, 0, 0, 1, 0x60, 0x33, 0xd2, 0xd0]);
        frames.push(timed);
    }
    frames
}

/// What parsers trip over.
const ODD: &[&[u8]] = &[
    b"1e999999999",
    b"-1e-999999999",
    b"99999999999999999999999999999999999999",
    b"0.00000000000000000000000000000000000001",
    b"null",
    b"[]",
    b"{}",
    b"\"\"",
    b"\\ud800",
    b"\xff",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"\xdd\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\xff",
    b"-",
    b"\"data\":",
];

/// Breaks the frame at a few places.
fn damage(frame: &mut Vec<u8>, others: &[Vec<u8>], random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=frame.len());
        let end = random.random_range(at..=frame.len().min(at + 12));
        match random.random_range(0..6) {
            0 if at < frame.len() => frame[at] ^= 1 << random.random_range(0..8),
            1 => drop(frame.drain(at..end)),
            2 => frame.truncate(at),
            3 => drop(frame.splice(at..end, ODD[random.random_range(0..ODD.len())].iter().copied())),
            4 => {
                let again = frame[at..end].to_vec();
                drop(frame.splice(at..at, again));
            }
            _ => {
                let other = &others[random.random_range(0..others.len())];
                let from = random.random_range(0..other.len());
                drop(frame.splice(at..end, other[from..].iter().copied()));
            }
        }
    }
}

#[test]
fn quotes_that_move_with_trades_only_are_said_to() {
    let from = Venue::ALL.map(|venue| (venue.as_str(), venue.quotes_from()));
    assert_eq!(from, [("binance", "book"), ("coinbase", "trades"), ("kraken", "book"), ("alpaca", "book")]);
}

#[test]
fn damaged_frames_do_no_harm() {
    let seed = 20_261_123;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for venue in Venue::ALL {
        let frames = documented(venue);
        let (mut good, mut bad) = (0, 0);
        let mut said = vec![Message::Shutdown];
        for _ in 0..RUNS {
            let mut frame = frames[random.random_range(0..frames.len())].clone();
            damage(&mut frame, &frames, &mut random);
            match venue.parse(&frame, UnixMicros(1), &mut said) {
                Ok(()) => {
                    good += 1;
                    assert!((2..=frame.len() + 1).contains(&said.len()), "{venue:?} {frame:?}");
                }
                Err(error) => {
                    bad += 1;
                    assert_eq!(said.len(), 1, "{venue:?} {frame:?}");
                    assert!(error.to_string().len() <= 4 * LONGEST_ERROR, "{error}");
                }
            }
            said.truncate(1);
        }
        println!("{venue:?}: {good} could be read, {bad} could not");
        assert!(good > RUNS / 100 && bad > RUNS / 100, "{venue:?}: the damage is of one kind only");
    }
}

/// Damaged copies of these, with a seed that is printed.
fn damaged(frames: &[Vec<u8>], runs: usize, seed: u64, mut read: impl FnMut(&[u8])) {
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..runs {
        let mut frame = frames[random.random_range(0..frames.len())].clone();
        damage(&mut frame, frames, &mut random);
        read(&frame);
    }
}

/// Product lists of each venue.
const LISTS: [(Venue, &str); 4] = [
    (
        Venue::Binance,
        r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.01"}]},{"symbol":"AB","status":"BREAK","baseAsset":"A","quoteAsset":"B"}]}"#,
    ),
    (
        Venue::Coinbase,
        r#"[{"id":"BTC-USD","quote_increment":"0.01","base_increment":"0.00000001","status":"online","cancel_only":false},{"id":"A","status":"delisted"}]"#,
    ),
    (
        Venue::Kraken,
        r#"{"error":[],"result":{"XXBTZUSD":{"wsname":"XBT/USD","lot_decimals":8,"tick_size":"0.1","status":"online"},"XDGEUR":{"wsname":"XDG/EUR"}}}"#,
    ),
    (
        Venue::Alpaca,
        r#"[{"symbol":"BTC/USD","status":"active","min_trade_increment":"0.0001","price_increment":"1"},{"symbol":"A","status":"inactive"}]"#,
    ),
];

#[test]
fn damaged_product_lists_do_no_harm() {
    for (venue, list) in LISTS {
        let (mut good, mut bad) = (0, 0);
        damaged(&[list.as_bytes().to_vec()], RUNS / 4, 7, |list| match venue.products(list) {
            Ok(read) => {
                good += 1;
                assert!((1..=list.len()).contains(&(read.products.len() + read.skipped)), "{list:?}");
                assert_eq!(read.skipped > 0, read.complaint.is_some(), "{list:?}");
            }
            Err(error) => {
                bad += 1;
                assert!(error.to_string().len() <= 4 * LONGEST_ERROR, "{error}");
            }
        });
        println!("{venue:?}: {good} could be read, {bad} could not");
        assert!(good > RUNS / 100 && bad > RUNS / 100, "{venue:?}: the damage is of one kind only");
    }
}

#[test]
fn damaged_commands_and_ticks_do_no_harm() {
    use super::native::{Encoding, TickMessage, encode_tick, parse_command};
    use serde::Deserialize as _;
    let texts = [
        r#"{"op":"subscribe","id":7,"channel":"quotes","symbols":["BTC-USD","ETH-*"],"mode":"merge","max_rate":"2.5","since":{"epoch":"e","n":{"A":9}}}"#,
        r#"{"op":"unsubscribe","id":"x","channel":"bars.1m","symbols":["*"]}"#,
        r#"{"T":"t","S":"BTC-USD","n":9,"p":"67210.10","s":"0.015","side":"buy","id":"995098700","x":"binance","te":1700000000000000,"tr":7}"#,
        r#"{"S":"EUR/USD","bp":"1.38727","bs":"1","ap":"1.4","x":"fxcm"}"#,
    ];
    let packed = |text: &&str| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        rmp_serde::to_vec_named(&value).unwrap()
    };
    // Apart: bytes of one encoding in the other are garbage at once.
    let plain: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let packed: Vec<_> = texts.iter().map(packed).collect();
    let source = crate::market::Source::new("x").unwrap();
    for (encoding, frames) in [(Encoding::Json, plain), (Encoding::MsgPack, packed)] {
        let (mut commands, mut faults, mut ticks) = (0, 0, 0);
        damaged(&frames, RUNS, 8, |frame| {
            match parse_command(frame, encoding) {
                Ok(_command) => commands += 1,
                Err(fault) => {
                    faults += 1;
                    assert!(fault.msg.len() <= 4 * LONGEST_ERROR, "{}", fault.msg);
                }
            }
            let mut unpacker = rmp_serde::Deserializer::from_read_ref(frame);
            let message = match encoding {
                Encoding::Json => serde_json::from_slice::<TickMessage<'_>>(frame).ok(),
                Encoding::MsgPack => TickMessage::deserialize(&mut unpacker).ok(),
            };
            if let Some(Ok(tick)) = message.map(|message| message.tick(source, UnixMicros(1))) {
                ticks += 1;
                let told = encode_tick(1, &tick, Encoding::Json);
                let again = serde_json::from_slice::<TickMessage<'_>>(&told).unwrap();
                assert_eq!(again.tick(source, UnixMicros(1)).unwrap(), tick, "{frame:?}");
            }
        });
        println!("{encoding:?}: {commands} commands, {faults} faults, {ticks} ticks");
        // The readers are strict, and each takes one half of the frames only: few survive.
        let enough = RUNS / 400;
        assert!(
            commands > enough && faults > enough && ticks > enough,
            "{encoding:?}: the damage is of one kind only"
        );
    }
}

#[test]
fn long_garbage_makes_short_errors() {
    let long = "x".repeat(1 << 20);
    for frame in [
        format!(r#"{{"e":"trade","s":"A","p":"1","q":"1","T":1672515782136,"m":"{long}"}}"#),
        format!(r#"{{"type":"match","trade_id":"{long}"}}"#),
        format!(r#"{{"channel":"trade","data":"{long}"}}"#),
        format!(r#"[{{"T":"t","S":"{long}","p":1,"s":1,"t":"2021-02-22T15:51:44.208Z"}}]"#),
        format!(r#"[{{"T":"t","S":"A","p":"{long}","s":1,"t":"2021-02-22T15:51:44.208Z"}}]"#),
    ] {
        for venue in Venue::ALL {
            let mut said = Vec::new();
            if let Err(error) = venue.parse(frame.as_bytes(), UnixMicros(1), &mut said) {
                let text = error.to_string();
                assert!(text.chars().count() <= LONGEST_ERROR, "{venue:?}: {} of {text:.300}", text.len());
            }
        }
    }
}
