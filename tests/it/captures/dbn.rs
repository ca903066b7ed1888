//! DBN recordings, against fields read at fixed offsets of the raw records.

use std::{collections::BTreeSet, io::Write as _};

use super::{bytes, check, counts, folder, play};

/// Names of what is counted, and how often it comes.
type Counted<'a> = &'a [(&'a str, u64)];

fn number<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
    record[at..at + N].try_into().unwrap()
}

fn i64_at(record: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(number(record, at))
}

fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(record, at))
}

/// Nine decimals, the zeros at the end cut off.
pub(super) fn price(amount: i64) -> String {
    let digits = format!("{:0>10}", amount.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - 9);
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{whole}.{fraction}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn level(record: &[u8], price_at: usize, size_at: usize) -> String {
    match i64_at(record, price_at) {
        i64::MAX => "- -".into(),
        amount => format!("{} {}", price(amount), u32_at(record, size_at)),
    }
}

/// The records after the metadata, each with its length in the first byte, in units of four bytes.
pub(super) fn records(file: &[u8]) -> Vec<&[u8]> {
    assert_eq!(&file[..3], b"DBN");
    let mut rest = &file[8 + u32_at(file, 4) as usize..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (record, after) = rest.split_at(usize::from(rest[0]) * 4);
        found.push(record);
        rest = after;
    }
    found
}

/// Quote and trade of a record, by its kind in the second byte: 0 a trade, 1 with the best bid and ask, 0xC3 and 0xC4
/// those alone.
pub(super) fn ticks(record: &[u8], symbol: &str) -> Vec<String> {
    let time = |at| u64::from_le_bytes(number(record, at));
    let te = if time(8) == u64::MAX { "-".into() } else { (time(8) / 1_000).to_string() };
    let mut found = Vec::new();
    if matches!(record[1], 1 | 0xC3 | 0xC4) {
        found.push(format!("q {symbol} {} {} glbx {te}", level(record, 48, 64), level(record, 56, 68)));
    }
    if matches!(record[1], 0 | 1) && record[28] == b'T' {
        let side = match record[29] {
            b'A' => "sell",
            b'B' => "buy",
            _ => "-",
        };
        let price = price(i64_at(record, 16));
        found.push(format!("t {symbol} {price} {} {side} - glbx {te}", u32_at(record, 24)));
    }
    found
}

#[test]
fn dbn_captures() {
    let Some(folder) = folder() else { return };
    let table: &[(&str, &str, Counted<'_>)] = &[
        ("test_data.trades.dbn", "ESH1", &[("trades", 2)]),
        ("test_data.trades.v1.dbn.zst", "ESH1", &[("trades", 2)]),
        ("test_data.trades.v3.dbn.zst", "ESH1", &[("trades", 2)]),
        ("test_data.mbp-1.dbn", "ESH1", &[("quotes", 2)]),
        ("test_data.mbp-1.v3.dbn.zst", "ESH1", &[("quotes", 2)]),
        ("test_data.tbbo.v3.dbn.zst", "ESH1", &[("quotes", 2), ("trades", 2)]),
        ("test_data.bbo-1s.v3.dbn.zst", "ESH1", &[("quotes", 4)]),
        ("futures_trades_2024-07-01.dbn.zst", "ESU4", &[("trades", 120)]),
        ("test_data.ohlcv-1s.dbn", "-", &[("ohlcv", 2)]),
        ("test_data.ohlcv-1s.v3.dbn.zst", "-", &[("ohlcv", 2)]),
        ("futures_ohlcv-1m_2024-07-01.dbn.zst", "-", &[("ohlcv", 60)]),
        ("test_data.mbo.v3.dbn", "-", &[("mbo", 2)]),
        ("test_data.mbo.v3.dbn.zst", "-", &[("mbo", 2)]),
        ("orderbooks_mbo_2024-05-08.dbn.zst", "-", &[("mbo", 13_796)]),
        ("test_data.mbp-10.v3.dbn.zst", "-", &[("mbp-10", 2)]),
        ("test_data.definition.v3.dbn.zst", "-", &[("definition", 2)]),
        ("test_data.status.v3.dbn.zst", "-", &[("status", 4)]),
        ("test_data.statistics.v3.dbn.zst", "-", &[("statistics", 2)]),
        ("test_data.imbalance.v3.dbn.zst", "-", &[("imbalance", 2)]),
    ];
    for (file, symbol, counted) in table {
        let file = format!("dbn/{file}");
        let raw = bytes(&folder.join(&file));
        let expected: Vec<_> = records(&raw).into_iter().flat_map(|record| ticks(record, symbol)).collect();
        check(&file, "format = \"dbn\"", &folder, &expected, &counts(counted));
    }
}

#[test]
fn the_legacy_container_is_refused_by_name() {
    let Some(folder) = folder() else { return };
    let Err(error) = play("path = \"dbn/test_data.trades.dbz\"\nformat = \"dbn\"", &folder, &BTreeSet::new())
    else {
        panic!("DBZ was read")
    };
    assert!(error.to_string().contains("test_data.trades.dbz: not DBN (the older DBZ"), "{error}");
}

#[test]
fn a_cut_recording_is_told_with_its_record() {
    let Some(folder) = folder() else { return };
    let whole = bytes(&folder.join("dbn/test_data.trades.v3.dbn.zst"));
    let place = tempfile::TempDir::new().unwrap();
    let place = place.path();
    for (name, content) in [
        ("cut.dbn", whole[..whole.len() - 7].to_vec()),
        ("cut.dbn.zst", {
            // Flushed once, as a program does that was killed later: what came before is whole.
            let mut packed = zstd::Encoder::new(Vec::new(), 3).unwrap();
            packed.write_all(&whole[..whole.len() - 60]).unwrap();
            packed.flush().unwrap();
            packed.write_all(&whole[whole.len() - 60..]).unwrap();
            let packed = packed.finish().unwrap();
            packed[..packed.len() - 5].to_vec()
        }),
        ("whole.dbn", whole.clone()),
    ] {
        std::fs::write(place.join(name), content).unwrap();
        let keys = format!("path = \"{name}\"\nformat = \"dbn\"");
        let played = play(&keys, place, &BTreeSet::from(["ESH1".to_owned()])).unwrap();
        assert_eq!(played.errors, u64::from(name != "whole.dbn"), "{name}: told once");
    }
    std::fs::write(place.join("head.dbn"), &whole[..40]).unwrap();
    let Err(error) = play("path = \"head.dbn\"\nformat = \"dbn\"", place, &BTreeSet::new()) else {
        panic!("half a head was read")
    };
    assert!(error.to_string().contains("head.dbn"), "{error}");
}
