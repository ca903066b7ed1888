//! Every example of the documents runs as it stands, so that none can rot: shell lines are carried out, TOML is a
//! configuration, JSON is what the gateway says or takes.
//!
//! The examples are taken out of the documents themselves. A new one that no rule here covers fails: give it a rule, or a
//! line in `NOT_RUN` with the reason.

mod blocks;
mod messages;
mod shell;

use std::{fs, path::Path};

use tickcast::config::{Config, Flags};

use self::blocks::Example;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder in which the files of the repository that examples name are where the examples expect them.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("feeds"), folder.path().join("feeds")).unwrap();
    // The shipped recordings are made in their own folder.
    fs::copy(root().join("feeds/recordings/market.toml"), folder.path().join("market.toml")).unwrap();
    folder
}

#[test]
fn every_example_is_of_a_kind_that_is_tested() {
    let examples = blocks::all();
    assert!(examples.len() > 20, "the examples are not found any more");
    for example in &examples {
        let known = match example.language.as_str() {
            "sh" | "json" | "toml" => true,
            // Clients, run by tests/clients/test_documents.py.
            "js" | "python" => example.text.contains("127.0.0.1:8080"),
            // The blocks of an event stream.
            "" => example.text.starts_with("retry: "),
            _ => false,
        };
        assert!(known, "{example}: no test reads a block of the kind {:?}", example.language);
    }
}

/// A whole configuration, or keys of a feed.
#[test]
fn toml_is_taken_as_it_stands() {
    let examples: Vec<_> = blocks::all().into_iter().filter(|example| example.language == "toml").collect();
    assert!(!examples.is_empty());
    for example in examples {
        let folder = folder();
        let text = if example.text.starts_with('[') {
            example.text.clone()
        } else {
            let symbols = if example.text.contains("symbols") { "" } else { "symbols = [\"BTC-USD\"]\n" };
            format!("[[feed]]\nname = \"venue\"\nkind = \"kraken\"\n{symbols}{}", example.text)
        };
        fs::write(folder.path().join("tickcast.toml"), text).unwrap();
        let loaded = Config::load(&Flags::default(), [], folder.path());
        assert!(loaded.is_ok(), "{example}: {}", loaded.unwrap_err());
    }
}

fn named(language: &str) -> Vec<Example> {
    blocks::all().into_iter().filter(|example| example.language == language).collect()
}
