//! Each trouble of a first day: the step that names it, the remedy, the exit code, and what the other steps still say.

use tickcast::{
    cli::venue::{ListFault, Planned, Rules, Script, Trouble},
    dialect::Venue,
};
use tokio::net::TcpListener;

use super::{Examined, PATTERNED, Report, SYMBOLS, define, run_here};
use crate::{
    process::{Program, tickcast},
    upstream::tape,
    util::eventually,
};

const REST: [&str; 3] = ["subscription", "data", "pace"];

fn troubled(trouble: Trouble) -> Rules {
    Rules { troubles: vec![trouble], ..Rules::default() }
}

/// An address of this machine at which nothing listens.
async fn closed() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_where_the_venue_may_not_be_used_is_named_with_the_alternatives() {
    let examined = Examined::new(Venue::Binance, &PATTERNED, troubled(Trouble::Blocked), "").await;
    let report = examined.report_without_data().await;
    report.fails("products", 15, "HTTP 451", "data-stream.binance.vision");
    report.outcomes(&[("tcp", "ok"), ("clock", "ok"), ("handshake", "failed"), ("login", "skipped")]);
    assert!(report.text.contains("HTTP 451 Unavailable For Legal Reasons"), "by its name: {}", report.text);
    report.outcomes(&REST.map(|step| (step, "skipped")));
    let handshake = report.step("handshake");
    assert!(handshake["what"].as_str().unwrap().contains("HTTP 451"), "{handshake}");
    assert!(handshake["remedy"].as_str().unwrap().contains("proxy"), "{handshake}");
    // Without patterns the list is of no matter.
    let examined = Examined::new(Venue::Coinbase, &SYMBOLS, troubled(Trouble::Blocked), "").await;
    let report = examined.report_without_data().await;
    report.fails("handshake", 16, "HTTP 451", "set url to an address that may be used from here");
    report.outcomes(&[("products", "skipped")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_403_is_about_the_credentials_only_where_there_are_some() {
    for (venue, remedy) in [(Venue::Alpaca, "key and secret"), (Venue::Kraken, "set url to an address")] {
        let report = Examined::new(venue, &SYMBOLS, troubled(Trouble::Forbidden), "")
            .await
            .report_without_data()
            .await;
        report.fails("handshake", 16, "HTTP 403", remedy);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_that_asks_to_be_left_alone_is_not_asked_again() {
    let examined = Examined::new(Venue::Binance, &PATTERNED, troubled(Trouble::TooMany), "").await;
    let report = examined.report_without_data().await;
    report.fails("products", 15, "HTTP 429", "wait for the time that it asks for");
    assert_eq!(report.step("products")["measured"]["retry_after_s"], 120, "{}", report.text);
    report.outcomes(&[("handshake", "skipped"), ("data", "skipped")]);
    assert!(
        report.step("handshake")["what"].as_str().unwrap().contains("left alone for 1"),
        "{}",
        report.text
    );
    let examined = Examined::new(Venue::Binance, &SYMBOLS, troubled(Trouble::TooMany), "").await;
    examined.report_without_data().await.fails("handshake", 16, "left alone for 120 s", "wait for the time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_taken_and_not_answered_is_named() {
    let keys = "connect_timeout_ms = 300\nproducts_timeout_ms = 300";
    let examined = Examined::new(Venue::Binance, &PATTERNED, troubled(Trouble::Silent), keys).await;
    let report = examined.report_without_data().await;
    report.fails("products", 15, "not done within 300 ms", "products_timeout_ms");
    report.outcomes(&[("tcp", "ok"), ("clock", "skipped"), ("handshake", "failed")]);
    let remedy = report.step("handshake")["remedy"].as_str().unwrap();
    assert!(remedy.contains("connect_timeout_ms") && remedy.contains("proxy"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_at_which_nothing_listens_is_named_and_the_list_is_fetched_all_the_same() {
    let dead = closed().await;
    let examined = Examined::new(Venue::Binance, &PATTERNED, Rules::default(), "").await;
    let list = format!("http://{}{}", examined.mock.address(), examined.mock.list_path());
    let folder = examined.folder.path();
    let dead_url = format!("ws://{dead}/");
    let keys = format!("products_url = {list:?}");
    define(folder, Venue::Binance, &[&dead_url], &PATTERNED, &keys);
    let report = run_here(folder, &["doctor", "--feed", "feed.toml", "--json"]).await;
    report.fails("tcp", 12, &dead.to_string(), "firewall");
    report.outcomes(&[
        ("dns", "ok"),
        ("tls", "skipped"),
        ("products", "ok"),
        ("clock", "ok"),
        ("handshake", "skipped"),
    ]);
    // With a second address the feed works, and the first one is told.
    let living = format!("ws://{}/", examined.mock.address());
    define(folder, Venue::Binance, &[&dead_url, &living], &PATTERNED, &keys);
    let report = examined.report(&[]).await;
    report.outcomes(&[("tcp", "warning"), ("handshake", "warning"), ("data", "ok")]);
    assert_eq!(report.code, Some(0), "warnings do not fail: {}", report.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_without_an_address_is_named_and_the_list_is_fetched_all_the_same() {
    let examined = Examined::new(Venue::Kraken, &PATTERNED, Rules::default(), "").await;
    let list = format!("http://{}{}", examined.mock.address(), examined.mock.list_path());
    let folder = examined.folder.path();
    let keys = format!("products_url = {list:?}");
    define(folder, Venue::Kraken, &["wss://stream.nosuch.invalid/v2"], &PATTERNED, &keys);
    let report = run_here(folder, &["doctor", "--feed", "feed.toml", "--json"]).await;
    report.fails("dns", 10, "stream.nosuch.invalid", "name in url");
    report.outcomes(&[("tcp", "skipped"), ("tls", "skipped"), ("products", "ok"), ("handshake", "skipped")]);
    report.outcomes(&REST.map(|step| (step, "skipped")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_named_with_how_far_it_is() {
    for (date_off, outcome, code) in
        [(0, "ok", 0), (20, "warning", 0), (-20, "warning", 0), (-300, "failed", 14)]
    {
        let rules = Rules { date_off, ..Rules::default() };
        let report = Examined::new(Venue::Kraken, &SYMBOLS, rules, "").await.report(&[]).await;
        report.outcomes(&[("clock", outcome), ("handshake", "ok"), ("data", "ok")]);
        assert_eq!(report.code, Some(code), "{}", report.text);
        let clock = report.step("clock");
        if date_off != 0 {
            let way = if date_off < 0 { "ahead of" } else { "behind" };
            assert!(clock["what"].as_str().unwrap().contains(way), "{clock}");
            assert!(clock["remedy"].as_str().unwrap().contains("NTP"), "{clock}");
            let ahead = clock["measured"]["ahead_ms"].as_i64().unwrap();
            assert!((ahead + 1_000 * date_off).abs() <= 2_000, "{clock}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_with_the_product_list_costs_the_stream_nothing() {
    for (fault, what, remedy) in [
        (ListFault::Unavailable, "HTTP 503", "the fault is the venue's"),
        (ListFault::Garbage, "expected value", "products_url is the venue's product list"),
        (ListFault::Huge, "longer than", "products_url is the venue's product list"),
    ] {
        let script = Script {
            venue: Venue::Kraken,
            frames: tape::session(Venue::Kraken, &SYMBOLS, 50),
            faults: Vec::new(),
            speed: None,
            lose: 0,
            held: true,
            list_faults: vec![fault],
            rules: Rules::default(),
        };
        let report = Examined::playing(script, &PATTERNED, "").await.report(&[]).await;
        report.fails("products", 15, what, remedy);
        report.outcomes(&[("handshake", "ok"), ("subscription", "ok"), ("data", "ok"), ("pace", "ok")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn symbols_that_the_list_does_not_have_are_named() {
    let symbols = ["BTC-USD", "ETH-USD", "GONE-USD", "*-USD"];
    let report = Examined::new(Venue::Kraken, &symbols, Rules::default(), "").await.report(&[]).await;
    report.outcomes(&[("products", "warning"), ("subscription", "warning"), ("data", "ok")]);
    let products = report.step("products");
    assert!(products["what"].as_str().unwrap().contains("not in the list: GONE-USD"), "{products}");
    assert!(products["remedy"].as_str().unwrap().contains("names"), "{products}");
    let subscription = report.step("subscription")["what"].as_str().unwrap();
    assert!(subscription.contains("refused: GONE-USD (\"Currency pair not supported"), "{subscription}");
    assert_eq!(report.code, Some(0), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_of_wrong_symbols_alone_fails() {
    for venue in [Venue::Coinbase, Venue::Kraken] {
        let report = Examined::new(venue, &["GONE-USD", "WENT-USD"], Rules::default(), "")
            .await
            .report_without_data()
            .await;
        report.fails("subscription", 18, "refused: GONE-USD", "take these out of symbols");
        report.outcomes(&[("handshake", "ok"), ("data", "skipped"), ("pace", "skipped")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_the_venue_refuses_for_its_own_fault_is_given_up_after_half_a_minute() {
    let rules = Rules { faulty: usize::MAX, ..Rules::default() };
    let report = Examined::new(Venue::Kraken, &SYMBOLS, rules, "").await.report_without_data().await;
    report.fails("subscription", 18, "not answered: BTC-USD, ETH-USD", "a cause of its own");
    let what = report.step("subscription")["what"].as_str().unwrap();
    assert!(what.contains("EService:Unavailable"), "in the venue's words: {what}");
    report.outcomes(&[("data", "skipped"), ("pace", "skipped")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_named() {
    let examined = Examined::new(Venue::Alpaca, &SYMBOLS, troubled(Trouble::LoginRefused), "").await;
    let report = examined.report_without_data().await;
    report.fails("login", 17, "402 auth failed", "key and secret");
    report.outcomes(&[("handshake", "ok")]);
    report.outcomes(&REST.map(|step| (step, "skipped")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_allows_no_further_connection_is_named() {
    let rules = Rules { connections: Some(0), ..Rules::default() };
    let examined = Examined::new(Venue::Alpaca, &SYMBOLS, rules, "").await;
    let report = examined.report_without_data().await;
    report.fails("login", 17, "406 connection limit exceeded", "such as a running gateway");
    report.outcomes(&REST.map(|step| (step, "skipped")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_that_ends_the_connection_while_data_is_waited_for_is_named() {
    let script = Script {
        venue: Venue::Kraken,
        frames: tape::session(Venue::Kraken, &SYMBOLS, 50),
        faults: vec![Planned::parse("close-1012@1").unwrap()],
        speed: None,
        lose: 0,
        held: true,
        list_faults: Vec::new(),
        rules: Rules::default(),
    };
    let examined = Examined::playing(script, &SYMBOLS, "").await;
    let out = examined.folder.path().join("out");
    let arguments = ["doctor", "--feed", "feed.toml", "--json", "--wait", "300"];
    let mut command = tickcast(examined.folder.path(), &arguments);
    let program = Program::running(command.stdout(std::fs::File::create(&out).unwrap()));
    let told = || std::fs::read_to_string(&out).unwrap();
    eventually("it waits for data", || told().contains("\"step\":\"subscription\"")).await;
    examined.mock.release(true);
    let code = program.ended().await.code();
    let report = Report::of(code, told());
    report.fails("data", 19, "close frame 1012", "connects again by itself");
    report.outcomes(&[("subscription", "ok"), ("pace", "skipped")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_after_the_subscription_is_named() {
    for (venue, remedy) in [(Venue::Kraken, "--wait"), (Venue::Alpaca, "FAKEPACA")] {
        let examined = Examined::new(venue, &SYMBOLS, troubled(Trouble::Quiet), "").await;
        let report = examined.report_without_data().await;
        report.fails("data", 19, "nothing of BTC-USD, ETH-USD came within 1 s", remedy);
        report.outcomes(&[("subscription", "ok"), ("pace", "skipped")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_it_with_what_was_found_so_far() {
    let examined = Examined::new(Venue::Kraken, &SYMBOLS, troubled(Trouble::Quiet), "").await;
    let out = examined.folder.path().join("out");
    let mut command =
        tickcast(examined.folder.path(), &["doctor", "--feed", "feed.toml", "--json", "--wait", "300"]);
    let program = Program::running(command.stdout(std::fs::File::create(&out).unwrap()));
    eventually("it listens", || examined.mock.counts().active.len() == SYMBOLS.len()).await;
    program.signal("-INT");
    assert_eq!(program.ended().await.code(), Some(130));
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(
        text.contains("\"step\":\"handshake\"") && text.contains("\"verdict\":\"interrupted\""),
        "{text}"
    );
    eventually("the connection is gone", || examined.mock.counts().present == 0).await;
}
