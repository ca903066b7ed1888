//! Where the recordings are. They are not part of the repository, so their absence as a whole is told and passes; a
//! folder from which something is missing fails, or a broken checkout would look like a passing test.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The folder of the recordings, if it is there.
///
/// # Panics
/// When it is incomplete.
pub(super) fn folder() -> Option<PathBuf> {
    static FOLDER: OnceLock<Result<Option<PathBuf>, String>> = OnceLock::new();
    let found = FOLDER.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "says where the recordings are, to tests only")]
        let named = std::env::var("TICKCAST_CAPTURES").ok().map(PathBuf::from);
        locate(named, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"))
    });
    let folder = found.clone().unwrap_or_else(|why| panic!("{why}"));
    if folder.is_none() {
        // Straight to the terminal: the test runner would keep a passing test's words to itself.
        let mut loud = std::io::stderr();
        writeln!(loud, "SKIPPED: no recordings at ../shared; set TICKCAST_CAPTURES to their folder").unwrap();
    }
    folder
}

/// `named` must be complete; without it `captures` in `shared` must be, unless `shared` is not there at all.
fn locate(named: Option<PathBuf>, shared: &Path) -> Result<Option<PathBuf>, String> {
    if named.is_none() && !shared.is_dir() {
        return Ok(None);
    }
    let folder = named.unwrap_or_else(|| shared.join("captures"));
    let manifest = folder.join("MANIFEST.json");
    let text = std::fs::read(&manifest).map_err(|why| format!("{}: {why}", manifest.display()))?;
    let listed: Vec<serde_json::Value> =
        serde_json::from_slice(&text).map_err(|why| format!("{}: {why}", manifest.display()))?;
    let names = listed.iter().map(|entry| entry["file"].as_str().unwrap_or("a file without a name"));
    let missing: Vec<_> = names.filter(|name| !folder.join(name).is_file()).collect();
    if missing.is_empty() {
        Ok(Some(folder))
    } else {
        Err(format!("{} lists what is not there: {}", manifest.display(), missing.join(", ")))
    }
}

#[test]
fn recordings_are_skipped_only_where_their_whole_folder_is_absent() {
    let root = tempfile::tempdir().unwrap();
    let shared = root.path().join("shared");
    assert_eq!(locate(None, &shared), Ok(None), "a plain checkout");
    let captures = shared.join("captures");
    let failure = |named: Option<PathBuf>| locate(named, &shared).unwrap_err();
    assert!(failure(Some(captures.clone())).contains("MANIFEST.json"), "a folder that was asked for");
    std::fs::create_dir_all(captures.join("kraken")).unwrap();
    assert!(failure(None).contains("MANIFEST.json"), "a folder without its list");
    let list = r#"[{"file": "kraken/a.json"}, {"file": "kraken/b.json"}]"#;
    std::fs::write(captures.join("MANIFEST.json"), list).unwrap();
    std::fs::write(captures.join("kraken/a.json"), "{}").unwrap();
    assert!(failure(None).ends_with("lists what is not there: kraken/b.json"));
    std::fs::write(captures.join("kraken/b.json"), "{}").unwrap();
    assert_eq!(locate(None, &shared), Ok(Some(captures.clone())));
    assert_eq!(locate(Some(captures.clone()), Path::new("/nowhere")), Ok(Some(captures)));
}
