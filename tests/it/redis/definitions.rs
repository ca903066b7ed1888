//! Definitions as people write them: mistakes are told with file, line and key, and `tickcast check` connects to nothing.

use std::{
    fs,
    process::{Command, Output},
};

use tickcast::config::Config;

fn load(text: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feed.toml");
    fs::write(&file, text).unwrap();
    let shown = file.display().to_string();
    Config::load_definition(&file, []).map(drop).map_err(|why| why.to_string().replace(&shown, "feed.toml"))
}

const GOOD: &str = r#"[[feed]]
name = "desk"
kind = "redis"
url = "redis://127.0.0.1:1"
mode = "stream"
streams = ["ticks"]

[feed.fields]
kind = "quotes"
symbol_field = "sym"
bid = "b"
ask = "a"
"#;

#[test]
fn a_mistake_is_told_with_its_line_and_key() {
    load(GOOD).unwrap();
    for (from, to, part) in [
        (
            "redis://127.0.0.1:1",
            "redis://:hush@127.0.0.1",
            "feed.toml:4: feed[0].url: expected no name and no password",
        ),
        ("\"stream\"", "\"streams\"", "feed.toml:5: feed[0].mode: unknown variant"),
        ("[\"ticks\"]", "[]", "feed.toml:6: feed[0].streams: found none"),
        ("bid = \"b\"\n", "", "fields.bid: the field is missing"),
        ("ask = \"a\"", "ask = \"a\"\nprice = \"p\"", "feed.toml:13: feed[0].fields.price: this kind"),
        ("ask = \"a\"", "ask = \"a\"\ntime = \"t\"", "fields.time_unit: is missing"),
        ("mode =", "pasword_file = \"x\"\nmode =", "feed.toml:5: feed[0].pasword_file: unknown field"),
        ("mode =", "password_file = \"gone\"\nmode =", "feed.toml:5: feed[0].password_file: "),
        ("mode =", "ca_file = \"gone\"\nmode =", "feed.toml:5: feed[0].ca_file: is for TLS only"),
    ] {
        let why = load(&GOOD.replace(from, to)).unwrap_err();
        assert!(why.contains(part) && !why.contains("hush"), "{part}: {why}");
    }
}

#[test]
fn a_definition_is_checked_without_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feed.toml"), GOOD).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickcast"));
    let Output { status, stdout, stderr } =
        command.args(["check", "feed.toml"]).current_dir(folder.path()).env_clear().output().unwrap();
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success() && out.contains("feed desk: redis, redis://127.0.0.1:1/0"), "{out}{err}");
}
