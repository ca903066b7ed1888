//! Which feed is meant, and what is said of those that go to no venue.

use std::fs;

use tempfile::TempDir;
use tickcast::{cli::venue::Rules, dialect::Venue};

use super::{Examined, Report, SYMBOLS, printed, run_here};
use crate::process::tickcast;

const CONFIGURATION: &str = r#"
[[feed]]
name = "made"
kind = "simulator"
synthetic = { count = 3 }

[[feed]]
name = "pushed"
kind = "push"

[[feed]]
name = "played"
kind = "replay"
path = "played.csv"
format = "csv"
csv = { kind = "trades", symbol = "A", time = "time", time_unit = "us", price = "p", size = "s" }
"#;

fn folder(configuration: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("tickcast.toml"), configuration).unwrap();
    fs::write(folder.path().join("played.csv"), "time,p,s\n1700000000000000,1.5,2\n").unwrap();
    folder
}

#[tokio::test]
async fn of_a_feed_that_goes_to_no_venue_it_is_said_what_to_use_instead() {
    let folder = folder(CONFIGURATION);
    for (name, kind, instead) in [
        ("made", "simulator", "`tickcast check`"),
        ("pushed", "push", "/feedz"),
        ("played", "replay", "`tickcast check` says what they hold"),
    ] {
        let (code, text) = printed(folder.path(), &["doctor", "--feed", name]).await;
        assert_eq!(code, Some(0), "{text}");
        let begin = format!("feed {name}: {kind}\n  ok       configuration ");
        assert!(
            text.starts_with(&begin) && text.contains("nothing to examine") && text.contains(instead),
            "{text}"
        );
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_those_that_there_are() {
    let folder = folder(CONFIGURATION);
    let arguments = ["doctor", "--feed", "binance", "--json"];
    let report = run_here(folder.path(), &arguments).await;
    report.fails("configuration", 64, "no feed is called \"binance\"", "give --feed one of these names");
    assert!(report.text.contains("made, pushed, played"), "{}", report.text);
    let report = run_here(folder.path(), &["doctor", "--feed", "gone.toml", "--json"]).await;
    report.fails("configuration", 64, "gone.toml", "`tickcast check`");
}

#[tokio::test]
async fn mistakes_of_the_configuration_are_told_as_a_step() {
    let folder = folder(
        "[[feed]]\nname = \"x\"\nkind = \"alpaca\"\nsymbols = [\"AAPL\"]\ncredentials_file = \"gone\"\n",
    );
    let report = run_here(folder.path(), &["doctor", "--feed", "x", "--json"]).await;
    report.fails("configuration", 64, "feed[0].credentials_file", "mend what is named");
    let two = "[[feed]]\nname = \"a\"\nkind = \"push\"\n[[feed]]\nname = \"b\"\nkind = \"push\"\n";
    fs::write(folder.path().join("two.toml"), two).unwrap();
    let report = run_here(folder.path(), &["doctor", "--feed", "two.toml", "--json"]).await;
    report.fails("configuration", 64, "has 2 feeds", "one of its feeds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_is_found_by_its_name_in_every_layer_of_the_configuration() {
    let examined = Examined::new(Venue::Kraken, &SYMBOLS, Rules::default(), "").await;
    let feed = fs::read_to_string(examined.folder.path().join("feed.toml")).unwrap();
    fs::write(examined.folder.path().join("other.toml"), format!("{CONFIGURATION}\n{feed}")).unwrap();
    fs::write(examined.folder.path().join("played.csv"), "time,p,s\n").unwrap();
    let path = examined.folder.path();
    for (variable, arguments) in [
        (None, &["--config", "other.toml"][..]),
        (Some(("TICKCAST_CONFIG", "other.toml")), &[]),
        (Some(("TICKCAST_FEEDS", "feed.toml")), &["--config", "empty.toml"]),
    ] {
        fs::write(path.join("empty.toml"), "").unwrap();
        let all = [&["doctor", "--feed", "first", "--json", "--wait", "1"], arguments].concat();
        let mut command = tickcast(path, &all);
        command.envs(variable);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let report = Report::read(output);
        report.outcomes(&[("configuration", "ok"), ("handshake", "ok"), ("subscription", "ok")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_credentials_fail_and_what_needs_none_is_examined_all_the_same() {
    let examined = Examined::new(Venue::Alpaca, &["BTC-USD", "ETH-USD", "*-USD"], Rules::default(), "").await;
    let mut command = tickcast(examined.folder.path(), &["doctor", "--feed", "feed.toml", "--json"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let report = Report::read(output);
    report.fails("configuration", 64, "there are none", "APCA_API_KEY_ID");
    report.outcomes(&[
        ("dns", "ok"),
        ("tcp", "ok"),
        ("products", "skipped"),
        ("handshake", "ok"),
        ("clock", "ok"),
    ]);
    report.outcomes(&[
        ("login", "skipped"),
        ("subscription", "skipped"),
        ("data", "skipped"),
        ("pace", "skipped"),
    ]);
}
