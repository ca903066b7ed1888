//! The configuration of a replay, and its check.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use super::{Format, Replay, ReplayPlan, csv, names::Symbols, playback::Speed, recording::Recording};
use crate::{
    dialect::Venue,
    feed::DefinitionError,
    limits::REPLAY_SPEED,
    market::{Source, Symbol},
};

/// The keys of a `kind = "replay"` feed besides `name` and `kind`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The file, or the files in the order in which they are played.
    path: Paths,
    format: FormatName,
    /// 1 is as recorded, 50 fifty times as fast, `"max"` as fast as the gateway takes it.
    #[serde(default)]
    speed: SpeedName,
    /// Start over at the end.
    #[serde(default, rename = "loop")]
    looping: bool,
    /// The recording's symbols by ours; others keep their name.
    #[serde(default)]
    symbols: HashMap<String, Symbol>,
    /// The source of all ticks, instead of the recording's.
    source: Option<Source>,
    /// Tell the progress on the terminal or in the log.
    #[serde(default = "yes")]
    progress: bool,
    /// The columns of `format = "csv"`.
    csv: Option<csv::Mapping>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a path or a list of paths")]
enum Paths {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatName {
    Binance,
    Coinbase,
    Kraken,
    Alpaca,
    Native,
    Csv,
    Dbn,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "a number or \"max\"")]
enum SpeedName {
    Times(f64),
    Word(SpeedWord),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SpeedWord {
    Max,
}

impl Default for SpeedName {
    fn default() -> Self {
        Self::Times(1.0)
    }
}

const fn yes() -> bool {
    true
}

impl Definition {
    /// Checks the definition, and opens each file once to find missing files, columns and metadata before the gateway starts.
    /// Relative paths are relative to `base`. Blocks on the files.
    ///
    /// # Errors
    /// Names the key and what was expected.
    pub fn build(self, base: &Path) -> Result<Replay, DefinitionError> {
        let speed = match self.speed {
            SpeedName::Word(SpeedWord::Max) => Speed::Max,
            SpeedName::Times(times) if REPLAY_SPEED.contains(&times) => Speed::Times(times),
            SpeedName::Times(times) => {
                let (least, most) = (REPLAY_SPEED.start(), REPLAY_SPEED.end());
                let why = format!("{times} is not within {least} to {most}; or write \"max\"");
                return Err(DefinitionError::new("speed", why));
            }
        };
        let format = match (self.format, self.csv) {
            (FormatName::Csv, Some(mapping)) => Format::Csv(Arc::new(csv::Layout::new(mapping)?)),
            (FormatName::Csv, None) => {
                return Err(DefinitionError::new("csv", "format = \"csv\" needs the mapping of the columns"));
            }
            (_, Some(_)) => return Err(DefinitionError::new("csv", "belongs to format = \"csv\" only")),
            (FormatName::Binance, None) => Format::Venue(Venue::Binance),
            (FormatName::Coinbase, None) => Format::Venue(Venue::Coinbase),
            (FormatName::Kraken, None) => Format::Venue(Venue::Kraken),
            (FormatName::Alpaca, None) => Format::Venue(Venue::Alpaca),
            (FormatName::Native, None) => Format::Native,
            (FormatName::Dbn, None) => Format::Dbn,
        };
        let paths = match self.path {
            Paths::One(path) => vec![("path".to_owned(), path)],
            Paths::Several(paths) => {
                paths.into_iter().enumerate().map(|(i, path)| (format!("path[{i}]"), path)).collect()
            }
        };
        if paths.is_empty() {
            return Err(DefinitionError::new("path", "is an empty list"));
        }
        let mut files = Vec::with_capacity(paths.len());
        let mut bytes = 0;
        for (key, path) in paths {
            let path = base.join(path);
            bytes += check(&path, &format).map_err(|why| DefinitionError::new(key, why))?;
            files.push(path);
        }
        let plan =
            ReplayPlan { files, bytes, format, symbols: Symbols::new(self.symbols), source: self.source };
        Ok(Replay { plan: Arc::new(plan), speed, looping: self.looping, progress: self.progress })
    }
}

/// The length of a file that can be opened.
fn check(path: &Path, format: &Format) -> Result<u64, String> {
    let shown = path.display();
    let about = path.metadata().map_err(|error| format!("{shown}: {error}"))?;
    if !about.is_file() {
        return Err(format!("{shown}: not a file"));
    }
    Recording::open(path, format, &Arc::default())?;
    Ok(about.len())
}
