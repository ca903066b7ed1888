//! Feed definitions: the `[[feed]]` tables of a configuration or of a file of their own, checked and built.

use std::{path::Path, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};

use super::{
    AnyFeed, ConfigError, FeedConfig, Origin,
    document::{self, Document},
};
use crate::{
    dialect::Venue,
    feed::{
        DefinitionError, push, redis, replay, simulator,
        upstream::{self, Surroundings},
    },
    hub::FreshnessLimits,
    limits::{DEFAULT_PREFERENCE, FRESH_MS, PREFERENCE_RANGE},
    market::Source,
};

/// Name of the built-in definition.
pub(super) const DEMO: &str = "demo";

/// The built-in definition.
const DEMO_TEXT: &str = include_str!("../../feeds/demo.toml");

/// The feeds that were built, and the mistakes in the others.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    pub(super) built: Vec<FeedConfig>,
    pub(super) errors: Vec<ConfigError>,
    /// What the environment says to feeds of venues.
    pub(super) surroundings: Surroundings,
    names: Vec<(Source, Origin)>,
    /// Tables seen, whether they could be built or not.
    tables: usize,
    /// Whether they are the demonstration, for want of others.
    pub(super) is_demonstration: bool,
}

impl Feeds {
    /// Adds the feeds of a built-in definition or a definition file; a relative path is relative to `base`.
    pub(super) fn open(&mut self, reference: &str, base: &Path, origin: Option<Origin>) {
        if reference == DEMO {
            return self.read("demo (built in)", DEMO_TEXT, base);
        }
        let path = base.join(reference);
        match document::read(&path) {
            Ok(text) => self.read(reference, &text, path.parent().unwrap_or(base)),
            Err(why) => {
                let missing = why.kind() == std::io::ErrorKind::NotFound;
                let text = format!("{why}; nor is it a built-in feed: {DEMO:?} is the only one");
                let why = if missing { std::io::Error::new(why.kind(), text) } else { why };
                self.errors.push(ConfigError::Unreadable { path: reference.into(), origin, why });
            }
        }
    }

    /// Runs the demonstration where there is no feed at all.
    pub(super) fn or_demonstration(&mut self, base: &Path) {
        if self.tables == 0 && self.errors.is_empty() {
            self.is_demonstration = true;
            self.open(DEMO, base, None);
        }
    }

    /// Forgets what is wrong with them: an edge shares its file with gateways that run them, and has neither their
    /// credentials nor their recordings. Those that can be built say which of them are simulated, and what producers
    /// may send.
    pub(super) fn leave_to_others(&mut self) {
        self.errors.clear();
    }

    fn read(&mut self, name: &str, text: &str, base: &Path) {
        let document = match Document::parse(name, text) {
            Ok(document) => document,
            Err(errors) => return self.errors.extend(errors),
        };
        let others = document.table().iter().filter(|(key, _)| key.get_ref() != "feed");
        for (key, _) in others {
            self.errors.push(ConfigError::Unknown {
                origin: document.at(&key.span()),
                key: Some(key.get_ref().to_string()),
                hint: "a feed definition has [[feed]] tables only".into(),
            });
        }
        let before = self.tables;
        if let Some(feed) = document.table().get("feed") {
            self.add(&document, feed, base);
        }
        if self.tables == before && self.errors.is_empty() {
            let (origin, key) = (document.at(&(0..0)), "feed".into());
            self.errors.push(ConfigError::Refused { origin, key, why: "there is no [[feed]] table".into() });
        }
    }

    /// Adds the feeds of a document's `feed` value; relative paths in them are relative to `base`.
    pub(super) fn add(&mut self, document: &Document<'_>, feed: &Spanned<DeValue<'_>>, base: &Path) {
        let Some(tables) = feed.get_ref().as_array() else {
            self.errors.push(ConfigError::Invalid {
                origin: document.at(&feed.span()),
                key: "feed".into(),
                found: document.found(&feed.span()),
                expected: "[[feed]] tables, in two brackets".into(),
            });
            return;
        };
        for (i, table) in tables.iter().enumerate() {
            self.tables += 1;
            if let Err(error) = self.add_table(document, i, table, base) {
                self.errors.push(error);
            }
        }
    }

    fn add_table(
        &mut self,
        document: &Document<'_>,
        i: usize,
        feed: &Spanned<DeValue<'_>>,
        base: &Path,
    ) -> Result<(), ConfigError> {
        let table = Table { document, prefix: format!("feed[{i}]"), feed };
        let expected = "a name of 1 to 16 printable characters without spaces and quotes";
        let (name, at) = table.text("name", expected, |text| Source::new(text).ok())?;
        if let Some((_, first)) = self.names.iter().find(|(other, _)| *other == name) {
            let key = format!("{}.name", table.prefix);
            let why = format!("{:?} is the name of another feed already, at {first}", name.as_str());
            return Err(ConfigError::Refused { origin: at, key, why });
        }
        self.names.push((name, at));
        let (kind, _) = table.text("kind", KINDS, Kind::parse)?;
        let built = match kind {
            Kind::Simulator => table
                .definition::<simulator::Definition>()?
                .build(base)
                .map(|it| AnyFeed::Simulator(Box::new(it))),
            Kind::Replay => {
                table.definition::<replay::Definition>()?.build(base).map(|it| AnyFeed::Replay(Box::new(it)))
            }
            Kind::Push => table.definition::<push::Definition>()?.build().map(AnyFeed::Push),
            Kind::Redis => {
                table.definition::<redis::Definition>()?.build(base).map(|it| AnyFeed::Redis(Box::new(it)))
            }
            Kind::Venue(venue) => table
                .definition::<upstream::Definition>()?
                .build(venue, base, &self.surroundings)
                .map(|it| AnyFeed::Upstream(Box::new(it))),
        };
        let feed = built.map_err(|why| table.refused(why))?;
        let symbols = match &feed {
            AnyFeed::Simulator(simulator) => simulator.symbols(),
            AnyFeed::Replay(_) | AnyFeed::Push(_) => table.symbols(),
            AnyFeed::Upstream(upstream) => upstream.symbols(),
            AnyFeed::Redis(redis) => redis.symbols().count(),
        };
        let (fresh, preference) = (table.fresh()?, table.preference()?);
        self.built.push(FeedConfig { name, feed, fresh, preference, symbols });
        Ok(())
    }
}

/// `fresh` of a feed, in milliseconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fresh {
    silence_ms: Option<u64>,
    age_ms: Option<u64>,
    trades_ms: Option<u64>,
    quotes_ms: Option<u64>,
}

/// What a feed can be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Simulator,
    Replay,
    Push,
    Redis,
    Venue(Venue),
}

const KINDS: &str = r#""simulator", "replay", "push", "redis", "binance", "coinbase", "kraken" or "alpaca""#;

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "simulator" => Some(Self::Simulator),
            "replay" => Some(Self::Replay),
            "push" => Some(Self::Push),
            "redis" => Some(Self::Redis),
            _ => Venue::ALL.into_iter().find(|venue| venue.as_str() == text).map(Self::Venue),
        }
    }
}

/// One `[[feed]]` table.
struct Table<'a> {
    document: &'a Document<'a>,
    prefix: String,
    feed: &'a Spanned<DeValue<'a>>,
}

impl Table<'_> {
    fn text<T>(
        &self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<(T, Origin), ConfigError> {
        let value = self.feed.get_ref().get(key);
        let span = value.map_or_else(|| self.feed.span(), Spanned::span);
        let origin = self.document.at(&span);
        match value.and_then(|value| value.get_ref().as_str()).and_then(parse) {
            Some(parsed) => Ok((parsed, origin)),
            None => Err(ConfigError::Invalid {
                origin,
                key: format!("{}.{key}", self.prefix),
                found: value.map_or_else(|| "nothing".into(), |_| self.document.found(&span)),
                expected: expected.into(),
            }),
        }
    }

    /// The rest of the keys, as the feed's kind has them.
    fn definition<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let mut rest = self.feed.clone();
        if let DeValue::Table(table) = rest.get_mut() {
            table.remove("name");
            table.remove("kind");
            table.remove("fresh");
            table.remove("preference");
        }
        T::deserialize(ValueDeserializer::from(rest)).map_err(|error| {
            let span = error.span().unwrap_or_else(|| self.feed.span());
            let key = match self.document.path(self.feed, &span) {
                Some(path) => format!("{}.{path}", self.prefix),
                None => self.prefix.clone(),
            };
            let why = error.message().to_owned();
            ConfigError::Refused { origin: self.document.at(&span), key, why }
        })
    }

    /// Its place among the feeds that carry the same symbol: the same key for every kind.
    fn preference(&self) -> Result<u32, ConfigError> {
        let Some(value) = self.feed.get_ref().get("preference") else { return Ok(DEFAULT_PREFERENCE) };
        let number = u32::deserialize(ValueDeserializer::from(value.clone())).ok();
        number.filter(|number| PREFERENCE_RANGE.contains(number)).ok_or_else(|| ConfigError::Invalid {
            origin: self.document.at(&value.span()),
            key: format!("{}.preference", self.prefix),
            found: self.document.found(&value.span()),
            expected: format!(
                "a whole number from {} to {}",
                PREFERENCE_RANGE.start(),
                PREFERENCE_RANGE.end()
            ),
        })
    }

    /// What the feed's symbols are held to: the same keys for every kind.
    fn fresh(&self) -> Result<FreshnessLimits, ConfigError> {
        let Some(value) = self.feed.get_ref().get("fresh") else { return Ok(FreshnessLimits::default()) };
        let fresh = Fresh::deserialize(ValueDeserializer::from(value.clone())).map_err(|error| {
            let span = error.span().unwrap_or_else(|| value.span());
            let key = format!("{}.fresh", self.prefix);
            ConfigError::Refused { origin: self.document.at(&span), key, why: error.message().to_owned() }
        })?;
        let time = |key: &str, millis: Option<u64>| match millis {
            Some(millis) if !FRESH_MS.contains(&millis) => {
                let (least, most) = (FRESH_MS.start(), FRESH_MS.end());
                let why = format!("expected {least} to {most} milliseconds, found {millis}");
                Err(self.refused(DefinitionError::new(format!("fresh.{key}"), why)))
            }
            millis => Ok(millis.map(Duration::from_millis)),
        };
        Ok(FreshnessLimits {
            silence: time("silence_ms", fresh.silence_ms)?,
            age: time("age_ms", fresh.age_ms)?,
            trades: time("trades_ms", fresh.trades_ms)?,
            quotes: time("quotes_ms", fresh.quotes_ms)?,
        })
    }

    fn refused(&self, error: DefinitionError) -> ConfigError {
        let span = self.document.span_of(self.feed, &error.key);
        let key = format!("{}.{}", self.prefix, error.key);
        ConfigError::Refused { origin: self.document.at(&span), key, why: error.why }
    }

    /// Symbols that the definition names.
    fn symbols(&self) -> usize {
        let list = |key| self.feed.get_ref().get(key).and_then(|value| value.get_ref().as_array());
        list("symbol").or_else(|| list("symbols")).map_or(0, |list| list.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[feed]]\nname = \"a\"\n\n[[feed]]\nname = \"b\"\n[[feed.symbol]]\nname = \"X\"\n\
                        [[feed.symbol]]\nname = \"Y\"\ntick = \"0\"\n[feed.model]\nrate = 3\n";

    #[test]
    fn a_definition_error_gets_file_line_and_whole_key() {
        let document = Document::parse("f.toml", TEXT).unwrap();
        let feed = &document.table()["feed"].get_ref().as_array().unwrap()[1];
        let table = Table { document: &document, prefix: "feed[1]".into(), feed };
        assert_eq!(table.symbols(), 2);
        for (key, line) in [
            ("symbol[1].tick", 10),
            ("symbol[0].name", 7),
            ("symbol[1].gone", 8),
            ("model.rate", 12),
            ("rate", 4),
        ] {
            let error = table.refused(DefinitionError::new(key, "is wrong"));
            assert_eq!(error.to_string(), format!("f.toml:{line}: feed[1].{key}: is wrong"));
        }
    }

    #[test]
    fn which_feed_is_preferred() {
        let read = |text: &str| {
            let text = format!("[[feed]]\nname = \"a\"\n{text}\n");
            let document = Document::parse("f", &text).unwrap();
            let feed = &document.table()["feed"].get_ref().as_array().unwrap()[0];
            Table { document: &document, prefix: "feed[0]".into(), feed }
                .preference()
                .map_err(|error| error.to_string())
        };
        assert_eq!((read(""), read("preference = 1")), (Ok(DEFAULT_PREFERENCE), Ok(1)));
        for bad in ["preference = 0", "preference = 1001", "preference = \"first\"", "preference = -1"] {
            let error = read(bad).unwrap_err();
            assert!(error.starts_with("f:3: feed[0].preference"), "{error}");
            assert!(error.contains("a whole number from 1 to 1000"), "{error}");
        }
    }

    #[test]
    fn what_a_feed_is_held_to() {
        let read = |text: &str| {
            let text = format!("[[feed]]\nname = \"a\"\n{text}\n");
            let document = Document::parse("f", &text).unwrap();
            let feed = &document.table()["feed"].get_ref().as_array().unwrap()[0];
            Table { document: &document, prefix: "feed[0]".into(), feed }
                .fresh()
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(""), Ok(FreshnessLimits::default()));
        let limits = read("fresh = { silence_ms = 5000, age_ms = 60000, quotes_ms = 1 }").unwrap();
        assert_eq!(limits.silence, Some(Duration::from_secs(5)));
        assert_eq!(limits.age, Some(Duration::from_secs(60)));
        assert_eq!((limits.trades, limits.quotes), (None, Some(Duration::from_millis(1))));
        for (bad, start) in [
            ("fresh = { silence_ms = 0 }", "f:3: feed[0].fresh.silence_ms: expected 1 to 86400000"),
            ("fresh = { silence = 1 }", "f:3: feed[0].fresh: unknown field"),
            ("fresh = 3", "f:3: feed[0].fresh: invalid type"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn a_wrong_type_is_found_wherever_it_is() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only that it cannot be read matters")]
        struct Definition {
            symbol: Vec<Symbol>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only that it cannot be read matters")]
        struct Symbol {
            tick: u32,
        }
        for (text, start) in [
            (
                "[[feed]]\n[[feed.symbol]]\ntick = 1\n[[feed.symbol]]\ntick = \"x\"\n",
                "f:5: feed[0].symbol[1].tick: ",
            ),
            (
                "[[feed]]\n[[feed.symbol]]\ntick = 1\n[[feed.symbol]]\ntick = 1\nx = 2\n",
                "f:6: feed[0].symbol[1].x: ",
            ),
            ("[[feed]]\nsymbol = 3\n", "f:2: feed[0].symbol: "),
            ("\n[[feed]]\n", "f:2: feed[0]: missing field"),
        ] {
            let document = Document::parse("f", text).unwrap();
            let feed = &document.table()["feed"].get_ref().as_array().unwrap()[0];
            let table = Table { document: &document, prefix: "feed[0]".into(), feed };
            let error = table.definition::<Definition>().unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}\n{start}");
        }
    }
}
