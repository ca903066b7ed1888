//! How a file, the environment and the flags become settings.

use std::{ffi::OsString, ops::Range, path::Path};

use toml::{Spanned, de::DeValue};

use super::{
    ConfigError, Flags, Origin,
    document::Document,
    feeds::Feeds,
    settings::{Setting, Settings},
};

/// Prefix of every variable.
const PREFIX: &str = "TICKCAST_";

/// The variable that names the file.
pub(super) const FILE_VARIABLE: &str = "TICKCAST_CONFIG";

/// The variable that tells the tests where recorded data lies: none of the gateway's business.
const TEST_VARIABLE: &str = "TICKCAST_CAPTURES";

/// The key of a variable: `TICKCAST_SERVER__BIND` is `server.bind`.
pub(super) fn key(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_ascii_lowercase().replace("__", ".")
}

/// The gateway's own variables. Those that container platforms inject for a service called `tickcast`
/// (`TICKCAST_SERVICE_HOST`, `TICKCAST_PORT_8080_TCP`, …) are not its own.
pub(super) fn variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    settings: &mut Settings,
) -> Vec<(String, String)> {
    let mut own = Vec::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let injected = |start: &str| name.strip_prefix(start).is_some_and(|rest| !rest.starts_with('_'));
        let foreign = injected("TICKCAST_SERVICE_") || injected("TICKCAST_PORT_") || name == "TICKCAST_PORT";
        if foreign || name == TEST_VARIABLE {
            continue;
        }
        match value.into_string() {
            Ok(value) => own.push((name.to_owned(), value)),
            Err(value) => settings.error(ConfigError::Invalid {
                origin: Origin::Variable(name.to_owned()),
                key: "value".into(),
                found: format!("{value:?}"),
                expected: "text in UTF-8".into(),
            }),
        }
    }
    own.sort();
    own
}

/// Takes a file's settings, and its `[[feed]]` tables where they are wanted.
pub(super) fn read_file(
    name: &str,
    text: &str,
    settings: &mut Settings,
    mut inline: Option<(&mut Feeds, &Path)>,
) {
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
pub(super) fn insert_flags(flags: &Flags, settings: &mut Settings) {
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
