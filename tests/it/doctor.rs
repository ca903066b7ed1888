//! `tickcast doctor` as an operator runs it, against the scripted venue: what it says of a venue at which all is well, and of
//! every trouble of a first day.

mod choice;
mod good;
mod proxies;
mod tls;
mod troubles;

use std::{fs, path::Path, process::Output, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tickcast::{
    cli::venue::{MockVenue, Rules, Script},
    dialect::Venue,
};

use crate::{
    process::tickcast,
    upstream::{mock, tape},
    util::eventually,
};

/// Ours; the venue has these and no others.
const SYMBOLS: [&str; 2] = ["BTC-USD", "ETH-USD"];

/// With a pattern, so that the product list matters.
const PATTERNED: [&str; 3] = ["BTC-USD", "ETH-USD", "*-USD"];

/// What the doctor found, as its JSON lines tell it.
struct Report {
    code: Option<i32>,
    lines: Vec<Value>,
    text: String,
}

impl Report {
    fn read(output: Output) -> Self {
        let [text, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Self::of(output.status.code(), format!("{text}{said}"))
    }

    fn of(code: Option<i32>, text: String) -> Self {
        assert!(!text.contains("hush"), "a secret is printed: {text}");
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self { code, lines, text }
    }

    fn step(&self, step: &str) -> &Value {
        let found = self.lines.iter().find(|line| line["step"] == step);
        found.unwrap_or_else(|| panic!("nothing is said of {step}: {}", self.text))
    }

    /// The outcome of each step, by name.
    #[track_caller]
    fn outcomes(&self, wanted: &[(&str, &str)]) {
        for (step, outcome) in wanted {
            assert_eq!(self.step(step)["outcome"], *outcome, "{step}: {}", self.text);
        }
    }

    /// The first step that failed, its exit code, and words of what was found and of the remedy.
    #[track_caller]
    fn fails(&self, step: &str, code: i32, what: &str, remedy: &str) {
        let first = self.lines.iter().find(|line| line["outcome"] == "failed");
        let first = first.unwrap_or_else(|| panic!("nothing has failed: {}", self.text));
        assert_eq!((first["step"].as_str(), self.code), (Some(step), Some(code)), "{}", self.text);
        let has = |key: &str, words: &str| first[key].as_str().unwrap_or_default().contains(words);
        assert!(has("what", what) && has("remedy", remedy), "{first}");
        let verdict = self.lines.last().unwrap();
        assert_eq!((&verdict["first_failure"], &verdict["exit_code"]), (&json!(step), &json!(code)));
    }
}

/// A scripted venue, and a folder with the definition of its feed.
struct Examined {
    folder: TempDir,
    mock: MockVenue,
}

impl Examined {
    async fn new(venue: Venue, symbols: &[&str], rules: Rules, keys: &str) -> Self {
        let script = Script {
            venue,
            frames: tape::session(venue, &SYMBOLS, 50),
            faults: Vec::new(),
            speed: None,
            lose: 0,
            held: true,
            list_faults: Vec::new(),
            rules,
        };
        Self::playing(script, symbols, keys).await
    }

    async fn playing(script: Script, symbols: &[&str], keys: &str) -> Self {
        let venue = script.venue;
        let mock = mock(script).await;
        let list = format!("http://{}{}", mock.address(), mock.list_path());
        let has_patterns = symbols.iter().any(|symbol| symbol.contains('*'));
        let list = if has_patterns { format!("products_url = {list:?}\n") } else { String::new() };
        let stream = format!("ws://{}/", mock.address());
        let folder = TempDir::new().unwrap();
        define(folder.path(), venue, &[&stream], symbols, &format!("{list}{keys}"));
        Self { folder, mock }
    }

    /// The report, while the tape plays as soon as everything is subscribed.
    async fn report(&self, arguments: &[&str]) -> Report {
        let all = [&["doctor", "--feed", "feed.toml", "--json", "--wait", "5"], arguments].concat();
        let running =
            tokio::spawn(run(self.folder.path().to_owned(), all.into_iter().map(str::to_owned).collect()));
        loop {
            if running.is_finished() {
                return running.await.unwrap();
            }
            if self.mock.counts().active.len() >= SYMBOLS.len() {
                self.mock.release(true);
                return running.await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The report of a venue that sends no data.
    async fn report_without_data(&self) -> Report {
        run_here(self.folder.path(), &["doctor", "--feed", "feed.toml", "--json", "--wait", "1"]).await
    }
}

/// The feed `first`, with these addresses.
fn define(folder: &Path, venue: Venue, urls: &[&str], symbols: &[&str], keys: &str) {
    let (kind, urls, symbols) = (venue.as_str(), json!(urls), json!(symbols));
    let text =
        format!("[[feed]]\nname = \"first\"\nkind = {kind:?}\nurl = {urls}\nsymbols = {symbols}\n{keys}\n");
    fs::write(folder.join("feed.toml"), text).unwrap();
}

async fn run_here(folder: &Path, arguments: &[&str]) -> Report {
    run(folder.to_owned(), arguments.iter().map(|text| (*text).to_owned()).collect()).await
}

async fn run(folder: std::path::PathBuf, arguments: Vec<String>) -> Report {
    let output = tokio::task::spawn_blocking(move || {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut command = tickcast(&folder, &arguments);
        command.envs([("APCA_API_KEY_ID", "PK1-hush"), ("APCA_API_SECRET_KEY", "hush")]).output().unwrap()
    });
    Report::read(output.await.unwrap())
}

/// The program with these arguments, and what it printed for people.
async fn printed(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let report = run_here(folder, arguments).await;
    (report.code, report.text)
}

async fn subscribed(mock: &MockVenue) {
    eventually("the symbols are subscribed", || mock.counts().active.len() == SYMBOLS.len()).await;
}
