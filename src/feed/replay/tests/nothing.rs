//! Recordings of which nothing, or not what was meant, can be played: it is said, with what it looks like.

use std::{io::Write, sync::Mutex};

use super::*;
use crate::limits::CHECK_LINES;

/// What is logged on this thread until the guard is dropped.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

const OKX: &str =
    r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","px":"1","sz":"1"}]}"#;

#[tokio::test(start_paused = true)]
async fn a_pass_without_a_tick_is_told_with_what_it_looks_like() {
    let log = Log::default();
    let guard = log.start();
    let stage = Stage::new();
    stage.file("okx", format!("{OKX}\n").repeat(30));
    stage.file("books", "{\"channel\":\"book\",\"type\":\"update\",\"data\":[]}\n".repeat(3));
    stage.file("empty", "");
    stage.file("a.csv", "t,p,s\n1700000000000,1,2\n");
    let csv = "path = \"a.csv\"\nformat = \"csv\"\ncsv = { kind = \"trades\", symbol = \"A\", time = \"t\", time_unit = \"us\", price = \"p\", size = \"s\" }";
    for (keys, expected) in [
        (
            "path = \"okx\"\nformat = \"binance\"",
            "no tick in 30 lines, of which none was understood as binance; this looks like okx; passed over: unknown 30",
        ),
        ("path = \"books\"\nformat = \"kraken\"", "no tick in 3 lines; passed over: book 3"),
        ("path = \"empty\"\nformat = \"native\"", "no tick in 0 lines"),
        (
            csv,
            "2023-11-14T22:13:20Z in ms, 1970-01-20T16:13:20Z in us, 1970-01-01T00:28:20Z in ns; set csv.time_unit = \"ms\"",
        ),
    ] {
        assert_eq!(stage.play(&format!("{keys}\nspeed = \"max\"")).await.unwrap(), End::Finished);
        let text = log.text();
        let mut warnings =
            text.lines().filter(|line| line.contains(" WARN ") && line.contains("nothing was played"));
        let last = warnings.next_back().unwrap_or_else(|| panic!("no warning: {text}"));
        assert!(last.contains(expected), "{last}\n{expected}");
    }
    drop(guard);
    let keys = "path = \"okx\"\nformat = \"kraken\"\nloop = true";
    let error = stage.play(keys).await.unwrap_err().to_string();
    assert!(error.contains("this looks like okx"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_pass_with_a_tick_warns_of_nothing() {
    let log = Log::default();
    let guard = log.start();
    let stage = Stage::new();
    stage.file("a", format!("{}{OKX}\n", trade(0, 1)));
    stage.play("path = \"a\"\nformat = \"native\"\nspeed = \"max\"").await.unwrap();
    drop(guard);
    assert!(!log.text().contains("nothing was played"), "{}", log.text());
}

#[tokio::test]
async fn a_sample_tells_ticks_symbols_times_and_what_was_skipped() {
    let stage = Stage::new();
    let feed = Source::new("f").unwrap();
    let sample = |keys: &str| stage.build(keys).unwrap().sample(feed).remove(0);
    stage.file("a", format!("{}nonsense\n{{\"T\":\"hb\"}}\n{}", trade(0, 1), trade(1_500_000, 2)));
    let found = sample("path = \"a\"\nformat = \"native\"");
    assert_eq!(
        found.findings.to_string(),
        "2 ticks of 1 symbol (A), 2023-11-14T22:13:20.000000Z to 2023-11-14T22:13:21.500000Z"
    );
    assert_eq!((found.findings.lines(), found.is_whole, found.complaint()), (4, true, None));
    let rest = found.findings.passed_over();
    assert!(
        rest.starts_with("passed over: control 1; skipped: shape 1 (") && rest.contains("a:2: not the"),
        "{rest}"
    );
    // No more is read than the limit says, and what was not read is not judged.
    let lines = usize::try_from(CHECK_LINES).unwrap();
    stage.file("long", "{\"channel\":\"book\",\"data\":[]}\n".repeat(lines + 5));
    let found = sample("path = \"long\"\nformat = \"kraken\"");
    assert_eq!((found.findings.lines(), found.is_whole, found.is_useless()), (CHECK_LINES, false, false));
    assert!(found.complaint().unwrap().contains("no tick"));
    let wide = format!("{{\"channel\":\"book\",\"data\":[],\"x\":\"{}\"}}\n", "x".repeat(1 << 20));
    stage.file("wide", wide.repeat(70));
    let found = sample("path = \"wide\"\nformat = \"kraken\"");
    assert_eq!((found.findings.lines(), found.is_whole), (64, false), "at most CHECK_BYTES are read");
    stage.file("short", "{\"channel\":\"book\",\"data\":[]}\n");
    assert!(sample("path = \"short\"\nformat = \"kraken\"").is_useless(), "all of it was read");
    stage.file("okx", format!("{OKX}\n"));
    let found = sample("path = \"okx\"\nformat = \"kraken\"");
    assert!(found.is_useless() && found.findings.looks_like() == Some("okx"), "{found:?}");
    let torn = gzip(&trade(0, 1).repeat(50));
    stage.file("torn.gz", &torn[..torn.len() - 5]);
    let found = sample("path = \"torn.gz\"\nformat = \"native\"");
    assert!(!found.is_useless() && found.findings.passed_over().contains("cut_off 1 ("), "{found:?}");
}
