//! The configuration of a feed that reads Redis, and its check.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use super::{
    Redis,
    intake::Intake,
    mapping::{Fields, Mapping},
    payload::{Format, Payload},
    position::{Begin, EntryId},
    pubsub::Channels,
    stream::{Content, Streams},
};
use crate::{
    dialect::Venue,
    feed::{DefinitionError, SymbolRoom, replay::Symbols},
    limits::{
        DEFAULT_EXPIRE_MS, EXPIRE_MS_RANGE, MAX_TOPICS, PUSH_SYMBOLS, REDIS_CHANNELS, REDIS_NAME_BYTES,
        REDIS_STREAMS,
    },
    market::{Source, Symbol},
    redis::{Server, ServerDefinition},
};

/// The keys of a `kind = "redis"` feed besides `name` and `kind`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    url: Option<String>,
    #[serde(default)]
    sentinels: Vec<String>,
    master: Option<String>,
    username: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    mode: ModeName,
    /// Channels of `mode = "pubsub"`.
    #[serde(default)]
    channels: Vec<String>,
    /// Patterns of channels, as `PSUBSCRIBE` takes them.
    #[serde(default)]
    patterns: Vec<String>,
    /// Keys of `mode = "stream"`.
    #[serde(default)]
    streams: Vec<String>,
    /// Where a stream is read from that has no position: `new`, `oldest` or an id.
    from: Option<String>,
    #[serde(default)]
    format: FormatName,
    /// The field that holds the payload. Without: an entry has one field.
    field: Option<String>,
    /// Which field holds what, of entries without a payload.
    fields: Option<Mapping>,
    /// Whether `n` of a tick is its place among those of its symbol and channel.
    #[serde(default)]
    numbers: bool,
    #[serde(default)]
    symbols: SymbolNames,
    source: Option<Source>,
    #[serde(default = "default_max_symbols")]
    max_symbols: usize,
    #[serde(default = "default_expire_ms")]
    expire_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeName {
    Pubsub,
    Stream,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatName {
    #[default]
    Native,
    Binance,
    Coinbase,
    Kraken,
    Alpaca,
}

/// Symbols that exist before their first tick; with a venue's names for them where they differ.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a list of symbols, or a table of our symbols by the source's names")]
enum SymbolNames {
    Ours(Vec<String>),
    ByTheirs(HashMap<String, String>),
}

impl Default for SymbolNames {
    fn default() -> Self {
        Self::Ours(Vec::new())
    }
}

const fn default_max_symbols() -> usize {
    PUSH_SYMBOLS
}

const fn default_expire_ms() -> u64 {
    DEFAULT_EXPIRE_MS
}

impl Definition {
    /// Checks the definition. Relative paths are relative to `base`. Connects to nothing.
    ///
    /// # Errors
    /// Names the key and what was expected.
    pub fn build(mut self, base: &Path) -> Result<Redis, DefinitionError> {
        let server = self.server(base)?;
        self.check_mode()?;
        let (symbols, names) = self.take_symbols()?;
        let most = self.max_symbols;
        if !(1..=MAX_TOPICS).contains(&most) || most < symbols.len() {
            let named = symbols.len();
            let why = format!("{most} is not from 1 to {MAX_TOPICS}, or less than the {named} in `symbols`");
            return Err(DefinitionError::new("max_symbols", why));
        }
        if !EXPIRE_MS_RANGE.contains(&self.expire_ms) {
            let (least, most) = (EXPIRE_MS_RANGE.start(), EXPIRE_MS_RANGE.end());
            let why = format!("{} is not from {least} to {most}", self.expire_ms);
            return Err(DefinitionError::new("expire_ms", why));
        }
        let format = self.format()?;
        let mut all = symbols;
        let reads = match self.mode {
            ModeName::Pubsub => super::Reads::Channels(Channels::new(self.channels, self.patterns)),
            ModeName::Stream => {
                let content = match self.fields {
                    Some(mapping) => Content::Fields(Box::new(Fields::new(mapping)?)),
                    None => Content::Payload(self.field),
                };
                if let Content::Fields(fields) = &content {
                    all.extend(fields.symbol().filter(|symbol| !all.contains(symbol)));
                }
                super::Reads::Streams(Streams::new(self.streams, from(self.from.as_deref())?, content))
            }
        };
        let compares = matches!(format, Format::Venue(_));
        Ok(Redis {
            server,
            reads,
            payload: Payload::new(format, names),
            intake: Intake::new(SymbolRoom::new(most), self.source, compares),
            symbols: all,
            expires: Duration::from_millis(self.expire_ms),
        })
    }

    fn server(&mut self, base: &Path) -> Result<Server, DefinitionError> {
        let definition = ServerDefinition {
            url: self.url.take(),
            sentinels: std::mem::take(&mut self.sentinels),
            master: self.master.take(),
            username: self.username.take(),
            password_file: self.password_file.take(),
            ca_file: self.ca_file.take(),
            cert_file: self.cert_file.take(),
            key_file: self.key_file.take(),
        };
        Server::new(&definition, base).map_err(|error| DefinitionError::new(error.key, error.why))
    }

    /// Whether the keys are those of the mode.
    fn check_mode(&self) -> Result<(), DefinitionError> {
        let refused = |key: &str, why: &str| Err(DefinitionError::new(key, why));
        match self.mode {
            ModeName::Pubsub => {
                let strays = [
                    ("streams", !self.streams.is_empty()),
                    ("from", self.from.is_some()),
                    ("field", self.field.is_some()),
                    ("fields", self.fields.is_some()),
                ];
                if let Some((key, _)) = strays.iter().find(|(_, there)| *there) {
                    return refused(key, "belongs to mode = \"stream\" only");
                }
                if self.channels.is_empty() && self.patterns.is_empty() {
                    return refused("channels", "found none, and no patterns: expected at least one");
                }
                check_names("channels", &self.channels, REDIS_CHANNELS)?;
                check_names("patterns", &self.patterns, REDIS_CHANNELS)
            }
            ModeName::Stream => {
                let strays = [("channels", &self.channels), ("patterns", &self.patterns)];
                if let Some((key, _)) = strays.iter().find(|(_, names)| !names.is_empty()) {
                    return refused(key, "belongs to mode = \"pubsub\" only");
                }
                if self.streams.is_empty() {
                    return refused("streams", "found none: expected at least one");
                }
                check_names("streams", &self.streams, REDIS_STREAMS)?;
                if self.fields.is_some() && self.field.is_some() {
                    return refused("field", "expected either field or fields");
                }
                if self.fields.is_some() && self.format != FormatName::Native {
                    return refused(
                        "format",
                        "does not go together with fields, which say what an entry holds",
                    );
                }
                Ok(())
            }
        }
    }

    fn format(&self) -> Result<Format, DefinitionError> {
        let venue = match self.format {
            FormatName::Native if self.numbers && self.fields.is_some() => {
                let why = "does not go together with fields, which have no n";
                return Err(DefinitionError::new("numbers", why));
            }
            FormatName::Native => return Ok(Format::Native { has_numbers: self.numbers }),
            FormatName::Binance => Venue::Binance,
            FormatName::Coinbase => Venue::Coinbase,
            FormatName::Kraken => Venue::Kraken,
            FormatName::Alpaca => Venue::Alpaca,
        };
        if self.numbers {
            let why = "belongs to format = \"native\" only: a venue's frames have its own numbers";
            return Err(DefinitionError::new("numbers", why));
        }
        Ok(Format::Venue(venue))
    }

    /// Our symbols, and their names at the source.
    fn take_symbols(&mut self) -> Result<(Vec<Symbol>, Symbols), DefinitionError> {
        match std::mem::take(&mut self.symbols) {
            SymbolNames::Ours(texts) => {
                let read = |(i, text): (usize, &String)| {
                    let bad = |why| DefinitionError::new(format!("symbols[{i}]"), format!("{text:?} {why}"));
                    Symbol::new(text).map_err(bad)
                };
                let symbols = texts.iter().enumerate().map(read).collect::<Result<_, _>>()?;
                Ok((symbols, Symbols::default()))
            }
            SymbolNames::ByTheirs(names) => {
                if self.format == FormatName::Native && self.fields.is_none() {
                    let why =
                        "has names for a venue's symbols: ticks in our format have ours, so expected a list";
                    return Err(DefinitionError::new("symbols", why));
                }
                let read = |(theirs, ours): (String, String)| match Symbol::new(&ours) {
                    Ok(symbol) => Ok((theirs, symbol)),
                    Err(why) => {
                        Err(DefinitionError::new(format!("symbols.{theirs}"), format!("{ours:?} {why}")))
                    }
                };
                let names: HashMap<_, _> = names.into_iter().map(read).collect::<Result<_, _>>()?;
                let mut ours: Vec<_> = names.values().copied().collect();
                ours.sort_unstable();
                ours.dedup();
                Ok((ours, Symbols::new(names)))
            }
        }
    }
}

fn check_names(key: &str, names: &[String], most: usize) -> Result<(), DefinitionError> {
    if names.len() > most {
        let why = format!("found {}, expected at most {most}", names.len());
        return Err(DefinitionError::new(key, why));
    }
    for (i, name) in names.iter().enumerate() {
        let why = if name.is_empty() || name.len() > REDIS_NAME_BYTES {
            format!("expected 1 to {REDIS_NAME_BYTES} bytes")
        } else if names[..i].contains(name) {
            format!("{name:?} is there twice")
        } else {
            continue;
        };
        return Err(DefinitionError::new(format!("{key}[{i}]"), why));
    }
    Ok(())
}

fn from(text: Option<&str>) -> Result<Begin, DefinitionError> {
    match text {
        None | Some("new") => Ok(Begin::New),
        Some("oldest") => Ok(Begin::Oldest),
        Some(text) => text.parse::<EntryId>().map(Begin::After).map_err(|()| {
            let why =
                format!("{text:?} is neither new, oldest nor the id of an entry, such as 1526919030474-0");
            DefinitionError::new("from", why)
        }),
    }
}

#[cfg(test)]
mod tests;
