//! House rules as tests: who may import whom, how long a file may be, and that documents and dashboards name what
//! exists. Each file is read once; a breach is told as `file:line: rule`.
//!
//! The table of imports is read from text: names that macros make or that climb with `super` out of a room are not seen.
//! `circles.rs` says what a circle of files is.

mod circles;
mod tokens;
mod words;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Which rooms each room of `src/` may import; a room that is not listed here is not part of the house yet.
const IMPORTS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "app", "config", "cluster", "server", "store", "session", "feed", "redis", "hub", "dialect",
            "metrics", "market", "clock", "drill", "limits",
        ],
    ),
    (
        "app",
        &[
            "config", "cluster", "server", "store", "session", "feed", "redis", "hub", "dialect", "metrics",
            "market", "clock", "drill", "limits",
        ],
    ),
    (
        "config",
        &[
            "cluster", "server", "store", "session", "feed", "redis", "hub", "dialect", "metrics", "market",
            "clock", "limits",
        ],
    ),
    (
        "cluster",
        &["store", "feed", "redis", "hub", "dialect", "metrics", "market", "clock", "drill", "limits"],
    ),
    ("server", &["session", "feed", "hub", "dialect", "metrics", "market", "clock", "drill", "limits"]),
    ("store", &["hub", "dialect", "metrics", "market", "clock", "drill", "limits"]),
    ("session", &["hub", "dialect", "metrics", "market", "clock", "drill", "limits"]),
    ("feed", &["redis", "hub", "dialect", "metrics", "market", "clock", "drill", "limits"]),
    ("redis", &["metrics", "clock", "limits"]),
    ("hub", &["dialect", "metrics", "market", "clock", "limits"]),
    ("dialect", &["market", "limits"]),
    ("metrics", &["market", "clock", "limits"]),
    ("clock", &["market", "limits"]),
    ("market", &["limits"]),
    ("limits", &[]),
    ("drill", &[]),
];

/// Longest file, in lines.
const MOST_LINES: usize = 500;

/// Folders that are not ours, or are made.
const SKIPPED: &[&str] = &["target", "node_modules", "out", "dist", ".git", ".deps", "__pycache__"];

/// Files of these kinds are code, and have a longest length.
const CODE: &[&str] = &["rs", "py", "mjs", "js", "ts", "html", "css"];

/// What a family of histograms adds to its name.
const HISTOGRAM: &[&str] = &["_bucket", "_sum", "_count"];

struct File {
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// The room of a file in `src/`.
    fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        Some(rest.split('/').next().unwrap_or(rest)).filter(|room| *room != "lib")
    }

    fn at(&self, offset: usize, rule: &str) -> String {
        let line = self.text[..offset].matches('\n').count() + 1;
        format!("{}:{line}: {rule}", self.path)
    }

    /// The offsets at which `needle` stands in code: not in a comment, and not in the unit tests, which come last.
    fn code_offsets<'a>(&'a self, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
        let tests = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..tests].match_indices(needle).map(|(offset, _)| offset).filter(move |offset| {
            let line = self.text[..*offset].rfind('\n').map_or(0, |newline| newline + 1);
            let before = &self.text[line..*offset];
            !before.contains("//") && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    }

    /// The first names behind each `prefix`, one or a group in braces, with their offsets.
    fn names_behind(&self, prefix: &str) -> Vec<(usize, &str)> {
        let mut names = Vec::new();
        for offset in self.code_offsets(prefix) {
            let start = offset + prefix.len();
            if !self.text[start..].starts_with('{') {
                names.push((start, ident(&self.text[start..])));
                continue;
            }
            let (mut depth, mut fresh) = (0_u32, true);
            for (i, c) in self.text[start..].char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => fresh = true,
                    c if fresh && depth == 1 && !c.is_whitespace() => {
                        fresh = false;
                        names.push((start + i, ident(&self.text[start + i..])));
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        }
        names
    }

    /// Whether the offset is inside a `#[derive(…)]`.
    fn is_in_derive(&self, offset: usize) -> bool {
        let before = &self.text[..offset];
        before.rfind("#[derive(").is_some_and(|start| !before[start..].contains(']'))
    }

    /// Every word that starts like a metric of ours.
    fn metrics(&self) -> Vec<(usize, &str)> {
        let starts = self.text.match_indices("tickcast_").map(|(offset, _)| offset);
        let whole =
            |offset: &usize| !self.text[..*offset].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        starts.filter(whole).map(|offset| (offset, ident(&self.text[offset..]))).collect()
    }
}

fn ident(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Every text file of the project that the rules are about, sorted by path.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> =
        ["src", "tests", "benches", "fuzz", "feeds", "scripts", "grafana", "docs", "web"]
            .iter()
            .map(|name| root.join(name))
            .collect();
    let mut paths = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.map(|entry| entry.unwrap()) {
            let name = entry.file_name();
            let skipped = SKIPPED.iter().any(|skipped| name == *skipped);
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && !skipped => folders.push(entry.path()),
                kind if kind.is_file() => paths.push(entry.path()),
                _ => {}
            }
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = String::from_utf8(fs::read(&path).ok()?).ok()?;
        Some(File { path: path.strip_prefix(root).ok()?.to_str()?.to_owned(), text })
    };
    paths.into_iter().filter_map(read).collect()
}

fn named<'a>(files: &'a [File], path: &str) -> &'a File {
    files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is gone: mend this test"))
}

fn imports(file: &File, breaches: &mut Vec<String>) {
    let Some(room) = file.room() else { return };
    let in_tests = file.path.contains("/tests/") || file.path.ends_with("/tests.rs");
    if in_tests {
        return;
    }
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == room) else {
        breaches.push(file.at(0, &format!("{room} is not in the table of rooms: say what it may import")));
        return;
    };
    let prefix = if room == "main" { "tickcast::" } else { "crate::" };
    for (offset, name) in file.names_behind(prefix) {
        if name != room && !allowed.contains(&name) {
            let rule = format!("{room} may not import {name}; it may import {}", allowed.join(", "));
            breaches.push(file.at(offset, &rule));
        }
    }
    if room != "server" {
        let actix = file.code_offsets("actix_");
        breaches.extend(actix.map(|offset| file.at(offset, "only server/ knows actix")));
    }
}

fn lengths(file: &File, breaches: &mut Vec<String>) {
    let lines = file.text.lines().count();
    if file.has_extension(CODE) && lines > MOST_LINES {
        breaches.push(format!("{}:{lines}: longer than {MOST_LINES} lines", file.path));
    }
}

fn instants(file: &File, breaches: &mut Vec<String>) {
    if !file.has_extension(&["rs"]) {
        return;
    }
    for (offset, name) in file.names_behind("std::time::") {
        if name == "Instant" {
            breaches.push(file.at(offset, "use tokio::time::Instant, which tests can pause"));
        }
    }
}

/// What reads other people's text must take escapes: serde lends out only texts without any, and refuses the others.
fn borrowed_texts(file: &File, breaches: &mut Vec<String>) {
    if !file.has_extension(&["rs"]) || !file.path.starts_with("src/") {
        return;
    }
    let rule = "a text with escapes cannot be borrowed: use dialect::Text, or String";
    let mut found: BTreeSet<usize> = BTreeSet::new();
    for offset in file.code_offsets("Deserialize").filter(|offset| file.is_in_derive(*offset)) {
        let item = &file.text[offset..];
        let end = item.find("\n}").or_else(|| item.find(";\n")).unwrap_or(item.len());
        found
            .extend(lifetimes(&item[..end]).filter(|(_, behind)| is_text(behind)).map(|(at, _)| offset + at));
    }
    for call in ["from_str::<&", "from_slice::<&", "next_element::<&", "next_key::<&", "next_value::<&"] {
        let lent = |offset: &usize| file.text[offset + call.len()..].trim_start().starts_with("str");
        found.extend(file.code_offsets(call).filter(lent));
    }
    breaches.extend(found.into_iter().map(|offset| file.at(offset, rule)));
}

/// Every `'a` with what follows it.
fn lifetimes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('\'').filter_map(|(at, _)| {
        let name = ident(&text[at + 1..]);
        (!name.is_empty()).then(|| (at, &text[at + 1 + name.len()..]))
    })
}

/// The rest of `&'a str` or `Cow<'a, str>`. Of the latter serde borrows only a bare one, and none within an `Option`.
fn is_text(behind: &str) -> bool {
    behind.trim_start_matches([',', ' ']).strip_prefix("str").is_some_and(|rest| ident(rest).is_empty())
}

fn metric_names(file: &File, families: &BTreeSet<&str>, breaches: &mut Vec<String>) {
    let about_metrics = file.path.starts_with("grafana/") || file.path.starts_with("docs/");
    if !about_metrics && file.path != "README.md" {
        return;
    }
    for (offset, name) in file.metrics() {
        let family = HISTOGRAM.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        if !families.contains(name) && !families.contains(family) {
            breaches.push(file.at(offset, &format!("{name} is no metric of src/metrics.rs")));
        }
    }
}

/// Texts like `"server.bind"`: the keys that a file of `config` reads.
fn keys(sections: &File) -> BTreeSet<&str> {
    let code = sections.code_offsets("\"").map(|offset| &sections.text[offset + 1..]);
    let texts = code.filter_map(|rest| rest.split_once('"')).map(|(text, _)| text);
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    texts.filter(|text| text.split_once('.').is_some_and(|(a, b)| is_word(a) && is_word(b))).collect()
}

#[test]
fn the_house_is_tidy() {
    let files = files();
    let metrics = files.iter().filter(|file| file.room() == Some("metrics"));
    let families: BTreeSet<&str> = metrics.flat_map(File::metrics).map(|it| it.1).collect();
    assert!(families.len() > 20, "the metrics are not found any more: {families:?}");
    let mut breaches = Vec::new();
    for file in &files {
        imports(file, &mut breaches);
        lengths(file, &mut breaches);
        breaches.extend(words::words(file));
        instants(file, &mut breaches);
        borrowed_texts(file, &mut breaches);
        metric_names(file, &families, &mut breaches);
    }
    let operations = named(&files, "docs/operations.md");
    let undocumented = |name: &&&str| !operations.text.contains(&format!("`{name}`"));
    let mut keys = keys(named(&files, "src/config/sections.rs"));
    keys.extend(self::keys(named(&files, "src/config/cluster.rs")));
    assert!(keys.len() > 15, "the keys are not found any more: {keys:?}");
    for name in families.iter().chain(&keys).filter(undocumented) {
        breaches.push(operations.at(0, &format!("`{name}` is not described")));
    }
    breaches.extend(circles::circles(&files));
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

#[test]
fn breaches_are_found() {
    let text = "use crate::{\n    hub::{Event, Lane},\n    server::Gateway,\n};\n// crate::cli is fine here\n\
                fn f() { crate::cli::run(); actix_web::x(); let _ = STD::time::{Duration, Instant}; }\n\
                #[cfg(test)]\nmod tests {\n    use crate::app;\n}\n";
    // Written differently here, so that this file keeps the rule itself.
    let file = File { path: "src/session/x.rs".into(), text: text.replace("STD", "std") };
    let mut breaches = Vec::new();
    imports(&file, &mut breaches);
    instants(&file, &mut breaches);
    let starts = [
        "src/session/x.rs:3: session may not import server;",
        "src/session/x.rs:6: session may not import cli;",
        "src/session/x.rs:6: only server/ knows actix",
        "src/session/x.rs:6: use tokio::time::Instant",
    ];
    assert_eq!(breaches.len(), starts.len(), "{breaches:?}");
    for (breach, start) in breaches.iter().zip(starts) {
        assert!(breach.starts_with(start), "{breach}");
    }
    let text = "#[derive(Debug, DESER)]\nstruct A<'a> {\n    a: u64,\n    b: Option<&'a str>,\n    c: Text<'a>,\n}\n\
                #[derive(Debug)]\nstruct B<'a> {\n    a: &'a str,\n}\n\
                #[derive(DESER)]\nstruct C<'de>(Vec<Cow<'de, str>>);\n\
                fn f(s: &'a str) { x::from_str::<&str>(s) }\n";
    let file = File { path: "src/dialect/x.rs".into(), text: text.replace("DESER", "Deserialize") };
    let mut breaches = Vec::new();
    borrowed_texts(&file, &mut breaches);
    let lines: Vec<_> = breaches.iter().map(|breach| breach.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["4", "12", "13"], "{breaches:?}");
    let metrics = ["tickcast_a_total", "tickcast_b_seconds"].into();
    let grafana = "\"tickcast_a_total\"\nrate(tickcast_b_seconds_bucket[1m])\n\"tickcast_c\"";
    let file = File { path: "grafana/x.json".into(), text: grafana.into() };
    let mut breaches = Vec::new();
    metric_names(&file, &metrics, &mut breaches);
    assert_eq!(breaches, ["grafana/x.json:3: tickcast_c is no metric of src/metrics.rs"]);
}
