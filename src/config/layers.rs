//! How a file, the environment and the flags become settings.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{Spanned, de::DeValue};

use super::{
    ConfigError, Flags, Origin,
    document::{self, Document},
    feeds::Feeds,
    injected::{PREFIX, is_injected},
    settings::{Setting, Settings},
};

/// The variable that names the file.
const FILE_VARIABLE: &str = "TICKCAST_CONFIG";

/// The variable that tells the tests where recorded data lies: none of the gateway's business.
const TEST_VARIABLE: &str = "TICKCAST_CAPTURES";

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "tickcast.toml";

/// All layers, read and not yet understood.
pub(super) struct Layers {
    pub(super) settings: Settings,
    /// The folder of the file, to which its names are relative.
    pub(super) base: PathBuf,
    /// Whether a layer above the file names feeds, which replace the file's: `--feed` shows that feed and no other.
    pub(super) replaced: bool,
}

/// Reads the file, the environment and the flags. The file's `[[feed]]` tables go to `feeds`, where they are wanted.
pub(super) fn read(
    flags: &Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    directory: &Path,
    feeds: Option<&mut Feeds>,
) -> Layers {
    let mut settings = Settings::default();
    let variables = variables(environment, &mut settings);
    let named = |variable: &(String, String)| variable.0 == FILE_VARIABLE;
    let file = match (&flags.config, variables.iter().find(|variable| named(variable))) {
        (Some(path), _) => Some((path.clone(), None)),
        (None, Some((name, path))) => Some((path.into(), Some(Origin::Variable(name.clone())))),
        (None, None) => directory.join(DEFAULT_FILE).exists().then(|| (DEFAULT_FILE.into(), None)),
    };
    let replaced = !flags.feeds.is_empty() || variables.iter().any(|(name, _)| name == "TICKCAST_FEEDS");
    let mut base = directory.to_owned();
    if let Some((path, origin)) = file {
        let full = directory.join(&path);
        base = full.parent().unwrap_or(directory).to_owned();
        match document::read(&full) {
            Ok(text) => {
                let name = path.display().to_string();
                let inline = feeds.filter(|_| !replaced).map(|feeds| (feeds, base.as_path()));
                read_file(&name, &text, &mut settings, inline);
            }
            Err(why) => settings.error(ConfigError::Unreadable { path, origin, why }),
        }
    }
    for (name, text) in variables.into_iter().filter(|variable| !named(variable)) {
        settings.insert_untyped(key(&name), text, Origin::Variable(name));
    }
    insert_flags(flags, &mut settings);
    Layers { settings, base, replaced }
}

/// The key of a variable: `TICKCAST_SERVER__BIND` is `server.bind`.
fn key(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_ascii_lowercase().replace("__", ".")
}

/// The gateway's own variables, without what [platforms inject](is_injected) under names like its.
fn variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    settings: &mut Settings,
) -> Vec<(String, String)> {
    let mut found = BTreeMap::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if name == TEST_VARIABLE {
            continue;
        }
        match value.into_string() {
            Ok(value) => drop(found.insert(name.to_owned(), value)),
            Err(value) => settings.error(ConfigError::Invalid {
                origin: Origin::Variable(name.to_owned()),
                key: "value".into(),
                found: format!("{value:?}"),
                expected: "text in UTF-8".into(),
            }),
        }
    }
    let value_of = |name: &str| found.get(name).map(String::as_str);
    let ours = found.iter().filter(|(name, value)| !is_injected(name, value, value_of));
    ours.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Takes a file's settings, and its `[[feed]]` tables where they are wanted.
fn read_file(name: &str, text: &str, settings: &mut Settings, mut inline: Option<(&mut Feeds, &Path)>) {
    let document = match Document::parse(name, text) {
        Ok(document) => document,
        Err(errors) => return settings.errors(errors),
    };
    for (key, value) in document.table() {
        let section = key.get_ref();
        if section == "feed" {
            if let Some((feeds, base)) = &mut inline {
                feeds.add(&document, value, base);
            }
        } else if let Some(table) = value.get_ref().as_table() {
            settings.section(section.to_string(), document.at(&key.span()));
            for (key, value) in table {
                settings
                    .insert(format!("{section}.{}", key.get_ref()), setting(&document, key.span(), value));
            }
        } else {
            settings.insert(section.to_string(), setting(&document, key.span(), value));
        }
    }
}

fn setting(document: &Document<'_>, key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Setting {
    let found = document.found(&value.span());
    Setting { value: document.value(value), found, origin: document.at(&key) }
}

/// Takes what the flags say.
fn insert_flags(flags: &Flags, settings: &mut Settings) {
    let table = [
        ("--bind", "server.bind", &flags.bind),
        ("--workers", "server.workers", &flags.workers),
        ("--log-format", "log.format", &flags.log_format),
        ("--log-level", "log.level", &flags.log_level),
    ];
    for (flag, key, value) in table {
        if let Some(value) = value {
            settings.insert_untyped(key.to_owned(), value.clone(), Origin::Flag(flag));
        }
    }
}
