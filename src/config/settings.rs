//! Settings by dotted key, each with the place it was written: a later layer replaces an earlier one's value.
//!
//! Reading a key makes it known; a key that is never read is unknown. So a key, its range and its default
//! are named in one line of `sections.rs` and nowhere else. Mistakes are collected, and the default stands in, so that
//! one start shows them all.

use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use super::{ConfigError, ConfigErrors, Origin};

/// A value as its layer wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A TOML string.
    Text(String),
    /// A TOML integer, in decimal.
    Integer(String),
    /// A TOML boolean.
    Switch(bool),
    /// A TOML array of strings.
    List(Vec<String>),
    /// Text of an environment variable or flag, which may mean any type.
    Untyped(String),
    /// TOML of a type that no setting has.
    Other,
}

/// A value, how it looked and where.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) found: String,
    pub(super) origin: Origin,
}

/// All layers, one upon the other.
#[derive(Debug, Default)]
pub(super) struct Settings {
    found: BTreeMap<String, Setting>,
    sections: Vec<(String, Origin)>,
    known: Vec<&'static str>,
    errors: Vec<ConfigError>,
}

impl Settings {
    /// Sets a key; it replaces what an earlier layer said.
    pub(super) fn insert(&mut self, key: String, setting: Setting) {
        self.found.insert(key, setting);
    }

    /// Notes a section, which may be empty and yet unknown.
    pub(super) fn section(&mut self, name: String, origin: Origin) {
        self.sections.push((name, origin));
    }

    /// Sets a key to text that may mean any type.
    pub(super) fn insert_untyped(&mut self, key: String, text: String, origin: Origin) {
        let found = format!("{text:?}");
        self.insert(key, Setting { value: Value::Untyped(text), found, origin });
    }

    /// Notes a mistake.
    pub(super) fn error(&mut self, error: ConfigError) {
        self.errors.push(error);
    }

    /// Notes mistakes.
    pub(super) fn errors(&mut self, errors: impl IntoIterator<Item = ConfigError>) {
        self.errors.extend(errors);
    }

    /// Where a key was written, once it was read too.
    pub(super) fn origin(&self, key: &str) -> Option<Origin> {
        self.found.get(key).map(|setting| setting.origin.clone())
    }

    /// Whether a key was written, well or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.found.contains_key(key)
    }

    /// Notes that the value of a key does not go together with others; only what was written can be wrong.
    pub(super) fn contradicts(&mut self, keys: &[&str], why: String) {
        if let Some((key, origin)) = keys.iter().find_map(|key| Some((*key, self.origin(key)?))) {
            self.errors.push(ConfigError::Refused { origin, key: key.to_owned(), why });
        }
    }

    /// A whole number within a range.
    pub(super) fn integer<T>(&mut self, key: &'static str, range: &RangeInclusive<T>, default: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(setting) = self.take(key) else { return default };
        let number = match &setting.value {
            Value::Integer(text) | Value::Untyped(text) => text.trim().parse().ok(),
            Value::Text(_) | Value::Switch(_) | Value::List(_) | Value::Other => None,
        };
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            self.invalid(key, setting, &expected);
            default
        })
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> bool {
        let Some(setting) = self.take(key) else { return default };
        let value = match &setting.value {
            Value::Switch(value) => Some(*value),
            Value::Untyped(text) => text.trim().parse().ok(),
            Value::Text(_) | Value::Integer(_) | Value::List(_) | Value::Other => None,
        };
        value.unwrap_or_else(|| {
            self.invalid(key, setting, "true or false");
            default
        })
    }

    /// A time in milliseconds within a range.
    pub(super) fn millis(
        &mut self,
        key: &'static str,
        range: &RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.integer(key, range, default))
    }

    /// A text that `parse` understands; `expected` says what that is.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let setting = self.take(key)?;
        let value = match &setting.value {
            Value::Text(text) | Value::Untyped(text) => parse(text),
            Value::Integer(_) | Value::Switch(_) | Value::List(_) | Value::Other => None,
        };
        if value.is_none() {
            self.invalid(key, setting, expected);
        }
        value
    }

    /// A list of texts, or one text with commas in the environment; each must be understood.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut setting = self.take(key)?;
        let items: Vec<String> = match &setting.value {
            Value::List(items) => items.clone(),
            Value::Untyped(text) => {
                text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
            }
            Value::Text(_) | Value::Integer(_) | Value::Switch(_) | Value::Other => {
                self.invalid(key, setting, &format!("a list of texts, each {expected}"));
                return None;
            }
        };
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match parse(&item) {
                Some(value) => values.push(value),
                None => {
                    setting.found = format!("{item:?}");
                    self.invalid(key, setting.clone(), expected);
                }
            }
        }
        Some(values)
    }

    /// Every mistake, among them the keys that were never read.
    pub(super) fn finish(self) -> Result<(), ConfigErrors> {
        let Self { found, sections, known, mut errors } = self;
        let starts =
            |key: &str, section: &str| key.split_once('.').is_some_and(|(start, _)| start == section);
        for (name, origin) in sections {
            let has_keys = found.keys().any(|key| starts(key, &name));
            if !has_keys && !known.iter().any(|key| starts(key, &name)) {
                let hint = hint(&name, &known, false);
                errors.push(ConfigError::Unknown { origin, key: Some(name), hint });
            }
        }
        for (key, setting) in found {
            if known.contains(&key.as_str()) {
                continue;
            }
            let is_variable = matches!(setting.origin, Origin::Variable(_));
            let hint = hint(&key, &known, is_variable);
            errors.push(ConfigError::Unknown {
                origin: setting.origin,
                key: (!is_variable).then_some(key),
                hint,
            });
        }
        if errors.is_empty() { Ok(()) } else { Err(ConfigErrors(errors)) }
    }

    /// The mistakes so far, without those that only a whole configuration shows.
    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        self.errors
    }

    fn take(&mut self, key: &'static str) -> Option<Setting> {
        self.known.push(key);
        self.found.get(key).cloned()
    }

    fn invalid(&mut self, key: &str, setting: Setting, expected: &str) {
        let Setting { found, origin, .. } = setting;
        let (key, expected) = (key.to_owned(), expected.to_owned());
        self.errors.push(ConfigError::Invalid { origin, key, found, expected });
    }
}

/// The variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("TICKCAST_{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// What could have been meant by an unknown key.
fn hint(key: &str, known: &[&str], is_variable: bool) -> String {
    let spell = |known: &str| if is_variable { variable(known) } else { known.to_owned() };
    let bare = |text: &str| text.replace(['.', '_', '-'], "");
    if let Some(near) = known.iter().find(|known| bare(known) == bare(key)) {
        return format!("did you mean {}?", spell(near));
    }
    let section = key.split_once('.').map_or(key, |(section, _)| section);
    let siblings: Vec<_> = known
        .iter()
        .filter(|known| known.split_once('.').is_some_and(|(its, _)| its == section))
        .map(|known| spell(known))
        .collect();
    if siblings.is_empty() {
        let mut names: Vec<String> = Vec::new();
        for (section, _) in known.iter().filter_map(|known| known.split_once('.')) {
            let name = format!("[{section}]");
            // Keys of one section need not stand together.
            if !names.contains(&name) {
                names.push(name);
            }
        }
        return format!("there are feeds, [[feed]] and the sections {}", names.join(" "));
    }
    format!("known are {}", siblings.join(", "))
}
