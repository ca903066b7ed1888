//! Payloads are typed from the venue's public documentation.

use rust_decimal::Decimal;
use serde_json::json;

use super::*;
use crate::{
    dialect::Venue,
    market::{Marks, PrintRule, TradeId, UnixMicros},
};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

fn read(frame: &[u8]) -> Result<Vec<Message>, ParseError> {
    let mut said = Vec::new();
    Venue::Alpaca.parse(frame, NOW, &mut said).map(|()| said)
}

fn ticks(frame: &[u8]) -> Vec<Tick> {
    let said = read(frame).unwrap().into_iter();
    said.map(|said| {
        let Message::Tick { tick, sequence: None } = said else { panic!("{said:?}") };
        tick
    })
    .collect()
}

fn shown(level: Option<Level>) -> String {
    level.map_or("-".into(), |level| format!("{} {}", level.price, level.size.unwrap()))
}

const STOCKS: &str = r#"[{"T":"t","i":96921,"S":"AAPL","x":"D","p":126.550,"s":1,"t":"2021-02-22T15:51:44.208Z","c":["@","I"],"z":"C"},{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"X","ap":87.68,"as":4,"c":["R"],"z":"C","t":"2021-02-22T15:51:45.335689322Z"},{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.062639,"t":"2021-02-22T19:15:00Z"},{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T12","rm":"Trading Halted; For information requested by NASDAQ","t":"2021-02-22T19:15:01Z","z":"C"}]"#;

#[test]
fn one_frame_of_stocks_has_trades_quotes_bars_and_halts() {
    let said = read(STOCKS.as_bytes()).unwrap();
    let [
        Message::Tick { tick: Tick::Trade(trade), sequence: None },
        Message::Tick { tick: Tick::Quote(quote), sequence: None },
        Message::Ignored("bar"),
        Message::Tick { tick: Tick::Status(status), sequence: None },
    ] = said.as_slice()
    else {
        panic!("{said:?}")
    };
    assert_eq!((trade.price.to_string(), trade.size.to_string()), ("126.550".into(), "1".into()));
    assert_eq!((trade.side, &trade.id), (None, &Some(TradeId::Number(96_921))));
    assert_eq!((trade.symbol.as_str(), trade.source.as_str()), ("AAPL", "D"));
    assert_eq!((trade.te, trade.tr), (Some(UnixMicros(1_614_009_104_208_000)), NOW));
    assert_eq!((shown(quote.bid), shown(quote.ask)), ("87.66 1".into(), "87.68 4".into()));
    assert_eq!((quote.te, quote.source.as_str()), (Some(UnixMicros(1_614_009_105_335_689)), "alpaca"));
    assert_eq!((status.state, status.why.as_ref()), (State::Halted, "Trading Halt"));
    assert_eq!(status.since, UnixMicros(1_614_021_301_000_000));
}

#[test]
fn corrections_and_cancellations_are_read_in_both_encodings() {
    let frame = r#"[{"T":"c","S":"EEM","x":"M","oi":52983525033527,"op":39.1582,"os":440000,"oc":[" ","7"],"ci":52983525034326,"cp":39.1809,"cs":440000,"cc":[" ","7"],"z":"B","t":"2023-04-06T14:25:06.542305024Z"},{"T":"x","S":"GOOGL","i":465,"x":"D","p":105.31,"s":300,"a":"C","z":"C","t":"2023-04-06T13:15:42.83540958Z"},{"T":"x","S":"GOOGL","i":466,"x":"D","a":"E","z":"C"}]"#;
    let corrected = Correction {
        symbol: "EEM".parse().unwrap(),
        id: TradeId::Number(52_983_525_033_527),
        source: Source::new("M").unwrap(),
        change: Change::Corrected {
            price: "39.1809".parse().unwrap(),
            size: "440000".parse().unwrap(),
            marks: Marks::VOLUME_ONLY,
            id: Some(TradeId::Number(52_983_525_034_326)),
        },
        te: Some(UnixMicros(1_680_791_106_542_305)),
        tr: NOW,
        of: None,
    };
    let busted = Correction {
        symbol: "GOOGL".parse().unwrap(),
        id: TradeId::Number(465),
        source: Source::new("D").unwrap(),
        change: Change::Busted { price: "105.31".parse().ok(), size: "300".parse().ok() },
        te: Some(UnixMicros(1_680_786_942_835_409)),
        tr: NOW,
        of: None,
    };
    let change = Change::Busted { price: None, size: None };
    let erroneous = Correction { id: TradeId::Number(466), change, te: None, ..busted.clone() };
    let all = [corrected, busted, erroneous].map(|it| Tick::Correction(Box::new(it)));
    assert_eq!(ticks(frame.as_bytes()), all);
    let value: serde_json::Value = serde_json::from_str(frame).unwrap();
    assert_eq!(ticks(&rmp_serde::to_vec_named(&value).unwrap()), all);
}

#[test]
fn conditions_say_what_a_trade_counts_for() {
    let frame = r#"[{"T":"t","S":"SPY","i":1,"x":"P","p":779.87,"s":4,"c":[" ","F","T","I"],"z":"B","t":"2026-10-06T22:36:01.216274112Z"},{"T":"t","S":"AAPL","i":2,"x":"D","p":1.5,"s":1,"c":["@"],"z":"C","t":"2021-02-22T15:51:44.208Z"},{"T":"t","S":"AAPL","i":3,"x":"Q","p":1.5,"s":1,"c":["@","\u0034","W"],"z":"C","t":"2021-02-22T15:51:44.208Z"}]"#;
    let value: serde_json::Value = serde_json::from_str(frame).unwrap();
    for frame in [frame.as_bytes().to_vec(), rmp_serde::to_vec_named(&value).unwrap()] {
        let prints = ticks(&frame).into_iter().map(|tick| {
            let Tick::Trade(trade) = tick else { panic!("{tick:?}") };
            (trade.print.marks.text(), trade.print.rule.map(PrintRule::as_str))
        });
        assert_eq!(
            prints.collect::<Vec<_>>(),
            [
                (Some("last,hilo"), Some("extended_hours")),
                (None, None),
                (Some("last,hilo"), Some("derivatively_priced"))
            ]
        );
    }
}

#[test]
fn crypto_tells_the_takers_side() {
    let found = ticks(
        br#"[{"T":"t","S":"AVAX/USD","p":47.299,"s":29.205707815,"t":"2024-03-12T10:27:48.858228144Z","i":3447222699101865076,"tks":"S"},{"T":"q","S":"BAT/USD","bp":0.35718,"bs":13445.46,"ap":0,"as":0,"t":"2024-03-12T10:29:43.111588173Z"}]"#,
    );
    let [Tick::Trade(trade), Tick::Quote(quote)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((trade.side, trade.size.to_string().as_str()), (Some(Side::Sell), "29.205707815"));
    assert_eq!(trade.id, Some(TradeId::Number(3_447_222_699_101_865_076)));
    assert_eq!((trade.symbol.as_str(), trade.source.as_str()), ("AVAX/USD", "alpaca"));
    assert_eq!((shown(quote.bid), quote.ask), ("0.35718 13445.46".into(), None));
}

#[test]
fn controls_and_everything_else_have_their_rule() {
    for (frame, said) in [
        (r#"[{"T":"success","msg":"connected"}]"#, Message::Ack(Ack::Connected)),
        (r#"[{"T":"success","msg":"authenticated"}]"#, Message::Ack(Ack::Authenticated)),
        (r#"[{"T":"success","msg":"brand new"}]"#, Message::Unknown),
        (
            r#"[{"T":"subscription","trades":["AAPL"],"quotes":["AMD","CLDR"],"bars":["*"],"updatedBars":[],"dailyBars":["VOO"],"statuses":["*"],"lulds":[],"corrections":["AAPL"],"cancelErrors":["AAPL"]}]"#,
            Message::Ack(Ack::Listed(Box::new(Listed {
                trades: ["AAPL".to_owned()].into(),
                quotes: ["AMD".to_owned(), "CLDR".to_owned()].into(),
            }))),
        ),
        (r#"[{"T":"u","S":"AAPL","o":1}]"#, Message::Ignored("updated_bar")),
        (r#"[{"T":"d","S":"AAPL","c":388.77}]"#, Message::Ignored("daily_bar")),
        (
            r#"[{"T":"o","S":"BTC/USD","t":"2024-03-12T10:38:50.79613221Z","b":[{"p":71859.53,"s":0.27994}],"a":[],"r":true}]"#,
            Message::Ignored("orderbook"),
        ),
        (
            r#"[{"T":"l","S":"IONM","u":3.24,"d":2.65,"i":"B","t":"2023-04-06T13:45:45.565074Z","z":"C"}]"#,
            Message::Ignored("price_band"),
        ),
        (r#"[{"T":"i","S":"INAQ","p":9.12,"t":"2024-12-13T19:58:09Z"}]"#, Message::Ignored("imbalance")),
        (r#"[{"T":"n","id":24918784,"headline":"x"}]"#, Message::Ignored("news")),
        (r#"[{"T":"s","S":"A","sc":"Q","t":"2021-02-22T19:15:00Z"}]"#, Message::Ignored("status_remark")),
        (r#"[{"T":"zz"}]"#, Message::Unknown),
        ("[{}]", Message::Unknown),
        (" []", Message::Ignored("empty")),
    ] {
        assert_eq!(read(frame.as_bytes()).unwrap(), std::slice::from_ref(&said), "{frame}");
        let value: serde_json::Value = serde_json::from_str(frame).unwrap();
        assert_eq!(read(&rmp_serde::to_vec_named(&value).unwrap()).unwrap(), [said], "{frame} packed");
    }
}

/// A list of MessagePack of one map: texts of one byte to already packed values.
fn packed(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0x91, 0x80 | u8::try_from(pairs.len()).unwrap()];
    for (key, value) in pairs {
        bytes.extend(rmp_serde::to_vec(key).unwrap());
        bytes.extend(value);
    }
    bytes
}

fn value(value: impl serde::Serialize) -> Vec<u8> {
    rmp_serde::to_vec(&value).unwrap()
}

#[test]
fn message_pack_has_the_same_texts_as_json() {
    // A price in 64 bits, one in 32, a whole number as an integer, and all widths of timestamps.
    let times = [
        ([&[0xd7, 0xff][..], &((208_000_123_u64 << 34) | 1_614_009_104).to_be_bytes()].concat(), 208_000),
        ([&[0xd6, 0xff][..], &1_614_009_104_u32.to_be_bytes()].concat(), 0),
        (
            [&[0xc7, 12, 0xff][..], &208_000_123_u32.to_be_bytes(), &1_614_009_104_i64.to_be_bytes()]
                .concat(),
            208_000,
        ),
        (value("2021-02-22T15:51:44.208Z"), 208_000),
    ];
    for (time, micros) in times {
        for (price, text) in [
            (value(126.55_f64), "126.55"),
            (value(126.55_f32), "126.55"),
            (value(126_u32), "126"),
            (value(0.000_000_1_f64), "0.0000001"),
            (value(100.0_f64), "100"),
        ] {
            let frame = packed(&[
                ("T", value("t")),
                ("S", value("AAPL")),
                ("i", value(96_921_u64)),
                ("x", value("D")),
                ("p", price),
                ("s", value(5_u8)),
                ("c", value(["@", "I"])),
                ("t", time.clone()),
            ]);
            let found = ticks(&frame);
            let [Tick::Trade(trade)] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!((trade.price.to_string().as_str(), trade.size.to_string().as_str()), (text, "5"));
            assert_eq!(trade.te, Some(UnixMicros(1_614_009_104_000_000 + micros)));
            assert_eq!((&trade.id, trade.source.as_str()), (&Some(TradeId::Number(96_921)), "D"));
        }
    }
    let whole: serde_json::Value = serde_json::from_str(STOCKS).unwrap();
    let both = (read(STOCKS.as_bytes()).unwrap(), read(&rmp_serde::to_vec_named(&whole).unwrap()).unwrap());
    assert_eq!(both.0, both.1);
}

#[test]
fn the_shortest_text_of_a_float_is_the_venues() {
    for cents in (1..2_000_000_i64).step_by(37) {
        let text = Decimal::new(cents, 4).normalize().to_string();
        let frame = packed(&[
            ("T", value("q")),
            ("S", value("A")),
            ("bp", value(text.parse::<f64>().unwrap())),
            ("ap", value(1)),
            ("t", value("2021-02-22T15:51:44.208Z")),
        ]);
        let found = ticks(&frame);
        let [Tick::Quote(quote)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(quote.bid.unwrap().price.to_string(), text);
    }
}

#[test]
fn odd_values_are_errors_of_their_kind() {
    let t = "\"t\":\"2021-02-22T15:51:44.208Z\"";
    for (frame, kind, place) in [
        (format!(r#"[{{"T":"t","S":"A","s":1,{t}}}]"#), "shape", "p is missing in \"t\""),
        (format!(r#"[{{"T":"t","p":1,"s":1,{t}}}]"#), "shape", "S is missing"),
        (r#"[{"T":"t","S":"A","p":1,"s":1}]"#.into(), "shape", "t is missing"),
        (format!(r#"[{{"T":"q","S":"A","bp":1,{t}}}]"#), "shape", "ap is missing in \"q\""),
        (format!(r#"[{{"T":"s","S":"A",{t}}}]"#), "shape", "sc is missing in \"s\""),
        (r#"[{"T":"x","S":"A","x":"D"}]"#.into(), "shape", "i is missing in \"x\""),
        (r#"[{"T":"c","S":"A","oi":1,"cp":1}]"#.into(), "shape", "cs is missing in \"c\""),
        (format!(r#"[{{"T":"t","S":"A","p":"x","s":1,{t}}}]"#), "number", "p: \"x\""),
        (format!(r#"[{{"T":"t","S":"A","p":1,"s":-1,{t}}}]"#), "number", "s: \"-1\""),
        (r#"[{"T":"t","S":"A","p":1,"s":1,"t":"0001-01-01T00:00:00Z"}]"#.into(), "time", "t: \"0001"),
        (r#"[{"T":5}]"#.into(), "shape", "column 7"),
        (r#"{"T":"t"}"#.into(), "shape", "expected a sequence"),
        ("".into(), "shape", "EOF"),
    ] {
        let error = read(frame.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), kind, "{frame}");
        assert!(error.to_string().contains(place), "{frame}: {error}");
    }
}

#[test]
fn broken_message_pack_is_told_by_its_entry() {
    let good = rmp_serde::to_vec_named(&json!([{"T": "b"}, {"T": "b"}])).unwrap();
    let deep = [vec![0x91, 0x81, 0xa1, b'c'], vec![0x91; 100_000], vec![0x90]].concat();
    let nan = packed(&[
        ("T", value("t")),
        ("S", value("A")),
        ("p", value(f64::NAN)),
        ("s", value(1)),
        ("t", value("2021-02-22T15:51:44.208Z")),
    ]);
    let epoch = packed(&[
        ("T", value("t")),
        ("S", value("A")),
        ("p", value(1)),
        ("s", value(1)),
        ("t", [&[0xc7, 12, 0xff][..], &[0xff; 4], &i64::MIN.to_be_bytes()].concat()),
    ]);
    let oddly_long = packed(&[("T", value("t")), ("t", vec![0xc7, 3, 0xff, 1, 2, 3])]);
    for (frame, kind, place) in [
        (good[..good.len() - 1].to_vec(), "shape", "entry 1"),
        ([good.clone(), vec![0x01]].concat(), "shape", "something follows"),
        // Promises four thousand million entries.
        (vec![0xdd, 0xff, 0xff, 0xff, 0xff], "shape", "entry 0"),
        (vec![0x80], "shape", "a list of messages"),
        (deep, "shape", "depth"),
        (nan, "number", "p: \"NaN\""),
        (epoch, "time", "-9223372036854775808s"),
        (oddly_long, "shape", "4, 8 or 12"),
    ] {
        let error = read(&frame).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(place), "{error}");
    }
}

#[test]
fn each_numbered_refusal_is_about_what_the_documentation_says() {
    for (code, words, class) in [
        (400, "invalid syntax", RefusalClass::Channel),
        (401, "not authenticated", RefusalClass::Credentials),
        (402, "auth failed", RefusalClass::Credentials),
        (403, "already authenticated", RefusalClass::Credentials),
        (404, "auth timeout", RefusalClass::Credentials),
        (405, "symbol limit exceeded", RefusalClass::Place),
        (406, "connection limit exceeded", RefusalClass::Connections),
        (407, "slow client", RefusalClass::Remark),
        (409, "insufficient subscription", RefusalClass::Credentials),
        (410, "invalid subscribe action for this feed", RefusalClass::Channel),
        (500, "internal error", RefusalClass::Venue),
    ] {
        let frame = serve::refusal(code, words);
        let [Message::Refused(refusal)] = &read(frame.as_bytes()).unwrap()[..] else { panic!("{frame}") };
        assert_eq!((refusal.code, refusal.class, refusal.words.as_str()), (Some(code), class, words));
    }
}
