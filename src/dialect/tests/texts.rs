//! Texts of others: escapes mean nothing, and a name in any letters costs the others nothing.

use std::collections::HashMap;

use super::*;
use crate::{
    dialect::native::{Encoding, TickMessage, parse_command},
    market::{Source, Symbol, Tick},
};

#[path = "../../../tests/shared/escape.rs"]
mod escape;

/// Times that each example is written differently.
const RUNS: usize = 200;

/// Each of these, written differently again and again, with a seed that is printed.
fn rewritten(examples: impl IntoIterator<Item = Vec<u8>>, mut compare: impl FnMut(&[u8], &[u8])) {
    let seed = 20_261_125;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for example in examples {
        let mut differs = false;
        for _ in 0..RUNS {
            let again = escape::escaped(&example, || random.random()).unwrap();
            differs |= again != example;
            compare(&example, &again);
        }
        assert!(differs, "nothing was escaped in {}", String::from_utf8_lossy(&example));
    }
}

#[test]
fn escaped_texts_of_a_frame_say_the_same() {
    for venue in Venue::ALL {
        let frames = documented(venue).into_iter().filter(|frame| matches!(frame.first(), Some(b'{' | b'[')));
        rewritten(frames, |frame, again| {
            let (mut said, mut said_again) = (vec![], vec![]);
            let shown = String::from_utf8_lossy(again);
            venue.parse(frame, UnixMicros(1), &mut said).unwrap();
            venue.parse(again, UnixMicros(1), &mut said_again).unwrap_or_else(|why| panic!("{why}: {shown}"));
            assert_eq!(said, said_again, "{shown}");
        });
    }
}

#[test]
fn escaped_texts_of_a_product_list_say_the_same() {
    for (venue, list) in LISTS {
        rewritten([list.as_bytes().to_vec()], |list, again| {
            let (read, read_again) = (venue.products(list).unwrap(), venue.products(again).unwrap());
            let shown = String::from_utf8_lossy(again);
            assert_eq!(read.products, read_again.products, "{shown}");
            assert_eq!(read.skipped, read_again.skipped, "{shown}");
        });
    }
    let list = r#"{"error":[],"result":{"XXBTZUSD":{"wsname":"XBT\/USD","status":"online"}}}"#;
    assert_eq!(Venue::Kraken.products(list.as_bytes()).unwrap().products[0].theirs, "BTC/USD");
}

#[test]
fn a_byte_order_mark_before_a_product_list_means_nothing() {
    for (venue, list) in LISTS {
        let marked = [b"\xef\xbb\xbf", list.as_bytes()].concat();
        let plain = venue.products(list.as_bytes()).unwrap().products;
        assert_eq!(venue.products(&marked).unwrap().products, plain, "{venue:?}");
    }
    let why = Venue::Coinbase.products(b"\xff\xfe[\0]\0").unwrap_err().to_string();
    assert!(why.contains("UTF-16"), "{why}");
}

#[test]
fn escaped_commands_and_ticks_say_the_same() {
    let commands = [
        r#"{"op":"subscribe","id":7,"channel":"quotes","symbols":["BTC-USD","EUR/USD"],"mode":"merge"}"#,
        r#"{"op":"unsubscribe","id":"x/y","channel":"bars.1m","symbols":["*"]}"#,
    ];
    rewritten(commands.map(|text| text.as_bytes().to_vec()), |command, again| {
        let read = |bytes| parse_command(bytes, Encoding::Json).unwrap();
        assert_eq!(read(command), read(again), "{}", String::from_utf8_lossy(again));
    });
    let ticks = [
        r#"{"T":"t","S":"BTC/USD","n":9,"p":"67210.10","s":"0.015","side":"buy","id":"99/5","x":"binance","te":1700000000000000,"tr":7}"#,
        r#"{"T":"q","S":"EUR/USD","bp":"1.38727","bs":"1","ap":"1.4","as":"2","x":"fxcm"}"#,
    ];
    let source = Source::new("x").unwrap();
    rewritten(ticks.map(|text| text.as_bytes().to_vec()), |tick, again| {
        let read = |bytes| {
            let message: TickMessage<'_> = serde_json::from_slice(bytes).unwrap();
            message.tick(source, UnixMicros(1)).unwrap()
        };
        assert_eq!(read(tick), read(again), "{}", String::from_utf8_lossy(again));
    });
}

#[test]
fn an_empty_id_is_absent() {
    let id = |tick: &Tick| match tick {
        Tick::Trade(trade) => trade.id.as_ref().map(ToString::to_string),
        Tick::Quote(_) | Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => panic!("{tick:?}"),
    };
    let native = r#"{"S":"A","p":"1","s":"1","id":""}"#;
    let message: TickMessage<'_> = serde_json::from_str(native).unwrap();
    assert_eq!(id(&message.tick(Source::new("x").unwrap(), UnixMicros(1)).unwrap()), None);
    for (venue, frame) in [
        (
            Venue::Coinbase,
            r#"{"channel":"market_trades","events":[{"type":"update","trades":[{"trade_id":"","product_id":"A","price":"1","size":"1","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#,
        ),
        (Venue::Alpaca, r#"[{"T":"t","i":"","S":"A","p":1,"s":1,"t":"2021-02-22T15:51:44.208Z"}]"#),
    ] {
        let mut said = Vec::new();
        venue.parse(frame.as_bytes(), UnixMicros(1), &mut said).unwrap();
        let Message::Tick { tick, sequence } = &said[0] else { panic!("{said:?}") };
        assert_eq!((id(tick), *sequence), (None, None), "{frame}");
    }
}

/// Frames of two trades each, the first of a symbol in letters that ours do not have; and of one alone.
const FOREIGN: [(Venue, &str, usize); 7] = [
    (
        Venue::Binance,
        r#"{"e":"trade","s":"币安人生USDT","t":1,"p":"1","q":"2","T":1672515782136,"m":true}"#,
        1,
    ),
    (Venue::Binance, r#"{"s":"币安人生USDT","b":"1","B":"1","a":"2","A":"2"}"#, 1),
    (
        Venue::Coinbase,
        r#"{"type":"match","trade_id":10,"time":"2014-11-07T08:19:27.028459Z","product_id":"币安人生USDT","size":"5","price":"4","side":"sell"}"#,
        1,
    ),
    (
        Venue::Coinbase,
        r#"{"channel":"market_trades","events":[{"type":"update","trades":[{"trade_id":"8","product_id":"B","price":"1","size":"1","side":"BUY","time":"2019-08-14T20:42:27.265Z"},{"trade_id":"7","product_id":"币安人生USDT","price":"1","size":"1","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#,
        2,
    ),
    (
        Venue::Kraken,
        r#"{"channel":"trade","type":"update","data":[{"symbol":"币安人生USDT","side":"buy","price":0.5,"qty":6,"trade_id":4,"timestamp":"2023-09-25T07:48:36.925533Z"},{"symbol":"B","side":"buy","price":0.5,"qty":6,"trade_id":4,"timestamp":"2023-09-25T07:48:36.925533Z"}]}"#,
        2,
    ),
    (Venue::Kraken, r#"[0,[["5541.2","0.1","1534614057.3","s","l",""]],"trade","币安人生USDT"]"#, 1),
    (
        Venue::Alpaca,
        r#"[{"T":"t","S":"币安人生USDT","p":1,"s":1,"t":"2021-02-22T15:51:44.208Z"},{"T":"t","S":"B","p":1,"s":1,"t":"2021-02-22T15:51:44.208Z"}]"#,
        2,
    ),
];

struct Table(HashMap<&'static str, Symbol>);

impl Naming for Table {
    fn ours(&self, theirs: &str) -> Option<Symbol> {
        self.0.get(theirs).copied()
    }
}

#[test]
fn a_symbol_in_any_letters_is_named_before_it_is_judged() {
    let symbol = |text: &str| Symbol::new(text).unwrap();
    let names = Table([("币安人生USDT", symbol("LIFE-USDT")), ("B", symbol("B"))].into());
    for (venue, frame, count) in FOREIGN {
        let mut said = Vec::new();
        venue.parse_as(frame.as_bytes(), UnixMicros(1), &names, &mut said).unwrap();
        let symbols: Vec<_> = said
            .iter()
            .map(|said| {
                let Message::Tick { tick, .. } = said else { panic!("{said:?}: {frame}") };
                tick.symbol()
            })
            .collect();
        assert_eq!(symbols, [symbol("LIFE-USDT"), symbol("B")][..count], "{frame}");
    }
}

#[test]
fn a_symbol_without_a_name_is_told_and_costs_the_others_nothing() {
    for name in ["币安人生USDT", "btc", "a b", "", "\u{7f}", &"X".repeat(33)] {
        for (venue, frame, count) in FOREIGN {
            let frame = frame.replace("币安人生USDT", name);
            let mut said = Vec::new();
            venue.parse(frame.as_bytes(), UnixMicros(1), &mut said).unwrap();
            let unnamed = said.iter().position(|said| *said == Message::Unnamed(name.to_owned())).unwrap();
            assert_eq!(said.remove(unnamed).rule(), Some("not_subscribed"));
            assert_eq!(said.len(), count - 1, "{frame}");
            assert!(said.iter().all(|said| matches!(said, Message::Tick { .. })), "{said:?}");
        }
    }
}
