//! A venue at which all is well: every step is made, and what is printed says so.

use tickcast::{
    cli::venue::{Reading, Rules, Trouble},
    dialect::Venue,
};

use super::{Examined, PATTERNED, SYMBOLS, subscribed};
use crate::{process::tickcast, util::eventually};

const STEPS: [&str; 12] = [
    "configuration",
    "dns",
    "proxy",
    "tcp",
    "tls",
    "clock",
    "products",
    "handshake",
    "login",
    "subscription",
    "data",
    "pace",
];

async fn all_is_well(venue: Venue) {
    let examined = Examined::new(venue, &PATTERNED, Rules::default(), "").await;
    let report = examined.report(&[]).await;
    let told: Vec<_> = report.lines.iter().filter_map(|line| line["step"].as_str()).collect();
    assert_eq!(told, STEPS, "each step once, and in order");
    let login = if venue == Venue::Alpaca { "ok" } else { "skipped" };
    for step in STEPS {
        let wanted = match step {
            "tls" => "skipped",
            "login" => login,
            _ => "ok",
        };
        report.outcomes(&[(step, wanted)]);
    }
    assert_eq!(report.code, Some(0), "{}", report.text);
    let verdict = report.lines.last().unwrap();
    assert_eq!((verdict["verdict"].as_str(), verdict["exit_code"].as_i64()), (Some("ok"), Some(0)));
    assert_eq!(verdict["feed"], "first", "{}", report.text);
    assert_eq!(report.step("products")["measured"]["products"], 2, "{}", report.text);
    let subscription = &report.step("subscription")["measured"];
    assert_eq!(subscription["accepted"].as_array().unwrap().len(), 2, "{}", report.text);
    // These two say nothing of names that they do not know.
    let is_refused = matches!(venue, Venue::Coinbase | Venue::Kraken);
    assert_eq!(subscription["wrong_is_refused"], is_refused, "{}", report.text);
    for symbol in SYMBOLS {
        let first = &report.step("data")["measured"]["first"][symbol];
        assert!(first["trade_ms"].is_u64() && first["quote_ms"].is_u64(), "{}", report.text);
    }
    let pace = &report.step("pace")["measured"];
    assert!(pace["ticks_per_second"].as_u64().unwrap() >= 10, "{}", report.text);
    assert!(pace["sent_in_window"].as_u64() <= pace["limit"].as_u64(), "{}", report.text);
    assert!(pace["latency_median_ms"].is_i64(), "{}", report.text);
    // One to see how long TCP takes, and the stream.
    let counts = examined.mock.counts();
    assert_eq!((counts.connections, counts.lists, counts.breaches), (2, 1, 0), "{venue:?}");
    eventually("it has said goodbye", || examined.mock.counts().present == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_well_at_every_venue() {
    let checks = Venue::ALL.map(|venue| tokio::spawn(all_is_well(venue)));
    for check in checks {
        check.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_feed_with_many_symbols_four_and_a_wrong_one_are_asked_for() {
    let names: Vec<_> = (10..30).map(|n| format!("A{n}-USD")).collect();
    let symbols: Vec<_> = names.iter().map(String::as_str).chain(SYMBOLS).collect();
    // This venue takes any name.
    let rules = Rules { troubles: vec![Trouble::Quiet], ..Rules::default() };
    let examined = Examined::new(Venue::Binance, &symbols, rules, "").await;
    let report = examined.report_without_data().await;
    assert_eq!(examined.mock.counts().subscribed.len(), 5, "{}", report.text);
    report.outcomes(&[("configuration", "ok"), ("subscription", "ok")]);
    assert_eq!(report.step("configuration")["measured"]["symbols"], 22, "{}", report.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_symbol_among_good_ones_is_found_whatever_way_it_is_refused() {
    let readings = [
        (Venue::Coinbase, Reading::CoinbaseErrorAndList),
        (Venue::Coinbase, Reading::CoinbaseErrorPerChannel),
        (Venue::Coinbase, Reading::CoinbaseErrorAlone),
        (Venue::Coinbase, Reading::CoinbaseSilent),
        (Venue::Kraken, Reading::KrakenNumbered),
        (Venue::Kraken, Reading::KrakenSubscribesOnce),
    ];
    let checks = readings.map(|(venue, reading)| {
        tokio::spawn(async move {
            let rules = Rules { readings: vec![reading], ..Rules::default() };
            let report = Examined::new(venue, &SYMBOLS, rules, "").await.report(&[]).await;
            report.outcomes(&[("subscription", "ok"), ("data", "ok"), ("products", "skipped")]);
            let subscription = report.step("subscription");
            assert_eq!(subscription["measured"]["wrong_is_refused"], true, "{reading:?}: {}", report.text);
            let what = subscription["what"].as_str().unwrap();
            assert!(what.contains("accepted: BTC-USD, ETH-USD") && what.contains("NOSUCH"), "{what}");
            assert_eq!(report.code, Some(0), "{reading:?}");
        })
    });
    for check in checks {
        check.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_read_a_line_for_each_step_and_a_verdict() {
    let examined = Examined::new(Venue::Kraken, &PATTERNED, Rules::default(), "").await;
    let mut command = tickcast(examined.folder.path(), &["doctor", "--feed", "feed.toml", "--wait", "5"]);
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    subscribed(&examined.mock).await;
    examined.mock.release(true);
    let output = running.await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), STEPS.len() + 2, "{text}");
    assert_eq!(lines[0], "feed first: kraken");
    for (line, step) in lines[1..].iter().zip(STEPS) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert!(["ok", "skipped"].contains(&words[0]) && words[1] == step && words.len() > 3, "{line}");
        assert!(!line.contains(" -> "), "{line}");
    }
    assert_eq!(lines.last(), Some(&"10 ok, 0 warning, 0 failed, 2 skipped: all is well"));
}
