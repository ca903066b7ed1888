//! Words that this project does not use, in code and in prose.
//!
//! The field has a term for most things, and a reader from another company should not need a glossary. And what people read
//! is written in short, active sentences: the patterns here are signs of one that is not.

use super::{File, tokens::tokens};

/// Names in code, and what they are called instead.
const NAMES: &[(&str, &str)] = &[
    ("Voice", "Candidate"),
    ("Voices", "Sources"),
    ("has_spoken", "has_ticked"),
    ("Roster", "FeedTable"),
    ("Keeper", "SaveTask"),
    ("Kept", "SavedMark, or …Image"),
    ("House", "StoreScope"),
    ("parked", "orphaned"),
    ("unsaid", "deferred"),
    ("Tended", "SweepAction"),
    ("Tally", "ShardMetrics"),
    ("Census", "ConnectionLimits"),
    ("Way", "WriteMode"),
    ("Rare", "ColdOutbox"),
    ("seldom", "write_control"),
    ("plain_run", "write_events"),
    ("Following", "PatternSubscription"),
    ("Lapse", "ResyncReason"),
    ("Wish", "StreamQuery, DemandMode or ConnectOptions"),
    ("Wishes", "ConnectOptions"),
    ("Brought", "SequencedTick"),
    ("Happened", "LinkEvent"),
    ("Visit", "PollSession"),
    ("Whose", "FeedRole"),
    ("Round", "PublishBatch"),
    ("Order", "Sequencer or PeerCommand"),
    ("Views", "LocalTopics"),
    ("Purpose", "Endpoint or RequestKind"),
    ("Pacer", "FlushPacer or RequestPacer"),
    ("tend", "sweep"),
    ("Port", "SocketTransport, BodyTransport or PollTransport"),
    ("Shared", "EventRef, TopicContext, PeerState or SinkState"),
    ("Local", "LocalEvent"),
    ("Wanted", "Desired"),
    ("News", "LinkUpdate"),
    ("shop", "products"),
    ("stand", "MockVenue"),
];

/// Likewise in some rooms only: elsewhere the name has its usual meaning.
const NAMES_IN: &[(&str, &str, &str)] = &[
    ("src/server/", "Session", "SocketTask"),
    ("src/server/", "Gauge", "ConnState"),
    ("src/server/driver/", "Plan", "prefixed by the thing"),
    ("src/server/", "Bare", "Poll"),
    ("src/session/", "Bare", "Poll"),
    ("src/session/", "View", "LocalTopic"),
    ("src/session/", "Mark", "SavedMark, or prefixed by the thing"),
    ("src/hub/", "Carrier", "FeedRef"),
    ("src/session/", "Pace", "RateLimit or FlushPacer"),
    ("src/feed/replay/", "Pace", "Playback"),
    ("src/hub/", "Mark", "SavedMark, or prefixed by the thing"),
    ("src/hub/", "say", "emit_derived"),
    ("src/hub/", "tell", "emit_status"),
    ("src/cli/", "Plan", "prefixed by the thing"),
    ("src/cli/", "Run", "prefixed by the thing"),
    ("src/feed/", "Plan", "prefixed by the thing"),
    ("src/cli/venue/", "side", "protocol.rs"),
];

/// Files whose names the design replaced.
const FILES: &[(&str, &str)] = &[
    ("kept.rs", "persist.rs"),
    ("side.rs", "protocol.rs"),
    ("shop.rs", "products.rs"),
    ("order.rs", "sequencer.rs"),
];

/// Signs of a roundabout sentence, and a way out of it.
const PHRASES: &[(&str, &str)] = &[
    ("so many", "name the number: at most `limit` …"),
    ("at most so", "name the number: at most `limit` …"),
    ("whoever", "name who: the caller, the client that …"),
    ("nobody", "name who does not: no client, no listener; or say it in the passive"),
    ("affair", "say what it decides"),
    ("in vain", "for nothing; or say what is not done"),
    ("is to be", "is, must, or a verb"),
    ("are to be", "are, must, or a verb"),
    ("control lane", "control queue"),
];

/// Files of these kinds are prose as a whole.
const PROSE: &[&str] = &["md"];

/// Where the words are not yet in order.
const LATER: &[&str] = &[];

/// Every forbidden word of a file.
pub(super) fn words(file: &File) -> Vec<String> {
    // What was, and the table of what is not to be said, keep their words.
    let keeps = file.path == "CHANGELOG.md" || file.path.starts_with("tests/it/tidy");
    if keeps || LATER.iter().any(|room| file.path.starts_with(room)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    if file.has_extension(&["rs"]) {
        for token in tokens(&file.text) {
            let here = NAMES_IN.iter().filter(|(room, ..)| file.path.starts_with(room));
            let mut names = NAMES.iter().copied().chain(here.map(|(_, name, instead)| (*name, *instead)));
            let known = names.find(|(name, _)| *name == token.text);
            found.extend(known.map(|(name, instead)| {
                format!("{}:{}: `{name}` is called {instead}", file.path, token.line)
            }));
        }
    }
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let file_name = FILES.iter().find(|(old, _)| *old == name && file.path.starts_with("src/"));
    found.extend(file_name.map(|(_, instead)| format!("{}: call it {instead}", file.path)));
    let sentences = prose(file);
    for (phrase, instead) in PHRASES {
        for (at, _) in sentences.match_indices(phrase) {
            let is_whole = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            let (before, behind) = (&sentences[..at], &sentences[at + phrase.len()..]);
            if is_whole(before.chars().next_back()) && is_whole(behind.chars().next()) {
                let line = before.matches('\n').count() + 1;
                found.push(format!("{}:{line}: \"{phrase}\": {instead}", file.path));
            }
        }
    }
    found
}

/// The file in small letters, and empty but for comments and documents.
fn prose(file: &File) -> String {
    let is_prose = file.has_extension(PROSE);
    let marks: &[&str] = match file.path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rs" | "js" | "mjs") => &["//"],
        Some("py" | "toml" | "yml" | "sh") => &["#", "\"\"\""],
        _ => &[],
    };
    let comment = |line: &'_ str| {
        let start = marks.iter().filter_map(|mark| line.find(mark)).min();
        start.map_or(String::new(), |start| line[start..].to_lowercase())
    };
    let lines = file.text.lines().map(|line| if is_prose { line.to_lowercase() } else { comment(line) });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn forbidden_words_are_found_in_code_and_prose() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let code = file(
        "tests/x.rs",
        "struct CENSUS; // Whoever asks\nlet nobody = \"so many\";\n/// For at most SOMANY things.\nfn x() {}",
    );
    let code = File { text: code.text.replace("CENSUS", "Census").replace("SOMANY", "so many"), ..code };
    let lines: Vec<_> =
        words(&code).iter().map(|told| told.split(": ").take(2).collect::<String>()).collect();
    assert_eq!(
        lines,
        [
            "tests/x.rs:1`Census` is called ConnectionLimits",
            "tests/x.rs:3\"so many\"",
            "tests/x.rs:3\"at most so\"",
            "tests/x.rs:1\"whoever\""
        ]
    );
    assert_eq!(words(&file("README.md", "Nobody\nbusybody nobodys")).len(), 1);
    assert_eq!(words(&file("CHANGELOG.md", "nobody")).len(), 0);
}
