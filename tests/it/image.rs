//! The container image from its sources: what is built is what is copied, and what runs can stop and write. There is no
//! engine here, so this reads the files that it would.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use tickcast::limits;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// The instructions of the Dockerfile, each on one line.
fn instructions() -> Vec<String> {
    let text = read("Dockerfile");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut instructions = vec![String::new()];
    for line in lines {
        let (part, goes_on) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        instructions.last_mut().unwrap().push_str(part);
        if !goes_on {
            instructions.push(String::new());
        }
    }
    instructions.retain(|it| !it.is_empty());
    instructions
}

/// What is copied out of the build context, of the build stage or of the last one.
fn copied(instructions: &[String], in_build: bool) -> Vec<String> {
    let stages: Vec<_> = instructions.split(|line| line.starts_with("FROM ")).skip(1).collect();
    let (last, build) = stages.split_last().unwrap();
    let of_stage: Vec<_> = if in_build { build.concat() } else { last.to_vec() };
    let copies = of_stage.iter().filter_map(|line| line.strip_prefix("COPY "));
    copies
        .filter(|line| !line.starts_with("--from="))
        .flat_map(|line| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            words[..words.len() - 1].to_vec()
        })
        .collect()
}

/// Whether a file is sent to the engine, by `.dockerignore`: the last rule that fits decides.
fn is_in_context(rules: &str, path: &str) -> bool {
    let rules = rules.lines().map(str::trim).filter(|rule| !rule.is_empty() && !rule.starts_with('#'));
    rules.fold(true, |inside, rule| {
        let (pattern, keeps) = rule.strip_prefix('!').map_or((rule, false), |rule| (rule, true));
        assert!(pattern == "*" || !pattern.contains(['*', '?', '[']), "{rule}: this test reads no such rule");
        if pattern == "*" || is_under(path, pattern) { keeps } else { inside }
    })
}

fn is_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Every file under a folder, relative to the root.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// A path without its `..`.
fn plain(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            assert!(plain.pop(), "{} leaves the project", path.display());
        } else {
            plain.push(part);
        }
    }
    plain.to_str().unwrap().to_owned()
}

/// The files that the sources include.
fn included() -> BTreeSet<String> {
    let mut included = BTreeSet::new();
    for source in files("src").iter().filter(|file| file.ends_with(".rs")) {
        let text = read(source);
        for (at, found) in
            ["include_str!(", "include_bytes!(", "include!("].iter().flat_map(|it| text.match_indices(it))
        {
            let rest = text[at + found.len()..].trim_start();
            let name = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
            let name = name.unwrap_or_else(|| panic!("{source}: what is included is no literal"));
            included.insert(plain(&Path::new(source).parent().unwrap().join(name)));
        }
    }
    included
}

#[test]
fn every_file_that_the_program_includes_is_in_the_image_that_builds_it() {
    let (rules, copied) = (read(".dockerignore"), copied(&instructions(), true));
    let included = included();
    assert!(included.contains("docs/openapi.json") && included.contains("feeds/demo.toml"), "{included:?}");
    let needed = ["Cargo.toml", "Cargo.lock"].map(str::to_owned);
    let sources = files("src");
    for file in included.iter().chain(&needed).chain(&sources) {
        assert!(root().join(file).is_file(), "{file} is not there");
        assert!(is_in_context(&rules, file), "{file} is not in the build context: see .dockerignore");
        assert!(copied.iter().any(|from| is_under(file, from)), "{file} is not copied: see Dockerfile");
    }
}

#[test]
fn everything_that_is_copied_is_in_the_context() {
    let (rules, instructions) = (read(".dockerignore"), instructions());
    for from in [copied(&instructions, true), copied(&instructions, false)].concat() {
        let path = root().join(&from);
        let files = if path.is_dir() { files(&from) } else { vec![from.clone()] };
        assert!(path.exists() && files.iter().any(|file| is_in_context(&rules, file)), "{from}");
    }
    assert!(!is_in_context(&rules, "target/debug/tickcast") && !is_in_context(&rules, ".git/config"));
    assert!(
        !is_in_context(&rules, "web/node_modules/x/index.js")
            && is_in_context(&rules, "web/plain/index.html")
    );
}

#[test]
fn bases_are_pinned_and_the_binary_has_no_tools_and_no_line_tables() {
    let instructions = instructions();
    for base in instructions.iter().filter_map(|line| line.strip_prefix("FROM ")) {
        let image = base.split_whitespace().next().unwrap();
        let version = image.split_once(':').expect("a tag").1.split('-').next().unwrap();
        assert!(version.split('.').count() >= 2, "{image}: a tag that moves");
    }
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let built: Vec<_> = instructions.iter().filter(|line| line.contains("cargo build")).collect();
    assert!(
        built.len() == 2
            && built.iter().all(|line| line.contains("--profile dist --locked --no-default-features")),
        "{built:?}"
    );
    assert_eq!(manifest["profile"]["dist"]["debug"].as_bool(), Some(false));
    assert_eq!(manifest["profile"]["dist"]["strip"].as_str(), Some("symbols"));
    // The toolchain of the image is one that the manifest takes.
    let rust = manifest["package"]["rust-version"].as_str().unwrap();
    assert!(instructions[0].starts_with(&format!("FROM rust:{rust}.")), "{}", instructions[0]);
}

#[test]
fn a_container_can_write_its_store_and_has_time_to_stop() {
    const STORE: &str = "/var/lib/tickcast";
    let instructions = instructions();
    let place = |start: &str| instructions.iter().position(|line| line.starts_with(start)).expect(start);
    // Made for that user before it is that user's turn, so that a volume that is mounted there is its own too.
    let user = instructions[place("USER ")].strip_prefix("USER ").unwrap().split(':').next().unwrap();
    let made = &instructions[place("RUN install -d")];
    assert!(made.contains(&format!("-o {user} ")) && made.ends_with(STORE), "{made}");
    assert!(place("RUN install -d") < place("USER "));
    let compose = read("compose.yaml");
    assert!(compose.contains(&format!("TICKCAST_STORE__PATH: {STORE}/")), "a store");
    assert!(
        compose.contains(&format!("[\"gateway:{STORE}\"]")) && compose.contains("\n  gateway:\n"),
        "a volume"
    );
    // Grace, goodbyes, the clients' answers, open requests, feeds, and the last save.
    let longest = limits::DEFAULT_GRACE
        + limits::DEFAULT_DRAIN
        + limits::CLOSE_TIMEOUT
        + 4 * limits::STOP_TIMEOUT
        + limits::FEED_STOP_TIMEOUT
        + limits::FAULT_SAVE_TIMEOUT;
    for (name, before) in [
        ("compose.yaml", "stop_grace_period: "),
        ("Dockerfile", "--stop-timeout "),
        ("docs/operations.md", "--stop-timeout "),
        ("packaging/tickcast.service", "TimeoutStopSec="),
    ] {
        let text = read(name);
        let said = text.split(before).nth(1).unwrap_or_else(|| panic!("{name}: no {before}"));
        let digits: String = said.chars().take_while(char::is_ascii_digit).collect();
        assert!(Duration::from_secs(digits.parse().unwrap()) > longest, "{name}: {digits} s for {longest:?}");
    }
}
